import { CountersignError } from '../primitives/errors.ts'
import type { AuthDeps } from './deps.ts'
import { passwordFault } from './password-rules.ts'

const DETAILS: Readonly<Record<string, string>> = {
  too_short: 'The password is too short',
  too_long: 'The password is too long',
  common: 'This password is among those that are guessed first',
  about_you: 'The password is too close to what is known of you',
  repetitive: 'The password repeats itself',
}

/** Hashes a password that somebody has chosen. Throws `weak_password` and `overloaded`. */
export async function hashChoice(
  deps: AuthDeps,
  password: string,
  about: readonly (string | null | undefined)[],
): Promise<string> {
  refuseWeak(deps, password, about)
  return deps.hasher.hash(password)
}

/** Throws `weak_password` for a password that is guessed too easily. */
export function refuseWeak(
  { settings }: AuthDeps,
  password: string,
  about: readonly (string | null | undefined)[],
): void {
  const known = [settings.serviceName, ...about].filter((one) => typeof one === 'string')
  const fault = passwordFault(password, { about: known, lengthMin: settings.passwordLengthMin })
  if (fault !== undefined) {
    throw new CountersignError('weak_password', DETAILS[fault] ?? 'The password is too weak', {
      field: 'password',
    })
  }
}
