import { beforeAll, describe, expect, test } from 'vitest'
import type { Provider } from '../../src/messaging/provider.ts'
import { FakeClock } from '../fake-clock.ts'
import { MemoryMessaging } from '../helpers/memory-messaging.ts'
import { hookOf, startReceiptServer } from '../helpers/receipt-server.ts'
import { settled } from '../helpers/sends.ts'
import {
  makeSigningProviders,
  sidOf,
  twilioCallback,
  vonageCallback,
  webhookCallback,
} from '../helpers/signed-receipts.ts'

let providers: Provider[]

beforeAll(async () => {
  providers = await makeSigningProviders()
})

async function setUp() {
  const clock = new FakeClock()
  const store = new MemoryMessaging(clock)
  const server = await startReceiptServer({ providers, store, clock })
  return { clock, store, server }
}

const UUID = 'aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab'

/** A good callback of each vendor, what it is about, and the status the vendor wants. */
const GOOD = {
  twilio: {
    ref: sidOf(1),
    call: (status: string) =>
      twilioCallback(hookOf('twilio'), { MessageSid: sidOf(1), MessageStatus: status, To: '+14155552671' }),
    taken: 204,
  },
  vonage: {
    ref: UUID,
    call: (status: string, at: number) =>
      vonageCallback({ message_uuid: UUID, status, to: '14155552671' }, at),
    taken: 200,
  },
  webhook: {
    ref: 'gateway-1',
    call: (progress: string, at: number) => webhookCallback({ ref: 'gateway-1', progress }, at),
    taken: 204,
  },
} as const
const VENDORS = ['twilio', 'vonage', 'webhook'] as const

describe.each(VENDORS)('POST /hooks/%s/status', (provider) => {
  const { ref, call, taken } = GOOD[provider]

  test('takes what the vendor signed: news, old and waiting get the same empty answer', async () => {
    const { clock, store, server } = await setUp()
    await settled(store, 'ver_1', { provider, ref })
    const early = VENDORS.find((name) => name !== provider)
    for (let n = 0; n < 3; n++) {
      const answer = await server.post(provider, call('delivered', clock.now()))
      expect({ status: answer.status, text: answer.text }).toEqual({ status: taken, text: '' })
    }
    expect(server.news).toHaveLength(1)
    expect((await store.sendsOf('ver_1'))[0]).toMatchObject({ status: 'delivered', deliveredAt: clock.now() })
    const waiting = await server.post(early ?? '', GOOD[early ?? 'twilio'].call('delivered', clock.now()))
    expect([200, 204]).toContain(waiting.status)
    expect(await server.figure(`countersign_receipts_total{provider="${provider}",outcome="news"}`)).toBe(1)
    expect(await server.figure(`countersign_receipts_total{provider="${provider}",outcome="old"}`)).toBe(2)
    expect(await server.figure(`countersign_receipts_total{provider="${early}",outcome="waiting"}`)).toBe(1)
  })

  test('refuses what is unsigned or forged with one and the same problem, and writes nothing', async () => {
    const { clock, store, server } = await setUp()
    await settled(store, 'ver_1', { provider, ref })
    const good = call('delivered', clock.now())
    const other = call('undelivered', clock.now())
    const unsigned = { ...good, headers: { 'content-type': good.headers['content-type'] ?? '' } }
    const problems: unknown[] = []
    for (const bad of [unsigned, { ...good, body: other.body }, { ...other, body: good.body }]) {
      const { status, code, text, headers } = await server.post(provider, bad)
      expect({ status, code }).toEqual({ status: 403, code: 'invalid_signature' })
      expect(headers['content-type']).toMatch(/^application\/problem\+json/)
      const { request_id: _, ...problem } = JSON.parse(text) as Record<string, unknown>
      problems.push(problem)
    }
    expect(new Set(problems.map((problem) => JSON.stringify(problem))).size).toBe(1)
    expect(server.news).toEqual([])
    expect((await store.sendsOf('ver_1'))[0]).toMatchObject({ status: 'accepted', history: [] })
    expect(await server.figure(`countersign_receipts_total{provider="${provider}",outcome="unsigned"}`)).toBe(
      1,
    )
    expect(await server.figure(`countersign_receipts_total{provider="${provider}",outcome="forged"}`)).toBe(2)
  })

  test('503 with Retry-After while the store is away; the vendor’s next try is news', async () => {
    const { clock, store, server } = await setUp()
    await settled(store, 'ver_1', { provider, ref })
    store.down = true
    const away = await server.post(provider, call('delivered', clock.now()))
    expect({ status: away.status, code: away.code, after: away.headers['retry-after'] }).toEqual({
      status: 503,
      code: 'store_unavailable',
      after: '1',
    })
    expect(await server.figure(`countersign_receipts_total{provider="${provider}",outcome="failed"}`)).toBe(1)
    store.down = false
    expect((await server.post(provider, call('delivered', clock.now()))).status).toBe(taken)
    expect(server.news).toHaveLength(1)
  })

  test('takes nothing where no secret is set: 404, whatever is signed', async () => {
    const clock = new FakeClock()
    const server = await startReceiptServer({
      providers: await makeSigningProviders({ secrets: false }),
      clock,
    })
    const { status, code } = await server.post(provider, call('delivered', clock.now()))
    expect({ status, code }).toEqual({ status: 404, code: 'not_found' })
  })

  test('every figure begins at 0', async () => {
    const { server } = await setUp()
    for (const outcome of ['news', 'old', 'waiting', 'unsigned', 'forged', 'stale', 'malformed', 'failed'])
      expect(
        await server.figure(`countersign_receipts_total{provider="${provider}",outcome="${outcome}"}`),
      ).toBe(0)
    for (const status of ['accepted', 'sent', 'undelivered', 'delivered', 'read'])
      expect(
        await server.figure(`countersign_deliveries_total{provider="${provider}",status="${status}"}`),
      ).toBe(0)
    expect(await server.figure(`countersign_delivery_seconds_count{provider="${provider}"}`)).toBe(0)
  })
})

