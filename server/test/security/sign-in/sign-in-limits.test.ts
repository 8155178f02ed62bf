import type { FastifyServerOptions, RouteOptions } from 'fastify'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { describeBackends, POSTGRES } from '../../helpers/backends.ts'
import { Fleet } from '../../helpers/fleet.ts'
import { type Answer, endProcesses, numberOf } from '../../helpers/process.ts'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { wrong } from '../../helpers/wire.ts'
import { ask, codeTo, type From, PASSWORD, PLAIN, register, signIn, type Tokens } from './people.ts'

const DAY = 86_400

const routesByApp = vi.hoisted(() => new Map<object, RouteOptions[]>())

vi.mock(import('fastify'), async (original) => {
  const { default: fastify, ...module } = await original()
  // Every server made in this file tells its routes: the hook stands before any of them is added.
  const make = (options: FastifyServerOptions) => {
    const app = fastify(options)
    const routes: RouteOptions[] = []
    app.addHook('onRoute', (route) => void routes.push(route))
    routesByApp.set(app, routes)
    return app
  }
  return { ...module, default: Object.assign(make, fastify) }
})

vi.setConfig({ testTimeout: 90_000 })
afterAll(endProcesses)

/** The routes of the sign-in API, as `POST auth/login`. */
function routesOf(
  server: TestServer,
): { name: string; method: From['method']; path: string; access: unknown }[] {
  return (routesByApp.get(server.app) ?? [])
    .filter(({ config }) => config?.access === 'anyone' || config?.access === 'user')
    .flatMap(({ method, url, config }) =>
      [method].flat().map((one) => ({
        name: `${one} ${url.replace('/api/', '')}`,
        method: one as From['method'],
        path: url.replace('/api/', '').replace(':id', `ses_${'0'.repeat(44)}`),
        access: config?.access,
      })),
    )
}

/** Bodies that a stranger sends again and again, by route; `n` grows. */
const NO_CHALLENGE = `cht_${'0'.repeat(43)}`
const BODIES: Readonly<Record<string, (n: number) => object | undefined>> = {
  'POST auth/otp/request': (n) => ({ phone: phoneOf(n) }),
  'POST auth/verify-otp': (n) => ({ phone: phoneOf(n), otp: '000000' }),
  'POST auth/register': (n) => ({ phone: phoneOf(n), password: PASSWORD }),
  'POST auth/register/resend': () => ({ verification_id: `ver_${'0'.repeat(44)}` }),
  'POST auth/register/verify': () => ({ verification_id: `ver_${'0'.repeat(44)}`, code: '000000' }),
  'POST auth/login': (n) => ({ identifier: phoneOf(n), password: 'not the password' }),
  'POST auth/refresh': () => ({ refresh_token: 'rt_none' }),
  'POST auth/password/reset/request': (n) => ({ phone: phoneOf(n) }),
  'POST auth/password/reset/verify': (n) => ({ phone: phoneOf(n), code: '000000' }),
  'POST auth/password/reset': () => ({ reset_token: `rst_${'0'.repeat(43)}`, password: PASSWORD }),
  'POST auth/phone/undo/request': (n) => ({ phone: phoneOf(n) }),
  'POST auth/phone/undo': (n) => ({ phone: phoneOf(n), code: '000000' }),
  'POST auth/2fa/send': () => ({ challenge_token: NO_CHALLENGE }),
  'POST auth/2fa/verify': () => ({ challenge_token: NO_CHALLENGE, factor: 'totp', code: '000000' }),
  'POST auth/2fa/start-over': () => ({ challenge_token: NO_CHALLENGE }),
}

