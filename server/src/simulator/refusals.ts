/**
 * What Twilio refuses a request with: its code, the HTTP status it comes with, and its words, in which `$` stands for
 * what was wrong. Source: twilio.com/docs/api/errors.
 */
const REFUSALS: Readonly<Record<number, readonly [status: number, message: string]>> = {
  20001: [400, 'Bad request: $'],
  20003: [401, 'Authenticate'],
  20004: [405, 'Method not allowed'],
  20404: [404, 'The requested resource $ was not found'],
  20429: [429, 'Too many requests'],
  20500: [500, 'An internal server error has occurred'],
  20503: [503, 'Service Unavailable'],

  21201: [400, "No 'To' number is specified"],
  21205: [400, 'Url is not a valid URL: $'],
  21210: [400, "'From' phone number not verified: $"],
  21213: [400, "A 'From' phone number is required."],
  21214: [400, "'To' phone number cannot be reached: $"],
  21215: [
    400,
    'Account not authorized to call $. Perhaps you need to enable some international permissions.',
  ],
  21216: [400, 'Account not allowed to call $'],
  21217: [400, 'Phone number does not appear to be valid: $'],
  21220: [400, 'Call is not in-progress. Cannot redirect.'],

  21211: [400, "The 'To' number $ is not a valid phone number."],
  21212: [400, "The 'From' number $ is not a valid phone number, shortcode, or alphanumeric sender ID."],
  21408: [
    400,
    "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: $.",
  ],
  21602: [400, 'Message body is required.'],
  21603: [400, "A 'From' phone number is required."],
  21604: [400, "A 'To' phone number is required."],
  21606: [
    400,
    'The From phone number $ is not a valid, SMS-capable inbound phone number or short code for your account.',
  ],
  21608: [400, 'The number $ is unverified. Trial accounts cannot send messages to unverified numbers.'],
  21609: [400, "The 'StatusCallback' URL $ is not a valid URL."],
  21610: [400, 'Attempt to send to unsubscribed recipient'],
  21611: [429, "This 'From' number has exceeded the maximum number of queued messages"],
  21612: [400, "The 'To' phone number: $, is not currently reachable via SMS from the 'From' phone number."],
  21614: [400, "'To' number is not a valid mobile number: $"],
  21617: [400, 'The concatenated message body exceeds the 1600 character limit.'],
  21624: [400, 'Invalid validity period value'],
  21635: [400, "'To' number cannot be a Landline: $"],
  21655: [400, 'The ContentSid is invalid: $'],
  21656: [400, 'The Content Variables parameter is invalid.'],
  21701: [400, 'The Messaging Service Sid $ is invalid.'],
  21910: [400, "Invalid 'From' and 'To' pair. 'From' and 'To' should be of the same channel"],
  63007: [400, 'Twilio could not find a Channel with the specified From address'],

  60200: [400, 'Invalid parameter: $'],
  60202: [429, 'Max check attempts reached'],
  60203: [429, 'Max send attempts reached'],
  60205: [403, 'SMS is not supported by landline phone number'],
  60212: [429, 'Too many concurrent requests for phone number'],
  60223: [403, 'Delivery channel disabled: $'],
  60238: [403, 'Verification blocked'],
  60410: [403, 'The destination phone number has been blocked by Verify Fraud Guard'],
  60605: [403, 'The destination phone number has been blocked by Verify Geo-Permissions'],
}

/** A request that is refused as Twilio would. Thrown; the server turns it into the answer. */
export class Refusal extends Error {
  readonly code: number
  readonly status: number
  readonly retryAfterSeconds: number | undefined

  constructor(code: number, about = '', retryAfterSeconds?: number) {
    const [status, message] = REFUSALS[code] ?? [400, 'Bad request']
    super(message.replace('$', () => about))
    this.name = 'Refusal'
    this.code = code
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }
}
