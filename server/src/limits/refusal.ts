import { CountersignError } from '../primitives/errors.ts'
import type { Counter, Counters, Refused, RuleState, Taken } from './counters.ts'

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
 * Takes a hit on every counter or throws `rate_limited`. No counters, no question asked. Throws `store_unavailable`
 * for whatever keeps the limiter from answering: a limiter that is down must not mean no limit.
 */
export async function takeOrThrow(
  counters: Counters,
  wanted: readonly Counter[],
): Promise<Taken | undefined> {
  if (wanted.length === 0) return undefined
  const taken = await takeOrTell(counters, wanted)
  if (!taken.ok) throw rateLimited(taken)
  return taken
}

/** Takes a hit on every counter, or tells what refuses it. Throws `store_unavailable`. */
export function takeOrTell(counters: Counters, wanted: readonly Counter[]): Promise<Taken | Refused> {
  return counters.take(wanted).catch(limiterDown)
}

/** Tells what every rule has left, or throws `store_unavailable`. */
export function peekOrThrow(counters: Counters, wanted: readonly Counter[]): Promise<RuleState[]> {
  return counters.peek(wanted).catch(limiterDown)
}

/**
 * Gives hits back, where there are any. What was decided meanwhile stands, so a limiter that is down costs the
 * caller a hit and not the answer.
 */
export async function giveBack(
  counters: Counters,
  taken: Taken | undefined,
  keys: readonly string[] = taken?.keys ?? [],
): Promise<void> {
  if (taken) await counters.give({ ...taken, keys }).catch(() => {})
}

function limiterDown(error: unknown): never {
  if (error instanceof CountersignError) throw error
  const detail = 'The limiter cannot be reached at the moment'
  throw new CountersignError('store_unavailable', detail, { retryAfterSeconds: 1 }, error)
}
