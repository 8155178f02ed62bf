import { describe, expect, test } from 'vitest'
import {
  expectRefused,
  login,
  PASSWORD,
  post,
  QUICK,
  register,
  signIn,
  statusOf,
  type WireStartedCode,
  type WireTokens,
  type WireUser,
} from '../../helpers/people.ts'
import {
  appCode,
  as,
  challenged,
  enableApp,
  enableSms,
  pass,
  someone,
  type WireChallenge,
} from '../../helpers/second-factors.ts'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'

const INVALID_CODE = { status: 400, code: 'invalid_code', detail: 'Invalid code' }
const ENDED = { status: 401, code: 'challenge_ended', detail: 'Sign in again' }
const WANTED = { status: 403, code: 'second_factor_required', detail: expect.any(String) }
const OTHER_PASSWORD = 'seven otters ate 12 pears'

const meOf = async (server: TestServer, { access_token: key }: Pick<WireTokens, 'access_token'>) =>
  (await server.api<WireUser>('GET', '/api/auth/me', { key })).body

const claimsOf = ({ access_token: token }: WireTokens) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    amr: string[]
    auth_time: number
    sid: string
  }

describe('turning a second factor on', () => {
  test('an app: its secret, URL and QR; with its first code ten backup codes, told this once', async () => {
    const server = await startServer({ settings: { ...QUICK, SERVICE_NAME: 'Acme' } })
    const tokens = await register(server, { phone: phoneOf(0), email: 'ada@example.org' })
    expect(await meOf(server, tokens)).toMatchObject({ two_factor_enabled: false, two_factor_methods: [] })
    const { body } = await as<{ secret: string; otpauth_url: string; qr_svg: string }>(
      server,
      tokens,
      '2fa/enable',
      { method: 'app' },
    )
    expect(body.secret).toMatch(/^[A-Z2-7]{32}$/)
    expect(body.otpauth_url).toContain(`secret=${body.secret}`)
    expect(body.otpauth_url).toMatch(/^otpauth:\/\/totp\/Acme:ada%40example\.org\?/)
    expect(body.qr_svg).toMatch(/^<svg /)
    // Nothing is asked for as long as it has not been shown to work.
    expect((await login(server, phoneOf(0))).body.access_token).toBeDefined()
    expectRefused(await as(server, tokens, '2fa/confirm', { code: '000000' }), INVALID_CODE)
    const code = appCode(server, body.secret)
    const { body: made } = await as<{ backup_codes: string[] }>(server, tokens, '2fa/confirm', { code })
    expect(made.backup_codes).toHaveLength(10)
    expect(new Set(made.backup_codes).size).toBe(10)
    for (const one of made.backup_codes) expect(one).toMatch(/^[0-9a-z]{5}-[0-9a-z]{5}$/)
    expect(await meOf(server, tokens)).toMatchObject({
      two_factor_enabled: true,
      two_factor_method: 'app',
      two_factor_methods: ['app'],
      backup_codes_left: 10,
    })
  })

  test('texts: a code to the number, and then with it', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await register(server, { phone: phoneOf(0) })
    await enableSms(server, tokens)
    expect(await meOf(server, tokens)).toMatchObject({
      two_factor_method: 'sms',
      two_factor_methods: ['sms'],
      backup_codes_left: 10,
    })
  })

  test('both: the app is preferred, and the codes are new', async () => {
    const { server, phone, backupCodes, tokens } = await someone('sms')
    server.clock.advance(60)
    const { body } = await pass(server, await challenged(server, phone), {
      factor: 'backup_code',
      code: backupCodes[0] ?? '',
    })
    const { backupCodes: renewed } = await enableApp(server, body)
    expect(await meOf(server, body)).toMatchObject({
      two_factor_method: 'app',
      two_factor_methods: ['sms', 'app'],
      backup_codes_left: 10,
    })
    const challenge = await challenged(server, phone)
    expect(challenge.factors).toEqual(['totp', 'sms', 'backup_code'])
    const old = { factor: 'backup_code', code: backupCodes[1] ?? '' }
    expectRefused(await pass(server, challenge, old), INVALID_CODE)
    expect((await pass(server, challenge, { ...old, code: renewed[1] ?? '' })).status).toBe(200)
    expect(await statusOf(server, tokens)).toBe(401)
  })

  test('ends the other sessions, and wants a fresh sign-in', async () => {
    const server = await startServer({ settings: QUICK })
    const other = await register(server, { phone: phoneOf(0) })
    const { body: tokens } = await login(server, phoneOf(0))
    await enableApp(server, tokens)
    expect([await statusOf(server, tokens), await statusOf(server, other)]).toEqual([200, 401])
    const stale = await register(server, { phone: phoneOf(1) })
    server.clock.advance(301)
    expect((await as(server, stale, '2fa/enable', { method: 'app' })).body.code).toBe(
      'fresh_sign_in_required',
    )
  })
})

