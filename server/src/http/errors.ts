import type { FastifyError } from 'fastify'
import { CountersignError, type ErrorCode } from '../primitives/errors.ts'

/** Which status each code answers with. The only table of it. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid_request: 400,
  invalid_phone: 400,
  message_too_long: 400,
  invalid_code: 400,
  weak_password: 400,
  unauthorized: 401,
  invalid_credentials: 401,
  forbidden: 403,
  origin_not_allowed: 403,
  blocked: 403,
  invalid_signature: 403,
  account_disabled: 403,
  fresh_sign_in_required: 403,
  second_factor_required: 403,
  challenge_ended: 401,
  factor_not_offered: 400,
  cross_site: 403,
  not_found: 404,
  request_timeout: 408,
  verification_ended: 409,
  email_taken: 409,
  idempotency_in_progress: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  idempotency_conflict: 422,
  rate_limited: 429,
  internal: 500,
  send_failed: 500,
  check_failed: 500,
  delivery_unavailable: 503,
  store_unavailable: 503,
  overloaded: 503,
}

/** What each code is called. */
export const TITLES: Readonly<Record<ErrorCode, string>> = {
  invalid_request: 'Invalid request',
  invalid_phone: 'Invalid phone number',
  message_too_long: 'Message too long',
  invalid_code: 'Invalid code',
  weak_password: 'Weak password',
  invalid_credentials: 'Invalid credentials',
  account_disabled: 'Account disabled',
  fresh_sign_in_required: 'Fresh sign-in required',
  second_factor_required: 'Second factor required',
  challenge_ended: 'Challenge ended',
  factor_not_offered: 'Factor not offered',
  cross_site: 'Cross-site request',
  email_taken: 'E-mail taken',
  send_failed: 'Sending failed',
  check_failed: 'Check failed',
  unauthorized: 'Unauthorized',
  forbidden: 'Forbidden',
  origin_not_allowed: 'Origin not allowed',
  blocked: 'Blocked',
  invalid_signature: 'Invalid signature',
  not_found: 'Not found',
  request_timeout: 'Request timeout',
  verification_ended: 'Verification ended',
  idempotency_in_progress: 'Request in progress',
  payload_too_large: 'Payload too large',
  unsupported_media_type: 'Unsupported media type',
  idempotency_conflict: 'Idempotency conflict',
  rate_limited: 'Too many requests',
  internal: 'Internal error',
  delivery_unavailable: 'Delivery unavailable',
  store_unavailable: 'Store unavailable',
  overloaded: 'Overloaded',
}

/** An RFC 9457 problem, with our stable `code`. */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly request_id: string
  readonly field?: string
  readonly limit?: string
  readonly retry_after?: number
  readonly verification_id?: string
}

/** Writes an error as the problem that goes to the wire. */
export function toProblem(error: CountersignError, requestId: string): Problem {
  const { field, limit, retryAfterSeconds, verificationId } = error.help
  return {
    type: `/docs/errors#${error.code}`,
    title: TITLES[error.code],
    status: STATUS[error.code],
    detail: error.detail,
    code: error.code,
    request_id: requestId,
    ...(field === undefined ? {} : { field }),
    ...(limit === undefined ? {} : { limit }),
    ...(retryAfterSeconds === undefined ? {} : { retry_after: retryAfterSeconds }),
    ...(verificationId === undefined ? {} : { verification_id: verificationId }),
  }
}

/**
 * The headers an error carries: `Retry-After` (RFC 9110), and for a limit the `RateLimit` and `RateLimit-Policy`
 * fields of draft-ietf-httpapi-ratelimit-headers.
 */
export function errorHeaders(error: CountersignError): Record<string, string> {
  const { limit, policy, retryAfterSeconds } = error.help
  const headers: Record<string, string> = { 'content-type': 'application/problem+json; charset=utf-8' }
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds)
  if (limit !== undefined && policy !== undefined) {
    headers['ratelimit-policy'] = `"${limit}";q=${policy.limit};w=${policy.windowSeconds}`
    headers['ratelimit'] = `"${limit}";r=0;t=${retryAfterSeconds ?? policy.windowSeconds}`
  }
  // RFC 9110 §15.5.2 asks for it with every 401.
  if (STATUS[error.code] === 401) headers['www-authenticate'] = 'Bearer'
  return headers
}

/** Reads whatever was thrown as one of our errors. What is not ours says nothing of itself to the caller. */
export function toCountersignError(error: unknown): CountersignError {
  if (error instanceof CountersignError) return error
  // Anything can be thrown, null among it.
  const fastify: Partial<FastifyError> = typeof error === 'object' && error !== null ? error : {}
  if (Array.isArray(fastify.validation)) return validationError(fastify)
  switch (fastify.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new CountersignError('payload_too_large', 'The body is larger than 64 KB')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new CountersignError('unsupported_media_type', 'The body must be application/json')
    default:
  }
  const status = fastify.statusCode
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new CountersignError('invalid_request', 'The request cannot be read', {}, error)
  }
  return new CountersignError('internal', 'Something went wrong on our side', {}, error)
}

function validationError(error: Partial<FastifyError>): CountersignError {
  const [first] = error.validation ?? []
  const params = first?.params ?? {}
  const named = params['additionalProperty'] ?? params['missingProperty'] ?? params['propertyName']
  const path = (first?.instancePath ?? '').split('/').slice(1)
  if (typeof named === 'string') path.push(named)
  const field = path.join('.')
  const where = error.validationContext ?? 'request'
  return new CountersignError(
    'invalid_request',
    field === '' ? `The ${where} is not valid` : `${field} ${describe(first?.keyword, where)}`,
    field === '' ? {} : { field },
  )
}

function describe(keyword: string | undefined, where: string): string {
  switch (keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return `is not a member of the ${where}`
    case 'required':
      return 'is required'
    case 'type':
      return 'has the wrong type'
    default:
      return 'is not valid'
  }
}
