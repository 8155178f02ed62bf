import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Message, Provider, Refusal, SignedRequest } from '../../src/messaging/provider.ts'
import { VONAGE_CODES } from '../../src/providers/vonage-codes.ts'
import { makeVonageProvider, type VonageDeps, type VonageSettings } from '../../src/providers/vonage.ts'
import { VENDOR_TEXT } from '../conformance/provider-faults.ts'
import { describeProvider } from '../conformance/provider.ts'
import { FakeClock } from '../fake-clock.ts'
import * as vonage from './vonage-server.ts'

const { API_KEY, API_SECRET, FROM_OK, SIGNATURE_SECRET, TO_OK, json, problem, refusal, sign } = vonage
const GENERIC = 'https://developer.vonage.com/api-errors'
const UUID = 'aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab'
const message: Message = {
  id: 'snd_1',
  to: TO_OK,
  channel: 'sms',
  country: 'US',
  body: '736281 is your Acme code — nie weitergeben ✓',
  validitySeconds: 600,
}
const never = new AbortController().signal
const credentials = { apiKey: API_KEY, apiSecret: API_SECRET, from: FROM_OK }

describeProvider('Vonage', async () => {
  const server = await new vonage.VonageServer().listen()
  return {
    baseUrl: server.baseUrl,
    play: (scenario) => server.play(scenario),
    seen: () => server.seen.length,
    followed: () => server.followed,
    readWhole: () => server.readWhole,
    make: async (bounds) => makeVonageProvider({ ...credentials, ...bounds }),
    message,
    close: async () => {
      await server.close()
      expect(server.faults).toEqual([])
    },
  }
})

