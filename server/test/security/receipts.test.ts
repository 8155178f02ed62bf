import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Provider } from '../../src/messaging/provider.ts'
import { openSqlite } from '../../src/stores/sqlite/store.ts'
import { FakeClock } from '../fake-clock.ts'
import { startHostTrustingHook } from '../helpers/host-trusting-hook.ts'
import { MemoryMessaging } from '../helpers/memory-messaging.ts'
import { hookOf, postTo, PUBLIC_URL, startReceiptServer } from '../helpers/receipt-server.ts'
import { planned, settled } from '../helpers/sends.ts'
import {
  type Callback,
  makeSigningProviders,
  sidOf,
  TWILIO_TOKEN,
  twilioCallback,
  vonageCallback,
  webhookCallback,
} from '../helpers/signed-receipts.ts'

let providers: Provider[]

beforeAll(async () => {
  providers = await makeSigningProviders()
})

function openStore(clock: FakeClock, path = ':memory:') {
  const store = openSqlite({ path, synchronous: 'normal', retentionDays: 30, clock })
  onTestFinished(() => store.close())
  return store
}

async function setUp(options: { trustedProxies?: readonly string[]; publicUrl?: string } = {}) {
  const clock = new FakeClock()
  const store = openStore(clock).messaging
  return { clock, store, server: await startReceiptServer({ providers, store, clock, ...options }) }
}

const UUID = 'aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab'
const MB_10 = 10 * 1024 * 1024
const TEN_TIMES = Array.from({ length: 10 }, (_, n) => n)

function delivered(sid = sidOf(1), url = hookOf('twilio')): Callback {
  return twilioCallback(url, { MessageSid: sid, MessageStatus: 'delivered' })
}

/** A connection that writes as a test says, and what came back on it until it was closed. */
function open(port: number) {
  const socket: Socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  const closed = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    // Bytes that nobody reads are answered with a reset, after the answer.
    socket.on('error', () => {})
    socket.on('close', () => resolve())
  })
  onTestFinished(() => void socket.destroy())
  const text = () => Buffer.concat(chunks).toString()
  return { socket, closed, text, status: () => Number(/^HTTP\/1\.1 (\d{3})/.exec(text())?.[1]) }
}

function head(lines: readonly string[], path = '/hooks/twilio/status'): string {
  return `${[`POST ${path} HTTP/1.1`, 'Host: verify.example.com', ...lines].join('\r\n')}\r\n\r\n`
}

