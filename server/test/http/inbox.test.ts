import { setTimeout as sleep } from 'node:timers/promises'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify from 'fastify'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { buildWeb } from '../../../scripts/build-web.ts'
import { readConfig } from '../../src/config.ts'
import { registerPages } from '../../src/http/account/pages.ts'
import { registerDevRoutes } from '../../src/http/dev/routes.ts'
import { errorHeaders, toCountersignError, toProblem } from '../../src/http/errors.ts'
import { makeInbox } from '../../src/providers/inbox.ts'
import { FakeClock } from '../fake-clock.ts'

const PUBLIC_URL = 'https://verify.example.com:8443'
const PATHS = ['/', '/dev/inbox', '/dev/inbox/messages', '/dev/inbox/events']
const closers: (() => Promise<unknown>)[] = []

afterEach(async () => {
  vi.useRealTimers()
  for (const close of closers.splice(0)) await close()
})

function makeApp(publicUrl = PUBLIC_URL) {
  const inbox = makeInbox(new FakeClock())
  const app = fastify({
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.setErrorHandler((thrown, request, reply) => {
    const error = toCountersignError(thrown)
    const problem = toProblem(error, request.id)
    return reply.code(problem.status).headers(errorHeaders(error)).send(JSON.stringify(problem))
  })
  const brand = { ...readConfig({}).account.brand }
  const settings = { publicUrl, codeLength: 6, account: undefined, devKeys: { publishable: 'pk_1' } }
  registerDevRoutes(app, inbox, { settings, pages: registerPages(app, brand) })
  closers.push(() => app.close())
  const send = (id: string, to = '+14155552671', body = '123456 is your Acme code.') =>
    inbox.provider.send({ id, to, country: 'US', channel: 'sms', body }, new AbortController().signal)
  return { app, inbox, send }
}

function get(app: ReturnType<typeof makeApp>['app'], url: string, headers: Record<string, string> = {}) {
  return app.inject({ method: 'GET', url, headers: { host: 'localhost:8080', ...headers } })
}

async function listen() {
  const made = makeApp()
  const origin = await made.app.listen({ port: 0, host: '127.0.0.1' })
  return { ...made, url: `${origin}/dev/inbox/events` }
}

/** Collects what a stream brings until it ends. */
async function open(url: string) {
  const leave = new AbortController()
  closers.unshift(async () => leave.abort())
  const answer = await fetch(url, { signal: leave.signal })
  const seen = { text: '', ended: false }
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const bytes of answer.body ?? []) seen.text += decoder.decode(bytes, { stream: true })
    seen.ended = true
  })().catch(() => undefined)
  return { answer, seen, reading, leave: () => leave.abort() }
}

describe('the messages of the inbox', () => {
  test('are read newest first, by number, with or without an encoded plus sign', async () => {
    const { app, send } = makeApp()
    await send('snd_1')
    await send('snd_2', '+4915112345678')
    const all = await get(app, '/dev/inbox/messages')
    expect(all.headers['cache-control']).toBe('no-store')
    expect(all.headers['access-control-allow-origin']).toBeUndefined()
    expect(all.json()).toEqual({
      data: [
        {
          id: 'snd_2',
          to: '+4915112345678',
          channel: 'sms',
          body: '123456 is your Acme code.',
          at: '2026-01-15T12:00:00.000Z',
        },
        {
          id: 'snd_1',
          to: '+14155552671',
          channel: 'sms',
          body: '123456 is your Acme code.',
          at: '2026-01-15T12:00:00.000Z',
        },
      ],
    })
    for (const to of ['%2B14155552671', '+14155552671', '14155552671']) {
      const { data } = (await get(app, `/dev/inbox/messages?to=${to}`)).json<{ data: { id: string }[] }>()
      expect(data.map(({ id }) => id)).toEqual(['snd_1'])
    }
    expect((await get(app, '/dev/inbox/messages?limit=1&to=')).json<{ data: unknown[] }>().data).toHaveLength(
      1,
    )
    expect((await get(app, '/dev/inbox/messages?to=%2B999')).json()).toEqual({ data: [] })
  })

  test('are forgotten on request', async () => {
    const { app, inbox, send } = makeApp()
    await send('snd_1')
    const cleared = await app.inject({
      method: 'DELETE',
      url: '/dev/inbox/messages',
      headers: { host: 'localhost:8080', origin: 'http://localhost:8080', 'sec-fetch-site': 'same-origin' },
    })
    expect(cleared.statusCode).toBe(204)
    expect(inbox.list()).toEqual([])
  })

  test.each([
    'limit=0',
    'limit=501',
    'limit=-1',
    'limit=1e2',
    'limit=NaN',
    'limit=',
    'limit=1&limit=2',
    'to=abc',
    'to=%2B1&to=%2B2',
    'to[$ne]=1',
    `to=${'1'.repeat(40)}`,
    '__proto__=1',
    'other=1',
  ])('refuse %s', async (query) => {
    const { app } = makeApp()
    const refused = await get(app, `/dev/inbox/messages?${query}`)
    expect(refused.statusCode).toBe(400)
    expect(refused.json()).toMatchObject({ code: 'invalid_request' })
  })
})

