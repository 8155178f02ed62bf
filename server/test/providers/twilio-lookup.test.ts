import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Channel, Message, Provider, Sent } from '../../src/messaging/provider.ts'
import { makeTwilioProvider } from '../../src/providers/twilio.ts'
import { deadUrl, GARBLED } from '../conformance/provider-faults.ts'
import { ACCOUNT, AUTH_TOKEN, FROM_OK, json, rfc2822, TO_OK, TwilioServer } from './twilio-server.ts'

const HX = `HX${'5e'.repeat(16)}`
const NOON = Date.UTC(2026, 0, 15, 12)
const never = new AbortController().signal
const message: Message = { id: 'snd_1', to: TO_OK, channel: 'sms', country: 'US', body: 'a text' }

describe('looking for a message whose answer was lost', () => {
  let server: TwilioServer
  let provider: Provider

  const make = (baseUrl: string) =>
    makeTwilioProvider({
      accountSid: ACCOUNT,
      authToken: AUTH_TOKEN,
      from: FROM_OK,
      voiceFrom: FROM_OK,
      whatsappFrom: FROM_OK,
      whatsappContentSid: HX,
      maxRetries: 2,
      retryDelayMs: 5,
      requestTimeoutSeconds: 1,
      baseUrl,
    })
  /** Sends as Twilio's clock shows so much past noon. */
  async function sendAt(ms: number, over: Partial<Message> = {}): Promise<Sent> {
    server.nowMs = NOON + ms
    return provider.send({ ...message, ...over }, never)
  }
  const refOf = (sent: Sent) => (sent.ok ? sent.ref : sent.why)
  const look = (sinceMs: number, over: Partial<Message> = {}) =>
    provider.lookup?.({ ...message, ...over }, NOON + sinceMs, never)

  beforeAll(async () => {
    server = await new TwilioServer().listen()
    provider = await make(server.baseUrl)
  })
  beforeEach(() => {
    server.play('accepted')
    server.play('accepted', 'lookup')
    server.made.length = 0
    server.price = null
  })
  afterEach(() => expect(server.faults).toEqual([]))
  afterAll(async () => {
    await provider.close?.()
    await server.close()
  })

  test.each<Channel>(['sms', 'whatsapp', 'call'])(
    'finds it by number and time on %s, and its price',
    async (channel) => {
      server.price = '-0.00790'
      server.play('reset')
      expect(await sendAt(5_000, { channel })).toMatchObject({ ok: false, why: 'unknown' })
      const [made] = server.made
      expect(await look(5_300, { channel })).toEqual({
        found: true,
        ref: made && 'sid' in made.body ? made.body.sid : '',
        price: { amount: '0.00790', currency: 'USD' },
      })
      expect(server.asked.map(({ query }) => query)).toEqual([
        { To: channel === 'whatsapp' ? `whatsapp:${TO_OK}` : TO_OK, PageSize: '20' },
      ])
    },
  )

  test('knows that there is none: not to this number, not since, not on this channel', async () => {
    await sendAt(0)
    await sendAt(60_000, { to: '+14155552672' })
    await sendAt(60_000, { channel: 'call' })
    expect(await look(2_001)).toEqual({ found: false })
    expect(await look(60_000)).toEqual({ found: false })
    expect(await look(60_000, { channel: 'whatsapp' })).toEqual({ found: false })
  })

  test('takes the first one since, not a later resend and not an earlier send', async () => {
    const refs: string[] = []
    for (const ms of [0, 30_000, 31_000, 60_000]) refs.push(refOf(await sendAt(ms)))
    expect(await look(29_000)).toEqual({ found: true, ref: refs[1] })
    expect(await look(30_999)).toEqual({ found: true, ref: refs[1] })
    expect(await look(31_000)).toEqual({ found: true, ref: refs[2] })
    expect(await look(-5_000)).toEqual({ found: true, ref: refs[0] })
  })

  test('bears clocks that differ by two seconds, and prefers what needs no bearing', async () => {
    const early = refOf(await sendAt(0))
    expect(await look(2_000)).toEqual({ found: true, ref: early })
    const later = refOf(await sendAt(1_000))
    expect(await look(2_000)).toEqual({ found: true, ref: later })
    const after = refOf(await sendAt(9_000))
    expect(await look(2_000)).toEqual({ found: true, ref: after })
  })

  test.each([
    'error',
    'unavailable',
    'throttled',
    'redirect',
    ...GARBLED.filter((each) => each !== 'wrong_id'),
  ] as const)('cannot tell when Twilio does not: %s', async (scenario) => {
    await sendAt(0)
    server.play(scenario, 'lookup')
    const startedMs = performance.now()
    expect(await look(0)).toEqual({ found: 'unknown' })
    expect(performance.now() - startedMs).toBeLessThan(1_700)
    expect(server.asked).toHaveLength(1)
  })

  test('cannot tell by a list that it cannot read', async () => {
    const row = { sid: `SM${'3d'.repeat(16)}`, date_created: rfc2822(NOON), price: null, price_unit: 'USD' }
    for (const messages of [[{ ...row, date_created: 'soon' }], [{ ...row, sid: 'SM1' }], 'none', [null]]) {
      server.answerTo('lookup', json(200, { messages, page: 0, page_size: 20, next_page_uri: null }))
      expect(await look(0)).toEqual({ found: 'unknown' })
    }
  })

  test('ends when its caller gives up, and cannot tell without a connection', async () => {
    server.play('silent', 'lookup')
    const startedMs = performance.now()
    expect(await provider.lookup?.(message, NOON, AbortSignal.timeout(100))).toEqual({ found: 'unknown' })
    expect(performance.now() - startedMs).toBeLessThan(950)
    const lost = await make(await deadUrl())
    expect(await lost.lookup?.(message, NOON, never)).toEqual({ found: 'unknown' })
    await lost.close?.()
  })
})
