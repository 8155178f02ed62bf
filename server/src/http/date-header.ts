import type { Clock } from '../primitives/clock.ts'

/**
 * Makes a function that gives the time as the header `Date` has it (RFC 9110 §5.6.7), by the clock that decides what
 * has expired: a page counts down by it, and Node's own would be this machine's.
 */
export function makeDateHeader(clock: Clock): () => string {
  let second = Number.NaN
  let text = ''
  return () => {
    const now = Math.floor(clock.now() / 1000)
    if (now !== second) {
      second = now
      text = new Date(now * 1000).toUTCString()
    }
    return text
  }
}