describe('POST /api/auth/login, with a second factor', () => {
  test('asks for it, with every member, and opens no session', async () => {
    const { server, phone, tokens } = await someone('app')
    const { body, status } = await login<WireChallenge>(server, phone)
    expect(status).toBe(200)
    expect(body).toEqual({
      status: 'second_factor_required',
      challenge_token: expect.stringMatching(/^cht_[\w-]{43}$/),
      factors: ['totp', 'backup_code'],
      phone_hint: null,
      expires_at: new Date(server.clock.now() + 300_000).toISOString(),
    })
    const { body: sessions } = await server.api<{ data: unknown[] }>('GET', '/api/auth/sessions', {
      key: tokens.access_token,
    })
    expect(sessions.data).toHaveLength(1)
  })

  test('R77: a code of the app opens one session, once; the token says how and when', async () => {
    const { server, phone, code } = await someone('app')
    const challenge = await challenged(server, phone)
    const { status, body } = await pass(server, challenge, { factor: 'totp', code: code() })
    expect(status).toBe(200)
    expect(claimsOf(body)).toMatchObject({
      amr: ['pwd', 'otp', 'mfa'],
      auth_time: Math.floor(server.clock.now() / 1_000),
    })
    expectRefused(await pass(server, challenge, { factor: 'totp', code: code() }), ENDED)
    const again = await challenged(server, phone)
    expectRefused(await pass(server, again, { factor: 'totp', code: code() }), INVALID_CODE)
    server.clock.advance(30)
    expect((await pass(server, again, { factor: 'totp', code: code() })).status).toBe(200)
  })

  test('texts: a code to the number that is hinted at', async () => {
    const { server, phone } = await someone('sms')
    const challenge = await challenged(server, phone)
    expect(challenge).toMatchObject({ factors: ['sms', 'backup_code'], phone_hint: '+******2000' })
    const { challenge_token } = challenge
    const sent = await post<{ preview_code: string; resend_at: string; expires_at: string }>(
      server,
      '/api/auth/2fa/send',
      { challenge_token },
    )
    expect(sent.status, sent.text).toBe(200)
    expect(Object.keys(sent.body).sort()).toEqual(['expires_at', 'preview_code', 'resend_at'])
    const { body } = await pass(server, challenge, { factor: 'sms', code: sent.body.preview_code })
    expect(claimsOf(body).amr).toEqual(['pwd', 'sms', 'mfa'])
  })

  test('a backup code: however it is typed, once; its owner is told, and how many are left', async () => {
    const { server, phone, backupCodes } = await someone('app')
    const [code = ''] = backupCodes
    const typed = ` ${code.toUpperCase().replace('-', ' ')} `
    const { status, body } = await pass(server, await challenged(server, phone), {
      factor: 'backup_code',
      code: typed,
    })
    expect([status, body.user.backup_codes_left]).toEqual([200, 9])
    await expect
      .poll(() => server.inbox.list().map((message) => message.body))
      .toContainEqual(expect.stringContaining('9 left'))
    const again = await challenged(server, phone)
    expectRefused(await pass(server, again, { factor: 'backup_code', code }), INVALID_CODE)
  })

  test('R76: five tries in all over every factor, then nothing; a challenge lasts five minutes', async () => {
    const { server, phone, code, backupCodes } = await someone('app')
    const challenge = await challenged(server, phone)
    for (const [factor, wrong] of [
      ['totp', '000000'],
      ['backup_code', 'aaaaa-aaaaa'],
      ['sms', '123456'],
      ['totp', '000001'],
      ['backup_code', 'nothing'],
    ] as const) {
      expectRefused(await pass(server, challenge, { factor, code: wrong }), INVALID_CODE)
    }
    expectRefused(await pass(server, challenge, { factor: 'totp', code: code() }), ENDED)
    const right = { factor: 'backup_code', code: backupCodes[0] ?? '' }
    expectRefused(await pass(server, challenge, right), ENDED)
    const late = await challenged(server, phone)
    server.clock.advance(300)
    expectRefused(await pass(server, late, { factor: 'totp', code: code() }), ENDED)
    const inTime = await challenged(server, phone)
    server.clock.advance(299)
    expect((await pass(server, inTime, { factor: 'totp', code: code() })).status).toBe(200)
  })

  test('a challenge is void once the password is another, or the account is shut', async () => {
    const { server, phone, code, tokens } = await someone('app')
    const before = await challenged(server, phone)
    const { body } = await pass(server, await challenged(server, phone), { factor: 'totp', code: code() })
    const change = { current_password: PASSWORD, password: OTHER_PASSWORD }
    expect((await as(server, body, 'password/change', change)).status).toBe(200)
    server.clock.advance(30)
    expectRefused(await pass(server, before, { factor: 'totp', code: code() }), ENDED)
    const shut = await challenged(server, phone, OTHER_PASSWORD)
    await server.api('POST', `/admin/users/${tokens.user.id}/disable`)
    expectRefused(await pass(server, shut, { factor: 'totp', code: code() }), ENDED)
  })

  test.each([
    [{}, 'challenge_token'],
    [{ challenge_token: 'cht_x', code: '123456' }, 'factor'],
    [{ challenge_token: 'cht_x', factor: 'totp' }, 'code'],
    [{ challenge_token: 'cht_x', factor: 'mail', code: '1' }, 'factor'],
    [{ challenge_token: 'cht_x', factor: 'totp', code: 123456 }, 'code'],
    [{ challenge_token: 'cht_x', factor: 'totp', code: '1', attempts: 0 }, 'attempts'],
    [{ challenge_token: 'cht_x', factor: 'totp', code: '1', remember_device: 'yes' }, 'remember_device'],
  ])('%j is 400 and named', async (body, field) => {
    const server = await startServer()
    const answer = await post(server, '/api/auth/2fa/verify', body)
    expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field })
  })

  test('what is no challenge of ours is challenge_ended', async () => {
    const server = await startServer()
    for (const challenge_token of ['x', 'cht_x', `cht_${'A'.repeat(43)}`, `rt_${'0'.repeat(44)}`]) {
      expectRefused(await pass(server, { challenge_token }, { factor: 'totp', code: '123456' }), ENDED)
      expectRefused(await post(server, '/api/auth/2fa/send', { challenge_token }), ENDED)
    }
  })
})

