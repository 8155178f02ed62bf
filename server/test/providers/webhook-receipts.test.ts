import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { SignedRequest } from '../../src/messaging/provider.ts'
import { StandardWebhooks } from '../../src/primitives/standard-webhooks.ts'
import { makeWebhookProvider } from '../../src/providers/webhook.ts'
import { OLD_SECRET, SECRET, signatureOf } from './webhook-server.ts'

/** The vector of the Standard Webhooks reference libraries. */
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: '1614265330',
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}
const NOW = Date.UTC(2026, 10, 21, 10, 0, 0)
const SETTINGS = { url: 'https://gateway.example', maxRetries: 0, retryDelayMs: 1, requestTimeoutSeconds: 1 }
const RECEIPT = { ref: 'gw-1', progress: 'delivered' }

/** A callback with the signature that belongs to it; `over` puts other headers in place of its own. */
function callback(
  body: unknown,
  {
    secret = SECRET,
    at = NOW,
    over = {},
  }: { secret?: string; at?: number; over?: SignedRequest['headers'] } = {},
): SignedRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const timestamp = String(Math.floor(at / 1_000))
  const headers = {
    'webhook-id': 'evt_1',
    'webhook-timestamp': timestamp,
    'webhook-signature': signatureOf(secret, 'evt_1', timestamp, text),
    ...over,
  }
  return { method: 'POST', url: 'https://verify.example/cb', headers, body: Buffer.from(text), at: NOW }
}

function read(request: SignedRequest, secrets = [SECRET]) {
  return makeWebhookProvider({ ...SETTINGS, secrets }).receipts?.(request)
}

describe('Standard Webhooks', () => {
  test('signs the vector of the reference libraries as they do', () => {
    const { secret, id, timestamp, body, signature } = VECTOR
    expect(signatureOf(secret, id, timestamp, body)).toBe(signature)
    expect(new StandardWebhooks([secret]).sign(id, Number(timestamp) * 1_000 + 999, body)).toEqual({
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signature,
    })
  })

  test('takes the vector, and not one bit of it changed', () => {
    const { secret, id, timestamp, body, signature } = VECTOR
    const at = Number(timestamp) * 1_000
    const webhooks = new StandardWebhooks([secret])
    const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }
    expect(webhooks.check(headers, Buffer.from(body), at)).toBeUndefined()
    const bytes = Buffer.from(body)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(webhooks.check(headers, changed, at)).toBe('forged')
    }
    for (let place = 3; place < signature.length; place++) {
      const other = signature[place] === 'A' ? 'B' : 'A'
      const changed = signature.slice(0, place) + other + signature.slice(place + 1)
      expect(webhooks.check({ ...headers, 'webhook-signature': changed }, bytes, at)).toBe('forged')
    }
  })

  test('signs the bytes, whatever they are', () => {
    const body = Buffer.from([0x7b, 0xff, 0x00, 0x7d])
    const headers = {
      'webhook-id': 'a',
      'webhook-timestamp': '1000',
      'webhook-signature': signatureOf(SECRET, 'a', '1000', body),
    }
    expect(new StandardWebhooks([SECRET]).check(headers, body, 1_000_000)).toBeUndefined()
  })
})

