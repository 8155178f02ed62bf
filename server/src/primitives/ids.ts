import { randomFillSync } from 'node:crypto'

const RANDOM_BYTES = 16
const POOL_BYTES = RANDOM_BYTES * 256
/** Hexadecimal digits of 48 bits. */
const TIME_DIGITS = 12

const pool = Buffer.allocUnsafe(POOL_BYTES)
let poolAt = POOL_BYTES
let prefixedMs = -1
let prefixed = ''

/**
 * Makes an id: prefix, 48 bits of time in milliseconds, 128 random bits, in hexadecimal.
 *
 * The time keeps rows made together on the same pages of a database, so that a big table costs what a small
 * one does; the 128 random bits make the id unguessable, which a browser's right to check a verification
 * rests on.
 */
export function makeId(prefix: string, nowMs: number): string {
  // One call to the kernel's generator serves 256 ids: the call costs more than the bytes.
  if (poolAt === POOL_BYTES) {
    randomFillSync(pool)
    poolAt = 0
  }
  const random = pool.toString('hex', poolAt, poolAt + RANDOM_BYTES)
  poolAt += RANDOM_BYTES
  return prefix + timePrefix(nowMs) + random
}

/**
 * Whether a text can be an id at all. What cannot is not asked for: databases differ in what they refuse to look up,
 * such as a text with U+0000.
 */
export function isId(prefix: string, text: string): boolean {
  return text.startsWith(prefix) && /^[a-z0-9_]{1,100}$/.test(text)
}

/** What every id made at this time has after its prefix; ids made before sort below it. */
export function timePrefix(nowMs: number): string {
  // Many ids are made in one millisecond.
  if (nowMs !== prefixedMs) {
    prefixed = Math.max(0, nowMs).toString(16).padStart(TIME_DIGITS, '0')
    prefixedMs = nowMs
  }
  return prefixed
}
