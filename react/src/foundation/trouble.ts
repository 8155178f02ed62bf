import { type CountersignError, type ErrorCode, isCountersignError, type Reason } from '@countersign/client'

/**
 * What went wrong, as a person is told of it: an error of the client is one, and so is a code that was refused, and
 * what a component finds out by itself.
 */
export type Trouble = {
  readonly code: ErrorCode | Exclude<Reason, 'approved'> | 'landline' | 'incomplete_phone' | 'incomplete_code'
  /** The member of the request that was wrong. */
  readonly field?: string | undefined
  /** The limit that was reached. */
  readonly limit?: string | undefined
  /** Seconds until it may be tried again. */
  readonly retryAfter?: number | undefined
  /** Guesses left, of a wrong code. */
  readonly checksLeft?: number | undefined
}

/** What was thrown, as trouble: nothing thrown escapes the person unseen. */
export function troubleOf(thrown: unknown): Trouble | CountersignError {
  return isCountersignError(thrown) ? thrown : { code: 'unexpected' }
}
