import type { Refusal } from '../messaging/provider.ts'

/**
 * Every code of Vonage's Messages API whose meaning matters here, whether it answers a request (as the fragment of
 * the problem's `type`, or as its `title`) or comes later in the `error` of a status callback. Sources:
 * developer.vonage.com/en/api-errors/messages for the numbers, developer.vonage.com/en/api-errors for the words. The
 * words in quotation marks are Vonage's; the meaning is ours, and decides what happens next (see {@link Refusal}). So
 * a code that marks policy or a filtered text is `blocked`: another provider must not carry what this one stopped.
 */
export const VONAGE_CODES: ReadonlyMap<string, Refusal> = new Map<string, Refusal>([
  // The number, for good: no provider can reach it.
  ['1170', 'bad_number'], // "Invalid or Missing Msisdn Param"
  ['1190', 'bad_number'], // "Absent Subscriber Permanent": no longer active
  ['1430', 'bad_number'], // "Invalid recipient"

  // The number takes no such message; another channel may reach it.
  ['1290', 'wrong_channel'], // "Pre-Paid - Insufficient funds": of the person, to receive it
  ['1300', 'wrong_channel'], // "Not part of the provider network"
  ['1310', 'wrong_channel'], // "Not suitable device"

  // The person said STOP.
  ['1240', 'opted_out'], // "Illegal Number"

  // Policy and filtered text.
  ['1050', 'blocked'], // "Number barred": on Vonage's own list
  ['1210', 'blocked'], // "Anti-Spam Rejection"
  ['1270', 'blocked'], // "Subscriber Age Restriction"
  ['1280', 'blocked'], // "Number Blocked by Carrier"

  // Our account, sender or request; nobody's message goes out until an operator acts.
  ['1010', 'misconfigured'], // "Missing params"
  ['1020', 'misconfigured'], // "Invalid params": which one is told in words alone
  ['1021', 'misconfigured'], // "Invalid tag"
  ['1022', 'misconfigured'], // "Invalid template"
  ['1040', 'misconfigured'], // "Invalid message", as for a prefix Vonage does not know; another provider may
  ['1060', 'misconfigured'], // "Partner account barred"
  ['1070', 'misconfigured'], // "Partner quota exceeded": no credit
  ['1080', 'misconfigured'], // "Account not enabled for REST"
  ['1090', 'misconfigured'], // "Message too long"
  ['1110', 'misconfigured'], // "Invalid Signature"
  ['1120', 'misconfigured'], // "Illegal Sender Address"
  ['1130', 'misconfigured'], // "Invalid TTL"
  ['1140', 'misconfigured'], // "Facility not allowed"
  ['1150', 'misconfigured'], // "Invalid Message class"
  ['1160', 'misconfigured'], // "Non White-listed Destination": a trial account, number not on its list
  ['1340', 'misconfigured'], // "Outside of the allowed window"
  ['1350', 'misconfigured'], // "Phone matching fee not paid"
  ['1370', 'misconfigured'], // "Expired access Token"
  ['1420', 'misconfigured'], // "Invalid sender"
  ['account-suspended', 'misconfigured'],
  ['forbidden', 'misconfigured'],
  ['invalid-api-key', 'misconfigured'],
  ['invalid-json', 'misconfigured'],
  ['invalid-params', 'misconfigured'],
  ['invalid-signature', 'misconfigured'],
  ['low-balance', 'misconfigured'],
  ['not-found', 'misconfigured'],
  ['unauthorized', 'misconfigured'],
  ['unprovisioned', 'misconfigured'],

  // Too fast; the same message may go out in a moment.
  ['1000', 'throttled'], // "Throttled"
  ['1241', 'throttled'], // "Too many send requests"
  ['throttled', 'throttled'],

  // A phone, a route or Vonage itself out of reach: the message has failed, and another try may help.
  ['1030', 'unavailable'], // "Internal error"
  ['1100', 'unavailable'], // "Communication Failed": "not submitted"
  ['1180', 'unavailable'], // "Absent Subscriber Temporary"
  ['1200', 'unavailable'], // "Portability Error": another provider may route a ported number better
  ['1220', 'unavailable'], // "Handset Busy"
  ['1230', 'unavailable'], // "Network Error"
  ['1250', 'unavailable'], // "Unroutable": the chosen route
  ['1260', 'unavailable'], // "Destination unreachable"
  ['1330', 'unavailable'], // "Unknown": the carrier gave no reason
  ['1360', 'unavailable'], // "TTL was activated": it was not delivered in time

  // Somebody has it already.
  ['1320', 'unknown'], // "Message already sent"
])

/** What a failing HTTP answer means, and whether the same request may be put to Vonage once more. */
export type Meaning = { readonly why: Refusal; readonly again: boolean }

/**
 * Reads an HTTP answer other than 2xx. A known code decides a 4xx; else the status does:
 *
 * | status | meaning | again | because |
 * |---|---|---|---|
 * | 429 | throttled | yes | not processed, whatever code comes with it |
 * | 503 | unavailable | yes | turned away at the door |
 * | 500 and other 5xx | unavailable | no | the POST is not idempotent, and Vonage does not say that nothing was taken; one more text through another provider is the price of arriving |
 * | 502, 504 | unknown | no | a gateway lost the answer of a server that may have taken the message |
 * | 408 | unavailable | no | the request did not arrive whole |
 * | other 4xx, 401 and 402 among them | misconfigured | no | an explicit refusal: nothing was taken, another provider may do better, and an operator should look |
 * | 3xx | misconfigured | no | whoever answers is not the API; redirects are not followed |
 */
export function meaningOf(status: number, code: string | undefined): Meaning {
  if (status === 429) return { why: 'throttled', again: true }
  if (status >= 400 && status < 500) {
    const known = code === undefined ? undefined : VONAGE_CODES.get(code)
    const why = known ?? (status === 408 ? 'unavailable' : 'misconfigured')
    return { why, again: why === 'throttled' }
  }
  if (status === 502 || status === 504) return { why: 'unknown', again: false }
  return { why: status >= 500 ? 'unavailable' : 'misconfigured', again: status === 503 }
}

/**
 * The code of a problem: the fragment of `type` (`…/api-errors/messages#1120`), else a `title` that is a number, as
 * status callbacks have it. Only four digits or a word of the table are taken, so that no text of Vonage's passes.
 */
export function codeOf(problem: object): string | undefined {
  const type = 'type' in problem && typeof problem.type === 'string' ? problem.type : ''
  const title = 'title' in problem ? problem.title : undefined
  const words = [type.slice(type.lastIndexOf('#') + 1), typeof title === 'number' ? String(title) : title]
  return words.find(
    (word): word is string => typeof word === 'string' && (/^\d{4}$/.test(word) || VONAGE_CODES.has(word)),
  )
}
