import { isText, type AccessClaims, type Expected } from './claims.ts'
import { TokenError } from './token-error.ts'

/** What an access token must tell of how and when the person showed who they are: one of the two, or both. */
export type AccessExpectations = {
  /** It was at most so many seconds ago; a whole number. */
  readonly maxAgeSeconds?: number
  /** All of these were shown (RFC 8176); `mfa` stands for a second factor. */
  readonly amr?: readonly string[]
}

/** Throws a `TypeError` for expectations that would not be met by what they were meant for, or by everything. */
export function checkExpectations(wanted: AccessExpectations | undefined): void {
  if (wanted === undefined) return
  const names = typeof wanted === 'object' && wanted !== null ? Object.keys(wanted) : []
  // A name that is misspelt would want nothing, and neither would a value that somebody has lost.
  if (names.length === 0 || !names.every((name) => name === 'maxAgeSeconds' || name === 'amr'))
    throw new TypeError('an access token is checked for maxAgeSeconds and amr, and for nothing else')
  const { maxAgeSeconds, amr } = wanted
  // With NaN no comparison holds, and no sign-in would be too old.
  const isAge = Number.isSafeInteger(maxAgeSeconds) && Number(maxAgeSeconds) > 0
  if ('maxAgeSeconds' in wanted && !isAge)
    throw new TypeError('maxAgeSeconds must be a whole number of seconds from 1 on')
  const areWays = Array.isArray(amr) && amr.length > 0 && Array.from(amr).every(isText)
  if ('amr' in wanted && !areWays) throw new TypeError('amr must be a list of texts')
}

/** Throws `step_up_required` for a token that is good, but does not tell what is wanted. */
export function mustMeet(
  claims: AccessClaims,
  { maxAgeSeconds = Infinity, amr = [] }: AccessExpectations,
  { nowSeconds, clockToleranceSeconds: tolerance }: Expected,
): void {
  if (!amr.every((way) => claims.amr.includes(way)))
    throw new TokenError('step_up_required', 'the person has not shown every factor that is wanted')
  const age = nowSeconds - claims.auth_time
  if (age > maxAgeSeconds + tolerance)
    throw new TokenError('step_up_required', 'the person has shown who they are too long ago')
  // It would be a short while ago for too long.
  if (age < -tolerance)
    throw new TokenError('step_up_required', 'the person has shown who they are in the future')
}