describe('R81: a phone is never both factors', () => {
  test('a code to sign in with is not followed by another to the same number', async () => {
    const { server, phone, backupCodes } = await someone('sms')
    server.clock.advance(60)
    const asked = await post<{ preview_code: string }>(server, '/api/auth/otp/request', { phone })
    const body = { phone, otp: asked.body.preview_code }
    const { body: challenge } = await post<WireChallenge>(server, '/api/auth/verify-otp', body)
    expect(challenge).toMatchObject({
      status: 'second_factor_required',
      factors: ['backup_code'],
      phone_hint: null,
    })
    const { challenge_token } = challenge
    expect((await post(server, '/api/auth/2fa/send', { challenge_token })).body.code).toBe(
      'factor_not_offered',
    )
    const given = { factor: 'backup_code', code: backupCodes[0] ?? '' }
    const passed = await pass(server, challenge, given)
    expect(claimsOf(passed.body).amr).toEqual(['sms', 'otp', 'mfa'])
  })

  test('R82: a reset by phone leaves it on, and its password is not followed by a text until another factor was shown', async () => {
    const { server, phone, backupCodes, tokens } = await someone('sms')
    server.clock.advance(60)
    const codes = () => server.inbox.list().flatMap((message) => /\b\d{6}\b/.exec(message.body)?.[0] ?? [])
    const before = codes().length
    await post(server, '/api/auth/password/reset/request', { phone })
    await expect.poll(() => codes().length).toBe(before + 1)
    const [code] = codes()
    const reset = await post<{ reset_token: string }>(server, '/api/auth/password/reset/verify', {
      phone,
      code,
    })
    expect(reset.status, reset.text).toBe(200)
    const set = { reset_token: reset.body.reset_token, password: OTHER_PASSWORD }
    expect((await post(server, '/api/auth/password/reset', set)).status).toBe(200)
    expect(await statusOf(server, tokens)).toBe(401)
    const challenge = await challenged(server, phone, OTHER_PASSWORD)
    expect(challenge.factors).toEqual(['backup_code'])
    const given = { factor: 'backup_code', code: backupCodes[0] ?? '' }
    expect((await pass(server, challenge, given)).status).toBe(200)
    expect((await challenged(server, phone, OTHER_PASSWORD)).factors).toEqual(['sms', 'backup_code'])
  })
})