describe('R44, A35: what the signature is checked over', () => {
  const ELSEWHERE = 'https://other.example/hooks/twilio/status'
  /** Ways to say that this server is another, or was called another way. */
  const DISGUISES: Record<string, string>[] = [
    { host: 'other.example' },
    { 'x-forwarded-host': 'other.example', 'x-forwarded-proto': 'https' },
    { host: 'other.example', 'x-forwarded-proto': 'https' },
    { x_forwarded_host: 'other.example', x_forwarded_proto: 'https' },
    { 'x-forwarded-host': 'other.example', 'x-forwarded-proto': 'https', 'x-forwarded-prefix': '/' },
    { forwarded: 'for=192.0.2.1;host=other.example;proto=https' },
    { 'x-original-url': ELSEWHERE, 'x-rewrite-url': ELSEWHERE, 'x-original-host': 'other.example' },
  ]

  test.each([[[]], [['127.0.0.0/8']]])(
    'is PUBLIC_URL, whatever Host and X-Forwarded-* say, from trusted proxies %j too',
    async (trustedProxies) => {
      const { store, server } = await setUp({ trustedProxies })
      await settled(store, 'ver_1', { ref: sidOf(1) })
      const stolen = delivered(sidOf(1), ELSEWHERE)
      for (const headers of DISGUISES)
        expect((await server.post('twilio', stolen, { headers })).code).toBe('invalid_signature')
      expect(server.news).toEqual([])
      // And a true one is true in every disguise.
      for (const headers of DISGUISES)
        expect((await server.post('twilio', delivered(), { headers })).status).toBe(204)
      expect(server.news).toHaveLength(1)
    },
  )

  test('a twin that believes Host and X-Forwarded-* takes the same forgery', async () => {
    const [twilio] = providers
    const port = await startHostTrustingHook(twilio ?? expect.unreachable())
    const stolen = delivered(sidOf(1), ELSEWHERE)
    expect((await postTo(port, 'twilio', stolen)).status).toBe(403)
    for (const headers of [
      { 'x-forwarded-host': 'other.example', 'x-forwarded-proto': 'https' },
      { host: 'other.example', 'x-forwarded-proto': 'https' },
    ])
      expect((await postTo(port, 'twilio', stolen, { headers })).status).toBe(204)
  })

  test('is the path prefix of PUBLIC_URL, then the path and query as they came', async () => {
    for (const publicUrl of [
      'https://verify.example.com',
      'https://verify.example.com/',
      'https://verify.example.com/a/b',
      'https://verify.example.com/a/b/',
      'http://localhost:8080',
      'https://verify.example.com:8443',
    ]) {
      const { server } = await setUp({ publicUrl })
      const base = publicUrl.replace(/\/$/, '')
      for (const query of ['', '?a=b', '?a=%2B1%20x&b=c+d', '?']) {
        const path = `/hooks/twilio/status${query}`
        const { status } = await server.post(path, delivered(sidOf(1), base + path))
        expect({ publicUrl, query, status }).toEqual({ publicUrl, query, status: 204 })
      }
      // Another query, or none, is another address.
      const signed = delivered(sidOf(1), `${base}/hooks/twilio/status?a=b`)
      for (const query of ['', '?a=c', '?a=b&c=d'])
        expect((await server.post(`/hooks/twilio/status${query}`, signed)).status).toBe(403)
    }
  })

  test('no other address goes by way of the request line', async () => {
    const { server } = await setUp()
    const { headers, body } = delivered(sidOf(1), ELSEWHERE)
    for (const target of [
      ELSEWHERE,
      'http://verify.example.com/hooks/twilio/status',
      '//other.example/hooks',
    ]) {
      const { socket, text, status } = open(server.port)
      const lines = Object.entries({ ...headers, connection: 'close', 'content-length': `${body.length}` })
      socket.write(
        head(
          lines.map(([name, value]) => `${name}: ${value}`),
          target,
        ) + body,
      )
      await expect.poll(text).toContain('\r\n\r\n')
      expect([403, 404]).toContain(status())
    }
    expect(server.news).toEqual([])
  })

  test('a signature by another token, by none, and of another vendor is none', async () => {
    const { clock, server } = await setUp()
    const fields = { MessageSid: sidOf(1), MessageStatus: 'delivered' }
    const { body } = delivered()
    const { headers: vonage } = vonageCallback({ message_uuid: UUID, status: 'delivered' }, clock.now())
    for (const callback of [
      twilioCallback(hookOf('twilio'), fields, 'another-token'),
      twilioCallback(hookOf('twilio'), fields, ''),
      twilioCallback(hookOf('vonage'), fields),
      { headers: { 'x-twilio-signature': TWILIO_TOKEN }, body },
      { headers: { 'x-twilio-signature': '' }, body },
      { headers: { x_twilio_signature: 'x' }, body },
      { headers: vonage, body },
    ])
      expect((await server.post('twilio', callback)).code).toBe('invalid_signature')
  })
})

describe('R45, A35: the same callback again', () => {
  test('a hundred at once and again after a restart: one step', async () => {
    const clock = new FakeClock()
    const path = join(makeScratch(), 'receipts.db')
    const before = openStore(clock, path)
    const server = await startReceiptServer({ providers, store: before.messaging, clock })
    await settled(before.messaging, 'ver_1', { ref: sidOf(1) })
    const callback = delivered()
    const answers = await Promise.all(Array.from({ length: 100 }, () => server.post('twilio', callback)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]))
    expect(server.news).toHaveLength(1)
    await server.close()
    await before.close()

    clock.advance(3_600)
    const store = openStore(clock, path).messaging
    const next = await startReceiptServer({ providers, store, clock })
    for (let n = 0; n < 3; n++) expect((await next.post('twilio', callback)).status).toBe(204)
    expect(next.news).toEqual([])
    const [send] = await store.sendsOf('ver_1')
    expect(send).toMatchObject({ status: 'delivered', deliveredAt: clock.now() - 3_600_000 })
    expect(send?.history).toHaveLength(1)
  })

  test('a store that reads and then writes would have taken several steps', async () => {
    const clock = new FakeClock()
    const store = new MemoryMessaging(clock, { torn: true })
    const server = await startReceiptServer({ providers, store, clock })
    await settled(store, 'ver_1', { ref: sidOf(1) })
    await Promise.all(Array.from({ length: 100 }, () => server.post('twilio', delivered())))
    expect(server.news.length).toBeGreaterThan(1)
  })

  test('what it is about is the vendor’s id alone, stable over parses: a token or id of the request is not', async () => {
    const { clock, store, server } = await setUp()
    await settled(store, 'ver_1', { provider: 'webhook', ref: 'gateway-1' })
    for (let n = 0; n < 5; n++) {
      const callback = webhookCallback({ ref: 'gateway-1', progress: 'delivered' }, clock.now())
      const headers = { 'i-twilio-idempotency-token': `token-${n}`, 'x-request-id': `id-${n}` }
      expect((await server.post('webhook', callback, { headers })).status).toBe(204)
      clock.advance(1)
    }
    expect(server.news).toHaveLength(1)
  })
})

