import { CountersignError } from '../primitives/errors.ts'

/** The refusal of a code, whatever is wrong with it: wrong, expired, used or never sent. */
export function invalidCode(detail = 'Invalid code'): CountersignError {
  return new CountersignError('invalid_code', detail)
}

/** The refusal of an account that an administrator has shut. */
export function accountDisabled(): CountersignError {
  return new CountersignError('account_disabled', 'This account is disabled')
}

/** The refusal of who is not signed in, or not any more. */
export function notSignedIn(): CountersignError {
  return new CountersignError('unauthorized', 'You are not signed in')
}
