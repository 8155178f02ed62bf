import type { Refusal } from '../messaging/provider.ts'
import { meaningOf } from './twilio-codes.ts'
import type { Answer } from './twilio-exchange.ts'

/** Why a request gave no usable answer. Holds codes alone: no text of Twilio's, no header, no secret. */
export class TwilioFailure extends Error {
  readonly why: Refusal
  /** Twilio's code, else the HTTP status as `http_503`, else a socket's word such as `ECONNREFUSED`. */
  readonly code: string
  /** Whether the same request may be put once more: nothing was taken, and waiting may help. */
  readonly again: boolean
  /** The `Retry-After` header as it came. */
  readonly retryAfter: string | undefined
  /** Whether a byte of the request may have reached Twilio. */
  readonly left: boolean

  constructor(
    why: Refusal,
    code: string,
    more: {
      readonly again?: boolean
      readonly retryAfter?: string | undefined
      readonly left?: boolean
    } = {},
  ) {
    super(`Twilio request failed: ${why} (${code})`)
    this.name = 'TwilioFailure'
    this.why = why
    this.code = code
    this.again = more.again ?? false
    this.retryAfter = more.retryAfter
    this.left = more.left ?? true
  }
}

/** The object a 2xx answer holds; throws {@link TwilioFailure} for every other answer. */
export function objectIn({ left, status, headers, text, broken }: Answer): object {
  if (status === undefined) {
    throw new TwilioFailure(left ? 'unknown' : 'unavailable', broken, { again: !left, left })
  }
  const body = text === undefined ? undefined : parseObject(text)
  if (status >= 200 && status < 300) {
    // A 2xx says that something took the message, even if what it says about it cannot be read.
    if (body === undefined) throw new TwilioFailure('unknown', broken)
    return body
  }
  const code =
    body !== undefined && 'code' in body && Number.isInteger(body.code) ? Number(body.code) : undefined
  const { why, again } = meaningOf(status, code, body === undefined ? undefined : parameterIn(body))
  throw new TwilioFailure(why, code === undefined ? `http_${status}` : String(code), {
    again,
    retryAfter: headers['retry-after'],
  })
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** The parameter that Twilio does not like, which only its sentence names: "Invalid parameter `To`: …". */
function parameterIn(body: object): string | undefined {
  const message = 'message' in body && typeof body.message === 'string' ? body.message : ''
  return /^Invalid parameter:? ?`?([A-Za-z]{1,40})\b/.exec(message)?.[1]
}
