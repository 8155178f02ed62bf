import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import Sdk from 'twilio'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Message, Provider, SignedRequest } from '../../src/messaging/provider.ts'
import { makeTwilioProvider, type TwilioDeps, type TwilioSettings } from '../../src/providers/twilio.ts'
import { FakeClock } from '../fake-clock.ts'
import { listen, VENDOR_TEXT } from '../conformance/provider-faults.ts'
import { describeProvider } from '../conformance/provider.ts'
import * as twilio from './twilio-server.ts'

const { ACCOUNT, API_KEY, API_SECRET, AUTH_TOKEN, FROM_OK, TO_OK, json, refusal } = twilio
const SERVICE = `MG${'2c'.repeat(16)}`
const message: Message = {
  id: 'snd_1',
  to: TO_OK,
  channel: 'sms',
  country: 'US',
  body: '736281 is your Acme code — nie weitergeben ✓',
  validitySeconds: 600,
}
const never = new AbortController().signal

describeProvider('Twilio', async () => {
  const server = await new twilio.TwilioServer().listen()
  return {
    baseUrl: server.baseUrl,
    play: (scenario) => server.play(scenario),
    seen: () => server.seen.length,
    followed: () => server.followed,
    readWhole: () => server.readWhole,
    make: (bounds) =>
      makeTwilioProvider({ accountSid: ACCOUNT, authToken: AUTH_TOKEN, from: FROM_OK, ...bounds }),
    message,
    close: async () => {
      await server.close()
      expect(server.faults).toEqual([])
    },
  }
})

