import type { User } from './user.ts'

/** What can be shown after the first factor. A backup code stands in for either of the others. */
export type Factor = 'sms' | 'totp' | 'backup_code'

/** How an account that wants more than one factor is entered. Kept as JSON with the account. */
export type SecondFactors = {
  /** Codes sent to the account's number, whichever that is. */
  readonly sms: boolean
  /** An authenticator app: its sealed secret, and the time step of the last code that was taken. */
  readonly app: { readonly secret: string; readonly lastStep: number } | null
  readonly backup: BackupCodes
  /** The password was set by a text, and no other factor has been shown after it: with another text it is one twice. */
  readonly isPasswordBySms: boolean
}

/** The backup codes that are left, hashed under one salt. */
export type BackupCodes = { readonly salt: string; readonly hashes: readonly string[] }

/** How somebody showed who they are before the second factor. */
export type FirstFactor = 'sms' | 'pwd'

/** No second factor so far. */
export const NO_FACTORS: SecondFactors = {
  sms: false,
  app: null,
  backup: { salt: '', hashes: [] },
  isPasswordBySms: false,
}

/** What an account wants besides the first factor; null: nothing. */
export function factorsOf({ secondFactors }: Pick<User, 'secondFactors'>): SecondFactors | null {
  return secondFactors === null ? null : (JSON.parse(secondFactors) as SecondFactors)
}

/** As it is kept; with neither of the two there is no second factor, and no backup code for one. */
export function packFactors(factors: SecondFactors): string | null {
  return factors.sms || factors.app !== null ? JSON.stringify(factors) : null
}

/**
 * What may be shown after a first factor: a phone is never both, and neither is it with a password that was set by a
 * text to it.
 */
export function offered(factors: SecondFactors, first: FirstFactor, phone: string | null): readonly Factor[] {
  const isOther = first !== 'sms' && !factors.isPasswordBySms
  return [
    ...(factors.app === null ? [] : (['totp'] as const)),
    ...(factors.sms && phone !== null && isOther ? (['sms'] as const) : []),
    ...(factors.backup.hashes.length === 0 ? [] : (['backup_code'] as const)),
  ]
}

/** The one that is told as preferred: an app can be fooled by fewer. */
export function methodOf(factors: SecondFactors | null): 'none' | 'sms' | 'app' {
  if (factors === null) return 'none'
  return factors.app === null ? 'sms' : 'app'
}

/** Every method that is on, texts first. */
export function methodsOf(factors: SecondFactors | null): ('sms' | 'app')[] {
  if (factors === null) return []
  return [...(factors.sms ? (['sms'] as const) : []), ...(factors.app === null ? [] : (['app'] as const))]
}

/** A code as it is meant: apps and texts show theirs with a space in the middle, and people type that. */
export function withoutSpaces(code: string): string {
  return code.replace(/[ \u00a0]/g, '')
}
