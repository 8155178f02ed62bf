import type { Refusal } from '../messaging/provider.ts'

/**
 * Every Twilio error code whose meaning matters here, whether it answers a request or comes later with a
 * receipt, and whichever of Twilio's APIs says it. Source: twilio.com/docs/api/errors. The meaning decides
 * what happens next (see {@link Refusal}), so a code that marks fraud, policy or a filtered text is
 * `blocked`: another provider must not carry what this one stopped.
 */
export const TWILIO_CODES: ReadonlyMap<number, Refusal> = new Map<number, Refusal>([
  // The number, for good: no provider can reach it.
  [13223, 'bad_number'], // a call: the number is misspelt
  [13224, 'bad_number'], // a call: no such number, or no carrier has it
  [21211, 'bad_number'], // invalid `To`
  [21217, 'bad_number'], // a call: not a phone number

  // The number does not take this channel; another may reach it.
  [21214, 'wrong_channel'], // a call: `To` cannot be reached
  [21614, 'wrong_channel'], // not a mobile number
  [21635, 'wrong_channel'], // a landline
  [30006, 'wrong_channel'], // landline or unreachable carrier: "do not retry the same SMS"
  [60205, 'wrong_channel'], // a landline
  [60612, 'wrong_channel'], // not a mobile number
  [63003, 'wrong_channel'], // the channel has no such recipient
  [63016, 'wrong_channel'], // WhatsApp takes no free text from us now: the person has not written for 24 hours
  [63024, 'wrong_channel'], // the number is not on WhatsApp
  [63032, 'wrong_channel'], // WhatsApp will not bring this person this message

  // The person said STOP, to every sender.
  [21610, 'opted_out'],
  [63014, 'opted_out'],

  // Policy, geography, fraud, filtered text.
  [13225, 'blocked'], // a call to a number that Twilio blocks
  [13227, 'blocked'], // a call: geographic permission
  [21202, 'blocked'], // a call: a premium or emergency number
  [21203, 'blocked'], // a call: no international calls from this account
  [21215, 'blocked'], // a call: geographic permission
  [21216, 'blocked'], // a call: the number is on Twilio's block list
  [21408, 'blocked'], // sending to this region is not permitted
  [30004, 'blocked'], // blocked by the destination
  [30007, 'blocked'], // filtered by the carrier
  [30450, 'blocked'], // SMS pumping protection
  [60238, 'blocked'], // creation blocked
  [60410, 'blocked'], // Fraud Guard, a whole prefix
  [60412, 'blocked'], // fraudulent sign-up prevention
  [60605, 'blocked'], // geographic permission
  [63005, 'blocked'], // channel did not accept the content
  [63013, 'blocked'], // against the channel's policy
  [63033, 'blocked'], // the recipient may not be written to

  // Our account, sender or request; nobody's message goes out until an operator acts.
  [10001, 'misconfigured'], // the account is not active
  [13214, 'misconfigured'], // a call: invalid caller
  [20003, 'misconfigured'], // credentials
  [20404, 'misconfigured'], // no such resource
  [21210, 'misconfigured'], // a call: `From` is not verified
  [21212, 'misconfigured'], // invalid `From`
  [21213, 'misconfigured'], // a call: no `From`
  [21219, 'misconfigured'], // a call: trial account, number not verified
  [21603, 'misconfigured'], // no `From`
  [21606, 'misconfigured'], // `From` is not ours or cannot text
  [21608, 'misconfigured'], // trial account, number not verified
  [21612, 'misconfigured'], // this `From` cannot reach this `To`
  [21617, 'misconfigured'], // body over 1,600 characters
  [21655, 'misconfigured'], // no such `ContentSid`
  [21656, 'misconfigured'], // the template does not take these `ContentVariables`
  [21701, 'misconfigured'], // no such Messaging Service
  [21703, 'misconfigured'], // Messaging Service without a sender
  [30029, 'misconfigured'], // `ContentRetention` not open to this account
  [30034, 'misconfigured'], // A2P 10DLC registration missing
  [60204, 'misconfigured'], // the Verify service does not support this
  [60217, 'misconfigured'], // invalid service configuration
  [60220, 'misconfigured'], // China wants the use vetted
  [60223, 'misconfigured'], // channel disabled
  [60226, 'misconfigured'], // China wants a friendly name
  [60242, 'misconfigured'], // no WhatsApp template
  [60428, 'misconfigured'], // unsupported channel
  [60600, 'misconfigured'], // not provisioned
  [60624, 'misconfigured'], // trial account
  [63001, 'misconfigured'], // the channel does not accept our credentials
  [63002, 'misconfigured'], // the channel has no such `From`
  [63007, 'misconfigured'], // no channel with this `From`
  [63008, 'misconfigured'], // the channel is not set up well
  [63015, 'misconfigured'], // the sandbox reaches only who has joined it
  [63020, 'misconfigured'], // Meta business account
  [63021, 'misconfigured'], // invalid content
  [63027, 'misconfigured'], // the template has no such language
  [63028, 'misconfigured'], // the template wants another number of variables
  [63031, 'misconfigured'], // `From` and `To` are one
  [63040, 'misconfigured'], // template rejected
  [63041, 'misconfigured'], // template paused
  [63042, 'misconfigured'], // template disabled
  [68008, 'misconfigured'], // WhatsApp not configured

  // Too fast; the same message may go out in a moment.
  [10004, 'throttled'], // calls under way at once
  [20429, 'throttled'],
  [21611, 'throttled'], // the sender's queue is full
  [30001, 'throttled'], // queue overflow
  [60203, 'throttled'], // five sends of one verification
  [60212, 'throttled'], // requests for one number at once
  [60245, 'throttled'], // messaging limits
  [60626, 'throttled'], // requests for one number
  [63018, 'throttled'], // channel rate limit
  [63038, 'throttled'], // the account's messages of a day

  // A phone or a carrier out of reach, told by a receipt: the message has failed, and one more try may help.
  [30003, 'unavailable'], // handset unreachable
  [30005, 'unavailable'], // unknown handset
  [30008, 'unavailable'], // the carrier gave no reason
  [63009, 'unavailable'], // the channel answered with an error
  [63010, 'unavailable'], // Twilio's own
  [63012, 'unavailable'], // the channel's own
])