describe('R46, F24: callbacks in any order', () => {
  const STATUSES = ['queued', 'sent', 'delivered'] as const

  test.each(permutations(STATUSES))('%s, %s, %s: delivered at the end, and never back', async (...order) => {
    const { store, server } = await setUp()
    await settled(store, 'ver_1', { ref: sidOf(1) })
    const ranks: Record<string, number> = { accepted: 1, sent: 2, delivered: 4 }
    let rank = 0
    for (const MessageStatus of order.flatMap((status) => [status, status])) {
      const { status } = await server.post(
        'twilio',
        twilioCallback(hookOf('twilio'), { MessageSid: sidOf(1), MessageStatus }),
      )
      expect(status).toBe(204)
      const [send] = await store.sendsOf('ver_1')
      const next = ranks[send?.status ?? ''] ?? 0
      expect(next).toBeGreaterThanOrEqual(rank)
      rank = next
    }
    expect((await store.sendsOf('ver_1'))[0]?.status).toBe('delivered')
  })

  test('all at once, each ten times, with a failure among them: the highest stays', async () => {
    const { store, server } = await setUp()
    const sends = TEN_TIMES.map((n) => ({ owner: `ver_${n}`, ref: sidOf(n + 1) }))
    for (const { owner, ref } of sends) await settled(store, owner, { ref })
    const calls = sends.flatMap(({ ref }) =>
      TEN_TIMES.flatMap(() =>
        ['queued', 'sent', 'undelivered', 'delivered'].map((MessageStatus) =>
          twilioCallback(hookOf('twilio'), { MessageSid: ref, MessageStatus, ErrorCode: '30003' }),
        ),
      ),
    )
    const answers = await Promise.all(shuffled(calls).map((call) => server.post('twilio', call)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]))
    for (const { owner } of sends) {
      const [send] = await store.sendsOf(owner)
      expect(send).toMatchObject({ status: 'delivered', error: null, vendorCode: null })
      const steps = send?.history.map(({ status }) => status) ?? []
      expect(steps).toEqual([...steps].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b)))
      expect(new Set(steps).size).toBe(steps.length)
    }
  })
})

describe('F24: callbacks at bad moments', () => {
  test('a burst of 1,000 from one address at once: every one is taken', async () => {
    const { store, server } = await setUp()
    const refs = Array.from({ length: 1_000 }, (_, n) => sidOf(n + 1))
    await Promise.all(refs.map((ref, n) => settled(store, `ver_${n}`, { ref })))
    const answers = await Promise.all(refs.map((ref) => server.post('twilio', delivered(ref))))
    expect(answers.filter(({ status }) => status !== 204).map(({ status }) => status)).toEqual([])
    expect(server.news).toHaveLength(1_000)
    expect(new Set(server.news.map(({ ref }) => ref)).size).toBe(1_000)
  })

  test('a burst while the store is slow: what was checked takes no place from the next', async () => {
    const clock = new FakeClock()
    const store = new MemoryMessaging(clock)
    const server = await startReceiptServer({ providers, store, clock })
    store.slowMs = 300
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) => server.post('twilio', delivered(sidOf(n + 1)))),
    )
    expect(answers.filter(({ status }) => status !== 204).map(({ status }) => status)).toEqual([])
    expect(store.waiting).toBe(200)
  })

  test('before our own write: it waits, and is the send’s once that is settled', async () => {
    const { store, server } = await setUp()
    const send = planned()
    await store.recordSend('ver_1', send)
    for (const MessageStatus of ['delivered', 'sent', 'delivered']) {
      const callback = twilioCallback(hookOf('twilio'), { MessageSid: sidOf(1), MessageStatus })
      expect((await server.post('twilio', callback)).status).toBe(204)
    }
    await server.receipts.tick()
    expect((await store.sendsOf('ver_1'))[0]?.status).toBe('sending')
    await settled(store, 'ver_1', { ...send, ref: sidOf(1) })
    await server.receipts.tick()
    expect((await store.sendsOf('ver_1'))[0]?.status).toBe('delivered')
    expect(server.news.at(-1)).toMatchObject({ id: send.id, status: 'delivered' })
    // Nothing is left that could be told twice.
    const told = server.news.length
    await server.receipts.tick()
    expect(server.news).toHaveLength(told)
  })

  test('a replay of an earlier word after the end changes nothing', async () => {
    const { clock, store, server } = await setUp()
    await settled(store, 'ver_1', { ref: sidOf(1) })
    const failed = twilioCallback(hookOf('twilio'), { MessageSid: sidOf(1), MessageStatus: 'undelivered' })
    await server.post('twilio', failed)
    await server.post('twilio', delivered())
    clock.advance(86_400)
    expect((await server.post('twilio', failed)).status).toBe(204)
    expect((await store.sendsOf('ver_1'))[0]?.status).toBe('delivered')
    expect(server.news).toHaveLength(2)
  })
})

