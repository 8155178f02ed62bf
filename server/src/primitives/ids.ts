import { randomFillSync } from 'node:crypto'

/** Crockford's base 32 in ascending ASCII order, so that ids sort by the time they begin with. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const RANDOM_BYTES = 16
/** 50 bits of base 32 hold the 48 of a time in milliseconds. */
const TIME_DIGITS = 10
const POOL_BYTES = RANDOM_BYTES * 256

const pool = Buffer.allocUnsafe(POOL_BYTES)
let poolAt = POOL_BYTES

/**
 * Makes an id: prefix, 48 bits of time in milliseconds, 128 random bits, in base 32.
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
  const random = pool.subarray(poolAt, poolAt + RANDOM_BYTES)
  poolAt += RANDOM_BYTES
  let out = prefix + timePrefix(nowMs)
  let bits = 0
  let value = 0
  for (const byte of random) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      out += ALPHABET[(value >> bits) & 31]
      value &= (1 << bits) - 1
    }
  }
  out += ALPHABET[(value << (5 - bits)) & 31]
  random.fill(0)
  return out
}

let prefixedMs = -1
let prefixed = ''

/** What every id made at this time has after its prefix; ids made before sort below it. */
export function timePrefix(nowMs: number): string {
  // Many ids are made in one millisecond.
  if (nowMs === prefixedMs) return prefixed
  prefixed = ''
  let rest = nowMs
  for (let digit = 0; digit < TIME_DIGITS; digit++) {
    prefixed = (ALPHABET[rest % 32] ?? '') + prefixed
    rest = Math.floor(rest / 32)
  }
  prefixedMs = nowMs
  return prefixed
}
