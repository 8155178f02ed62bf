import { describe, expect, test } from 'vitest'
import {
  expectRefused,
  post,
  QUICK,
  register,
  signIn,
  statusOf,
  type WireTokens,
} from '../../helpers/people.ts'
import { type Answer, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'

const TO = phoneOf(0)
const APP = 'https://app.example.com'
const EVIL = 'https://evil.example'
const MODE = { 'x-session-mode': 'cookie' }
const COOKIE =
  /^__Host-countersign_refresh=(rt_[\w-]+); Path=\/; Secure; HttpOnly; SameSite=(?:Lax|Strict); Max-Age=(\d+)$/
const CLEARED = /^__Host-countersign_refresh=; Path=\/; Secure; HttpOnly; SameSite=(?:Lax|Strict); Max-Age=0$/

/** What a browser would send back. */
function jarOf({ headers }: Answer<unknown>): { cookie: string } {
  const [, token = ''] = COOKIE.exec(String(headers['set-cookie'])) ?? []
  expect(token, String(headers['set-cookie'])).not.toBe('')
  return { cookie: `theme=dark; __Host-countersign_refresh=${token}` }
}

async function inCookieMode(server: TestServer, headers: Record<string, string> = {}) {
  await post(server, '/api/auth/otp/request', { phone: TO })
  server.clock.advanceMs(1)
  const body = { phone: TO, otp: '123456' }
  const answer = await post<WireTokens>(server, '/api/auth/verify-otp', body, {
    headers: { ...MODE, ...headers },
  })
  expect(answer.status).toBe(200)
  return { answer, jar: jarOf(answer) }
}

function refresh(server: TestServer, headers: Record<string, string>) {
  return post<WireTokens>(server, '/api/auth/refresh', undefined, { headers })
}

describe('R74: a refresh token in a cookie', () => {
  test('is what a page gets that asks for it: __Host-, Secure, HttpOnly, SameSite, and not in the body', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: APP } })
    const { answer } = await inCookieMode(server, { origin: APP })
    expect(answer.body).not.toHaveProperty('refresh_token')
    expect(Object.keys(answer.body)).toEqual(['access_token', 'token_type', 'expires_in', 'user'])
    const [, token, age] = COOKIE.exec(String(answer.headers['set-cookie'])) ?? []
    expect(answer.text).not.toContain(token)
    expect(Number(age)).toBe(90 * 86_400)
    expect(String(answer.headers['set-cookie'])).not.toMatch(/domain/i)
  })

  test('is set by every way to sign in, and by none without the header', async () => {
    const server = await startServer({ settings: QUICK })
    await register(server, { phone: TO, email: 'a@b.example' })
    const body = { identifier: 'a@b.example', password: 'violet anchor 91 mosaic' }
    const login = await post(server, '/api/auth/login', body, { headers: MODE })
    expect(String(login.headers['set-cookie'])).toMatch(COOKIE)
    expect(login.body).not.toHaveProperty('refresh_token')
    for (const headers of [
      {},
      { 'x-session-mode': 'body' },
      { 'x-session-mode': 'Cookie' },
      { cookie: 'a=b' },
    ]) {
      const plain = await post(server, '/api/auth/login', body, { headers })
      expect(plain.headers).not.toHaveProperty('set-cookie')
      expect(plain.body).toHaveProperty('refresh_token')
    }
    const started = await post<{ verification_id: string; preview_code: string }>(
      server,
      '/api/auth/register',
      {
        phone: phoneOf(1),
        password: body.password,
      },
    )
    const { verification_id, preview_code: code } = started.body
    const made = await post(server, '/api/auth/register/verify', { verification_id, code }, { headers: MODE })
    expect([made.status, made.body]).toEqual([
      201,
      expect.not.objectContaining({ refresh_token: expect.anything() }),
    ])
    jarOf(made)
  })

  test('is changed at each use; an old one ends the session and is taken away', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: APP } })
    const { jar } = await inCookieMode(server)
    server.clock.advance(60)
    const first = await refresh(server, { ...MODE, ...jar, origin: APP })
    expect(first.status).toBe(200)
    expect(first.body).not.toHaveProperty('refresh_token')
    expect(jarOf(first)).not.toEqual(jar)
    server.clock.advance(60)
    const reused = await refresh(server, { ...MODE, ...jar, origin: APP })
    expectRefused(reused, { status: 401, code: 'unauthorized', detail: 'You are not signed in' })
    expect(String(reused.headers['set-cookie'])).toMatch(CLEARED)
    expect(await statusOf(server, first.body)).toBe(401)
  })

  test('needs the header x-session-mode: cookie: 403 cross_site without, and the token is not used', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: APP } })
    const { answer, jar } = await inCookieMode(server)
    for (const path of ['/api/auth/refresh', '/api/auth/logout'])
      for (const headers of [jar, { ...jar, origin: APP }, { ...jar, 'x-session-mode': 'x' }]) {
        const refused = await post(server, path, undefined, { headers })
        expectRefused(refused, {
          status: 403,
          code: 'cross_site',
          detail: 'A call with the cookie needs the header x-session-mode: cookie',
        })
        expect(refused.headers).not.toHaveProperty('set-cookie')
      }
    expect(await statusOf(server, answer.body)).toBe(200)
    expect((await refresh(server, { ...MODE, ...jar })).status).toBe(200)
  })

  test.each([
    EVIL,
    'null',
    'http://app.example.com',
    `${APP}.evil.example`,
    `${APP}:8443`,
    'http://localhost:3000',
    '',
  ])('is refused to a page of %j: 403 cross_site, and the session lives on', async (origin) => {
    const server = await startServer({ settings: { CORS_ORIGINS: APP } })
    const { answer, jar } = await inCookieMode(server)
    for (const path of ['/api/auth/refresh', '/api/auth/logout']) {
      const refused = await post(server, path, undefined, { headers: { ...MODE, ...jar, origin } })
      expectRefused(refused, { status: 403, code: 'cross_site', detail: 'This page may not use the cookie' })
      expect(refused.headers).not.toHaveProperty('set-cookie')
      expect(refused.headers).not.toHaveProperty('access-control-allow-origin')
    }
    expect(await statusOf(server, answer.body)).toBe(200)
  })

  test('is taken from a page of our own origin, and from an app that has none', async () => {
    const server = await startServer({
      settings: { CORS_ORIGINS: APP, PUBLIC_URL: 'https://id.example.com' },
    })
    const { jar } = await inCookieMode(server)
    const own = await refresh(server, { ...MODE, ...jar, origin: 'https://id.example.com' })
    expect(own.status).toBe(200)
    expect((await refresh(server, { ...MODE, ...jarOf(own) })).status).toBe(200)
  })

  test('is taken from no page where CORS_ORIGINS is *, nor from one that only a key names', async () => {
    const open = await startServer({ settings: { CORS_ORIGINS: '*' } })
    const first = await inCookieMode(open)
    expect((await refresh(open, { ...MODE, ...first.jar, origin: APP })).status).toBe(403)
    const keyed = await startServer({ settings: { CORS_ORIGINS: APP } })
    await keyed.countersign.keys.create('publishable', { origins: ['https://shop.example'] })
    const second = await inCookieMode(keyed)
    const refused = await refresh(keyed, { ...MODE, ...second.jar, origin: 'https://shop.example' })
    expect(refused.status).toBe(403)
  })

  test('signs out, and is taken away', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: APP } })
    const { answer, jar } = await inCookieMode(server)
    const out = await post(server, '/api/auth/logout', undefined, {
      headers: { ...MODE, ...jar, origin: APP },
    })
    expect([out.status, out.text]).toEqual([204, ''])
    expect(String(out.headers['set-cookie'])).toMatch(CLEARED)
    expect(await statusOf(server, answer.body)).toBe(401)
    expect((await refresh(server, { ...MODE, ...jar })).status).toBe(401)
  })

  test('is taken away by logout-all', async () => {
    const server = await startServer()
    const { answer } = await inCookieMode(server)
    const out = await server.api('POST', '/api/auth/logout-all', { key: answer.body.access_token })
    expect(String(out.headers['set-cookie'])).toMatch(CLEARED)
  })

  test('signs nobody in by itself: calls of a user want the access token', async () => {
    const server = await startServer()
    const { jar } = await inCookieMode(server)
    for (const [method, path] of [
      ['GET', '/api/auth/me'],
      ['PATCH', '/api/auth/me'],
      ['GET', '/api/auth/sessions'],
      ['POST', '/api/auth/logout-all'],
      ['POST', '/api/auth/phone'],
      ['POST', '/api/auth/password/change'],
    ] as const)
      expect((await server.api(method, path, { key: 'none', headers: { ...MODE, ...jar } })).status).toBe(401)
  })

  test('of another name, without the prefix or empty is none', async () => {
    const server = await startServer()
    const { jar } = await inCookieMode(server)
    const token = jar.cookie.split('=').at(-1) ?? ''
    for (const cookie of [
      `countersign_refresh=${token}`,
      `__host-countersign_refresh=${token}`,
      `__Host-countersign_refresh2=${token}`,
      '__Host-countersign_refresh=',
      token,
    ])
      expect((await refresh(server, { ...MODE, cookie })).status).toBe(401)
  })
})

