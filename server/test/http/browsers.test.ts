import { describe, expect, test } from 'vitest'
import { phoneOf, startServer, type TestServer } from '../helpers/server.ts'
import { start } from '../helpers/wire.ts'

const APP = 'https://app.example.com'
const EVIL = 'https://evil.example'

function preflight(
  server: TestServer,
  origin: string,
  method = 'POST',
  headers = 'authorization,content-type',
) {
  return server.app.inject({
    method: 'OPTIONS',
    url: '/v1/verifications',
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': headers,
    },
  })
}

test('the time of an answer is that of the clock that decides, so that a page counts down by it', async () => {
  const server = await startServer()
  server.clock.advance(90)
  const { headers } = await server.app.inject({ method: 'GET', url: '/healthz' })
  expect(headers.date).toBe(new Date(server.clock.now()).toUTCString())
  server.clock.advance(1)
  const { headers: later } = await server.app.inject({ method: 'GET', url: '/v1/verifications' })
  expect(later.date).toBe(new Date(server.clock.now()).toUTCString())
})

describe('CORS', () => {
  test('a preflight from an origin of CORS_ORIGINS is allowed what the contract needs, and no more', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: APP } })
    const { statusCode, headers } = await preflight(
      server,
      APP,
      'POST',
      'authorization,content-type,idempotency-key',
    )
    expect(statusCode).toBe(204)
    expect(headers['access-control-allow-origin']).toBe(APP)
    // Of the sign-in API's cookie: `auth/cookies.test.ts`.
    expect(headers['access-control-allow-credentials']).toBe('true')
    expect(String(headers['access-control-allow-methods']).split(/, */).sort()).toEqual([
      'DELETE',
      'GET',
      'PATCH',
      'POST',
    ])
    expect(String(headers['access-control-allow-headers']).split(/, */).sort()).toEqual([
      'authorization',
      'content-type',
      'idempotency-key',
      'x-session-mode',
    ])
    expect(String(headers['vary'])).toMatch(/origin/i)
  })

  test.each([
    EVIL,
    'null',
    'https://app.example.com.evil.example',
    'http://app.example.com',
    `${APP}:8443`,
    'http://localhost:3000',
  ])('a preflight from %s is allowed nothing', async (origin) => {
    const server = await startServer({ settings: { CORS_ORIGINS: APP } })
    const { headers } = await preflight(server, origin)
    expect(headers['access-control-allow-origin']).toBeUndefined()
  })

  test('a page that only a key of its own names may call with that key, and with no other', async () => {
    const server = await startServer()
    expect((await preflight(server, APP)).headers['access-control-allow-origin']).toBeUndefined()
    const { token, key } = await server.countersign.keys.create('publishable', { origins: [APP] })
    server.clock.advance(3)
    expect((await preflight(server, APP)).headers['access-control-allow-origin']).toBe(APP)
    const call = (as: string, origin: string) =>
      server.api('POST', '/v1/phones/lookup', {
        key: as,
        headers: { origin },
        body: { phone: '+14155552671' },
      })
    expect((await call(token, APP)).status).toBe(200)
    expect((await call(token, EVIL)).status).toBe(403)
    expect((await call('pk', APP)).status).toBe(403)
    await server.countersign.keys.revoke(key.id)
    expect((await preflight(server, APP)).headers['access-control-allow-origin']).toBeUndefined()
  })

  test('an answer names the origin, and lets its page read the headers that help', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: APP } })
    const answer = await server.api('POST', '/v1/verifications', {
      key: 'pk',
      headers: { origin: APP },
      body: { to: phoneOf(0) },
    })
    expect(answer.status).toBe(201)
    expect(answer.headers['access-control-allow-origin']).toBe(APP)
    expect(String(answer.headers['access-control-expose-headers']).split(/, */).sort()).toEqual([
      'date',
      'ratelimit',
      'ratelimit-policy',
      'retry-after',
      'x-request-id',
    ])
    // A refusal is readable too: a page must see why.
    const refused = await server.api('POST', '/v1/verifications', {
      key: 'pk',
      headers: { origin: APP },
      body: { to: phoneOf(0) },
    })
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([429, APP])
    const unknown = await server.api('GET', '/v1/verifications/ver_1', {
      key: 'none',
      headers: { origin: APP },
    })
    expect([unknown.status, unknown.headers['access-control-allow-origin']]).toEqual([401, APP])
  })

  test('in development any port of this machine may call; with CORS_ORIGINS, or without DEV_MODE, it may not', async () => {
    const open = await startServer()
    for (const origin of [
      'http://localhost:5173',
      'http://127.0.0.1:3000',
      'https://localhost',
      'http://[::1]:80',
    ])
      expect((await preflight(open, origin)).headers['access-control-allow-origin']).toBe(origin)
    for (const origin of [EVIL, 'http://localhost.evil.example', 'http://127.0.0.1.evil.example', 'file://'])
      expect((await preflight(open, origin)).headers['access-control-allow-origin']).toBeUndefined()
    const closed = await startServer({ settings: { DEV_MODE: 'false' } })
    expect(
      (await preflight(closed, 'http://localhost:5173')).headers['access-control-allow-origin'],
    ).toBeUndefined()
  })

  test('CORS_ORIGINS=* allows every page, still without credentials', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: '*' } })
    const { headers } = await preflight(server, EVIL)
    expect([EVIL, '*']).toContain(headers['access-control-allow-origin'])
    expect(headers['access-control-allow-credentials']).toBeUndefined()
  })

  test('a preflight asks no key and costs nothing; it counts on no limit', async () => {
    const server = await startServer({ settings: { PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '1' } })
    for (let n = 0; n < 50; n++) await preflight(server, 'http://localhost:3000')
    await start(server, phoneOf(0), {}, { key: 'pk' })
  })
})

