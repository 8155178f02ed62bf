import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import { PASSWORD, post, QUICK, register, type WireTokens } from '../../helpers/people.ts'
import { endProcesses } from '../../helpers/process.ts'
import {
  appCode,
  as,
  challenged,
  enableApp,
  enableSms,
  pass,
  type WireChallenge,
} from '../../helpers/second-factors.ts'
import { type Answer, type Call, makeTempDir, phoneOf, startServer } from '../../helpers/server.ts'
import type { TestServer } from '../../helpers/server.ts'
import { serverOn } from '../../flows/backends.ts'
import { withGap } from './gap.ts'
import { settled } from './people.ts'

const DAY = 86_400
const A = phoneOf(0)
const B = phoneOf(1)
const OTHER_PASSWORD = 'seven otters ate 12 pears'
const COOKIE = '__Host-countersign_device'

afterAll(endProcesses)

type Entered = Partial<WireTokens> & Partial<WireChallenge> & { readonly device_token?: string }

/** Somebody with an app, on a device that is remembered. */
async function remembered(server: TestServer, phone = A, call: Call = {}) {
  const tokens = await register(server, { phone })
  const { secret, backupCodes } = await enableApp(server, tokens)
  const given = { factor: 'totp', code: appCode(server, secret), remember_device: true }
  const answer = await pass(server, await challenged(server, phone), given, call)
  expect(answer.status, answer.text).toBe(200)
  server.clock.advance(30)
  const { body: held, headers } = answer
  return { held, headers, secret, backupCodes, token: held.device_token ?? '' }
}

/** Signs in with the password, on the device of this token. */
function loginWith(
  server: TestServer,
  device_token: string,
  { phone = A, password = PASSWORD, call = {} }: { phone?: string; password?: string; call?: Call } = {},
): Promise<Answer<Entered>> {
  return post<Entered>(server, '/api/auth/login', { identifier: phone, password, device_token }, call)
}

/** Whether this answer let somebody in without a second factor. */
function isSpared({ status, body }: Answer<Entered>): boolean {
  expect(status).toBe(200)
  const isIn = body.access_token !== undefined
  expect(body.status).toBe(isIn ? undefined : 'second_factor_required')
  return isIn
}

const agent = (name: string): Call => ({ headers: { 'user-agent': name } })