describe('remembered devices', () => {
  const remember = async (person: Awaited<ReturnType<typeof someone>>) => {
    const challenge = await challenged(person.server, person.phone)
    const given = { factor: 'totp', code: person.code(), remember_device: true }
    const { body } = await pass(person.server, challenge, given)
    person.server.clock.advance(30)
    return body
  }
  const loginWith = (
    server: TestServer,
    phone: string,
    device_token: string | undefined,
    password = PASSWORD,
  ) =>
    post<WireTokens & WireChallenge & { device_token?: string }>(server, '/api/auth/login', {
      identifier: phone,
      password,
      device_token,
    })

  test('are spared the second factor, not the password; the token changes with each use', async () => {
    const person = await someone('app')
    const { server, phone } = person
    const { device_token: first } = await remember(person)
    expect(first).toMatch(/^dt_/)
    expect((await loginWith(server, phone, first, 'not the password')).status).toBe(401)
    const { body } = await loginWith(server, phone, first)
    expect(body.access_token).toBeDefined()
    expect(body.device_token).not.toBe(first)
    expect(claimsOf(body).amr).toEqual(['pwd'])
    expect((await loginWith(server, phone, body.device_token)).body.access_token).toBeDefined()
  })

  test('R85: a token that was used before, later than its answer could be lost, ends its device', async () => {
    const person = await someone('app')
    const { server, phone } = person
    const { device_token: stolen } = await remember(person)
    const { body } = await loginWith(server, phone, stolen)
    // Its answer may have been lost.
    expect((await loginWith(server, phone, stolen)).body.device_token).toBe(body.device_token)
    server.clock.advance(11)
    expect((await loginWith(server, phone, stolen)).body.status).toBe('second_factor_required')
    expect((await loginWith(server, phone, body.device_token)).body.status).toBe('second_factor_required')
  })

  test('are listed, and forgotten one by one', async () => {
    const person = await someone('app')
    const { server, phone } = person
    const { access_token: key, device_token } = await remember(person)
    const { body } = await server.api<{ data: { id: string }[] }>('GET', '/api/auth/devices', { key })
    expect(body.data).toEqual([
      {
        id: expect.stringMatching(/^dev_/),
        name: expect.any(String),
        address: '192.0.2.1',
        created_at: expect.any(String),
        last_used_at: expect.any(String),
        expires_at: expect.any(String),
      },
    ])
    const path = `/api/auth/devices/${body.data[0]?.id}`
    expect((await server.api('DELETE', path, { key })).status).toBe(204)
    expect((await server.api('DELETE', path, { key })).status).toBe(404)
    expect((await loginWith(server, phone, device_token)).body.status).toBe('second_factor_required')
  })

  test('are no second factor for what wants one, and last 30 days', async () => {
    const person = await someone('app')
    const { server, phone } = person
    const { device_token } = await remember(person)
    const { body } = await loginWith(server, phone, device_token)
    expectRefused(await as(server, body, '2fa/disable'), WANTED)
    server.clock.advance(30 * 86_400)
    expect((await loginWith(server, phone, body.device_token)).body.status).toBe('second_factor_required')
  })

  test('end with the second factor, a reset, a change of number, and a shut account', async () => {
    for (const end of ['factor', 'password', 'phone', 'shut'] as const) {
      const person = await someone('app')
      const { server, phone } = person
      const tokens = await remember(person)
      const { device_token, user } = tokens
      let identifier = phone
      let password = PASSWORD
      if (end === 'factor') {
        await as(server, tokens, '2fa/disable')
        await enableApp(server, (await login(server, phone)).body)
      }
      if (end === 'password') {
        password = OTHER_PASSWORD
        await as(server, tokens, 'password/change', { current_password: PASSWORD, password })
      }
      if (end === 'phone') {
        identifier = phoneOf(5)
        const { body: begun } = await as<WireStartedCode>(server, tokens, 'phone', { phone: identifier })
        const { verification_id, preview_code: code } = begun
        expect((await as(server, tokens, 'phone/verify', { verification_id, code })).status).toBe(200)
      }
      if (end === 'shut') {
        await server.api('POST', `/admin/users/${user.id}/disable`)
        await server.api('POST', `/admin/users/${user.id}/enable`)
      }
      const { body } = await loginWith(server, identifier, device_token, password)
      expect(body.status, end).toBe('second_factor_required')
    }
  })
})

