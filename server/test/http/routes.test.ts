import type { FastifyServerOptions, RouteOptions } from 'fastify'
import { describe, expect, test, vi } from 'vitest'
import { PASSWORD, QUICK } from '../helpers/people.ts'
import { phoneOf, startServer, type TestServer } from '../helpers/server.ts'
import { check, start, type WireProblem } from '../helpers/wire.ts'

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

type Route = {
  readonly name: string
  readonly method: string
  readonly url: string
  readonly access: unknown
}

/** Routes of other makers, which say nothing of access: the preflight answer, and the page of `/docs`. */
const FOREIGN = new Set(['OPTIONS *'])

function routesOf(server: TestServer): Route[] {
  return (routesByApp.get(server.app) ?? []).flatMap(({ method, url, config }) =>
    [method].flat().map((one) => ({ name: `${one} ${url}`, method: one, url, access: config?.access })),
  )
}

function pathOf(url: string): string {
  return url
    .replace(':id', url.startsWith('/admin/') ? 'usr_1' : 'ver_1')
    .replace(':e164', phoneOf(0))
    .replace('*', '')
}

const OPEN = [
  '/',
  '/account',
  '/account/',
  '/account/sign-in',
  '/account/sign-up',
  '/account/reset',
  '/account/settings',
  '/account/undo-phone-change',
  '/account/brand.css',
  '/account/logo',
  '/account/assets/:name',
  '/openapi.json',
  '/docs',
  '/docs/*',
  '/docs/errors',
  '/dev/inbox',
  '/dev/inbox/messages',
  '/dev/inbox/events',
  '/healthz',
  '/readyz',
  '/metrics',
  '/.well-known/jwks.json',
  '/hooks/:provider/status',
]

/** Bodies that a publishable key can send again and again, by route: each must end in a 429. */
const FLOODS: Readonly<
  Record<string, { settings: Record<string, string>; body: (n: number) => object | undefined }>
> = {
  'POST /v1/verifications': {
    settings: { PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '5' },
    body: (n) => ({ to: phoneOf(n) }),
  },
  'POST /v1/verifications/:id/resend': {
    settings: { PUBLISHABLE_READS_PER_ADDRESS_HOUR: '5' },
    body: () => ({}),
  },
  'POST /v1/verifications/:id/check': {
    settings: { PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '5' },
    body: () => ({ code: '000000' }),
  },
  'GET /v1/verifications/:id': {
    settings: { PUBLISHABLE_READS_PER_ADDRESS_HOUR: '5' },
    body: () => undefined,
  },
  'HEAD /v1/verifications/:id': {
    settings: { PUBLISHABLE_READS_PER_ADDRESS_HOUR: '5' },
    body: () => undefined,
  },
  'POST /v1/phones/lookup': {
    settings: { PUBLISHABLE_READS_PER_ADDRESS_HOUR: '5' },
    body: (n) => ({ phone: phoneOf(n) }),
  },
}

/** Bodies that anybody can send to the sign-in API again and again, by route: each must end in a 429. */
const ANYONE: Readonly<Record<string, (n: number) => object>> = {
  'POST /api/auth/otp/request': (n) => ({ phone: phoneOf(n) }),
  'POST /api/auth/verify-otp': (n) => ({ phone: phoneOf(n), otp: '000000' }),
  'POST /api/auth/register': (n) => ({ phone: phoneOf(n), password: PASSWORD }),
  'POST /api/auth/register/resend': () => ({ verification_id: 'ver_1' }),
  'POST /api/auth/register/verify': () => ({ verification_id: 'ver_1', code: '000000' }),
  'POST /api/auth/login': (n) => ({ identifier: phoneOf(n), password: PASSWORD }),
  'POST /api/auth/refresh': () => ({ refresh_token: 'rt_1' }),
  'POST /api/auth/logout': () => ({ refresh_token: 'rt_1' }),
  'POST /api/auth/password/reset/request': (n) => ({ phone: phoneOf(n) }),
  'POST /api/auth/password/reset/verify': (n) => ({ phone: phoneOf(n), code: '000000' }),
  'POST /api/auth/password/reset': () => ({ reset_token: 'rst_1', password: PASSWORD }),
  'POST /api/auth/phone/undo/request': (n) => ({ phone: phoneOf(n) }),
  'POST /api/auth/phone/undo': (n) => ({ phone: phoneOf(n), code: '000000' }),
  'POST /api/auth/2fa/send': () => ({ challenge_token: 'cht_1' }),
  'POST /api/auth/2fa/verify': () => ({ challenge_token: 'cht_1', factor: 'totp', code: '000000' }),
  'POST /api/auth/2fa/start-over': () => ({ challenge_token: 'cht_1' }),
}