describe('the Twilio provider', () => {
  let server: twilio.TwilioServer
  const open: Provider[] = []

  async function make(settings: Partial<TwilioSettings> = {}, deps: TwilioDeps = {}): Promise<Provider> {
    const provider = await makeTwilioProvider(
      {
        accountSid: ACCOUNT,
        authToken: AUTH_TOKEN,
        from: FROM_OK,
        maxRetries: 2,
        retryDelayMs: 5,
        requestTimeoutSeconds: 2,
        baseUrl: server.baseUrl,
        ...settings,
      },
      deps,
    )
    open.push(provider)
    return provider
  }

  /** Settings without a sender or without an auth token, which `exactOptionalPropertyTypes` will not blank. */
  function bare(over: Partial<TwilioSettings>): TwilioSettings {
    const bounds = { maxRetries: 0, retryDelayMs: 5, requestTimeoutSeconds: 2, baseUrl: server.baseUrl }
    return { accountSid: ACCOUNT, ...bounds, ...over }
  }

  const sent = () => server.seen[0]?.form

  beforeAll(async () => {
    server = await new twilio.TwilioServer().listen()
  })
  beforeEach(() => {
    server.play('accepted')
    server.standardKey = true
    server.accountStatus = 'active'
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
    for (const provider of open.splice(0)) await provider.close?.()
    expect(server.faults).toEqual([])
  })
  afterAll(() => server.close())

  test('sends from a number: one text, forgotten by Twilio, checked for fraud, dead when the code is', async () => {
    const provider = await make()
    expect(await provider.send(message, never)).toEqual({
      ok: true,
      ref: expect.stringMatching(/^SM[0-9a-f]{32}$/),
    })
    expect(sent()).toEqual({
      To: TO_OK,
      From: FROM_OK,
      Body: message.body,
      ValidityPeriod: '600',
      ContentRetention: 'discard',
      RiskCheck: 'enable',
    })
  })

  test('sends by a Messaging Service, which then picks the sender', async () => {
    const provider = await makeTwilioProvider(bare({ authToken: AUTH_TOKEN, messagingServiceSid: SERVICE }))
    open.push(provider)
    expect(await provider.send(message, never)).toMatchObject({ ok: true })
    expect(sent()).toMatchObject({ MessagingServiceSid: SERVICE })
    expect(sent()).not.toHaveProperty('From')
  })

  test('asks Twilio to tell what became of a message, where there is an address for it', async () => {
    const statusCallback = 'https://verify.example.com/v1/callbacks/twilio?tenant=a%20b'
    await (await make({ statusCallback })).send(message, never)
    expect(sent()).toMatchObject({ StatusCallback: `${statusCallback}&send=snd_1#rc=5&rp=ct,rt,5xx` })
  })

  test('reads receipts with the auth token alone: an API key signs none', async () => {
    const key = { apiKeySid: API_KEY, apiKeySecret: API_SECRET, from: FROM_OK }
    const made = await Promise.all([make(), make(key), makeTwilioProvider(bare(key))])
    open.push(...made)
    expect(made.map((provider) => typeof provider.receipts)).toEqual(['function', 'function', 'undefined'])
    const url = 'https://verify.example.com/v1/callbacks/twilio'
    const form = { MessageSid: `SM${'3d'.repeat(16)}`, MessageStatus: 'delivered' }
    const request: SignedRequest = {
      method: 'POST',
      url,
      headers: { 'x-twilio-signature': Sdk.getExpectedTwilioSignature(AUTH_TOKEN, url, form) },
      body: Buffer.from(new URLSearchParams(form).toString()),
      at: 0,
    }
    for (const provider of made.slice(0, 2)) {
      expect(provider.receipts?.(request)).toEqual([{ ref: form.MessageSid, progress: 'delivered' }])
    }
  })

  test('uses the API key when there is one, else the auth token', async () => {
    await (await make({ apiKeySid: API_KEY, apiKeySecret: API_SECRET })).send(message, never)
    await (await make()).send(message, never)
    expect(server.seen.map((seen) => seen.user)).toEqual([API_KEY, ACCOUNT])
  })

  test('goes through the official SDK, whose own client never touches the network', async () => {
    const ours = vi.spyOn(Sdk.Twilio.prototype, 'request')
    const theirs = vi.spyOn(Sdk.RequestClient.prototype, 'request')
    await (await make()).send(message, never)
    expect(ours).toHaveBeenCalledTimes(1)
    expect(theirs).not.toHaveBeenCalled()
    expect(server.seen[0]?.agent).toMatch(/^twilio-node\//)
  })

  test('does not let the environment move the requests', async () => {
    vi.stubEnv('TWILIO_REGION', 'au1')
    vi.stubEnv('TWILIO_EDGE', 'sydney')
    expect(await (await make()).send(message, never)).toMatchObject({ ok: true })
  })

  test('keeps the path of a base URL', async () => {
    const provider = await make({ baseUrl: `${server.baseUrl}/behind/a/proxy/` })
    const asked = vi.spyOn(Sdk.Twilio.prototype, 'request')
    expect(await provider.send(message, never)).toMatchObject({ ok: true })
    expect(asked.mock.calls[0]?.[0].uri).toContain('/behind/a/proxy/2010-04-01/')
  })

  test('calls a message unknown when the SDK itself fails, and repeats none of its words', async () => {
    const failing = vi.spyOn(Sdk.Twilio.prototype, 'request').mockRejectedValue(new Error(AUTH_TOKEN))
    expect(await (await make()).send(message, never)).toEqual({ ok: false, why: 'unknown', code: 'sdk' })
    expect(failing).toHaveBeenCalledTimes(1)
  })

  test.each([
    [600, '600'],
    [599.9, '599'],
    [0.2, '1'],
    [86_400, '36000'],
    [undefined, undefined],
  ])('asks for a validity of %s seconds as %s', async (seconds, expected) => {
    const { validitySeconds: _, ...timeless } = message
    const asked = seconds === undefined ? timeless : { ...message, validitySeconds: seconds }
    await (await make()).send(asked, never)
    expect(sent()?.['ValidityPeriod']).toBe(expected)
  })

  test('takes the time that earlier tries took off the validity', async () => {
    const clock = new FakeClock()
    const provider = await make({}, { clock, sleep: async () => clock.advance(7) })
    server.answer(refusal(429, 20429))
    await provider.send(message, never)
    expect(server.seen.map((seen) => seen.form['ValidityPeriod'])).toEqual(['600', '593'])
  })

  test('refuses a body over 1,600 characters, and other channels, before any request', async () => {
    const provider = await make()
    const long = { ...message, body: 'x'.repeat(1_601) }
    expect(await provider.send(long, never)).toEqual({ ok: false, why: 'misconfigured', code: '21617' })
    const other = { ...message, channel: 'whatsapp' } as const
    expect(await provider.send(other, never)).toMatchObject({ ok: false, why: 'misconfigured' })
    expect(server.seen).toHaveLength(0)
    expect(await provider.send({ ...message, body: 'x'.repeat(1_600) }, never)).toMatchObject({ ok: true })
  })

  test('sends without asking Twilio to forget the text once an account has refused that', async () => {
    const provider = await make()
    server.answer(refusal(400, 30029), refusal(400, 30029))
    const first = await Promise.all([provider.send(message, never), provider.send(message, never)])
    expect(first).toMatchObject([{ ok: true }, { ok: true }])
    await provider.send(message, never)
    const asked = server.seen.map((seen) => seen.form['ContentRetention'])
    expect(asked).toEqual(['discard', 'discard', undefined, undefined, undefined])
  })

  test('hands 30029 back where it did not ask, and need not ask', async () => {
    const provider = await make({ discardContent: false })
    server.answer(refusal(400, 30029))
    expect(await provider.send(message, never)).toEqual({ ok: false, why: 'misconfigured', code: '30029' })
    expect(server.seen.map((seen) => seen.form['ContentRetention'])).toEqual([undefined])
  })

  test('tells a price where Twilio knows one, and only a price that is one', async () => {
    const provider = await make()
    const sid = `SM${'3d'.repeat(16)}`
    for (const price of ['-0.00790', '0.0079', 'free', 5]) {
      server.answer(json(201, { sid, price, price_unit: 'usd' }))
    }
    expect(await provider.send(message, never)).toEqual({
      ok: true,
      ref: sid,
      price: { amount: '0.00790', currency: 'USD' },
    })
    expect(await provider.send(message, never)).toMatchObject({
      price: { amount: '0.0079', currency: 'USD' },
    })
    expect(await provider.send(message, never)).toEqual({ ok: true, ref: sid })
    expect(await provider.send(message, never)).toEqual({ ok: true, ref: sid })
  })

  test.each([
    ['+15005550001', 'bad_number', '21211'],
    ['+15005550002', 'misconfigured', '21612'],
    ['+15005550003', 'blocked', '21408'],
    ['+15005550004', 'opted_out', '21610'],
    ['+15005550009', 'wrong_channel', '21614'],
  ])('reads Twilio’s test number %s as %s', async (to, why, code) => {
    const provider = await make()
    expect(await provider.send({ ...message, to }, never)).toEqual({ ok: false, why, code })
    expect(server.seen).toHaveLength(1)
  })

  test.each([
    ['+15005550001', 'misconfigured', '21212', 1],
    ['+15005550007', 'misconfigured', '21606', 1],
    ['+15005550008', 'throttled', '21611', 3],
  ])('reads Twilio’s test sender %s as %s', async (from, why, code, requests) => {
    const provider = await make({ from })
    expect(await provider.send(message, never)).toEqual({ ok: false, why, code })
    expect(server.seen).toHaveLength(requests)
  })

  test('backs off with full jitter, doubling to 30 seconds', async () => {
    const pauses: number[] = []
    const deps = { randomInt: (max: number) => max - 1, sleep: async (ms: number) => void pauses.push(ms) }
    const provider = await make({ maxRetries: 5, retryDelayMs: 4_000 }, deps)
    server.answer(...Array.from({ length: 6 }, () => refusal(503, 20503)))
    expect(await provider.send(message, never)).toMatchObject({ ok: false, why: 'unavailable' })
    expect(pauses).toEqual([4_000, 8_000, 16_000, 30_000, 30_000])
    expect(server.seen).toHaveLength(6)
  })

  test('understands Retry-After as a date too', async () => {
    const clock = new FakeClock(Date.UTC(2026, 0, 15, 12, 0, 0))
    const provider = await make({ maxRetries: 0 }, { clock })
    server.answer(refusal(429, 20429, { 'retry-after': 'Thu, 15 Jan 2026 12:00:42 GMT' }))
    expect(await provider.send(message, never)).toMatchObject({ why: 'throttled', retryAfterSeconds: 42 })
    server.answer(refusal(429, 20429, { 'retry-after': VENDOR_TEXT }))
    expect(await provider.send(message, never)).toEqual({ ok: false, why: 'throttled', code: '20429' })
  })

  test('calls a connection that is taken but never speaks TLS unavailable: the request never left', async () => {
    const held: Socket[] = []
    const mute: Server = createServer((socket) => void held.push(socket.on('error', () => {})))
    const port = await listen(mute)
    const bounds = { requestTimeoutSeconds: 0.5, maxRetries: 0 }
    const provider = await make({ baseUrl: `https://127.0.0.1:${port}`, ...bounds })
    expect(await provider.send(message, never)).toMatchObject({ ok: false, why: 'unavailable' })
    for (const socket of held) socket.destroy()
    mute.close()
  })

  test('calls a name that does not resolve unavailable', async () => {
    const provider = await make({ baseUrl: 'http://no-such-host.invalid', maxRetries: 0 })
    expect(await provider.send(message, never)).toMatchObject({ ok: false, why: 'unavailable' })
  })

  test('never writes a request whose caller gave up while it waited for a socket', async () => {
    const provider = await make({ requestTimeoutSeconds: 1 })
    server.play('silent')
    const busy = Array.from({ length: 50 }, () => provider.send(message, never))
    const late = provider.send(message, AbortSignal.timeout(300))
    expect(await late).toMatchObject({ ok: false, why: 'unavailable' })
    await Promise.all(busy)
    // The sockets are free now, and the request would go out at once.
    await sleep(300)
    expect(server.seen).toHaveLength(50)
  })

  test('probes the account, and for a Standard API key the messages', async () => {
    const key = { apiKeySid: API_KEY, apiKeySecret: API_SECRET }
    const account = 'account AC0a0a…'
    expect(await (await make()).probe?.(never)).toEqual({ ok: true, detail: `${account} is active` })
    expect(await (await make(key)).probe?.(never)).toMatchObject({ ok: true })
    server.accountStatus = 'suspended'
    expect(await (await make()).probe?.(never)).toEqual({ ok: false, detail: `${account} is not active` })
    expect(await (await make({ authToken: 'wrong' })).probe?.(never)).toEqual({
      ok: false,
      detail: `${account}: 20003`,
    })
    const wrong = await make({ ...key, apiKeySecret: 'wrong' })
    expect(await wrong.probe?.(never)).toEqual({ ok: false, detail: `${account}: 20003` })
    expect(server.seen).toHaveLength(0)
  })

  test('is held to Twilio’s description of the API by the server these tests use', async () => {
    for (const form of [
      {},
      { To: TO_OK, ValidityPeriod: 'soon' },
      { To: TO_OK, RiskChek: 'enable' },
      { To: '+1 415' },
    ]) {
      await fetch(`${server.baseUrl}/2010-04-01/Accounts/${ACCOUNT}/Messages.json`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${ACCOUNT}:${AUTH_TOKEN}`)}` },
        body: new URLSearchParams(form),
      })
    }
    expect(server.faults.splice(0)).toHaveLength(4)
  })

  test('says which setting is wrong and never what it holds', async () => {
    const secrets = { authToken: AUTH_TOKEN, apiKeySid: API_KEY, apiKeySecret: API_SECRET }
    const cases: [TwilioSettings, RegExp][] = [
      [bare({ ...secrets, from: FROM_OK, accountSid: API_KEY }), /accountSid/],
      [bare({ ...secrets, from: FROM_OK, baseUrl: `not a url ${API_SECRET}` }), /baseUrl/],
      [bare({ ...secrets, from: FROM_OK, statusCallback: `ftp://${API_SECRET}` }), /statusCallback/],
      [bare({ ...secrets, from: FROM_OK, statusCallback: `https:// ${API_SECRET}` }), /statusCallback/],
      [bare(secrets), /from or messagingServiceSid/],
      [bare({ from: FROM_OK }), /authToken/],
      [bare({ from: FROM_OK, authToken: AUTH_TOKEN, apiKeySid: API_KEY }), /apiKeySecret/],
    ]
    for (const [settings, name] of cases) {
      const error: unknown = await makeTwilioProvider(settings).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(Error)
      expect(String(error)).toMatch(name)
      for (const secret of [AUTH_TOKEN, API_KEY, API_SECRET]) expect(String(error)).not.toContain(secret)
    }
  })
})