describe('codes as people type them', () => {
  test('of an app with the space that it shows, at the confirmation and at a sign-in', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await register(server, { phone: phoneOf(0) })
    const { body } = await as<{ secret: string }>(server, tokens, '2fa/enable', { method: 'app' })
    const spaced = (space: string) => appCode(server, body.secret).replace(/^.../, `$&${space}`)
    expect((await as(server, tokens, '2fa/confirm', { code: spaced(' ') })).status).toBe(200)
    server.clock.advance(30)
    const challenge = await challenged(server, phoneOf(0))
    expect((await pass(server, challenge, { factor: 'totp', code: spaced('\u00a0') })).status).toBe(200)
  })
})

describe('what wants a second factor that was shown a short while ago', () => {
  test('new backup codes are made ten times an hour', async () => {
    const { server, phone, code } = await someone('app')
    const { body } = await pass(server, await challenged(server, phone), { factor: 'totp', code: code() })
    const statuses: number[] = []
    for (let n = 0; n < 11; n++) statuses.push((await as(server, body, '2fa/backup-codes')).status)
    expect(statuses).toEqual([...Array<number>(10).fill(200), 429])
    const { limit } = (await as<{ limit: string }>(server, body, '2fa/backup-codes')).body
    expect(limit).toBe('backup_codes_per_account')
  })

  test('is refused without; shown again, it changes the session for a new one', async () => {
    const person = await someone('app')
    const { server, tokens } = person
    const routes: readonly (readonly [string, object])[] = [
      ['2fa/disable', {}],
      ['2fa/backup-codes', {}],
      ['2fa/enable', { method: 'sms' }],
      ['phone', { phone: phoneOf(3) }],
      ['password/change', { current_password: PASSWORD, password: OTHER_PASSWORD }],
    ]
    for (const [path, body] of routes) expectRefused(await as(server, tokens, path, body), WANTED)
    const { body: challenge } = await as<WireChallenge>(server, tokens, '2fa/challenge')
    const { body } = await pass(server, challenge, { factor: 'totp', code: person.code() })
    expect(claimsOf(body).sid).not.toBe(claimsOf(tokens).sid)
    expect(await statusOf(server, tokens)).toBe(401)
    server.clock.advance(299)
    expect((await as(server, body, '2fa/backup-codes')).status).toBe(200)
    server.clock.advance(2)
    expectRefused(await as(server, body, '2fa/backup-codes'), WANTED)
  })

  test('turned off, nothing is asked for any more, and nothing of it is left', async () => {
    const person = await someone('app')
    const { server, phone, backupCodes } = person
    const { body } = await pass(server, await challenged(server, phone), {
      factor: 'totp',
      code: person.code(),
    })
    expect((await as(server, body, '2fa/disable')).status).toBe(200)
    expect(await meOf(server, body)).toMatchObject({ two_factor_enabled: false, backup_codes_left: 0 })
    const { body: tokens } = await login(server, phone)
    expect(tokens.access_token).toBeDefined()
    await enableApp(server, tokens)
    const old = { factor: 'backup_code', code: backupCodes[0] ?? '' }
    expectRefused(await pass(server, await challenged(server, phone), old), INVALID_CODE)
  })

  test('there is no challenge without a second factor', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await signIn(server, phoneOf(0))
    expect((await as(server, tokens, '2fa/challenge')).body.code).toBe('factor_not_offered')
  })
})