describe('R85, A33: the token of a remembered device', () => {
  test('is not in the database, in whole or in part, and neither is the secret of the app or a code', async () => {
    const dataDir = makeTempDir()
    const server = await startServer({ settings: QUICK, dataDir })
    const { held, token, secret, backupCodes } = await remembered(server)
    const next = (await loginWith(server, token)).body.device_token ?? ''
    const db = new DatabaseSync(join(dataDir, 'test.db'), { readOnly: true })
    const tables = db.prepare(`SELECT name FROM sqlite_master WHERE type = 'table'`).all()
    const dump = JSON.stringify(tables.map(({ name }) => db.prepare(`SELECT * FROM "${String(name)}"`).all()))
    db.close()
    // The device itself is there: what is told of it is what the server knows.
    const [, id = '', , mac = ''] = token.split('_')
    expect(dump).toContain(`dev_${id}`)
    for (const hidden of [token, next, mac, next.slice(-43), secret, held.refresh_token, ...backupCodes])
      expect(dump).not.toContain(hidden)
  })

  test('cannot be made up, changed into a later one, or lengthened', async () => {
    const server = await startServer({ settings: QUICK })
    const { token } = await remembered(server)
    const [, id = '', , mac = ''] = token.split('_')
    for (const forged of [
      `dt_${id}_0_${'A'.repeat(43)}`,
      `dt_${id}_1_${mac}`,
      `dt_${id}_00_${mac}`,
      `dt_${'0'.repeat(44)}_0_${mac}`,
      `dt_${id}_0_`,
      `${token}=`,
      token.slice(0, -1),
      token.toUpperCase(),
      `dev_${id}`,
    ])
      expect(isSpared(await loginWith(server, forged)), forged).toBe(false)
    // None of these was a use of it.
    expect(isSpared(await loginWith(server, token))).toBe(true)
  })

  test('is of one account: with another’s password it spares nothing, and there it is no reuse', async () => {
    const server = await startServer({ settings: QUICK })
    const a = await remembered(server, A)
    const b = await remembered(server, B)
    expect(isSpared(await loginWith(server, a.token, { phone: B }))).toBe(false)
    expect(isSpared(await loginWith(server, b.token, { phone: A }))).toBe(false)
    expect((await loginWith(server, a.token, { password: 'not the password' })).status).toBe(401)
    expect(isSpared(await loginWith(server, a.token))).toBe(true)
    expect(isSpared(await loginWith(server, b.token, { phone: B }))).toBe(true)
    // Nobody takes another's device off either.
    const { body } = await server.api<{ data: { id: string }[] }>('GET', '/api/auth/devices', {
      key: a.held.access_token,
    })
    const path = `/api/auth/devices/${body.data[0]?.id}`
    expect((await server.api('DELETE', path, { key: b.held.access_token })).status).toBe(404)
  })

  test('ends 30 days after it was remembered, however much it is used, whatever the cookie says', async () => {
    const server = await startServer({ settings: { ...QUICK, SESSION_DAYS: '90' } })
    const call: Call = { headers: { 'x-session-mode': 'cookie' } }
    const { headers } = await remembered(server, A, call)
    const cookieOf = (from: Answer<unknown>['headers']) => {
      const set = [from['set-cookie'] ?? []].flat().find((one) => String(one).startsWith(COOKIE))
      return String(set).split(';')
    }
    const [first = '', ...attributes] = cookieOf(headers)
    expect(attributes.map((one) => one.trim())).toEqual([
      'Path=/',
      'Secure',
      'HttpOnly',
      'SameSite=Lax',
      `Max-Age=${30 * DAY}`,
    ])
    const enter = (cookie: string, mode = 'cookie') =>
      post<Entered>(
        server,
        '/api/auth/login',
        { identifier: A, password: PASSWORD },
        { headers: { 'x-session-mode': mode, cookie: `theme=dark; ${cookie}` } },
      )
    // Where the page does not say that it is one of cookies, it has none.
    expect(isSpared(await enter(first, 'token'))).toBe(false)
    let cookie = first
    const use = async (seconds: number) => {
      server.clock.advance(seconds)
      const entered = await enter(cookie)
      expect(entered.text).not.toContain('dt_')
      if (isSpared(entered)) [cookie = ''] = cookieOf(entered.headers)
      return isSpared(entered)
    }
    for (let week = 0; week < 4; week++) expect(await use(7 * DAY)).toBe(true)
    // `remembered` took 30 seconds.
    expect(await use(2 * DAY - 31)).toBe(true)
    // The browser was told when to forget it; who kept a copy is told so too.
    expect(await use(1)).toBe(false)
    expect(isSpared(await enter(first))).toBe(false)
  })

  test('that was used before ends the device: at once for another client, after ten seconds for the same', async () => {
    for (const [seconds, thief] of [
      [0, 'thief'],
      [11, 'owner'],
      [11, 'thief'],
    ] as const) {
      const server = await startServer({ settings: QUICK })
      const { token: stolen, held } = await remembered(server, A, agent('owner'))
      const { body } = await loginWith(server, stolen, { call: agent('owner') })
      server.clock.advance(seconds)
      expect(isSpared(await loginWith(server, stolen, { call: agent(thief) }))).toBe(false)
      const newest = await loginWith(server, body.device_token ?? '', { call: agent('owner') })
      expect(isSpared(newest)).toBe(false)
      const { data } = (
        await server.api<{ data: unknown[] }>('GET', '/api/auth/devices', { key: held.access_token })
      ).body
      expect(data).toEqual([])
      const events = await server.countersign.auth.administration.events({ limit: 20, userId: held.user.id })
      expect(events.data.map(({ type }) => type)).toContain('device.reused')
    }
  })

  test('is no second factor where one is wanted, nor at the number', async () => {
    const server = await startServer({ settings: QUICK })
    const { token } = await remembered(server)
    const { body } = await loginWith(server, token)
    const held = { access_token: body.access_token ?? '' }
    expect((await as(server, held, '2fa/backup-codes')).body.code).toBe('second_factor_required')
    const { body: step } = await as<WireChallenge>(server, held, '2fa/challenge')
    const device_token = body.device_token ?? ''
    for (const factor of ['totp', 'backup_code', 'sms']) {
      const { status } = await pass(server, step, { factor, code: device_token.slice(0, 40) })
      expect(status).toBe(400)
    }
    // Neither the code of a sign-in nor that of a reset asks for less because of it.
    server.clock.advance(60)
    const asked = await post<{ preview_code: string }>(server, '/api/auth/otp/request', { phone: A })
    const cookie = { headers: { 'x-session-mode': 'cookie', cookie: `${COOKIE}=${device_token}` } }
    const entered = await post<Entered>(
      server,
      '/api/auth/verify-otp',
      { phone: A, otp: asked.body.preview_code },
      cookie,
    )
    expect(isSpared(entered)).toBe(false)
  })

  test('that is ended while it is being used lets nobody in, and stays ended', async () => {
    const { server, between } = await withGap('changeAccount', QUICK)
    const { held, token } = await remembered(server)
    const call = { key: held.access_token }
    const { body } = await server.api<{ data: { id: string }[] }>('GET', '/api/auth/devices', call)
    between(() => server.api('DELETE', `/api/auth/devices/${body.data[0]?.id}`, call))
    expect(isSpared(await loginWith(server, token))).toBe(false)
    const { body: left } = await server.api<{ data: unknown[] }>('GET', '/api/auth/devices', call)
    expect(left.data).toEqual([])
  })

  test('more than 20 are not kept: the one that was used last the longest ago goes', async () => {
    const server = await startServer({ settings: { ...QUICK, PASSWORDS_PER_ADDRESS_HOUR: '1000' } })
    const { token: first, secret } = await remembered(server)
    const tokens: string[] = []
    for (let n = 0; n < 20; n++) {
      const given = { factor: 'totp', code: appCode(server, secret), remember_device: true }
      const { body } = await pass(server, await challenged(server, A), given)
      tokens.push(body.device_token ?? '')
      server.clock.advance(30)
    }
    expect(isSpared(await loginWith(server, first))).toBe(false)
    expect(isSpared(await loginWith(server, tokens[0] ?? ''))).toBe(true)
  })
})

