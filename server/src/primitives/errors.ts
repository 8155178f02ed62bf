/**
 * Every error code a caller can meet. Stable: a code is never renamed or reused. Which HTTP status a code
 * answers with is decided in `http/errors.ts`, the only table of it.
 */
export type ErrorCode =
  | 'invalid_request'
  | 'invalid_phone'
  | 'invalid_code'
  | 'weak_password'
  | 'unauthorized'
  | 'invalid_credentials'
  | 'account_disabled'
  | 'fresh_sign_in_required'
  | 'second_factor_required'
  | 'challenge_ended'
  | 'factor_not_offered'
  | 'cross_site'
  | 'email_taken'
  | 'send_failed'
  | 'check_failed'
  | 'forbidden'
  | 'origin_not_allowed'
  | 'not_found'
  | 'verification_ended'
  | 'idempotency_conflict'
  | 'idempotency_in_progress'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'message_too_long'
  | 'blocked'
  | 'invalid_signature'
  | 'rate_limited'
  | 'delivery_unavailable'
  | 'store_unavailable'
  | 'overloaded'
  | 'request_timeout'
  | 'internal'

/** What helps a caller besides the code: each member goes to the wire under its own snake_case name. */
export type ErrorHelp = {
  /** The request member that was wrong. */
  readonly field?: string
  /** The name of the limit that refused. */
  readonly limit?: string
  /** The limit's policy: how many in how many seconds. */
  readonly policy?: { readonly limit: number; readonly windowSeconds: number }
  /** Seconds after which the same call can succeed. */
  readonly retryAfterSeconds?: number
  /** The verification the error is about, where one exists. */
  readonly verificationId?: string
}

/**
 * A refusal with a stable code. `detail` is for people, is safe to show them, and carries no provider text,
 * no SQL and no secret; what an operator needs goes into `cause`, which stays in the log.
 */
export class CountersignError extends Error {
  readonly code: ErrorCode
  readonly detail: string
  readonly help: ErrorHelp

  constructor(code: ErrorCode, detail: string, help: ErrorHelp = {}, cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause })
    this.name = 'CountersignError'
    this.code = code
    this.detail = detail
    this.help = help
  }
}