/** Codes that say more than `blocked`: numbers like this one are used for fraud. */
export const FRAUD_CODES: ReadonlySet<string> = new Set(['30450', '60410', '60412'])

/** "Invalid parameter": the meaning hangs on which. */
const INVALID_PARAMETER = 60200
/** Limits that no back-off of ours outlasts: they end with the verification, or with the day. */
const LONG_LIMITS: ReadonlySet<number | undefined> = new Set([60203, 60245, 63038])

/** What a failing HTTP answer means, and whether the same request may be put to Twilio once more. */
export type Meaning = { readonly why: Refusal; readonly again: boolean }

/**
 * Reads an HTTP answer other than 2xx. A known code decides a 4xx; else the status does. `parameter` is the
 * one that Twilio calls invalid: of ours, only `To` comes from outside.
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
export function meaningOf(status: number, code: number | undefined, parameter?: string): Meaning {
  if (status >= 400 && status < 500) {
    const why = meaningOfCode(code, parameter) ?? meaningOfStatus(status)
    return { why, again: why === 'throttled' && !LONG_LIMITS.has(code) }
  }
  return { why: meaningOfStatus(status), again: status === 503 }
}

function meaningOfCode(code: number | undefined, parameter: string | undefined): Refusal | undefined {
  if (code === INVALID_PARAMETER) return parameter === 'To' ? 'bad_number' : 'misconfigured'
  return code === undefined ? undefined : TWILIO_CODES.get(code)
}

function meaningOfStatus(status: number): Refusal {
  if (status === 429) return 'throttled'
  if (status === 408) return 'unavailable'
  if (status === 502 || status === 504) return 'unknown'
  return status >= 500 ? 'unavailable' : 'misconfigured'
}
