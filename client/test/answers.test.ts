import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Client,
  CountersignError,
  createClient,
  isCountersignError,
  memoryTokens,
} from '@countersign/client'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { makeServerClock } from '../src/server-clock.ts'

/** A server that does one thing to whatever it is asked, and the requests it has seen. */
async function stub(answer: (response: ServerResponse, request: IncomingMessage, n: number) => void) {
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    request.resume()
    answer(response, request, seen.push(request))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => server.close().closeAllConnections())
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { seen, baseUrl, client: createClient({ baseUrl: `${baseUrl}/`, publishableKey: 'pk_of_the_test' }) }
}

/** What a call failed with. */
async function failureOf(call: Promise<unknown>): Promise<CountersignError> {
  const outcome = await call.then(
    () => expect.fail('The call did not fail'),
    (error: unknown) => error,
  )
  if (!isCountersignError(outcome)) throw outcome
  return outcome
}

const json = (response: ServerResponse, status: number, body: object, headers = {}) =>
  void response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(JSON.stringify(body))

describe('answers that are none', () => {
  test.each([
    ['a page where JSON was due', 200, '<h1>Welcome to the hotel</h1>'],
    ['nothing', 200, ''],
    ['JSON that is no object', 200, '"ok"'],
    ['half of it', 200, '{"id":"ver_'],
    ['a page of a gateway', 502, '<h1>Bad gateway</h1>'],
    ['an error of something else', 404, '{"error":"no such route"}'],
  ])('%s', async (_, status, body) => {
    const { client } = await stub((response) => void response.writeHead(status).end(body))
    const error = await failureOf(client.verifications.get('ver_1'))
    expect([error.code, error.status, error.problem]).toEqual(['unexpected', status, undefined])
  })

  test('an error of the server’s is told whole, and nothing of it is lost', async () => {
    const problem = {
      type: '/docs/errors#rate_limited',
      title: 'Too many requests',
      status: 429,
      detail: 'Too many requests: the limit resend_cooldown is spent',
      code: 'rate_limited',
      request_id: 'req_1',
      limit: 'resend_cooldown',
      retry_after: 30,
      verification_id: 'ver_1',
      field: 'to',
    }
    const { client } = await stub((response) => json(response, 429, problem, { 'retry-after': '30' }))
    const error = await failureOf(client.verifications.start({ to: '+14155552671' }))
    expect(error).toBeInstanceOf(CountersignError)
    expect(Object.fromEntries(Object.entries(error))).toEqual({
      name: 'CountersignError',
      code: 'rate_limited',
      status: 429,
      field: 'to',
      limit: 'resend_cooldown',
      retryAfter: 30,
      verificationId: 'ver_1',
      requestId: 'req_1',
      problem,
    })
    expect(error.message).toBe(problem.detail)
  })

  test.each([
    ['120', 120],
    ['0', 0],
    [new Date(Date.now() + 3_600_000).toUTCString(), expect.closeTo(3600, -1)],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['soon', undefined],
    [undefined, undefined],
  ])('Retry-After: %s', async (header, seconds) => {
    const { client } = await stub(
      (response) => void response.writeHead(503, header === undefined ? {} : { 'retry-after': header }).end(),
    )
    const error = await failureOf(client.verifications.get('ver_1'))
    expect(error.retryAfter).toEqual(seconds)
  })

  test('an error is known by its brand, over two copies of the module too', () => {
    const foreign = Object.assign(new Error('of another copy'), { [Symbol.for('countersign.error')]: true })
    expect(isCountersignError(foreign)).toBe(true)
    for (const none of [new Error('x'), { code: 'timeout' }, null, undefined, 'text', 7])
      expect(isCountersignError(none)).toBe(false)
  })
})

describe('calls that end early', () => {
  test('by the caller: before it is made, while it waits, and while the answer comes', async () => {
    const { client, seen } = await stub((response, _request, n) => {
      if (n === 2) response.writeHead(200).write('{"id":')
    })
    expect(await failureOf(client.verifications.get('v', { signal: AbortSignal.abort() }))).toMatchObject({
      code: 'aborted',
      status: 0,
    })
    expect(seen).toHaveLength(0)
    for (const requests of [1, 2]) {
      const control = new AbortController()
      const failure = failureOf(client.verifications.get('v', { signal: control.signal }))
      await vi.waitFor(() => expect(seen).toHaveLength(requests))
      control.abort()
      expect((await failure).code).toBe('aborted')
    }
  })

  test('by time: of the call, of the client; and the request is given up', async () => {
    const closed = vi.fn()
    const { baseUrl, client } = await stub((response) => void response.on('close', closed))
    const quick = createClient({ baseUrl, timeoutMs: 40 })
    expect((await failureOf(client.verifications.get('v', { timeoutMs: 40 }))).code).toBe('timeout')
    expect((await failureOf(quick.verifications.get('v'))).code).toBe('timeout')
    await vi.waitFor(() => expect(closed).toHaveBeenCalledTimes(2))
  })

  test('none does for a time that no timer can hold', async () => {
    const { client } = await stub((response) => json(response, 200, { id: 'ver_1' }))
    expect(await client.verifications.get('v', { timeoutMs: Infinity })).toEqual({ id: 'ver_1' })
  })

  test('offline is told from a network that fails', async () => {
    const client = createClient({
      baseUrl: 'http://countersign.invalid',
      fetch: () => Promise.reject(new TypeError()),
    })
    expect((await failureOf(client.auth.requestOtp('+14155552671'))).code).toBe('network')
    vi.stubGlobal('navigator', { onLine: false })
    onTestFinished(() => void vi.unstubAllGlobals())
    expect((await failureOf(client.auth.requestOtp('+14155552671'))).code).toBe('offline')
  })
})

