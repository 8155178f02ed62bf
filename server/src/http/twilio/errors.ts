import type { CountersignError } from '../../primitives/errors.ts'

/**
 * What Twilio Verify refuses a request with: its code, the status it comes with, and its words, in which `$` stands for
 * what was wrong. Source: twilio.com/docs/api/errors.
 */
const REFUSALS = {
  20001: [400, 'Bad request: $'],
  20003: [401, 'Authenticate'],
  20004: [405, 'Method not allowed'],
  20404: [404, 'The requested resource $ was not found'],
  20429: [429, 'Too many requests'],
  20500: [500, 'An internal server error has occurred'],
  20503: [503, 'Service Unavailable'],

  60200: [400, 'Invalid parameter: $'],
  60202: [429, 'Max check attempts reached'],
  60203: [429, 'Max send attempts reached'],
  60204: [403, 'Service does not support this feature'],
  60205: [403, 'SMS is not supported by landline phone number'],
  60206: [400, 'Verification requires both amount and payee'],
  60207: [400, 'Max rate limits per service reached'],
  60208: [400, 'Rate limit with this unique name already exists'],
  60209: [400, 'Rate limit unique name is invalid'],
  60210: [400, 'Max buckets per rate limit reached'],
  60211: [400, 'Bucket with this interval already exists'],
  60212: [429, 'Too many concurrent requests for phone number'],
  60213: [400, 'Messaging configuration for this country already exists'],
  60214: [400, 'Call channel does not support PSD2'],
  60221: [400, 'No target verification specified'],
  60223: [400, 'Delivery channel disabled: $'],
  60224: [400, 'Missing substitutions for the template'],
  60228: [404, 'Template was not found'],
  60243: [400, 'Custom messages are not supported'],
  60238: [403, 'Verification blocked'],
  60301: [409, 'Entity already exists'],
  60308: [429, 'Challenge verification attempts limit reached'],
  60310: [429, 'Factor verification attempts reached'],
  60311: [403, 'Factor verification failed'],
  60312: [429, 'Challenge creation limit reached'],
  60315: [400, 'Reached max limit of 100 totp Factors associated per Entity'],
  60317: [409, 'Factor already exists'],
  60318: [403, 'Factor is unverified'],
  60322: [403, 'Challenge already responded'],
  60323: [403, 'Challenge expired'],
  60390: [404, 'Factor not found'],
  60391: [404, 'Challenge not found'],
  60392: [404, 'Entity not found'],
  60408: [400, 'TemplateSid is supported by the SMS channel only'],
  60410: [403, 'The destination phone number has been blocked by Verify Fraud Guard'],
  60411: [409, 'Phone number is on the SafeList already'],
  60428: [400, 'Unsupported channel: $'],
  60602: [400, 'App hash is supported by the SMS channel only'],
  60605: [403, 'The destination phone number has been blocked by Verify Geo-Permissions'],
} as const satisfies Readonly<Record<number, readonly [status: number, message: string]>>

/** A code of Twilio's that is answered here. */
export type TwilioCode = keyof typeof REFUSALS

/** A request that is refused as Twilio would. Thrown; the scope of `/v2` turns it into the answer. */
export class TwilioRefusal extends Error {
  readonly code: TwilioCode
  readonly status: number
  readonly retryAfterSeconds: number | undefined

  constructor(code: TwilioCode, about = '', retryAfterSeconds?: number) {
    const [status, message] = REFUSALS[code]
    super(message.replace('$', () => about))
    this.name = 'TwilioRefusal'
    this.code = code
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** The body of a refusal. */
export function refusalView({ code, message, status }: TwilioRefusal): Readonly<Record<string, unknown>> {
  return { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status }
}

/** Our refusal in Twilio's words; what it has no word for is an error of the server. */
export function toTwilio({ code, help }: CountersignError, path: string): TwilioRefusal {
  const { field = '', retryAfterSeconds } = help
  switch (code) {
    case 'invalid_phone':
      return new TwilioRefusal(60200, parameterOf(field || 'to'))
    case 'invalid_request':
    case 'message_too_long':
      return field === ''
        ? new TwilioRefusal(20001, 'the request cannot be read')
        : new TwilioRefusal(60200, parameterOf(field))
    case 'payload_too_large':
    case 'unsupported_media_type':
    case 'request_timeout':
      return new TwilioRefusal(20001, code.replaceAll('_', ' '))
    case 'unauthorized':
    case 'forbidden':
      return new TwilioRefusal(20003)
    case 'not_found':
    case 'verification_ended':
      return new TwilioRefusal(20404, path)
    case 'rate_limited':
      // Twilio's guard against starts for one number that follow too closely.
      if (help.limit === 'resend_cooldown') return new TwilioRefusal(60212, '', retryAfterSeconds)
      if (help.limit === 'wrong_checks_per_phone_day') return new TwilioRefusal(60202, '', retryAfterSeconds)
      if (help.limit === 'sends_per_verification') return new TwilioRefusal(60203, '', retryAfterSeconds)
      if (help.limit === 'wrong_codes_per_factor') return new TwilioRefusal(60308, '', retryAfterSeconds)
      if (help.limit?.startsWith('challenges_per_factor') === true)
        return new TwilioRefusal(60312, '', retryAfterSeconds)
      return new TwilioRefusal(20429, '', retryAfterSeconds)
    case 'delivery_unavailable':
    case 'store_unavailable':
    case 'overloaded':
      return new TwilioRefusal(20503, '', retryAfterSeconds ?? 1)
    default:
      return new TwilioRefusal(20500)
  }
}

/** The name of a parameter as Twilio writes it: `customCode` is `CustomCode`. */
function parameterOf(field: string): string {
  return field.charAt(0).toUpperCase() + field.slice(1)
}
