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

/**
 * Takes a hit on every counter or throws `rate_limited`. No counters, no question asked. Whatever keeps the limiter
 * from answering refuses the request with `store_unavailable`: a limiter that is down must not mean no limit.
 */
export async function takeOrThrow(
  counters: Counters,
  wanted: readonly Counter[],
): Promise<Taken | undefined> {
  if (wanted.length === 0) return undefined
  const taken = await counters.take(wanted).catch((error: unknown) => {
    if (error instanceof CountersignError) throw error
    const detail = 'The limiter cannot be reached at the moment'
    throw new CountersignError('store_unavailable', detail, { retryAfterSeconds: 1 }, error)
  })
  if (!taken.ok) throw rateLimited(taken)
  return taken
}