describe('what is repeated', () => {
  const breakFirst = (response: ServerResponse, request: IncomingMessage, n: number) => {
    if (n === 1) request.socket.destroy()
    else json(response, 201, { id: 'ver_1' })
  }

  test('a start whose answer was lost, once, with the same key', async () => {
    const { client, seen } = await stub(breakFirst)
    expect(await client.verifications.start({ to: '+14155552671' })).toEqual({ id: 'ver_1' })
    const keys = seen.map(({ headers }) => headers['idempotency-key'])
    expect(keys).toEqual([expect.stringMatching(/^[\w-]{20,}$/), keys[0]])
    await client.verifications.start({ to: '+14155552671' }, { idempotencyKey: 'mine' })
    await client.verifications.start({ to: '+14155552671' })
    expect(new Set(seen.map(({ headers }) => headers['idempotency-key'])).size).toBe(3)
    expect(seen[2]?.headers['idempotency-key']).toBe('mine')
  })

  test('no more than once', async () => {
    const { client, seen } = await stub((_response, request) => void request.socket.destroy())
    expect((await failureOf(client.verifications.start({ to: '+14155552671' }))).code).toBe('network')
    expect(seen).toHaveLength(2)
  })

  test.each<[string, (client: Client) => Promise<unknown>]>([
    ['a check', ({ verifications }) => verifications.check('ver_1', '123456')],
    ['a resend', ({ verifications }) => verifications.resend('ver_1')],
    ['a sign-in', ({ auth }) => auth.verifyOtp('+14155552671', '123456')],
  ])('%s is not', async (_, call) => {
    const { client, seen } = await stub(breakFirst)
    expect((await failureOf(call(client))).code).toBe('network')
    expect(seen).toHaveLength(1)
  })

  test('a call that is refused a second time, after a refresh, is refused', async () => {
    const tokens = memoryTokens()
    tokens.set({ accessToken: 'first', refreshToken: 'rt_1' })
    const { baseUrl, seen } = await stub((response, { url }) =>
      url === '/api/auth/refresh'
        ? json(response, 200, { access_token: 'second', expires_in: 900, refresh_token: 'rt_2' })
        : json(response, 401, { code: 'unauthorized', detail: 'No' }),
    )
    expect(await failureOf(createClient({ baseUrl, tokens }).auth.me())).toMatchObject({
      code: 'unauthorized',
    })
    expect(seen.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ['/api/auth/me', 'Bearer first'],
      ['/api/auth/refresh', undefined],
      ['/api/auth/me', 'Bearer second'],
    ])
  })
})

test('no error holds a token or a code', async () => {
  const secrets = ['rt_secret', 'at_secret', '246810', 'dvt_secret', 'correct horse', 'pk_of_the_test']
  const tokens = memoryTokens()
  tokens.set({ accessToken: 'at_secret', refreshToken: 'rt_secret', deviceToken: 'dvt_secret' })
  const { baseUrl } = await stub((response) => void response.writeHead(500).end(secrets.join(' ')))
  const { verifications, auth } = createClient({ baseUrl, tokens, publishableKey: 'pk_of_the_test' })
  const failures = [
    await failureOf(verifications.check('ver_1', '246810')),
    await failureOf(auth.login({ identifier: 'ada@example.org', password: 'correct horse' })),
    await failureOf(auth.me()),
    await failureOf(auth.refresh()),
  ]
  for (const error of failures) {
    const told = [String(error), error.stack, JSON.stringify(error), String(error.cause)].join(' ')
    for (const secret of secrets) expect(told).not.toContain(secret)
  }
})

describe('the server’s clock', () => {
  test('is bounded by each answer, and found again when it was set', () => {
    const clock = makeServerClock()
    expect(clock.offsetMs()).toBe(0)
    const serverAhead = 5_250
    for (let at = 1_700_000_000_000; at < 1_700_000_004_000; at += 170) {
      const date = new Date(Math.floor((at + 20 + serverAhead) / 1000) * 1000).toUTCString()
      clock.hear(date, at, at + 40)
      expect(Math.abs(clock.offsetMs() - serverAhead)).toBeLessThanOrEqual(520)
    }
    expect(Math.abs(clock.offsetMs() - serverAhead)).toBeLessThan(100)
    clock.hear('no date', 0, 0)
    clock.hear(null, 0, 0)
    expect(Math.abs(clock.offsetMs() - serverAhead)).toBeLessThan(100)
    clock.hear(new Date(1_700_000_000_000).toUTCString(), 1_700_000_060_000, 1_700_000_060_040)
    expect(Math.abs(clock.offsetMs() + 60_000)).toBeLessThanOrEqual(520)
  })

  test('is read from answers and from refusals', async () => {
    const now = Date.UTC(2030, 0, 1)
    const { client } = await stub((response) =>
      json(response, 404, { code: 'not_found', detail: 'No' }, { date: new Date(now).toUTCString() }),
    )
    expect(client.clockOffsetMs).toBe(0)
    await failureOf(client.verifications.get('v'))
    expect(client.clockOffsetMs).toBeGreaterThan(0)
    // A minute is enough for the slowest machine; the offset itself is years.
    expect(Math.abs(client.now() - now)).toBeLessThan(60_000)
  })
})

test('a page refuses a secret key at once', () => {
  vi.stubGlobal('document', {})
  onTestFinished(() => void vi.unstubAllGlobals())
  expect(() => createClient({ baseUrl: '', publishableKey: 'sk_of_the_test' })).toThrow('secret key')
  expect(createClient({ baseUrl: '', publishableKey: 'pk_of_the_test' }).auth.isSignedIn).toBe(false)
})