describe('A18, A19: every route of the sign-in API has a limit', () => {
  const SMALL = {
    ...PLAIN,
    SIGN_IN_CALLS_PER_ADDRESS_HOUR: '7',
    PASSWORDS_PER_ADDRESS_HOUR: '7',
    CALLS_PER_SESSION_MINUTE: '7',
  }

  test('that a stranger runs into, whatever number they name, and that holds them alone', async () => {
    const server = await startServer({ settings: SMALL })
    const routes = routesOf(server).filter(({ access }) => access === 'anyone')
    expect(routes.length).toBeGreaterThanOrEqual(13)
    for (const [at, { name, method = 'POST', path }] of routes.entries()) {
      // Signing out takes a session; see below.
      if (name === 'POST auth/logout') continue
      const body = BODIES[name]
      expect(body, `${name} is not tried`).toBeDefined()
      const call = (n: number, host: string) =>
        ask(server, path, body?.(at * 40 + n), {
          method,
          remoteAddress: host.includes(':') ? `2001:db8:${at + 1}:2:${host}` : `198.51.${at}.${host}`,
        })
      for (let n = 0; n < 7; n++) {
        const { status, text } = await call(n, '1')
        expect(status, `${name}: ${text}`).not.toBe(429)
        expect(status, `${name}: ${text}`).toBeLessThan(500)
      }
      const { status, headers, body: problem } = await call(7, '1')
      const limit = name === 'POST auth/login' ? 'passwords_per_address' : 'sign_in_calls_per_address'
      expect({ name, status, limit: problem['limit'] }).toEqual({ name, status: 429, limit })
      expect(Number(headers['retry-after'])).toBeGreaterThan(0)
      expect((await call(8, '2')).status, name).not.toBe(429)
      // All of IPv6 that one customer has is one address.
      for (let n = 0; n < 7; n++) expect((await call(20 + n, `:${n + 1}`)).status, name).not.toBe(429)
      expect((await call(30, 'ffff::1')).status, name).toBe(429)
    }
  })

  test('that a session runs into, from wherever it is used', async () => {
    const server = await startServer({ settings: SMALL })
    const routes = routesOf(server).filter(
      ({ name, access }) => access === 'user' || name === 'POST auth/logout',
    )
    expect(routes.length).toBeGreaterThanOrEqual(10)
    for (const [at, { name, method = 'GET', path }] of routes.entries()) {
      const { access_token: token } = await signIn(server, phoneOf(at), { remoteAddress: `198.51.100.${at}` })
      const body = method === 'POST' || method === 'PATCH' ? {} : undefined
      const call = (n: number) => ask(server, path, body, { method, token, remoteAddress: `192.0.2.${n}` })
      for (let n = 0; n < 7; n++) expect((await call(n)).status, name).not.toBe(429)
      const refused = await call(9)
      expect(refused.status, name).toBe(429)
      if (method !== 'HEAD') expect(refused.body['limit'], name).toBe('calls_per_session')
      // Without a session there is nothing to be had, and nothing is looked up.
      expect((await ask(server, path, body, { method })).status, name).toBe(401)
    }
  })

  test('a call for a code counts once, also where it is the second or no provider takes the message', async () => {
    const provider = makeScriptedProvider()
    const server = await startServer({
      settings: { ...PLAIN, DEV_MODE: 'false', SIGN_IN_CALLS_PER_ADDRESS_HOUR: '5' },
      overrides: { providers: [provider] },
    })
    const told = async (phone: string) => {
      const { status, body } = await ask(server, 'auth/otp/request', { phone })
      return body['limit'] ?? status
    }
    expect(await told(phoneOf(0))).toBe(200)
    server.clock.advance(30)
    expect(await told(phoneOf(0))).toBe(200)
    provider.answer('unavailable')
    for (let n = 1; n < 4; n++) expect(await told(phoneOf(n))).toBe(500)
    expect(await told(phoneOf(4))).toBe('sign_in_calls_per_address')
  })

  test('codes of every purpose: the address has so many starts and checks, the number so many messages and wrong codes', async () => {
    const purposes = [
      ['auth/otp/request', 'auth/verify-otp', 'otp'],
      ['auth/password/reset/request', 'auth/password/reset/verify', 'code'],
      ['auth/phone/undo/request', 'auth/phone/undo', 'code'],
    ] as const
    for (const [request, verify, member] of purposes) {
      const server = await startServer({
        settings: {
          ...PLAIN,
          PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '4',
          PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '4',
        },
      })
      const told: unknown[] = []
      for (let n = 0; n < 5; n++) told.push((await ask(server, request, { phone: phoneOf(n) })).body['limit'])
      expect(told).toEqual([undefined, undefined, undefined, undefined, 'starts_per_address'])
      told.length = 0
      for (let n = 0; n < 5; n++) {
        const answer = await ask(server, verify, { phone: phoneOf(n % 4), [member]: '0000' })
        told.push(answer.body['limit'] ?? answer.body['code'])
      }
      expect(told).toEqual([...Array<string>(4).fill('invalid_code'), 'checks_per_address'])
      await server.close()
    }
  })

  test('the password at a change: a session has 10 wrong ones an hour, from however many addresses, and costs no other any', async () => {
    const server = await startServer({ settings: PLAIN })
    const { access_token: stolen } = await register(server, phoneOf(0))
    const change = (n: number, token: string, current: string) =>
      ask(
        server,
        'auth/password/change',
        { current_password: current, password: 'Cobalt-Heron-47-ferry' },
        { token, remoteAddress: `198.51.100.${n}` },
      )
    const told: unknown[] = []
    for (let n = 0; n < 30; n++) {
      const { body } = await change(n, stolen, `guess ${n}`)
      told.push(body['limit'] ?? body['code'])
    }
    expect(told).toEqual([
      ...Array<string>(10).fill('invalid_credentials'),
      ...Array<string>(20).fill('wrong_passwords_per_session'),
    ])
    const own = await ask<Tokens>(server, 'auth/login', { identifier: phoneOf(0), password: PASSWORD })
    const changed = await change(200, own.body.access_token, PASSWORD)
    expect(changed.status, changed.text).toBe(200)
  })
})

