import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { errorHeaders, STATUS, toCountersignError, toProblem } from '../../../src/http/errors.ts'
import { CountersignError, type ErrorCode } from '../../../src/primitives/errors.ts'
import { openSqlite } from '../../../src/stores/sqlite/store.ts'
import type { Store } from '../../../src/stores/store.ts'
import { FakeClock } from '../../fake-clock.ts'
import { exchange, phoneOf, SK, startServer } from '../../helpers/server.ts'
import { start, type WireProblem } from '../../helpers/wire.ts'

const TO = phoneOf(0)

/** The keys of a table that has one for each error code. */
function typedKeys(table: Readonly<Record<ErrorCode, number>>): ErrorCode[] {
  const isCode = (key: string): key is ErrorCode => Object.hasOwn(table, key)
  return Object.keys(table).filter(isCode)
}

function fail(): Promise<never> {
  return Promise.reject(new TypeError('SELECT secret FROM x at /srv/y.ts:7'))
}

function openStore(): Store {
  return openSqlite({ path: ':memory:', synchronous: 'normal', retentionDays: 30, clock: new FakeClock() })
}

describe('problems', () => {
  test('every code has a status, a title and a documented heading', () => {
    const docs = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8')
    for (const code of typedKeys(STATUS)) {
      const problem = toProblem(new CountersignError(code, 'words'), 'req_1')
      expect(problem).toEqual({
        type: `/docs/errors#${code}`,
        title: expect.stringMatching(/^[A-Z]/),
        status: STATUS[code],
        detail: 'words',
        code,
        request_id: 'req_1',
      })
      expect(docs, code).toContain(code)
    }
  })

  test('R61: what is not ours says nothing of itself', () => {
    for (const thrown of [
      new Error('SQLITE_BUSY at /srv/x.ts:1'),
      'text',
      null,
      undefined,
      { statusCode: 503 },
    ]) {
      const error = toCountersignError(thrown)
      expect(toProblem(error, 'req_1')).toMatchObject({ status: 500, code: 'internal' })
      expect(JSON.stringify(toProblem(error, 'req_1'))).not.toMatch(/SQLITE|srv|text"/)
    }
  })

  test('R30, R61: a store or a limiter that throws something unheard of refuses, and only the log tells why', async () => {
    const noStore = openStore()
    noStore.verifications.open = fail
    const noLimiter = openStore()
    noLimiter.counters.take = fail
    for (const [store, status, code] of [
      [noStore, 500, 'internal'],
      [noLimiter, 503, 'store_unavailable'],
    ] as const) {
      const server = await startServer({ overrides: { store } })
      const answer = await server.api<WireProblem>('POST', '/v1/verifications', { body: { to: TO } })
      expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code })
      expect(answer.text).not.toMatch(/SELECT|srv|TypeError/)
      expect(server.logs.join('')).toContain('SELECT secret')
      expect(server.inbox.list()).toEqual([])
    }
  })

  test('R32: a 429 has Retry-After, RateLimit and RateLimit-Policy, and is not stored', async () => {
    const server = await startServer()
    await start(server, TO)
    server.clock.advance(12)
    const { status, headers, body } = await server.api<WireProblem>('POST', '/v1/verifications', {
      body: { to: TO },
    })
    expect(status).toBe(429)
    expect(body).toMatchObject({ code: 'rate_limited', limit: 'resend_cooldown', retry_after: 18 })
    expect(headers).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'retry-after': '18',
      'ratelimit-policy': '"resend_cooldown";q=1;w=30',
      ratelimit: '"resend_cooldown";r=0;t=18',
      'cache-control': 'no-store',
    })
  })

  test('a refusal without a policy has no RateLimit field, and 401 names its scheme', () => {
    expect(errorHeaders(new CountersignError('rate_limited', 'x', { retryAfterSeconds: 5 }))).toEqual({
      'content-type': 'application/problem+json; charset=utf-8',
      'retry-after': '5',
    })
    expect(errorHeaders(new CountersignError('unauthorized', 'x'))).toMatchObject({
      'www-authenticate': 'Bearer',
    })
  })
})

