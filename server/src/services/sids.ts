import { randomBytes } from 'node:crypto'
import { timePrefix } from '../primitives/ids.ts'

const RANDOM_BYTES = 10
const SID_DIGITS = 32
const ORDINAL_DIGITS = 2
const SHAPE = /^[A-Z]{2}[0-9a-f]{32}$/

/**
 * Makes an identifier of a tenant's record in Twilio's shape: two letters that tell the kind, 48 bits of time in
 * milliseconds and 80 random bits, in hexadecimal. Those made later sort after it.
 */
export function makeSid(letters: string, nowMs: number): string {
  return letters + timePrefix(nowMs) + randomBytes(RANDOM_BYTES).toString('hex')
}

/** Whether a text is such an identifier. What is not is not asked for. */
export function isSid(letters: string, text: string): boolean {
  return text.startsWith(letters) && SHAPE.test(text)
}

/**
 * The SID of what has an id of ours: its time and the first 80 of its random bits. It is not kept anywhere: the id is
 * found again as the one that begins so.
 */
export function sidOf(letters: 'VE', id: string): string {
  return letters + id.slice(id.indexOf('_') + 1).slice(0, SID_DIGITS)
}

/**
 * The SID of an attempt: the time of its verification, the first 72 of the verification's random bits, and which of its
 * sends the attempt is. So it is found again by the verification, without an index.
 */
export function attemptSid(verificationId: string, ordinal: number): string {
  const digits = verificationId.slice('ver_'.length).slice(0, SID_DIGITS - ORDINAL_DIGITS)
  return `VL${digits}${ordinal.toString(16).padStart(ORDINAL_DIGITS, '0')}`
}
