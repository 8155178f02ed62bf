import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Provider, Refusal } from '../../src/messaging/provider.ts'
import { meaningOf, TWILIO_CODES } from '../../src/providers/twilio-codes.ts'
import { makeTwilioProvider } from '../../src/providers/twilio.ts'
import { VENDOR_TEXT } from '../conformance/provider-faults.ts'
import { ACCOUNT, AUTH_TOKEN, FROM_OK, refusal, TO_OK, TwilioServer } from './twilio-server.ts'

/** What Twilio's error pages say each code means, written apart from the table under test. */
const MEANINGS: Readonly<Record<Exclude<Refusal, 'unknown'>, readonly number[]>> = {
  bad_number: [21211, 60200],
  wrong_channel: [21614, 21635, 30006, 60205, 60612],
  opted_out: [21610, 63014],
  blocked: [21408, 30004, 30007, 30450, 60238, 60410, 60412, 60605, 63005],
  misconfigured: [
    20003, 20404, 21212, 21603, 21606, 21608, 21612, 21617, 21701, 21703, 30029, 30034, 60217, 60223, 63007,
    68008,
  ],
  throttled: [20429, 21611, 30001, 63018],
  unavailable: [30003, 30005, 30008],
}
const message = { id: 'snd_1', to: TO_OK, channel: 'sms', body: '736281 is your code' } as const
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
    expect(server.seen).toHaveLength(why === 'throttled' ? 2 : 1)
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

  test('a code does not make a failure of Twilio’s own an explicit refusal', () => {
    expect(meaningOf(500, 21211)).toEqual({ why: 'unavailable', again: false })
    expect(meaningOf(504, 20429)).toEqual({ why: 'unknown', again: false })
  })
})
