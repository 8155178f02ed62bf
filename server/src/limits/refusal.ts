import { CountersignError } from '../primitives/errors.ts'
import type { Counters, Counter, Refused, Taken } from './counters.ts'

/** The error that a refused hit becomes; it names the limit and when it opens. */
export function rateLimited(refused: Refused): CountersignError {
  const { rule, retryAfterSeconds } = refused
  return new CountersignError('rate_limited', `Too many requests: the limit ${rule.name} is spent`, {
    limit: rule.name,
    policy: { limit: rule.limit, windowSeconds: rule.windowSeconds },
    retryAfterSeconds,
  })
}

/** Takes a hit on every counter or throws `rate_limited`. No counters, no question asked. */
export async function takeOrThrow(
  counters: Counters,
  wanted: readonly Counter[],
): Promise<Taken | undefined> {
  if (wanted.length === 0) return undefined
  const taken = await counters.take(wanted)
  if (!taken.ok) throw rateLimited(taken)
  return taken
}
