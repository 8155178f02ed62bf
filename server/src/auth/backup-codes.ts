import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { PasswordHasher } from './password-hasher.ts'
import type { BackupCodes } from './second-factors.ts'

const CODES = 10
const LENGTH = 10
/** Crockford's base32, which leaves out what is misread: i, l, o, and u. */
const LETTERS = '0123456789abcdefghjkmnpqrstvwxyz'
const SHAPE = /^([0-9a-hjkmnp-tv-z]{5})([0-9a-hjkmnp-tv-z]{5})$/i
/** Spaces and dashes of any kind, and what is copied along unseen, such as soft hyphens and marks of direction. */
const SEPARATORS = /[\s\p{Dash}\p{Cf}]/gu

/** Ten new codes, each 50 random bits, as `xxxxx-xxxxx`: the one form in which codes are shown, read and hashed. */
export function newBackupCodes(): readonly string[] {
  const codes = new Set<string>()
  while (codes.size < CODES) {
    // 32 letters part the 256 bytes evenly.
    const letters = Array.from(randomBytes(LENGTH), (byte) => LETTERS.charAt(byte % LETTERS.length)).join('')
    codes.add(`${letters.slice(0, LENGTH / 2)}-${letters.slice(LENGTH / 2)}`)
  }
  return [...codes]
}

/** Reads a code as a person may type it, into the form it was shown in; undefined when it can be none. */
export function readBackupCode(text: string): string | undefined {
  const letters = text.replace(SEPARATORS, '').replace(/o/gi, '0').replace(/[il]/gi, '1')
  const [, first, second] = SHAPE.exec(letters) ?? []
  return first === undefined || second === undefined ? undefined : `${first}-${second}`.toLowerCase()
}

/**
 * Hashes codes as passwords are, since 50 bits are few for a fast hash. One salt for the set: a code that is shown is
 * hashed once, not once for each that is left. One after another, so that they take one place of those who hash and
 * others sign in meanwhile. Throws `overloaded`.
 */
export async function hashBackupCodes(
  hasher: PasswordHasher,
  codes: readonly string[],
): Promise<BackupCodes> {
  const salt = hasher.newSalt()
  const hashes: string[] = []
  for (const code of codes) hashes.push(await hasher.hashWithSalt(code, salt))
  return { salt, hashes }
}

/**
 * The hash of a set that is of this code; undefined when none is. Takes as long without any left. Throws `overloaded`.
 */
export async function findBackupCode(
  hasher: PasswordHasher,
  { salt, hashes }: BackupCodes,
  code: string,
): Promise<string | undefined> {
  const made = Buffer.from(await hasher.hashWithSalt(code, hashes.length === 0 ? hasher.newSalt() : salt))
  let found: string | undefined
  // All are compared, also after one that is right.
  for (const hash of hashes) {
    const isRight = timingSafeEqual(Buffer.from(hash), made)
    found = isRight ? hash : found
  }
  return found
}