describe('R74: other sites', () => {
  test.each(['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain'])(
    'a form of type %s is 415 at every call that changes something',
    async (type) => {
      const server = await startServer()
      const { answer, jar } = await inCookieMode(server)
      const { access_token: key } = answer.body
      for (const [path, body] of [
        ['/api/auth/otp/request', `{"phone":"${phoneOf(1)}"}`],
        ['/api/auth/verify-otp', `{"phone":"${TO}","otp":"123456"}`],
        ['/api/auth/register', `{"phone":"${phoneOf(1)}","password":"x"}`],
        ['/api/auth/register/verify', '{"verification_id":"ver_1","code":"123456"}'],
        ['/api/auth/register/resend', '{"verification_id":"ver_1"}'],
        ['/api/auth/login', '{"identifier":"a","password":"b"}'],
        ['/api/auth/refresh', '{}'],
        ['/api/auth/logout', '{}'],
        ['/api/auth/password/reset/request', `{"phone":"${TO}"}`],
        ['/api/auth/password/reset/verify', `{"phone":"${TO}","code":"123456"}`],
        ['/api/auth/password/reset', '{"reset_token":"x","password":"y"}'],
        ['/api/auth/phone/undo/request', `{"phone":"${TO}"}`],
        ['/api/auth/phone/undo', `{"phone":"${TO}","code":"123456"}`],
      ] as const) {
        const headers = { 'content-type': type, origin: EVIL, ...jar }
        const refused = await post(server, path, body, { headers })
        expect({ path, status: refused.status }).toEqual({ path, status: 415 })
      }
      for (const path of [
        '/api/auth/password/change',
        '/api/auth/phone',
        '/api/auth/phone/verify',
        '/api/sms/send-2fa',
      ]) {
        const refused = await server.api('POST', path, { key, body: '{}', headers: { 'content-type': type } })
        expect({ path, status: refused.status }).toEqual({ path, status: 415 })
      }
      expect(await statusOf(server, answer.body)).toBe(200)
      expect(server.inbox.list()).toHaveLength(1)
    },
  )

  test('nothing is changed by GET or HEAD', async () => {
    const server = await startServer()
    const { answer, jar } = await inCookieMode(server)
    const { access_token: key } = answer.body
    for (const path of [
      `/api/auth/otp/request?phone=${encodeURIComponent(phoneOf(1))}`,
      '/api/auth/verify-otp',
      '/api/auth/register',
      '/api/auth/login',
      '/api/auth/refresh',
      '/api/auth/logout',
      '/api/auth/logout-all',
      '/api/auth/password/change',
      '/api/auth/password/reset',
      '/api/auth/password/reset/request',
      '/api/auth/phone',
      '/api/auth/phone/undo',
      '/api/sms/send-verification',
      '/api/sms/send-2fa',
    ]) {
      for (const method of ['GET', 'HEAD'])
        expect({
          path,
          status: (await server.api(method, path, { key, headers: { ...MODE, ...jar } })).status,
        }).toEqual({
          path,
          status: 404,
        })
    }
    expect(await statusOf(server, answer.body)).toBe(200)
    expect(server.inbox.list()).toHaveLength(1)
  })
})

