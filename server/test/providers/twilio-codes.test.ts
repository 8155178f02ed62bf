import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Provider, Refusal } from '../../src/messaging/provider.ts'
import { meaningOf, TWILIO_CODES } from '../../src/providers/twilio-codes.ts'
import { makeTwilioProvider } from '../../src/providers/twilio.ts'
import { VENDOR_TEXT } from '../conformance/provider-faults.ts'
import { ACCOUNT, AUTH_TOKEN, FROM_OK, refusal, TO_OK, TwilioServer } from './twilio-server.ts'

/** What Twilio's error pages say each code means, written apart from the table under test. */
const MEANINGS: Readonly<Record<Exclude<Refusal, 'unknown'>, readonly number[]>> = {
  bad_number: [13223, 13224, 21211, 21217],
  wrong_channel: [21214, 21614, 21635, 30006, 60205, 60612, 63003, 63016, 63024, 63032],
  opted_out: [21610, 63014],
  blocked: [
    13225, 13227, 21202, 21203, 21215, 21216, 21408, 30004, 30007, 30450, 60238, 60410, 60412, 60605, 63005,
    63013, 63033,
  ],
  misconfigured: [
    10001, 13214, 20003, 20404, 21210, 21212, 21213, 21219, 21603, 21606, 21608, 21612, 21617, 21655, 21656,
    21701, 21703, 30029, 30034, 60204, 60217, 60220, 60223, 60226, 60242, 60428, 60600, 60624, 63001, 63002,
    63007, 63008, 63015, 63020, 63021, 63027, 63028, 63031, 63040, 63041, 63042, 68008,
  ],
  throttled: [10004, 20429, 21611, 30001, 60203, 60212, 60245, 60626, 63018, 63038],
  unavailable: [30003, 30005, 30008, 63009, 63010, 63012],
}
/** Limits that outlast every back-off. */
const LONG = new Set([60203, 60245, 63038])
const message = {
  id: 'snd_1',
  to: TO_OK,
  channel: 'sms',
  country: 'US',
  body: '736281 is your code',
} as const
const never = new AbortController().signal

describe('what Twilio’s answers mean', () => {
  let server: TwilioServer
  let provider: Provider

  beforeAll(async () => {
    server = await new TwilioServer().listen()
    provider = await makeTwilioProvider({
      accountSid: ACCOUNT,
      authToken: AUTH_TOKEN,
      from: FROM_OK,
      maxRetries: 1,
      retryDelayMs: 5,
      requestTimeoutSeconds: 5,
      discardContent: false,
      baseUrl: server.baseUrl,
    })
  })
  beforeEach(() => server.play('accepted'))
  afterAll(async () => {
    await provider.close?.()
    await server.close()
    expect(server.faults).toEqual([])
  })

  const rows = Object.entries(MEANINGS).flatMap(([why, codes]) => codes.map((code) => [code, why] as const))

  test('the table has no code that is not told here', () => {
    expect(new Set(TWILIO_CODES.keys())).toEqual(new Set(rows.map(([code]) => code)))
  })

  test.each(rows)('%i is %s', async (code, why) => {
    expect(TWILIO_CODES.get(code)).toBe(why)
    server.answer(refusal(400, code), refusal(400, code))
    expect(await provider.send(message, never)).toEqual({ ok: false, why, code: String(code) })
    expect(server.seen).toHaveLength(why === 'throttled' && !LONG.has(code) ? 2 : 1)
  })

  test.each([
    [301, 'misconfigured', false],
    [400, 'misconfigured', false],
    [401, 'misconfigured', false],
    [403, 'misconfigured', false],
    [404, 'misconfigured', false],
    [408, 'unavailable', false],
    [429, 'throttled', true],
    [500, 'unavailable', false],
    [501, 'unavailable', false],
    [502, 'unknown', false],
    [503, 'unavailable', true],
    [504, 'unknown', false],
  ])('HTTP %i decides where no known code does', async (status, why, again) => {
    expect(meaningOf(status, undefined)).toEqual({ why, again })
    expect(meaningOf(status, 99_999)).toEqual({ why, again })
    const page = { status, headers: { 'content-type': 'text/html' }, body: `<html>${VENDOR_TEXT}</html>` }
    server.answer(page, page)
    expect(await provider.send(message, never)).toEqual({ ok: false, why, code: `http_${status}` })
    expect(server.seen).toHaveLength(again ? 2 : 1)
  })

  test.each([
    ['Invalid parameter `To`: +1555', 'bad_number'],
    ['Invalid parameter: To', 'bad_number'],
    ['Invalid parameter `Channel`: fax', 'misconfigured'],
    ['Invalid parameter', 'misconfigured'],
    ['`To` is an Invalid parameter `To`', 'misconfigured'],
    ['', 'misconfigured'],
  ])('60200 is judged by the parameter: %j is %s', async (text, why) => {
    server.answer(refusal(400, 60200, {}, text))
    expect(await provider.send(message, never)).toEqual({ ok: false, why, code: '60200' })
  })

  test('a code does not make a failure of Twilio’s own an explicit refusal', () => {
    expect(meaningOf(500, 21211)).toEqual({ why: 'unavailable', again: false })
    expect(meaningOf(504, 20429)).toEqual({ why: 'unknown', again: false })
  })
})