describe('who may call', () => {
  test('401 for no key, a key of another scheme, an unknown and a revoked one; each says as little', async () => {
    const server = await startServer()
    const { token, key } = await server.countersign.keys.create('secret')
    const call = (headers: Record<string, string>) =>
      server.api<WireProblem>('GET', '/v1/verifications', { key: 'none', headers })
    expect((await call({ authorization: `Bearer ${token}` })).status).toBe(200)
    await server.countersign.keys.revoke(key.id)
    for (const authorization of [
      '',
      'Bearer',
      'Bearer ',
      `Basic ${Buffer.from(`${SK}:`).toString('base64')}`,
      SK,
      `Token ${SK}`,
      `Bearer ${SK}x`,
      `Bearer ${SK.slice(0, -1)}`,
      `Bearer ${SK.toUpperCase()}`,
      `Bearer ${SK} ${SK}`,
      `Bearer ${token}`,
      `Bearer sk_${'x'.repeat(10_000)}`,
      'Bearer __proto__',
    ]) {
      const { status, body, text } = await call(authorization === '' ? {} : { authorization })
      expect({ authorization, status, code: body.code }).toEqual({
        authorization,
        status: 401,
        code: 'unauthorized',
      })
      expect(text).not.toContain('sk_')
    }
    expect((await call({ authorization: `bearer ${SK}` })).status).toBe(200)
  })

  test('a key in the path or the body is no key', async () => {
    const server = await startServer()
    for (const path of [`/v1/verifications?key=${SK}`, `/v1/verifications?access_token=${SK}`])
      expect((await server.api('GET', path, { key: 'none' })).status).toBe(401)
  })

  test('the key is looked at before the body: a stranger learns nothing of the schema', async () => {
    const server = await startServer()
    for (const body of ['{', '{"x":1}', 'x'.repeat(70_000)])
      expect((await server.api('POST', '/v1/verifications', { key: 'none', body })).status).toBe(401)
  })
})

describe('paths and methods', () => {
  test('404 for what is not served, as a problem, without repeating what cannot be trusted', async () => {
    const server = await startServer()
    for (const [method, path] of [
      ['GET', '/nothing'],
      ['PUT', '/v1/verifications'],
      ['DELETE', '/v1/verifications/ver_1'],
      ['PATCH', '/v1/checks'],
      ['GET', '/v1/checks'],
      ['GET', '/V1/verifications'],
      ['GET', '/v1//verifications'],
      ['GET', '/%3Cscript%3Ealert(1)%3C/script%3E'],
      ['GET', '/..%2f..%2fetc/passwd'],
    ] as const) {
      const { status, body, text } = await server.api<WireProblem>(method, path)
      expect({ path, status, code: body.code }).toEqual({ path, status: 404, code: 'not_found' })
      expect(text).not.toMatch(/script|passwd/)
    }
  })

  test('an id that is empty or too long to be one is 400', async () => {
    const server = await startServer()
    for (const id of ['', 'x'.repeat(101), 'x'.repeat(201), 'x'.repeat(9000)]) {
      for (const path of [`/v1/verifications/${id}`, `/v1/messages/${id}`])
        expect((await server.api('GET', path)).status).toBe(400)
    }
  })

  test('a path that cannot be decoded is 400, as a problem with every header', async () => {
    const server = await startServer()
    for (const path of ['/%zz', '/v1/verifications/%', '/v1/verifications/%c3%28', '/v1/phones/%ff/status']) {
      const { status, body, headers } = await server.api<WireProblem>('GET', path)
      expect({ path, status, code: body.code }).toEqual({ path, status: 400, code: 'invalid_request' })
      expect(headers['x-content-type-options']).toBe('nosniff')
    }
  })

  test('bytes that are not HTTP are answered with a problem, and the next caller is served', async () => {
    const server = await startServer()
    const url = await server.listen()
    for (const [request, status] of [
      ['NONSENSE\r\n\r\n', 400],
      ['GET / HTTP/9.9\r\n\r\n', 400],
      ['GET /healthz HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n', 400],
      ['POST /v1/checks HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
      ['POST /v1/checks HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', 400],
      [`GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
    ] as const) {
      const answer = await exchange(url, request)
      expect({ request: request.slice(0, 80), status: answer.status }).toEqual({
        request: request.slice(0, 80),
        status,
      })
      expect(answer.head).toMatch(/content-type: application\/problem\+json/i)
      const problem: unknown = JSON.parse(answer.body)
      expect(problem).toEqual({
        type: '/docs/errors#invalid_request',
        title: expect.any(String),
        status,
        detail: expect.any(String),
        code: 'invalid_request',
        request_id: /x-request-id: (\S+)/i.exec(answer.head)?.[1],
      })
    }
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
  })
})

describe('log lines', () => {
  test('hold no code, key or whole number, and a line break cannot start a line of its own (ASVS 16.4.1)', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO, { metadata: { note: 'private words' } })
    await server.api('POST', `/v1/verifications/${id}/check`, { body: { code } })
    await server.api('GET', '/v1/verifications/a%0d%0a%7B%22level%22%3A60%7D')
    await server.api('GET', `/v1/phones/${TO}/status`)
    await server.api('POST', '/v1/verifications', { body: { to: 'x\r\n{"level":60}' } })
    const text = server.logs.join('')
    for (const secret of [code, TO, TO.slice(1), SK, 'private words']) expect(text).not.toContain(secret)
    for (const line of server.logs) {
      expect(line.trimEnd()).not.toMatch(/[\r\n]/)
      expect(JSON.parse(line)).not.toMatchObject({ level: 60 })
    }
  })
})
