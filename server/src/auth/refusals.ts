import { CountersignError } from '../primitives/errors.ts'

/** The refusal of a code, whatever is wrong with it: wrong, expired, used or never sent. */
export function invalidCode(detail = 'Invalid code'): CountersignError {
  return new CountersignError('invalid_code', detail)
}

/** The refusal of an account that an administrator has shut. */
export function accountDisabled(): CountersignError {
  return new CountersignError('account_disabled', 'This account is disabled')
}

/** The refusal of a challenge: never there, used, too old, or out of tries. */
export function challengeEnded(): CountersignError {
  return new CountersignError('challenge_ended', 'Sign in again')
}

/** The refusal of a factor that the account does not take, here or at all. */
export function notOffered(): CountersignError {
  return new CountersignError('factor_not_offered', 'This factor cannot be used here')
}

/** The refusal of who is not signed in, or not any more. */
export function notSignedIn(): CountersignError {
  return new CountersignError('unauthorized', 'You are not signed in')
}
