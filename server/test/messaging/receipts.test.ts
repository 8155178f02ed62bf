import { describe, expect, test } from 'vitest'
import type { Provider, Receipt } from '../../src/messaging/provider.ts'
import { Receipts } from '../../src/messaging/receipts.ts'
import type { Send } from '../../src/messaging/store.ts'
import { FakeClock } from '../fake-clock.ts'
import { MemoryMessaging } from '../helpers/memory-messaging.ts'
import { planned, settled } from '../helpers/sends.ts'

/** A provider that tells on a connection of its own, as SMPP does. */
function makeTalker() {
  let listener: ((receipt: Receipt) => Promise<void>) | undefined
  const provider: Provider = {
    name: 'smpp',
    channels: ['sms'],
    send: async () => ({ ok: false, why: 'unavailable' }),
    hear: (given) => {
      listener = given
    },
  }
  return { provider, say: (receipt: Receipt) => listener?.(receipt) ?? Promise.reject(new Error('deaf')) }
}

function setUp() {
  const clock = new FakeClock()
  const store = new MemoryMessaging(clock)
  const { provider, say } = makeTalker()
  const news: [Send, Receipt | undefined][] = []
  const outcomes: string[] = []
  const receipts = new Receipts({
    store,
    providers: [provider],
    observe: (name, outcome) => void outcomes.push(`${name} ${outcome}`),
    onNews: (send, receipt) => void news.push([send, receipt]),
  })
  return { clock, store, say, news, outcomes, receipts }
}

describe('a provider that tells on a connection of ours', () => {
  test('is heard from the start, and is answered once the store has what it tells', async () => {
    const { store, say, news, outcomes } = setUp()
    await settled(store, 'ver_1', { provider: 'smpp', ref: '42' })
    let isKept = false
    const said = say({ ref: '42', progress: 'delivered' }).then(() => (isKept = true))
    expect(isKept).toBe(false)
    await said
    expect((await store.sendsOf('ver_1'))[0]).toMatchObject({ status: 'delivered' })
    await say({ ref: '42', progress: 'sent' })
    expect(outcomes).toEqual(['smpp news', 'smpp old'])
    expect(news).toEqual([
      [expect.objectContaining({ status: 'delivered' }), { ref: '42', progress: 'delivered' }],
    ])
  })

  test('is told no when the store failed, so that it tells again; that is then news', async () => {
    const { store, say, news, outcomes } = setUp()
    await settled(store, 'ver_1', { provider: 'smpp', ref: '42' })
    store.down = true
    await expect(say({ ref: '42', progress: 'delivered' })).rejects.toMatchObject({
      code: 'store_unavailable',
    })
    expect(news).toEqual([])
    store.down = false
    await say({ ref: '42', progress: 'delivered' })
    expect(outcomes).toEqual(['smpp failed', 'smpp news'])
    expect(news).toHaveLength(1)
  })
})

describe('a receipt before its send is settled', () => {
  test('waits, and is news at the first tick after', async () => {
    const { store, say, news, outcomes, receipts } = setUp()
    const send = planned({ provider: 'smpp' })
    await store.recordSend('ver_1', send)
    await say({ ref: '42', progress: 'delivered' })
    await say({ ref: '42', progress: 'delivered' })
    await receipts.tick()
    expect({ outcomes, news, waiting: store.waiting }).toEqual({
      outcomes: ['smpp waiting', 'smpp waiting'],
      news: [],
      waiting: 1,
    })
    await settled(store, 'ver_1', { ...send, ref: '42' })
    await receipts.tick()
    expect(news).toEqual([[expect.objectContaining({ id: send.id, status: 'delivered' }), undefined]])
    expect(store.waiting).toBe(0)
    await receipts.tick()
    expect(news).toHaveLength(1)
  })

  test('a tick that meets no store rejects, and loses nothing', async () => {
    const { store, say, news, receipts } = setUp()
    const send = planned({ provider: 'smpp' })
    await store.recordSend('ver_1', send)
    await say({ ref: '42', progress: 'sent' })
    await settled(store, 'ver_1', { ...send, ref: '42' })
    store.down = true
    await expect(receipts.tick()).rejects.toMatchObject({ code: 'store_unavailable' })
    store.down = false
    await receipts.tick()
    expect(news).toHaveLength(1)
  })
})

describe('a provider without callbacks', () => {
  test('reads none, and neither does one that is not there', async () => {
    const { receipts } = setUp()
    const request = { method: 'POST', url: 'https://x', headers: {}, body: Buffer.alloc(0), at: 0 }
    for (const name of ['smpp', 'twilio', '__proto__', 'constructor', '']) {
      expect(receipts.reads(name)).toBe(false)
      expect(receipts.isUnsigned(name, request)).toBe(false)
      await expect(receipts.take(name, request)).rejects.toThrow('reads no receipts')
    }
  })
})