/** What ends every device of an account; resolves with how it is signed in to afterwards. */
type End = (
  server: TestServer,
  person: Awaited<ReturnType<typeof remembered>>,
) => Promise<{ phone?: string; password?: string } | undefined>

/** Each begins with a second factor that was shown a moment ago. */
const ENDS: Readonly<Record<string, End>> = {
  'every factor turned off': async (server, { held }) => {
    expect((await as(server, held, '2fa/disable')).status).toBe(200)
    await enableApp(server, held)
    return {}
  },
  'one of two turned off': async (server, { held }) => {
    await enableSms(server, held)
    expect((await as(server, held, '2fa/disable', { method: 'sms' })).status).toBe(200)
    return {}
  },
  'a password that is changed': async (server, { held }) => {
    const change = { current_password: PASSWORD, password: OTHER_PASSWORD }
    expect((await as(server, held, 'password/change', change)).status).toBe(200)
    return { password: OTHER_PASSWORD }
  },
  'a password that is reset': async (server) => {
    server.clock.advance(60)
    await post(server, '/api/auth/password/reset/request', { phone: A })
    await settled()
    const code = /\b\d{6}\b/.exec(server.inbox.list({ to: A })[0]?.body ?? '')?.[0]
    const proven = await post<{ reset_token: string }>(server, '/api/auth/password/reset/verify', {
      phone: A,
      code,
    })
    const set = { reset_token: proven.body.reset_token, password: OTHER_PASSWORD }
    expect((await post(server, '/api/auth/password/reset', set)).status).toBe(200)
    return { password: OTHER_PASSWORD }
  },
  'another number': async (server, { held }) => {
    const { body } = await as<{ verification_id: string; preview_code: string }>(server, held, 'phone', {
      phone: B,
    })
    const proof = { verification_id: body.verification_id, code: body.preview_code }
    expect((await as(server, held, 'phone/verify', proof)).status).toBe(200)
    return { phone: B }
  },
  'an account that is shut, and opened again': async (server, { held }) => {
    for (const what of ['disable', 'enable'])
      expect((await server.api('POST', `/admin/users/${held.user.id}/${what}`)).status).toBe(200)
    return {}
  },
  'its user': async (server, { held }) => {
    const call = { key: held.access_token }
    const { body } = await server.api<{ data: { id: string }[] }>('GET', '/api/auth/devices', call)
    const { status } = await server.api('DELETE', `/api/auth/devices/${body.data[0]?.id}`, call)
    expect(status).toBe(204)
    return {}
  },
}

describeBackends(
  [POSTGRES, ...inLongRuns(SQLITE, MONGODB)],
  'R85: a remembered device is ended on',
  (backend) => {
    test('by what ends devices, and its old token is worth nothing afterwards', async () => {
      const server = await serverOn(backend)
      for (const [name, end] of Object.entries(ENDS)) {
        const person = await remembered(server)
        const ended = await end(server, person)
        expect([name, isSpared(await loginWith(server, person.token, ended))]).toEqual([name, false])
        // The next one begins with numbers that are nobody's.
        await server.api('DELETE', `/admin/users/${person.held.user.id}`)
        server.clock.advance(3_600)
      }
    })

    test('by two clients that come with one token at once, whoever is first', async () => {
      const server = await serverOn(backend)
      const { token } = await remembered(server, A, agent('owner'))
      const names = ['owner', 'thief', 'owner', 'thief']
      const answers = await Promise.all(names.map((name) => loginWith(server, token, { call: agent(name) })))
      // The token is new to whoever is first; the owner's other one may be a repeat, the thief's is none.
      const held = answers.filter(({ body }, n) => names[n] === 'thief' && body.access_token !== undefined)
      expect(held.length).toBeLessThanOrEqual(1)
      for (const device_token of new Set(answers.map(({ body }) => body.device_token ?? token)))
        expect(isSpared(await loginWith(server, device_token, { call: agent('owner') }))).toBe(false)
    })
  },
)