describe('the Vonage provider', () => {
  let server: vonage.VonageServer
  const open: Provider[] = []

  function make(settings: Partial<VonageSettings> = {}, deps: VonageDeps = {}): Provider {
    const bounds = { maxRetries: 2, retryDelayMs: 5, requestTimeoutSeconds: 2 }
    const provider = makeVonageProvider(
      { ...credentials, ...bounds, baseUrl: server.baseUrl, ...settings },
      deps,
    )
    open.push(provider)
    return provider
  }

  const sent = () => server.seen[0]?.body

  beforeAll(async () => {
    server = await new vonage.VonageServer().listen()
  })
  beforeEach(() => server.play('accepted'))
  afterEach(async () => {
    for (const provider of open.splice(0)) await provider.close?.()
    expect(server.faults).toEqual([])
  })
  afterAll(() => server.close())

  test('sends a text by SMS that is dead when the code is', async () => {
    expect(await make().send(message, never)).toEqual({
      ok: true,
      ref: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    expect(sent()).toEqual({
      message_type: 'text',
      channel: 'sms',
      to: '447700900000',
      from: '447700900001',
      text: message.body,
      client_ref: 'snd_1',
      ttl: 600,
    })
  })

  test('sends by a name, and asks for receipts at an address of ours', async () => {
    const statusUrl = 'https://verify.example.com/receipts/vonage'
    expect(await make({ from: 'Acme', statusUrl }).send(message, never)).toMatchObject({ ok: true })
    expect(sent()).toMatchObject({ from: 'Acme', webhook_url: statusUrl, webhook_version: 'v1' })
  })

  test('keeps the path of a base URL', async () => {
    const provider = make({ baseUrl: `${server.baseUrl}/behind/a/proxy/` })
    expect(await provider.send(message, never)).toMatchObject({ ok: true })
    expect(await provider.probe?.(never)).toMatchObject({ ok: true })
  })

  test.each([
    [600, 600],
    [599.9, 599],
    [0.2, 20],
    [9_999_999, 604_800],
    [undefined, undefined],
  ])('asks for a validity of %s seconds as %s', async (seconds, expected) => {
    const { validitySeconds: _, ...timeless } = message
    await make().send(seconds === undefined ? timeless : { ...message, validitySeconds: seconds }, never)
    expect(sent()?.['ttl']).toBe(expected)
  })

  test('takes the time that earlier tries took off the validity', async () => {
    const clock = new FakeClock()
    const provider = make({}, { clock, sleep: async () => clock.advance(7) })
    server.answer(refusal(429, 1000))
    await provider.send(message, never)
    expect(server.seen.map(({ body }) => body['ttl'])).toEqual([600, 593])
  })

  test('refuses a body over 1,000 characters, and other channels, before any request', async () => {
    const provider = make()
    const long = { ...message, body: 'x'.repeat(1_001) }
    expect(await provider.send(long, never)).toEqual({ ok: false, why: 'misconfigured', code: 'too_long' })
    for (const channel of ['call', 'whatsapp'] as const) {
      const refused = await provider.send({ ...message, channel }, never)
      expect(refused).toEqual({ ok: false, why: 'misconfigured', code: 'channel' })
    }
    expect(server.seen).toHaveLength(0)
    expect(await provider.send({ ...message, body: 'x'.repeat(1_000) }, never)).toMatchObject({ ok: true })
  })

  test.each<[number, Refusal, number]>([
    [1170, 'bad_number', 1],
    [1190, 'bad_number', 1],
    [1430, 'bad_number', 1],
    [1300, 'wrong_channel', 1],
    [1310, 'wrong_channel', 1],
    [1240, 'opted_out', 1],
    [1050, 'blocked', 1],
    [1210, 'blocked', 1],
    [1280, 'blocked', 1],
    [1020, 'misconfigured', 1],
    [1040, 'misconfigured', 1],
    [1070, 'misconfigured', 1],
    [1120, 'misconfigured', 1],
    [1160, 'misconfigured', 1],
    [1420, 'misconfigured', 1],
    [1000, 'throttled', 3],
    [1241, 'throttled', 3],
    [1030, 'unavailable', 1],
    [1180, 'unavailable', 1],
    [1330, 'unavailable', 1],
    [1320, 'unknown', 1],
    [9999, 'misconfigured', 1],
  ])('reads a 422 of %i as %s', async (code, why, requests) => {
    server.answer(...Array.from({ length: 3 }, () => refusal(422, code)))
    expect(await make().send(message, never)).toEqual({ ok: false, why, code: String(code) })
    expect(server.seen).toHaveLength(requests)
  })

  test.each<[number, string, Refusal, string, number]>([
    [401, '#unauthorized', 'misconfigured', 'unauthorized', 1],
    [402, '#low-balance', 'misconfigured', 'low-balance', 1],
    [403, '#account-suspended', 'misconfigured', 'account-suspended', 1],
    [403, `#${VENDOR_TEXT}`, 'misconfigured', 'http_403', 1],
    [404, '#not-found', 'misconfigured', 'not-found', 1],
    [408, '', 'unavailable', 'http_408', 1],
    [429, '#throttled', 'throttled', 'throttled', 3],
    [429, '/messages#1020', 'throttled', '1020', 3],
    [500, '/messages#1240', 'unavailable', '1240', 1],
    [501, '', 'unavailable', 'http_501', 1],
    [502, '', 'unknown', 'http_502', 1],
    [503, '', 'unavailable', 'http_503', 3],
    [504, '', 'unknown', 'http_504', 1],
    [302, '', 'misconfigured', 'http_302', 1],
  ])('reads status %i with “%s” as %s', async (status, type, why, code, requests) => {
    server.answer(...Array.from({ length: 3 }, () => problem(status, `${GENERIC}${type}`)))
    expect(await make().send(message, never)).toEqual({ ok: false, why, code })
    expect(server.seen).toHaveLength(requests)
  })

  test('reads a code that is told as the title alone, and no title that is text', async () => {
    server.answer(json(422, { title: 1240 }), json(422, { title: '1240' }), json(422, { title: VENDOR_TEXT }))
    const provider = make()
    const codes = []
    for (let asked = 0; asked < 3; asked++) codes.push(await provider.send(message, never))
    expect(codes).toEqual([
      { ok: false, why: 'opted_out', code: '1240' },
      { ok: false, why: 'opted_out', code: '1240' },
      { ok: false, why: 'misconfigured', code: 'http_422' },
    ])
  })

  test.each([{}, { message_uuid: 7 }, { message_uuid: `${UUID} ${VENDOR_TEXT}` }, []])(
    'calls a 202 that holds %j unknown',
    async (body) => {
      server.answer(json(202, body))
      expect(await make().send(message, never)).toEqual({ ok: false, why: 'unknown', code: 'garbled' })
      expect(server.seen).toHaveLength(1)
    },
  )

  test('backs off with full jitter, doubling to 30 seconds', async () => {
    const pauses: number[] = []
    const deps = { randomInt: (max: number) => max - 1, sleep: async (ms: number) => void pauses.push(ms) }
    const provider = make({ maxRetries: 5, retryDelayMs: 4_000 }, deps)
    server.answer(...Array.from({ length: 6 }, () => refusal(503, 1100)))
    expect(await provider.send(message, never)).toMatchObject({ ok: false, why: 'unavailable' })
    expect(pauses).toEqual([4_000, 8_000, 16_000, 30_000, 30_000])
    expect(server.seen).toHaveLength(6)
  })

  test('understands Retry-After as a date too', async () => {
    const clock = new FakeClock(Date.UTC(2026, 0, 15, 12, 0, 0))
    const provider = make({ maxRetries: 0 }, { clock })
    server.answer(refusal(429, 1000, { 'retry-after': 'Thu, 15 Jan 2026 12:00:42 GMT' }))
    expect(await provider.send(message, never)).toMatchObject({ why: 'throttled', retryAfterSeconds: 42 })
    server.answer(refusal(429, 1000, { 'retry-after': VENDOR_TEXT }))
    expect(await provider.send(message, never)).toEqual({ ok: false, why: 'throttled', code: '1000' })
  })

  test('never writes a request whose caller gave up while it waited for a socket', async () => {
    const provider = make({ requestTimeoutSeconds: 1 })
    server.play('silent')
    const busy = Array.from({ length: 50 }, () => provider.send(message, never))
    expect(await provider.send(message, AbortSignal.timeout(300))).toMatchObject({ why: 'unavailable' })
    await Promise.all(busy)
    // The sockets are free now, and the request would go out at once.
    await sleep(300)
    expect(server.seen).toHaveLength(50)
  })

  test('probes the credentials, and tells what Vonage said of wrong ones', async () => {
    expect(await make().probe?.(never)).toEqual({
      ok: true,
      detail: 'the API key and its secret are accepted',
    })
    expect(await make({ apiSecret: 'wrong' }).probe?.(never)).toEqual({
      ok: false,
      detail: 'Vonage answered unauthorized',
    })
    for (const probed of [problem(500, `#${VENDOR_TEXT}`), { ...json(200, {}), body: VENDOR_TEXT }]) {
      server.probed = probed
      expect(await make().probe?.(never)).toEqual({
        ok: false,
        detail: `Vonage answered http_${probed.status}`,
      })
    }
    expect(server.seen).toHaveLength(0)
  })

  test('is held to Vonage’s description of the API by the server these tests use', async () => {
    const good = { message_type: 'text', channel: 'sms', to: '447700900000', from: 'Acme', text: 'hi' }
    for (const over of [{ to: TO_OK }, { ttl: '600' }, { client_reff: 'x' }, { text: '' }]) {
      await fetch(`${server.baseUrl}/v1/messages`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa(`${API_KEY}:${API_SECRET}`)}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ ...good, ...over }),
      })
    }
    expect(server.faults.splice(0)).toHaveLength(4)
  })

  test('says which setting is wrong and never what it holds', () => {
    const cases: [Partial<VonageSettings>, RegExp][] = [
      [{ apiKey: `${API_SECRET}:` }, /apiKey/],
      [{ apiSecret: '' }, /apiSecret/],
      [{ from: `${API_SECRET} is no sender` }, /from/],
      [{ signatureSecret: '' }, /signatureSecret/],
      [{ statusUrl: `no url ${API_SECRET}` }, /statusUrl/],
      [{ baseUrl: `no url ${API_SECRET}` }, /baseUrl/],
    ]
    for (const [settings, name] of cases) {
      expect(() => make(settings)).toThrow(name)
      expect(() => make(settings)).not.toThrow(API_SECRET)
    }
  })

  describe('receipts', () => {
    const AT = 1_768_478_400_000
    const callback = {
      message_uuid: UUID,
      to: '447700900000',
      from: '447700900001',
      timestamp: '2026-01-15T12:00:00.123Z',
      status: 'delivered',
      client_ref: 'snd_1',
      channel: 'sms',
      usage: { currency: 'EUR', price: '0.0333' },
      destination: { network_code: '12345' },
      sms: { count_total: '1' },
    }
    const body = JSON.stringify(callback)

    function receipts(text: string, authorization: string | undefined, at = AT) {
      const request: SignedRequest = {
        method: 'POST',
        url: 'https://verify.example.com/receipts/vonage',
        headers: { authorization, 'content-type': 'application/json' },
        body: Buffer.from(text),
        at,
      }
      return make({ signatureSecret: SIGNATURE_SECRET }).receipts?.(request)
    }

    /** What a callback is read as that is signed as it should be. */
    const told = (over: object) => {
      const text = JSON.stringify({ ...callback, ...over })
      return receipts(text, `Bearer ${sign(text)}`)
    }

    test('reads what was signed with our secret', () => {
      expect(receipts(body, `Bearer ${sign(body)}`)).toEqual([
        {
          ref: UUID,
          progress: 'delivered',
          at: Date.UTC(2026, 0, 15, 12, 0, 0, 123),
          price: { amount: '0.0333', currency: 'EUR' },
        },
      ])
    })

    test('reads none without a signature secret', () => {
      expect(make().receipts).toBeUndefined()
    })

    test.each([
      ['submitted', 'sent'],
      ['delivered', 'delivered'],
      ['read', 'read'],
    ])('reads %s as %s, whatever error comes with it', (status, progress) => {
      const receipt = told({ status, error: { title: 1220 } })
      expect(receipt).toMatchObject([{ ref: UUID, progress }])
      expect(receipt).not.toHaveProperty('0.why')
    })

    test.each(['rejected', 'undeliverable'])('says why a message was %s', (status) => {
      const failed = { ref: UUID, progress: 'undelivered' }
      for (const [code, why] of [...VONAGE_CODES].filter(([code]) => /^\d/.test(code))) {
        const type = `${GENERIC}/messages#${code}`
        const error = { type, title: Number(code), detail: VENDOR_TEXT, instance: 'x' }
        expect(told({ status, error })).toMatchObject([{ ...failed, why, code }])
      }
      expect(told({ status })).toMatchObject([{ ...failed, why: 'unavailable' }])
      expect(told({ status, error: { title: 4242 } })).toMatchObject([{ why: 'unavailable', code: '4242' }])
      const strange = told({ status, error: { type: VENDOR_TEXT, title: VENDOR_TEXT, detail: VENDOR_TEXT } })
      expect(strange).toMatchObject([{ why: 'unavailable' }])
      expect(JSON.stringify(strange)).not.toContain(VENDOR_TEXT)
    })

    test('leaves out a time or a price that is none', () => {
      for (const over of [
        { timestamp: 'soon', usage: { price: 'free', currency: 'EUR' } },
        { timestamp: 5, usage: { price: '-1', currency: 'EUR' } },
        { timestamp: undefined, usage: { price: '1', currency: '€' } },
        { timestamp: null, usage: null },
      ]) {
        expect(told(over)).toEqual([{ ref: UUID, progress: 'delivered' }])
      }
    })

    test('hears nothing in a status that is new, and refuses what is no status', () => {
      expect(told({ status: 'pondered' })).toEqual([])
      for (const over of [
        { status: undefined },
        { message_uuid: VENDOR_TEXT },
        { message_uuid: undefined },
      ]) {
        expect(told(over)).toEqual({ refused: 'malformed' })
      }
      for (const text of ['', '[]', 'null', '"x"', `${body}}`]) {
        expect(receipts(text, `Bearer ${sign(text)}`)).toEqual({ refused: 'malformed' })
      }
    })

    test.each([undefined, '', 'Bearer', 'Bearer ', 'Basic YWJjZDoxMjM0', 'Token x.y.z'])(
      'calls a callback unsigned whose authorization is %j',
      (authorization) => {
        expect(receipts(body, authorization)).toEqual({ refused: 'unsigned' })
      },
    )

    test('refuses a token that our secret did not sign', () => {
      const [header = '', payload = '', signature = ''] = sign(body).split('.')
      const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
      for (const token of [
        sign(body, { secret: 'another' }),
        sign(body, { secret: '' }),
        `${header}.${payload}.`,
        `${header}.${payload}`,
        `${none}.${payload}.`,
        `${none}.${payload}.${signature}`,
        `${header}.${payload}.${signature}.${signature}`,
        `${header}.${payload}x.${signature}`,
        `${header}.${payload}.${signature.slice(0, -1)}`,
        'x',
      ]) {
        expect(receipts(body, `Bearer ${token}`)).toEqual({ refused: 'forged' })
      }
    })

    test('refuses another algorithm, another account, and claims that are missing', () => {
      for (const over of [
        { header: { alg: 'none' } },
        { header: { alg: 'HS512' } },
        { claims: { api_key: 'other123' } },
        { claims: { api_key: undefined } },
        { claims: { payload_hash: undefined } },
        { claims: { payload_hash: '' } },
        { claims: { iat: undefined } },
        { claims: { iat: '1768478400' } },
      ]) {
        expect(receipts(body, `Bearer ${sign(body, over)}`)).toEqual({ refused: 'forged' })
      }
    })

    test('refuses a body that another token was made for', () => {
      const other = body.replace('delivered', 'submitted')
      expect(receipts(other, `Bearer ${sign(body)}`)).toEqual({ refused: 'forged' })
      expect(receipts(`${body} `, `Bearer ${sign(body)}`)).toEqual({ refused: 'forged' })
    })

    test.each([
      [299_999, true],
      [300_000, true],
      [300_001, false],
      [-300_000, true],
      [-300_001, false],
    ])('reads a token of %i ms ago: %s', (age, isRead) => {
      const read = receipts(body, `Bearer ${sign(body)}`, AT + age)
      if (isRead) expect(read).toMatchObject([{ ref: UUID }])
      else expect(read).toEqual({ refused: 'stale' })
    })
  })
})