describe('the pages', () => {
  beforeAll(() => buildWeb())

  test.each([
    ['/', 'start'],
    ['/dev/inbox', 'inbox'],
  ])('%s is under a policy without exceptions, and of files of this server alone', async (path, name) => {
    const { app } = makeApp('http://localhost:8080')
    const page = await get(app, path)
    expect(page.statusCode).toBe(200)
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.headers['cache-control']).toBe('no-store')
    const policy = String(page.headers['content-security-policy'])
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "frame-ancestors 'none'",
    ])
      expect(policy).toContain(rule)
    expect(policy).not.toMatch(/unsafe|\*|data:|https?:/)
    expect(page.body).not.toMatch(/<style|\s(?:style|on\w+)=|https?:/)
    const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url = '']) => url)
    expect(files).toContainEqual(expect.stringContaining(`/account/assets/${name}-`))
    for (const url of files) expect((await get(app, url)).statusCode, url).toBe(200)
  })
})

describe('who may read the inbox', () => {
  test.each([
    'localhost',
    'localhost:8080',
    'LOCALHOST:1',
    '127.0.0.1:8080',
    '[::1]:8080',
    'verify.example.com',
    'verify.example.com:8443',
  ])('answers on %s', async (host) => {
    const { app } = makeApp()
    expect((await get(app, '/dev/inbox/messages', { host })).statusCode).toBe(200)
  })

  test.each([
    'evil.example',
    'localhost.evil.example',
    'verify.example.com.evil.example',
    'evil.example#localhost',
    'localhost@evil.example',
    '192.168.0.7:8080',
    '0.0.0.0',
    'a b',
  ])('refuses every path on the host %j', async (host) => {
    const { app, send } = makeApp()
    await send('snd_1')
    for (const path of PATHS) {
      const refused = await get(app, path, { host, 'x-forwarded-host': 'localhost' })
      expect(refused.statusCode).toBe(403)
      expect(refused.json()).toMatchObject({ code: 'forbidden' })
      expect(refused.body).not.toContain('123456')
    }
  })

  test.each([
    { origin: 'https://evil.example' },
    { origin: 'http://localhost:3000' },
    { origin: 'null' },
    { origin: 'http://localhost:8080.evil.example' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' },
    { 'sec-fetch-site': 'cross-site' },
  ])('refuses every path to another site: %j', async (headers) => {
    const { app, inbox, send } = makeApp()
    await send('snd_1')
    for (const path of PATHS) expect((await get(app, path, headers)).statusCode).toBe(403)
    const cleared = await app.inject({
      method: 'DELETE',
      url: '/dev/inbox/messages',
      headers: { host: 'localhost:8080', ...headers },
    })
    expect(cleared.statusCode).toBe(403)
    expect(inbox.list()).toHaveLength(1)
  })

  test('lets a link from elsewhere open the page, and its own origins read it', async () => {
    const { app } = makeApp()
    const link = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    }
    expect((await get(app, '/dev/inbox', link)).statusCode).toBe(200)
    expect((await get(app, '/dev/inbox/messages', { origin: 'http://localhost:8080' })).statusCode).toBe(200)
    expect(
      (await get(app, '/dev/inbox/messages', { origin: PUBLIC_URL, host: 'verify.example.com' })).statusCode,
    ).toBe(200)
  })
})

describe('the events of the inbox', () => {
  test('bring each new message, and end when the server closes', async () => {
    const { app, send, url } = await listen()
    await send('snd_before')
    const { answer, seen, reading } = await open(url)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    await send('snd_1', '+14155552671', '123456\n\ndata: forged')
    await vi.waitFor(() => expect(seen.text).toContain('snd_1'))
    const events = seen.text.split('\n\n').filter((event) => event.startsWith('data: '))
    expect(events.map((event) => JSON.parse(event.slice(6)) as unknown)).toEqual([
      {
        id: 'snd_1',
        to: '+14155552671',
        channel: 'sms',
        body: '123456\n\ndata: forged',
        at: '2026-01-15T12:00:00.000Z',
      },
    ])
    const before = performance.now()
    await app.close()
    await reading
    expect(seen.ended).toBe(true)
    expect(performance.now() - before).toBeLessThan(2_000)
  })

  test('beat every 15 s while nothing happens', async () => {
    const { url } = await listen()
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { seen } = await open(url)
    vi.advanceTimersByTime(14_000)
    await sleep(20)
    expect(seen.text).not.toContain(': alive')
    vi.advanceTimersByTime(1_500)
    vi.useRealTimers()
    await vi.waitFor(() => expect(seen.text).toContain(': alive\n\n'))
  })

  test('go to 50 pages at most; a page that leaves makes room', async () => {
    const { send, url } = await listen()
    const streams = await Promise.all(Array.from({ length: 50 }, () => open(url)))
    const refused = await fetch(url)
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('5')
    await refused.text()
    streams[0]?.leave()
    await vi.waitFor(async () => {
      const { answer, leave } = await open(url)
      if (answer.status !== 200) leave()
      expect(answer.status).toBe(200)
    })
    expect((await send('snd_1')).ok).toBe(true)
    await vi.waitFor(() => expect(streams[49]?.seen.text).toContain('snd_1'))
  })
})