describe('receipts by webhook', () => {
  test('are read, one or many', () => {
    expect(read(callback(RECEIPT))).toEqual([RECEIPT])
    expect(read(callback([RECEIPT, { ref: 7, progress: 'read' }]))).toEqual([
      RECEIPT,
      { ref: '7', progress: 'read' },
    ])
    expect(read(callback([]))).toEqual([])
    expect(read(callback(Array.from({ length: 100 }, () => RECEIPT)))).toHaveLength(100)
  })

  test('carry why, the code and the time; null is absent and other members are passed over', () => {
    const full = {
      ref: 'gw-1',
      progress: 'undelivered',
      why: 'opted_out',
      code: 4010,
      at: '2026-11-21T11:00:03.5+01:00',
    }
    expect(read(callback({ ...full, price: '1', __proto__x: 1 }))).toEqual([
      { ref: 'gw-1', progress: 'undelivered', why: 'opted_out', code: '4010', at: NOW + 3_500 },
    ])
    expect(read(callback({ ...RECEIPT, why: null, code: null, at: null }))).toEqual([RECEIPT])
  })

  test('are read in the form that the page shows', () => {
    const page = readFileSync(new URL('../../../docs/webhook.md', import.meta.url), 'utf8')
    const [, shown = ''] = /^```json receipt\n([\s\S]*?)^```$/m.exec(page) ?? []
    expect(read(callback(shown))).toEqual([
      {
        ref: 'gateway-snd_019aa3c1',
        progress: 'undelivered',
        why: 'opted_out',
        code: '4010',
        at: NOW + 3_000,
      },
    ])
  })

  test('are taken by any secret of ours, and by any signature of theirs', () => {
    expect(read(callback(RECEIPT, { secret: OLD_SECRET }), [SECRET, OLD_SECRET])).toEqual([RECEIPT])
    expect(read(callback(RECEIPT, { secret: OLD_SECRET }))).toEqual({ refused: 'forged' })
    const signed = callback(RECEIPT)
    const good = signed.headers['webhook-signature']
    const many = `v1a,AAAA v2,${good?.slice(3)} v1,AAAA é ${good}`
    expect(read(callback(RECEIPT, { over: { 'webhook-signature': many } }))).toEqual([RECEIPT])
  })

  test.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('are unsigned without %s', (name) => {
    expect(read(callback(RECEIPT, { over: { [name]: undefined } }))).toEqual({ refused: 'unsigned' })
    expect(read(callback(RECEIPT, { over: { [name]: '' } }))).toEqual({ refused: 'unsigned' })
  })

  test.each([
    ['another id', { 'webhook-id': 'evt_2' }],
    ['another time', { 'webhook-timestamp': String(NOW / 1_000 + 1) }],
    ['no time', { 'webhook-timestamp': 'now' }],
    ['the same time, written otherwise', { 'webhook-timestamp': `0${NOW / 1_000}` }],
    ['an empty signature', { 'webhook-signature': 'v1,' }],
    [
      'a signature of another kind',
      { 'webhook-signature': callback(RECEIPT).headers['webhook-signature']?.replace('v1,', 'v2,') },
    ],
    [
      'half a signature',
      { 'webhook-signature': callback(RECEIPT).headers['webhook-signature']?.slice(0, 20) },
    ],
  ])('are forged with %s', (_, over) => {
    expect(read(callback(RECEIPT, { over }))).toEqual({ refused: 'forged' })
  })

  test('are forged when another body comes with headers that were good once', () => {
    const { headers } = callback(RECEIPT)
    expect(read(callback({ ref: 'gw-2', progress: 'delivered' }, { over: headers }))).toEqual({
      refused: 'forged',
    })
  })

  test.each([
    [-300_000, undefined],
    [-301_000, 'stale'],
    [300_000, undefined],
    [301_000, 'stale'],
  ])('signed %s ms from now are %s', (ms, refused) => {
    expect(read(callback(RECEIPT, { at: NOW + ms }))).toEqual(refused === undefined ? [RECEIPT] : { refused })
  })

  test('that are stale and forged are forged: an outsider learns nothing of our clock', () => {
    expect(read(callback(RECEIPT, { secret: OLD_SECRET, at: 0 }))).toEqual({ refused: 'forged' })
  })

  test.each([
    [''],
    ['{'],
    ['null'],
    ['"delivered"'],
    ['[[]]'],
    [{}],
    [{ ref: 'a' }],
    [{ progress: 'sent' }],
    [{ ...RECEIPT, ref: '' }],
    [{ ...RECEIPT, ref: 'a b' }],
    [{ ...RECEIPT, ref: 1.5 }],
    [{ ...RECEIPT, ref: 'x'.repeat(201) }],
    [{ ...RECEIPT, progress: 'DELIVERED' }],
    [{ ...RECEIPT, progress: 'toString' }],
    [{ ...RECEIPT, progress: 'undelivered', why: 'tired' }],
    [{ ...RECEIPT, why: 'opted_out' }],
    [{ ...RECEIPT, code: 'two words' }],
    [{ ...RECEIPT, code: {} }],
    [{ ...RECEIPT, at: 'yesterday' }],
    [{ ...RECEIPT, at: '2026-11-21T10:00:00' }],
    [{ ...RECEIPT, at: '2026-13-41T10:00:00Z' }],
    [{ ...RECEIPT, at: 1_763_719_200 }],
    [[RECEIPT, { ...RECEIPT, progress: 5 }]],
    [Array.from({ length: 101 }, () => RECEIPT)],
  ])('are malformed: %j', (body) => {
    expect(read(callback(body))).toEqual({ refused: 'malformed' })
  })

  test('are not taken at all without a secret', () => {
    const template = { format: 'form', body: 'to={{to}}&text={{body}}' } as const
    expect(makeWebhookProvider({ ...SETTINGS, secrets: [], template }).receipts).toBeUndefined()
  })
})
