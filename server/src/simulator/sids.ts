import { randomFillSync } from 'node:crypto'

const SID_BYTES = 16
const POOL_BYTES = 256 * SID_BYTES
const pool = Buffer.alloc(POOL_BYTES)
let poolAt = POOL_BYTES

/** Makes an identifier of Twilio's form: two letters that tell the kind, and 32 hexadecimal digits. */
export function makeSid(kind: string): string {
  // One call to the kernel's generator serves many: the call costs more than the bytes.
  if (poolAt === POOL_BYTES) {
    randomFillSync(pool)
    poolAt = 0
  }
  poolAt += SID_BYTES
  return kind + pool.toString('hex', poolAt - SID_BYTES, poolAt)
}

/** Whether a text is an identifier of one of these kinds, such as `SM|MM`. */
export function isSid(kinds: string, text: string): boolean {
  return new RegExp(`^(?:${kinds})[0-9a-fA-F]{32}$`).test(text)
}
