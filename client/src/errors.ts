import type { Problem, ServerErrorCode } from './wire.ts'

/**
 * Every code that a call can fail with: those of the server, and what the client says where there was no answer
 * (`offline`, `timeout`, `aborted`, `network`), one that is no answer of Countersign (`unexpected`), or nobody to call
 * for (`signed_out`). A newer server may answer codes that are not listed yet.
 */
export type ErrorCode =
  ServerErrorCode | 'offline' | 'timeout' | 'aborted' | 'network' | 'unexpected' | 'signed_out'

/** What is known of a call that failed. */
type Facts = {
  readonly status?: number
  readonly problem?: Problem | undefined
  readonly retryAfter?: number | undefined
  readonly requestId?: string | undefined
  readonly cause?: unknown
}

/** Two copies of this module may be on one page, so that `instanceof` would not do. */
const BRAND = Symbol.for('countersign.error')

/** A call that failed. Decide by `code`; `message` is for people, and holds no token and no code. */
export class CountersignError extends Error {
  override readonly name: string = 'CountersignError'
  /** Stable. */
  readonly code: ErrorCode
  /** The status of the answer; 0 where there was none. */
  readonly status: number
  /** The member of the request that was wrong. */
  readonly field: string | undefined
  /** The limit that refused. */
  readonly limit: string | undefined
  /** Seconds after which the same call may succeed. */
  readonly retryAfter: number | undefined
  /** The verification that it is about. */
  readonly verificationId: string | undefined
  /** What the server's log calls the request. */
  readonly requestId: string | undefined
  /** The whole answer, where it was an error of the server's. */
  readonly problem: Problem | undefined

  constructor(code: ErrorCode, { status = 0, problem, retryAfter, requestId, cause }: Facts = {}) {
    super(problem?.detail ?? `The call failed: ${code}`, { cause })
    this.code = code
    this.status = status
    this.problem = problem
    this.field = problem?.field
    this.limit = problem?.limit
    this.retryAfter = problem?.retry_after ?? retryAfter
    this.verificationId = problem?.verification_id
    this.requestId = problem?.request_id ?? requestId
    Object.defineProperty(this, BRAND, { value: true })
  }
}

/** Whether something caught is an error of the client, of this copy of it or another. */
export function isCountersignError(value: unknown): value is CountersignError {
  return typeof value === 'object' && value !== null && BRAND in value
}