describe('POST /hooks/{provider}/status', () => {
  test('what is signed and no receipt is 400, and says nothing of what came', async () => {
    const { clock, server } = await setUp()
    const secret = 'words-of-a-vendor'
    for (const [provider, callback] of [
      ['twilio', twilioCallback(hookOf('twilio'), { MessageSid: secret, MessageStatus: 'delivered' })],
      ['vonage', vonageCallback({ message_uuid: secret, status: 'delivered' }, clock.now())],
      ['webhook', webhookCallback({ ref: 'a', progress: secret }, clock.now())],
    ] as const) {
      const { status, code, text } = await server.post(provider, callback)
      expect({ provider, status, code }).toEqual({ provider, status: 400, code: 'invalid_request' })
      expect(text).not.toContain(secret)
      expect(
        await server.figure(`countersign_receipts_total{provider="${provider}",outcome="malformed"}`),
      ).toBe(1)
    }
    expect(server.logs.join('')).not.toContain(secret)
  })

  test('a signature that is too old is refused as a forged one is', async () => {
    const { clock, server } = await setUp()
    for (const provider of ['vonage', 'webhook'] as const) {
      const old = GOOD[provider].call('delivered', clock.now() - 301_000)
      expect((await server.post(provider, old)).code).toBe('invalid_signature')
      expect(await server.figure(`countersign_receipts_total{provider="${provider}",outcome="stale"}`)).toBe(
        1,
      )
    }
  })

  test('404 for a provider that is not there, in any spelling', async () => {
    const { clock, server } = await setUp()
    const good = GOOD.webhook.call('delivered', clock.now())
    for (const name of ['nobody', 'Twilio', 'TWILIO', 'mock', '__proto__', 'constructor', 'twilio%00'])
      expect(await server.post(name, good), name).toMatchObject({ status: 404, code: 'not_found' })
  })

  test('only POST is served', async () => {
    const { clock, server } = await setUp()
    const good = GOOD.vonage.call('delivered', clock.now())
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect((await server.post('vonage', good, { method })).status).toBe(404)
  })

  test('the body is kept as it came, whatever type is named; the other routes read JSON alone', async () => {
    const { clock, store, server } = await setUp()
    await settled(store, 'ver_1', { provider: 'webhook', ref: 'gateway-1' })
    const good = GOOD.webhook.call('delivered', clock.now())
    for (const type of ['text/plain', 'application/octet-stream', 'application/x-www-form-urlencoded'])
      expect((await server.post('webhook', good, { headers: { 'content-type': type } })).status).toBe(204)
    const { 'content-type': _, ...untyped } = good.headers
    expect((await server.post('webhook', { ...good, headers: untyped })).status).toBe(204)
    const form = { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'to=1' }
    expect(await server.post('/v1/phones/lookup', form)).toMatchObject({
      status: expect.toBeOneOf([401, 415]),
    })
  })

  test('a list is told in its order, and counts each', async () => {
    const { clock, store, server } = await setUp()
    await settled(store, 'ver_1', { provider: 'webhook', ref: 'a' })
    const list = ['queued', 'sent', 'delivered', 'delivered'].map((progress) => ({ ref: 'a', progress }))
    const callback = webhookCallback([...list, { ref: 'b', progress: 'sent' }], clock.now())
    expect((await server.post('webhook', callback)).status).toBe(204)
    expect(server.news.map(({ status }) => status)).toEqual(['sent', 'delivered'])
    const line = JSON.parse(server.logs.at(-1) ?? '{}') as object
    expect(line).toMatchObject({ provider: 'webhook', news: 2, old: 2, waiting: 1, status: 204 })
  })

  test('no log line holds the number, a ref, a signature or the query; a refusal is told with its reason', async () => {
    const { clock, store, server } = await setUp()
    await settled(store, 'ver_1', { provider: 'twilio', ref: sidOf(1) })
    const url = hookOf('twilio', '?customer=4711')
    const fields = { MessageSid: sidOf(1), MessageStatus: 'delivered', To: '+14155552671' }
    const good = twilioCallback(url, fields)
    expect((await server.post('/hooks/twilio/status?customer=4711', good)).status).toBe(204)
    expect((await server.post('twilio', good)).status).toBe(403)
    await server.post('vonage', GOOD.vonage.call('sent', clock.now()))
    const text = server.logs.join('')
    for (const word of ['4155552671', sidOf(1), good.headers['x-twilio-signature'] ?? '', '4711', UUID])
      expect(text).not.toContain(word)
    expect(server.logs.map((line) => JSON.parse(line) as unknown)).toContainEqual(
      expect.objectContaining({ provider: 'twilio', refused: 'forged', error: 'invalid_signature' }),
    )
  })

  test('tells how long a delivery took by our own clock, once for each send', async () => {
    const { clock, store, server } = await setUp()
    await settled(store, 'ver_1', { provider: 'webhook', ref: 'gateway-1' })
    clock.advance(7)
    const at = new Date(clock.now() - 6_000).toISOString()
    await server.post(
      'webhook',
      webhookCallback({ ref: 'gateway-1', progress: 'delivered', at }, clock.now()),
    )
    clock.advance(60)
    await server.post('webhook', GOOD.webhook.call('delivered', clock.now()))
    await server.post('webhook', GOOD.webhook.call('read', clock.now()))
    expect(await server.figure('countersign_delivery_seconds_count{provider="webhook"}')).toBe(1)
    expect(await server.figure('countersign_delivery_seconds_sum{provider="webhook"}')).toBe(7)
    for (const status of ['delivered', 'read'])
      expect(await server.figure(`countersign_deliveries_total{provider="webhook",status="${status}"}`)).toBe(
        1,
      )
  })
})