describe('every route', () => {
  test('is seen by these tests', async () => {
    const server = await startServer()
    const printed = server.app.printRoutes({ commonPrefix: false }).matchAll(/\(([A-Z, ]+)\)/g)
    const methods = [...printed].flatMap(([, list = '']) => list.split(', '))
    expect(methods.length).toBeGreaterThan(25)
    expect(routesOf(server)).toHaveLength(methods.length)
  })

  test('says who may call it', async () => {
    const server = await startServer()
    for (const { name, access } of routesOf(server)) {
      if (FOREIGN.has(name)) continue
      expect(['open', 'any', 'secret', 'anyone', 'user', 'account'], name).toContain(access)
      expect(access === 'account', name).toBe(/^\S+ \/v2\//.test(name))
      // People have no keys, and backends no sessions.
      const isForPeople = access === 'anyone' || access === 'user'
      expect(isForPeople, name).toBe(/^\S+ \/api\//.test(name))
    }
  })

  test('only pages, figures, keys and what vendors sign is open', async () => {
    const server = await startServer()
    const open = routesOf(server).filter(({ name, access }) => access === 'open' && !FOREIGN.has(name))
    expect(new Set(open.map(({ url }) => url))).toEqual(new Set(OPEN))
    for (const { name } of open)
      expect(name).toMatch(/^(GET|HEAD|DELETE \/dev\/inbox\/messages|POST \/hooks\/:provider\/status)/)
  })

  test('only what begins or keeps a session is for anyone', async () => {
    const server = await startServer()
    const anyone = routesOf(server).filter(({ access }) => access === 'anyone')
    expect(anyone.map(({ name }) => name).sort()).toEqual(Object.keys(ANYONE).sort())
  })

  test('that is not open answers 401 without a key or a token, before it looks at anything', async () => {
    const server = await startServer()
    const closed = routesOf(server).filter(
      ({ name, access }) => access !== 'open' && access !== 'anyone' && !FOREIGN.has(name),
    )
    expect(closed.length).toBeGreaterThan(35)
    for (const { name, method, url } of closed) {
      for (const path of [pathOf(url), `${pathOf(url)}?unknown=1`]) {
        // Those of Twilio Verify's API are refused in its own words.
        const status = / \/v2\//.test(name)
          ? (await server.app.inject({ method: method as 'GET', url: path })).statusCode
          : (await server.api(method, path, { key: 'none' })).status
        expect({ name, status }).toEqual({ name, status: 401 })
      }
    }
  })

  test('R17: for secret keys answers 403 to a publishable one', async () => {
    const server = await startServer()
    const secret = routesOf(server).filter(({ access }) => access === 'secret')
    expect(secret.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'POST /v1/checks',
        'POST /v1/verifications/:id/cancel',
        'GET /v1/verifications',
        'GET /v1/phones/:e164/status',
        'GET /v1/phones/:e164/limits',
        'POST /v1/messages',
        'GET /v1/messages',
        'GET /v1/messages/:id',
        'GET /admin/users',
        'GET /admin/users/:id',
        'POST /admin/users/:id/disable',
        'POST /admin/users/:id/enable',
        'POST /admin/users/:id/end-sessions',
        'DELETE /admin/users/:id',
        'GET /admin/events',
      ]),
    )
    for (const { name, method, url } of secret) {
      const { status, body } = await server.api<WireProblem>(method, pathOf(url), {
        key: 'pk',
        body: method === 'POST' ? {} : undefined,
      })
      expect({ name, status, code: method === 'HEAD' ? 'forbidden' : body.code }).toEqual({
        name,
        status: 403,
        code: 'forbidden',
      })
    }
  })

  test('development pages are not there without DEV_MODE', async () => {
    const server = await startServer({ settings: { DEV_MODE: 'false' } })
    expect(routesOf(server).filter(({ url }) => url === '/' || url.startsWith('/dev'))).toEqual([])
    expect((await server.api('GET', '/dev/inbox/messages')).status).toBe(404)
  })

  test('A18, A19: that a publishable key may call is in the list of floods', async () => {
    const server = await startServer()
    const any = routesOf(server).filter(({ access }) => access === 'any')
    expect(any.map(({ name }) => name).sort()).toEqual(Object.keys(FLOODS).sort())
  })

  test.each(Object.entries(FLOODS))(
    'A18, A19: %s has a limit for a publishable key: a flood from one address ends in 429',
    async (name, { settings, body }) => {
      const server = await startServer({ settings })
      const [method = '', url = ''] = name.split(' ')
      for (const path of [url.replace(':id', `ver_${'0'.repeat(36)}`), url.replace(':id', 'ver_x')]) {
        const statuses: number[] = []
        for (let n = 0; n < 8; n++) {
          const answer = await server.api(method, path, {
            key: 'pk',
            body: body(n),
            remoteAddress: '192.0.2.9',
          })
          statuses.push(answer.status)
        }
        expect(statuses.at(-1)).toBe(429)
      }
      // Somebody else is not in that bucket.
      const other = await server.api(method, url.replace(':id', 'ver_x'), {
        key: 'pk',
        body: body(20),
        remoteAddress: '192.0.2.10',
      })
      expect(other.status).not.toBe(429)
    },
  )

  test.each(Object.entries(ANYONE))(
    'A19: %s has a limit for anybody: a flood from one address ends in 429',
    async (name, body) => {
      const server = await startServer({
        settings: { ...QUICK, SIGN_IN_CALLS_PER_ADDRESS_HOUR: '5', PASSWORDS_PER_ADDRESS_HOUR: '5' },
      })
      const [method = '', url = ''] = name.split(' ')
      const call = (n: number, remoteAddress: string) =>
        server.api(method, url, { key: 'none', body: body(n), remoteAddress })
      const statuses: number[] = []
      for (let n = 0; n < 8; n++) statuses.push((await call(n, '192.0.2.9')).status)
      expect(statuses.slice(0, 5)).not.toContain(429)
      expect(statuses.slice(5)).toEqual([429, 429, 429])
      // Somebody else is not in that bucket.
      expect((await call(20, '192.0.2.10')).status).not.toBe(429)
    },
  )

  test('A18: a resend of a verification that is there, or has ended, is limited too', async () => {
    const server = await startServer({ settings: { PUBLISHABLE_READS_PER_ADDRESS_HOUR: '5' } })
    const { id, code } = await start(server, phoneOf(0))
    await check(server, id, code)
    const statuses: number[] = []
    for (let n = 0; n < 8; n++)
      statuses.push((await server.api('POST', `/v1/verifications/${id}/resend`, { key: 'pk' })).status)
    expect(statuses).toEqual([409, 409, 409, 409, 409, 429, 429, 429])
  })
})