/** What a forger writes, so that each call may seem to come from somebody else. */
const FORGED: readonly ((n: number) => Readonly<Record<string, string>>)[] = [
  (n) => ({ 'x-forwarded-for': `203.0.113.${n}` }),
  (n) => ({ 'x-forwarded-for': `203.0.113.${n}, 198.51.100.${n}` }),
  (n) => ({ 'x-forwarded-for': `[2001:db8::${n}]` }),
  (n) => ({ 'x-forwarded-for': `1.2.3.4:${1_000 + n}` }),
  (n) => ({ 'x-forwarded-for': `unknown-${n}` }),
  (n) => ({ 'x-forwarded-for': 'a'.repeat(10_000 + n) }),
  (n) => ({ 'x-forwarded-for': Array.from({ length: 50 }, (_, at) => `10.${n}.0.${at}`).join(', ') }),
  (n) => ({ forwarded: `for=203.0.113.${n};proto=https` }),
  (n) => ({
    'x-real-ip': `203.0.113.${n}`,
    'x-client-ip': `203.0.113.${n}`,
    'cf-connecting-ip': `203.0.113.${n}`,
  }),
  (n) => ({ 'true-client-ip': `203.0.113.${n}`, 'x-forwarded-for': ` , ,203.0.113.${n},, ` }),
]