describe('R86: a number that was somebody else’s', () => {
  test('opens no account with a second factor; whoever has it now gets one of their own', async () => {
    const { server, phone, tokens, code } = await someone('app')
    server.clock.advance(60)
    const asked = await post<{ preview_code: string }>(server, '/api/auth/otp/request', { phone })
    const body = { phone, otp: asked.body.preview_code }
    const { body: challenge } = await post<WireChallenge>(server, '/api/auth/verify-otp', body)
    const { challenge_token } = challenge
    const over = await post<WireTokens>(server, '/api/auth/2fa/start-over', { challenge_token })
    expect(over.status, over.text).toBe(200)
    expect(over.body.user).toMatchObject({ phone, two_factor_enabled: false })
    expect(over.body.user.id).not.toBe(tokens.user.id)
    expectRefused(await pass(server, challenge, { factor: 'totp', code: code() }), ENDED)
    const { body: first } = await server.api<{ user: WireUser }>('GET', `/admin/users/${tokens.user.id}`)
    expect(first.user).toMatchObject({ phone: null, two_factor_enabled: true })
    // With a password it is not the number that was shown.
    const own = await register(server, { phone: phoneOf(8), email: 'c@example.org' })
    await enableApp(server, own)
    const { challenge_token: other } = await challenged(server, 'c@example.org')
    expectRefused(await post(server, '/api/auth/2fa/start-over', { challenge_token: other }), ENDED)
  })
})

