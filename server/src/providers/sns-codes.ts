import type { Refusal } from '../messaging/provider.ts'

/**
 * Every error of Amazon SNS, and of AWS before it, whose meaning matters for a message to a phone, without
 * the `Exception` that some end in. Sources: the errors of `Publish` and the "Common Errors" of AWS's API
 * references.
 */
export const SNS_CODES: ReadonlyMap<string, Refusal> = new Map<string, Refusal>([
  // The person said STOP.
  ['OptedOut', 'opted_out'],

  // Our account, its rights or our request; nobody's message goes out until an operator acts.
  ['InvalidParameter', 'misconfigured'], // unless it is the number: see `meaningOfParameter`
  ['InvalidParameterValue', 'misconfigured'],
  ['ValidationError', 'misconfigured'],
  ['Validation', 'misconfigured'],
  ['UserError', 'misconfigured'],
  ['AuthorizationError', 'misconfigured'],
  ['AccessDenied', 'misconfigured'],
  ['NotAuthorized', 'misconfigured'],
  ['OptInRequired', 'misconfigured'],
  ['InvalidSecurity', 'misconfigured'],
  ['InvalidClientTokenId', 'misconfigured'],
  ['UnrecognizedClient', 'misconfigured'],
  ['MissingAuthenticationToken', 'misconfigured'],
  ['SignatureDoesNotMatch', 'misconfigured'],
  ['IncompleteSignature', 'misconfigured'],
  ['ExpiredToken', 'misconfigured'],
  ['RequestExpired', 'misconfigured'], // a clock that is wrong
  ['InvalidAction', 'misconfigured'],
  ['NotFound', 'misconfigured'],
  ['EndpointDisabled', 'misconfigured'], // of push messages, so never of a number
  ['PlatformApplicationDisabled', 'misconfigured'],
  ['KMSAccessDenied', 'misconfigured'],
  ['KMSDisabled', 'misconfigured'],
  ['KMSInvalidState', 'misconfigured'],
  ['KMSNotFound', 'misconfigured'],
  ['KMSOptInRequired', 'misconfigured'],

  // Too fast; the same message may go out in a moment.
  ['Throttled', 'throttled'],
  ['Throttling', 'throttled'],
  ['ThrottledRequest', 'throttled'],
  ['RequestThrottled', 'throttled'],
  ['RequestLimitExceeded', 'throttled'],
  ['TooManyRequests', 'throttled'],
  ['KMSThrottling', 'throttled'],

  // Theirs.
  ['ServiceUnavailable', 'unavailable'],
  ['InternalError', 'unavailable'],
  ['InternalFailure', 'unavailable'],
])

/** What a failing answer means, whether the same request may be put once more, and the code to hand on. */
export type Meaning = { readonly why: Refusal; readonly again: boolean; readonly code: string }

/**
 * Reads an HTTP answer other than 2xx. A known name decides a 4xx; else the status does:
 *
 * | status | meaning | again | because |
 * |---|---|---|---|
 * | 429 | throttled | yes | not processed |
 * | 503 | unavailable | yes | turned away at the door |
 * | 500 and other 5xx | unavailable | no | SNS has no key against repeats: the same request may text twice |
 * | 502, 504 | unknown | no | a gateway lost the answer of a server that may have taken the message |
 * | 408 | unavailable | no | the request did not arrive whole |
 * | other 4xx | misconfigured | no | an explicit refusal: nothing was taken |
 * | 3xx | misconfigured | no | whoever answers is not the API; redirects are not followed |
 *
 * The code is a name of {@link SNS_CODES}, else `http_` and the status, and never anything else that SNS wrote.
 */
export function meaningOf(status: number, name: string | undefined, message: string): Meaning {
  const short = name?.replace(/Exception$/, '')
  const known = short === undefined ? undefined : SNS_CODES.get(short)
  const code = known === undefined || short === undefined ? `http_${status}` : short
  if (status >= 400 && status < 500) {
    const why =
      short === 'InvalidParameter' ? meaningOfParameter(message) : (known ?? meaningOfStatus(status))
    return { why, again: why === 'throttled', code }
  }
  return { why: meaningOfStatus(status), again: status === 503, code }
}

/**
 * `Invalid parameter: PhoneNumber Reason: …`. SNS has one name for whatever is wrong, and only its words tell a
 * number that does not exist from a request that no number would do for. The words of the reasons are those
 * of its delivery logs.
 */
function meaningOfParameter(message: string): Refusal {
  if (/opted out/i.test(message)) return 'opted_out'
  if (!/^(?:Invalid parameter: )?Phone ?number\b/i.test(message)) return 'misconfigured'
  if (/has blocked SMS/i.test(message)) return 'wrong_channel'
  return /\bblocked\b/i.test(message) ? 'blocked' : 'bad_number'
}

function meaningOfStatus(status: number): Refusal {
  if (status === 429) return 'throttled'
  if (status === 408) return 'unavailable'
  if (status === 502 || status === 504) return 'unknown'
  return status >= 500 ? 'unavailable' : 'misconfigured'
}