describe('HEAD and OPTIONS', () => {
  test('HEAD answers as GET does, without a body', async () => {
    const server = await startServer()
    const { id } = await start(server, phoneOf(0))
    for (const path of [`/v1/verifications/${id}`, '/v1/verifications', '/healthz', '/openapi.json']) {
      const get = await server.api('GET', path)
      const head = await server.api('HEAD', path)
      expect([head.status, head.text]).toEqual([get.status, ''])
      expect(head.headers['content-type']).toBe(get.headers['content-type'])
      expect(head.headers['content-length']).toBe(get.headers['content-length'])
    }
    expect((await server.api('HEAD', `/v1/verifications/${id}`, { key: 'none' })).status).toBe(401)
    expect((await server.api('HEAD', '/v1/verifications/ver_none')).status).toBe(404)
  })

  test('OPTIONS changes nothing and tells nothing, with a key or without', async () => {
    const server = await startServer()
    const { id } = await start(server, phoneOf(0))
    for (const path of ['/v1/verifications', `/v1/verifications/${id}/cancel`, `/v1/verifications/${id}`]) {
      for (const key of ['sk', 'none'])
        expect((await server.api('OPTIONS', path, { key, body: {} })).status).toBe(404)
    }
    expect((await server.api('GET', `/v1/verifications/${id}`)).body['status']).toBe('pending')
  })
})

describe('headers of every answer', () => {
  test('are the same on answers, errors and pages that are not there', async () => {
    const server = await startServer()
    for (const path of ['/v1/verifications', '/v1/verifications/x', '/nothing', '/healthz', '/%zz']) {
      const { headers } = await server.api('GET', path)
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-request-id': expect.stringMatching(/^req_/),
      })
      expect(headers).not.toHaveProperty('x-powered-by')
      expect(headers).not.toHaveProperty('server')
      expect(headers).not.toHaveProperty('set-cookie')
      expect(headers).not.toHaveProperty('strict-transport-security')
    }
  })

  test('a request id is ours, whatever the caller sends', async () => {
    const server = await startServer()
    const { headers } = await server.api('GET', '/healthz', {
      headers: { 'x-request-id': 'mine', 'request-id': 'mine' },
    })
    expect(headers['x-request-id']).toMatch(/^req_/)
  })
})