describe('R22, R23, R24, A23: who says whom they come from', () => {
  const settings = { ...PLAIN, PASSWORDS_PER_ADDRESS_HOUR: '20' }
  const guess = (server: TestServer, n: number, from: From) =>
    ask(server, 'auth/login', { identifier: phoneOf(n), password: 'not the password' }, from)

  test('without a proxy, 100 calls with 100 forged headers in 10 forms are of one address', async () => {
    const server = await startServer({ settings })
    const statuses: Record<number, number> = {}
    for (let n = 0; n < 100; n++) {
      const headers = FORGED[n % FORGED.length]?.(n) ?? {}
      const { status } = await guess(server, n, { headers })
      statuses[status] = (statuses[status] ?? 0) + 1
    }
    expect(statuses).toEqual({ 401: 20, 429: 80 })
    const { data } = await server.countersign.auth.administration.events({ limit: 100 })
    expect(new Set(data.map(({ by }) => by.address))).toEqual(new Set(['192.0.2.1']))
  })

  test('behind a trusted proxy it is the first from the right that is none, whatever stands left of it', async () => {
    const server = await startServer({ settings: { ...settings, TRUSTED_PROXIES: '10.0.0.0/8' } })
    const from = (n: number, client: string) => ({
      remoteAddress: '10.0.0.1',
      headers: { 'x-forwarded-for': `${FORGED[n % 7]?.(n)['x-forwarded-for']}, ${client}, 10.0.0.2` },
    })
    const statuses: number[] = []
    for (let n = 0; n < 30; n++) statuses.push((await guess(server, n, from(n, '198.51.100.7'))).status)
    expect(statuses).toEqual([...Array<number>(20).fill(401), ...Array<number>(10).fill(429)])
    expect((await guess(server, 40, from(0, '198.51.100.8'))).status).toBe(401)
    // Who is no proxy is not believed, though the header is the same.
    const direct = { remoteAddress: '192.0.2.66', headers: from(0, '198.51.100.7').headers }
    expect((await guess(server, 41, direct)).status).toBe(401)
    const { data } = await server.countersign.auth.administration.events({ limit: 100 })
    expect(new Set(data.map(({ by }) => by.address))).toEqual(
      new Set(['198.51.100.7', '198.51.100.8', '192.0.2.66']),
    )
  })
})

describeBackends([POSTGRES], 'R31, A6, A44: one account’s password, three processes on', (backend) => {
  const MOST = 40
  const fleet = Fleet.forTests(backend, {
    settings: {
      ...PLAIN,
      DEV_MODE: 'true',
      TRUSTED_PROXIES: '127.0.0.1',
      WRONG_PASSWORDS_PER_ACCOUNT_DAY: String(MOST),
    },
  })
  const call = (n: number, path: string, body: object, address: string): Promise<Answer> =>
    fleet()
      .server(n)
      .call('POST', `/api/auth/${path}`, { key: 'none', body, headers: { 'x-forwarded-for': address } })
  const HOME = '198.51.100.200'
  const phone = numberOf(77)

  test(`guessed from 1,000 addresses at once is compared exactly ${MOST} times, and its owner still comes in`, async () => {
    const started = await call(0, 'register', { phone, password: PASSWORD }, HOME)
    const proof = {
      verification_id: (JSON.parse(started.text) as { verification_id: string }).verification_id,
      code: started.body.preview_code ?? '',
    }
    expect((await call(0, 'register/verify', proof, HOME)).status).toBe(201)

    const guesses = Array.from({ length: 1_000 }, (_, n) =>
      call(n, 'login', { identifier: phone, password: `guess number ${n}` }, `10.1.${n >> 8}.${n & 255}`),
    )
    const counts: Record<string, number> = {}
    for (const { status, body } of await Promise.all(guesses)) {
      const what = `${status} ${body.limit ?? body.code}`
      counts[what] = (counts[what] ?? 0) + 1
    }
    expect(counts).toEqual({
      '401 invalid_credentials': MOST,
      '429 wrong_passwords_per_account': 1_000 - MOST,
    })
    // Each that was compared was written down.
    const failed = await fleet().withStorage(({ store }) =>
      store.auth.events({ limit: 100, type: 'login.failed' }),
    )
    expect(failed.data).toHaveLength(MOST)

    // The right password is not even looked at from elsewhere.
    const login = { identifier: phone, password: PASSWORD }
    expect((await call(1, 'login', login, '10.9.9.9')).body.limit).toBe('wrong_passwords_per_account')
    // From where they are signed in the owner comes in, at the first try.
    expect((await call(2, 'login', login, HOME)).status).toBe(200)
    // And from anywhere by code.
    await fleet().pass(60)
    const asked = await call(0, 'otp/request', { phone }, '10.9.9.10')
    expect(asked.status, asked.text).toBe(200)
    const entered = await call(1, 'verify-otp', { phone, otp: asked.body.preview_code ?? '' }, '10.9.9.10')
    expect(entered.status, entered.text).toBe(200)
    // Where somebody signed in last is familiar now too, and a stranger there has no more than anybody at one address.
    expect((await call(2, 'login', login, '10.9.9.10')).status).toBe(200)
    const more: (number | undefined)[] = []
    for (let n = 0; n < 12; n++) {
      more.push((await call(n, 'login', { identifier: phone, password: `more ${n}` }, HOME)).status)
    }
    expect(more).toEqual([...Array<number>(10).fill(401), 429, 429])
  })

  test('R19: of 200 codes asked for at once, by every door and from 200 addresses, a number gets one', async () => {
    const to = numberOf(78)
    const doors: readonly (readonly [path: string, body: object])[] = [
      ['otp/request', { phone: to }],
      ['register', { phone: to, password: PASSWORD }],
      ['password/reset/request', { phone: to }],
      ['phone/undo/request', { phone: to }],
    ]
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) => {
        const [path, body] = doors[n % doors.length] ?? ['', {}]
        return call(n, path, body, `10.2.0.${n}`)
      }),
    )
    // A code to reset a password that nobody has is counted as one that goes out.
    expect(answers.filter(({ status }) => status < 300)).toHaveLength(1)
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(199)
    expect(new Set(refused.map(({ body }) => body.limit))).toEqual(new Set(['resend_cooldown']))
    await new Promise((resolve) => {
      setTimeout(resolve, 200)
    })
    expect(await fleet().sentTo(to)).toBeLessThanOrEqual(1)
  })
})

