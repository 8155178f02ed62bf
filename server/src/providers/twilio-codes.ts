import type { Refusal } from '../messaging/provider.ts'

/**
 * Every Twilio error code whose meaning matters here, whether it answers a request or comes later with a
 * receipt. Source: twilio.com/docs/api/errors. The meaning decides what happens next (see {@link Refusal}),
 * so a code that marks fraud, policy or a filtered text is `blocked`: another provider must not carry what
 * this one stopped.
 */
export const TWILIO_CODES: ReadonlyMap<number, Refusal> = new Map<number, Refusal>([
  // The number, for good: no provider can reach it.
  [21211, 'bad_number'], // invalid `To`
  [60200, 'bad_number'], // invalid parameter; of ours only `To` comes from outside

  // The number takes no text; another channel may reach it.
  [21614, 'wrong_channel'], // not a mobile number
  [21635, 'wrong_channel'], // a landline
  [30006, 'wrong_channel'], // landline or unreachable carrier: "do not retry the same SMS"
  [60205, 'wrong_channel'], // a landline
  [60612, 'wrong_channel'], // not a mobile number

  // The person said STOP, to every sender.
  [21610, 'opted_out'],
  [63014, 'opted_out'],

  // Policy, geography, fraud, filtered text.
  [21408, 'blocked'], // sending to this region is not permitted
  [30004, 'blocked'], // blocked by the destination
  [30007, 'blocked'], // filtered by the carrier
  [30450, 'blocked'], // SMS pumping protection
  [60238, 'blocked'], // creation blocked
  [60410, 'blocked'], // Fraud Guard, a whole prefix
  [60412, 'blocked'], // fraudulent sign-up prevention
  [60605, 'blocked'], // geographic permission
  [63005, 'blocked'], // channel did not accept the content

  // Our account, sender or request; nobody's message goes out until an operator acts.
  [20003, 'misconfigured'], // credentials
  [20404, 'misconfigured'], // no such resource
  [21212, 'misconfigured'], // invalid `From`
  [21603, 'misconfigured'], // no `From`
  [21606, 'misconfigured'], // `From` is not ours or cannot text
  [21608, 'misconfigured'], // trial account, number not verified
  [21612, 'misconfigured'], // this `From` cannot reach this `To`
  [21617, 'misconfigured'], // body over 1,600 characters
  [21701, 'misconfigured'], // no such Messaging Service
  [21703, 'misconfigured'], // Messaging Service without a sender
  [30029, 'misconfigured'], // `ContentRetention` not open to this account
  [30034, 'misconfigured'], // A2P 10DLC registration missing
  [60217, 'misconfigured'], // invalid service configuration
  [60223, 'misconfigured'], // channel disabled
  [63007, 'misconfigured'], // no channel with this `From`
  [68008, 'misconfigured'], // WhatsApp not configured

  // Too fast; the same message may go out in a moment.
  [20429, 'throttled'],
  [21611, 'throttled'], // the sender's queue is full
  [30001, 'throttled'], // queue overflow
  [63018, 'throttled'], // channel rate limit

  // A phone or a carrier out of reach, told by a receipt: the message has failed, and one more try may help.
  [30003, 'unavailable'], // handset unreachable
  [30005, 'unavailable'], // unknown handset
  [30008, 'unavailable'], // the carrier gave no reason
])

/** What a failing HTTP answer means, and whether the same request may be put to Twilio once more. */
export type Meaning = { readonly why: Refusal; readonly again: boolean }

/**
 * Reads an HTTP answer other than 2xx. A known code decides a 4xx; else the status does:
 *
 * | status | meaning | again | because |
 * |---|---|---|---|
 * | 429 | throttled | yes | not processed, "safe to retry" (Twilio on 20429) |
 * | 503 | unavailable | yes | turned away at the door |
 * | 500 and other 5xx | unavailable | no | on 20500 Twilio warns that a repeated POST may text twice. One more text through another provider is the price of arriving; several through this one are not |
 * | 502, 504 | unknown | no | a gateway lost the answer of a server that may have taken the message |
 * | 408 | unavailable | no | the request did not arrive whole |
 * | other 4xx, 401, 403 and 404 among them | misconfigured | no | an explicit refusal: nothing was taken, another provider may do better, and an operator should look |
 * | 3xx | misconfigured | no | whoever answers is not the API; redirects are not followed |
 */
export function meaningOf(status: number, code: number | undefined): Meaning {
  if (status >= 400 && status < 500) {
    const known = code === undefined ? undefined : TWILIO_CODES.get(code)
    const why = known ?? meaningOfStatus(status)
    return { why, again: why === 'throttled' }
  }
  return { why: meaningOfStatus(status), again: status === 503 }
}

function meaningOfStatus(status: number): Refusal {
  if (status === 429) return 'throttled'
  if (status === 408) return 'unavailable'
  if (status === 502 || status === 504) return 'unknown'
  return status >= 500 ? 'unavailable' : 'misconfigured'
}