describe('R74: CORS', () => {
  function preflight(server: TestServer, origin: string, url: string, method = 'POST') {
    return server.app.inject({
      method: 'OPTIONS',
      url,
      headers: {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': 'content-type,x-session-mode',
      },
    })
  }

  test('a page of an allowed origin may send the cookie and the header, and read the answer', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: APP } })
    for (const [url, method] of [
      ['/api/auth/refresh', 'POST'],
      ['/api/auth/me', 'PATCH'],
      ['/api/auth/sessions/ses_1', 'DELETE'],
    ] as const) {
      const { statusCode, headers } = await preflight(server, APP, url, method)
      expect(statusCode).toBe(204)
      expect(headers['access-control-allow-origin']).toBe(APP)
      expect(headers['access-control-allow-credentials']).toBe('true')
      expect(String(headers['access-control-allow-methods']).split(/, */)).toContain(method)
      expect(String(headers['access-control-allow-headers']).split(/, */)).toContain('x-session-mode')
      expect(String(headers['vary'])).toMatch(/origin/i)
    }
    const { answer } = await inCookieMode(server, { origin: APP })
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-credentials': 'true',
    })
  })

  test('a page of a foreign origin may do neither', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: APP } })
    for (const origin of [EVIL, 'null', `${APP}.evil.example`]) {
      const { headers } = await preflight(server, origin, '/api/auth/refresh')
      expect(headers['access-control-allow-origin']).toBeUndefined()
      const tokens = await post(
        server,
        '/api/auth/otp/request',
        { phone: phoneOf(9) },
        { headers: { origin } },
      )
      expect(tokens.headers['access-control-allow-origin']).toBeUndefined()
    }
  })

  test('with CORS_ORIGINS=* no page sends credentials', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: '*' } })
    const { headers } = await preflight(server, EVIL, '/api/auth/refresh')
    expect(headers['access-control-allow-credentials']).toBeUndefined()
    await signIn(server, TO, { headers: { origin: EVIL } })
  })
})