describe('R31, A44: codes and passwords are counted apart', () => {
  test('who spends the codes of an account keeps its owner from no password, and the other way round', async () => {
    const server = await startServer({ settings: { ...PLAIN, WRONG_PASSWORDS_PER_ACCOUNT_DAY: '10' } })
    const phone = phoneOf(5)
    await register(server, phone)
    server.clock.advance(2 * DAY)
    // Twenty wrong codes a day are all that a number has.
    let judged = 0
    for (let round = 0; judged < 20 && round < 12; round++) {
      const from = { remoteAddress: `198.51.100.${round}` }
      const asked = await ask(server, 'auth/otp/request', { phone }, from)
      if (asked.status === 200) {
        const code = codeTo(server, phone)
        for (let n = 1; n <= 5; n++) {
          const { status } = await ask(server, 'auth/verify-otp', { phone, otp: wrong(code, n) }, from)
          if (status === 400) judged += 1
        }
      }
      server.clock.advance(700)
    }
    const spent = await ask(
      server,
      'auth/verify-otp',
      { phone, otp: '000000' },
      { remoteAddress: '198.51.101.1' },
    )
    const asked = await ask(server, 'auth/otp/request', { phone }, { remoteAddress: '198.51.101.1' })
    const code = asked.status === 200 ? codeTo(server, phone) : '000000'
    const right = await ask(
      server,
      'auth/verify-otp',
      { phone, otp: code },
      { remoteAddress: '198.51.101.1' },
    )
    expect([spent.status, right.status]).toContain(429)
    const own = await ask(
      server,
      'auth/login',
      { identifier: phone, password: PASSWORD },
      { remoteAddress: '192.0.2.77' },
    )
    expect(own.status, own.text).toBe(200)

    const other = phoneOf(6)
    await register(server, other)
    server.clock.advance(2 * DAY)
    for (let n = 0; n < 12; n++) {
      const from = { remoteAddress: `198.51.102.${n}` }
      await ask(server, 'auth/login', { identifier: other, password: `guess ${n}` }, from)
    }
    const shut = await ask(
      server,
      'auth/login',
      { identifier: other, password: PASSWORD },
      { remoteAddress: '198.51.103.1' },
    )
    expect(shut.body['limit']).toBe('wrong_passwords_per_account')
    await signIn(server, other, { remoteAddress: '198.51.103.1' })
  })
})