describe('what the operator says of second factors', () => {
  const refused = { status: 403, code: 'forbidden' }

  test('off: nobody turns one on; whoever has one is asked for it', async () => {
    const server = await startServer({ settings: { ...QUICK, SECOND_FACTOR: 'off' } })
    const tokens = await register(server, { phone: phoneOf(0) })
    for (const method of ['app', 'sms'])
      expect((await as(server, tokens, '2fa/enable', { method })).body).toMatchObject(refused)
  })

  test('required: who has none can turn one on and sign out, and nothing else', async () => {
    const server = await startServer({ settings: { ...QUICK, SECOND_FACTOR: 'required' } })
    const tokens = await register(server, { phone: phoneOf(0) })
    const key = tokens.access_token
    expect((await server.api('GET', '/api/auth/me', { key })).status).toBe(200)
    for (const [method, path] of [
      ['GET', '/api/auth/sessions'],
      ['PATCH', '/api/auth/me'],
      ['GET', '/api/auth/devices'],
      ['POST', '/api/auth/phone'],
    ] as const) {
      const body =
        method === 'PATCH' ? { name: 'Ada' } : method === 'POST' ? { phone: phoneOf(1) } : undefined
      const answer = await server.api(method, path, { key, ...(body ? { body } : {}) })
      expect(answer.body, path).toMatchObject({ status: 403, code: 'second_factor_required' })
    }
    const { secret } = await enableApp(server, tokens)
    expect((await server.api('GET', '/api/auth/sessions', { key })).status).toBe(200)
    const { body: challenge } = await as<WireChallenge>(server, tokens, '2fa/challenge')
    const { body } = await pass(server, challenge, { factor: 'totp', code: appCode(server, secret) })
    expect((await as(server, body, '2fa/disable')).body).toMatchObject(refused)
    expect((await server.api('POST', '/api/auth/logout', { key: body.access_token, body: {} })).status).toBe(
      204,
    )
  })

  test('texts as a fallback: beside an app alone; off: not at all', async () => {
    const server = await startServer({ settings: { ...QUICK, SECOND_FACTOR_SMS: 'fallback' } })
    const tokens = await register(server, { phone: phoneOf(0) })
    server.clock.advance(60)
    const early = await as(server, tokens, '2fa/enable', { method: 'sms' })
    expect(early.body.code).toBe('factor_not_offered')
    const { secret } = await enableApp(server, tokens)
    const { body: challenge } = await as<WireChallenge>(server, tokens, '2fa/challenge')
    const { body } = await pass(server, challenge, { factor: 'totp', code: appCode(server, secret) })
    await enableSms(server, body)
    expect((await challenged(server, phoneOf(0))).factors).toEqual(['totp', 'sms', 'backup_code'])
    const without = await startServer({ settings: { ...QUICK, SECOND_FACTOR_SMS: 'off' } })
    const other = await register(without, { phone: phoneOf(0) })
    expect((await as(without, other, '2fa/enable', { method: 'sms' })).body.code).toBe('factor_not_offered')
  })
})

describe('who has lost every second factor', () => {
  const path = (id: string) => `/admin/users/${id}/second-factor-reset`

  test('is let in by the first alone once an administrator has said so and waited; they are told', async () => {
    const { server, phone, tokens } = await someone('app')
    const { body } = await server.api<{ due_at: string }>('POST', path(tokens.user.id))
    expect(body).toEqual({ due_at: new Date(server.clock.now() + 72 * 3_600_000).toISOString() })
    await expect
      .poll(() => server.inbox.list().map((message) => message.body))
      .toContainEqual(expect.stringContaining('72 hours'))
    server.clock.advance(72 * 3_600 - 1)
    await challenged(server, phone)
    server.clock.advance(1)
    const { body: entered } = await login(server, phone)
    expect(entered.user).toMatchObject({ two_factor_enabled: false, backup_codes_left: 0 })
    expect(await statusOf(server, tokens)).toBe(401)
    expect((await server.api('POST', path(tokens.user.id))).body['code']).toBe('factor_not_offered')
  })

  test('a second factor that is shown meanwhile ends it, and so does the administrator', async () => {
    const { server, phone, tokens, code } = await someone('app')
    const { id } = tokens.user
    await server.api('POST', path(id))
    await pass(server, await challenged(server, phone), { factor: 'totp', code: code() })
    server.clock.advance(73 * 3_600)
    await challenged(server, phone)
    await server.api('POST', path(id))
    expect((await server.api('DELETE', path(id))).status).toBe(204)
    expect((await server.api('DELETE', path(id))).status).toBe(404)
    server.clock.advance(73 * 3_600)
    await challenged(server, phone)
  })
})
