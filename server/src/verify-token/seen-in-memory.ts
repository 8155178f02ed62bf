import type { Seen } from './verifier.ts'

/** Remembers used proofs in this process, each until it is too old anyway. Several processes need a store they share. */
export function seenInMemory(now: () => number = Date.now): Seen {
  const until = new Map<string, number>()
  return (jti, untilSeconds) => {
    const nowSeconds = now() / 1_000
    for (const [old, end] of until) if (end < nowSeconds) until.delete(old)
    if (until.has(jti)) return true
    until.set(jti, untilSeconds)
    return false
  }
}