describe('R47: what is not worth reading', () => {
  test('an unsigned 10 MB body is refused before it is read, and its connection closed', async () => {
    const { server } = await setUp()
    for (const provider of ['twilio', 'vonage', 'webhook']) {
      const before = server.bytesRead()
      const { socket, closed, text, status } = open(server.port)
      socket.write(head([`Content-Length: ${MB_10}`], `/hooks/${provider}/status`))
      socket.write(Buffer.alloc(MB_10))
      await closed
      expect({ provider, status: status() }).toEqual({ provider, status: 403 })
      expect(text()).toMatch(/\r\nconnection: close\r\n/i)
      expect(text()).toContain('"code":"invalid_signature"')
      // What the kernel and the parser had taken already: not a hundredth of it.
      expect(server.bytesRead() - before).toBeLessThan(256 * 1024)
    }
  })

  test('it is refused before any of it was sent', async () => {
    const { server } = await setUp()
    const { socket, closed, status } = open(server.port)
    socket.write(head([`Content-Length: ${MB_10}`]))
    await closed
    expect(status()).toBe(403)
    expect(server.bytesRead()).toBeLessThan(300)
  })

  test('the same with something in place of a signature: 413 by its length alone', async () => {
    const { server } = await setUp()
    const { socket, closed, text, status } = open(server.port)
    socket.write(head(['X-Twilio-Signature: x', 'Content-Length: 65537']))
    await closed
    expect(status()).toBe(413)
    expect(text()).toMatch(/\r\nconnection: close\r\n/i)
    expect(server.bytesRead()).toBeLessThan(300)
  })

  test('a body without a length is cut off at 64 KB', async () => {
    const { server } = await setUp()
    const { socket, closed, text, status } = open(server.port)
    socket.write(head(['X-Twilio-Signature: x', 'Transfer-Encoding: chunked']))
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
    const writing = setInterval(() => void socket.write(chunk), 5)
    await closed
    clearInterval(writing)
    expect(status()).toBe(413)
    expect(text()).toContain('"code":"payload_too_large"')
    expect(server.bytesRead()).toBeLessThan(256 * 1024)
  })

  test('64 KB are read, and not one byte more is needed to be refused', async () => {
    const { clock, server } = await setUp()
    const pad = (bytes: number) => {
      const empty = JSON.stringify([{ ref: 'a', progress: 'sent', pad: '' }])
      const value = [{ ref: 'a', progress: 'sent', pad: 'x'.repeat(bytes - empty.length) }]
      return webhookCallback(value, clock.now())
    }
    expect((await server.post('webhook', pad(65_536))).status).toBe(204)
    const chunked = { 'transfer-encoding': 'chunked' }
    for (const [bytes, status] of [
      [65_536, 204],
      [65_537, 413],
    ] as const) {
      const { headers, body } = pad(bytes)
      const lines = Object.entries({ ...headers, ...chunked }).map(([name, value]) => `${name}: ${value}`)
      const raw = open(server.port)
      raw.socket.write(head(lines, '/hooks/webhook/status'))
      raw.socket.write(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)
      await expect.poll(raw.text).toContain('\r\n\r\n')
      expect({ bytes, status: raw.status() }).toEqual({ bytes, status })
    }
  })

  test('a body that comes drop by drop is given up after five seconds: 408', async () => {
    const { server } = await setUp()
    const { socket, closed, text, status } = open(server.port)
    const from = performance.now()
    socket.write(head(['X-Twilio-Signature: x', 'Content-Length: 1000']))
    const dripping = setInterval(() => void socket.write('x'), 100)
    await closed
    clearInterval(dripping)
    expect(status()).toBe(408)
    expect(text()).toContain('"code":"request_timeout"')
    expect(performance.now() - from).toBeGreaterThan(4_900)
    expect(performance.now() - from).toBeLessThan(6_500)
  })

  test('one address has 20 places: the next is a 429, others are served, and an end gives a place back', async () => {
    const { server } = await setUp({ trustedProxies: ['127.0.0.0/8'] })
    const from = (address: string) => [
      'X-Twilio-Signature: x',
      'Content-Length: 10',
      `X-Forwarded-For: ${address}`,
    ]
    const slow = Array.from({ length: 20 }, (_, n) => {
      const connection = open(server.port)
      // One /64 is one address.
      connection.socket.write(head(from(`2001:db8::${n}`)))
      return connection
    })
    await sleep(100)
    const next = { headers: { 'x-forwarded-for': '2001:db8::ffff' } }
    const refused = await server.post('twilio', delivered(), next)
    expect({ status: refused.status, code: refused.code }).toEqual({ status: 429, code: 'rate_limited' })
    expect(refused.headers).toMatchObject({
      'retry-after': '5',
      ratelimit: '"receipts_per_address";r=0;t=5',
      'ratelimit-policy': '"receipts_per_address";q=20;w=5',
      connection: 'close',
    })
    const other = { headers: { 'x-forwarded-for': '2001:db8:0:1::1' } }
    expect((await server.post('twilio', delivered(), other)).status).toBe(204)
    // One whose caller goes away, and one that is answered, are over.
    slow[0]?.socket.destroy()
    slow[1]?.socket.write('0123456789')
    await expect.poll(() => slow[1]?.status()).toBe(403)
    await expect.poll(async () => (await server.post('twilio', delivered(), next)).status).toBe(204)
  })

  test('all addresses together have 200 places: the next is a 503 with Retry-After', async () => {
    const { server } = await setUp({ trustedProxies: ['127.0.0.0/8'] })
    for (let n = 0; n < 200; n++) {
      open(server.port).socket.write(
        head(['X-Twilio-Signature: x', 'Content-Length: 10', `X-Forwarded-For: 198.51.100.${n}`]),
      )
    }
    await sleep(300)
    const refused = await server.post('twilio', delivered())
    expect({ status: refused.status, code: refused.code, after: refused.headers['retry-after'] }).toEqual({
      status: 503,
      code: 'overloaded',
      after: '5',
    })
    // After five seconds all that held a place are given up.
    await expect
      .poll(async () => (await server.post('twilio', delivered())).status, { timeout: 8_000, interval: 500 })
      .toBe(204)
  })

  test('an address cannot win places by forging X-Forwarded-For to a server without a proxy', async () => {
    const { server } = await setUp()
    for (let n = 0; n < 20; n++) {
      open(server.port).socket.write(
        head(['X-Twilio-Signature: x', 'Content-Length: 10', `X-Forwarded-For: 198.51.100.${n}`]),
      )
    }
    await sleep(100)
    const headers = {
      'x-forwarded-for': '203.0.113.1',
      'x-real-ip': '203.0.113.1',
      x_forwarded_for: '203.0.113.1',
    }
    expect((await server.post('twilio', delivered(), { headers })).status).toBe(429)
  })
})

const ORDER: readonly string[] = ['accepted', 'sent', 'undelivered', 'delivered', 'read']

function permutations<T>([...items]: readonly T[]): T[][] {
  if (items.length < 2) return [items]
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]))
}

function makeScratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-receipts-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The same order each time, and far from the one that was given. */
function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item, n) => ({ item, key: (n * 7_919) % 10_007 }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item)
}

test('the receipt server of these tests has the path prefix that R44 asks for', () => {
  expect(new URL(PUBLIC_URL).pathname).not.toBe('/')
})
