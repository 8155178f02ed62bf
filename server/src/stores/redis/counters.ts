import type { Counter, Counters, Refused, RuleState, Taken } from '../../limits/counters.ts'
import { capacity, lifetimeSeconds, stateOf, waitSeconds } from '../../limits/window.ts'
import type { Clock } from '../../primitives/clock.ts'
import { Batches } from '../batches.ts'
import type { RedisConnection } from './connection.ts'

/**
 * Before every key. The braces make all keys one slot of a cluster, so that a take over several is one step; they come
 * first, so that nothing in a counter's own key is taken for them.
 */
const NAMESPACE = '{countersign}:'
const HITS = `${NAMESPACE}hits:`
/** A counter of no one, for proving that hits can be counted. */
const PROBE = `${NAMESPACE}probe`
/** A log outlives its longest window by this much, so that rules decide what still counts and no expiry does. */
const GRACE_MS = 1_000
const STAMP_DIGITS = 13

/**
 * Counters in Redis: exact between all processes on it, by the clock of Redis. A call that rejects may have been
 * counted all the same; its caller was refused, so that nothing is let through uncounted.
 */
export class RedisCounters implements Counters {
  readonly #redis: RedisConnection
  readonly #clock: Clock | undefined
  readonly #takes: Batches<readonly Counter[], Taken | Refused>

  /** A clock is for tests; without one, Redis tells the time. */
  constructor(redis: RedisConnection, clock: Clock | undefined) {
    this.#redis = redis
    this.#clock = clock
    this.#takes = new Batches({
      run: (all, until) => this.#takeAll(all, until),
      patienceMs: redis.timeoutMs,
      leastMs: redis.timeoutMs / 4,
      leastAfterFailureMs: redis.timeoutMs / 2,
      refuse: (why) => redis.unusable(why),
    })
  }

  take(counters: readonly Counter[]): Promise<Taken | Refused> {
    return this.#takes.add(counters)
  }

  async peek(counters: readonly Counter[]): Promise<RuleState[]> {
    const answer = await this.#redis.run('readHits', keysOf(counters), [this.#now()])
    const [now, ...logs] = answer as [number, ...string[]]
    return counters.flatMap(({ rules }, at) => stateOf(rules, readLog(logs[at] ?? ''), now))
  }

  async give({ keys, at }: Taken): Promise<void> {
    if (keys.length === 0) return
    await this.#redis.run('giveHits', keys.map(hitsKey), [String(at).padStart(STAMP_DIGITS, '0')])
  }

  async #takeAll(all: readonly (readonly Counter[])[], until: number): Promise<readonly (Taken | Refused)[]> {
    const args: (string | number)[] = [this.#now()]
    for (const counters of all) {
      args.push(counters.length)
      for (const { rules } of counters) {
        args.push(capacity(rules), lifetimeSeconds(rules) * 1000 + GRACE_MS, rules.length)
        for (const rule of rules) args.push(rule.limit, rule.windowSeconds * 1000, rule.since ?? 0)
      }
    }
    const answers = await this.#redis.run('takeHits', keysOf(all.flat()), args, until)
    return all.map((counters, at) => takenOf(counters, (answers as number[][])[at] ?? []))
  }

  #now(): number | string {
    return this.#clock?.now() ?? ''
  }
}

/** Counts a hit that nobody looks at: it rejects whenever a take would, also where Redis answers and cannot write. */
export async function probe(redis: RedisConnection): Promise<void> {
  await redis.run('takeHits', [PROBE], ['', 1, 1, GRACE_MS, 0])
}

/** The time of the Redis that keeps the hits, milliseconds since the epoch. */
export async function timeOf(redis: RedisConnection): Promise<number> {
  const [now] = (await redis.run('readHits', [PROBE], [''])) as [number]
  return now
}

function takenOf(counters: readonly Counter[], answer: readonly number[]): Taken | Refused {
  const [now, counter, rule, opensAt] = answer
  if (now === undefined) throw new Error('Redis did not answer for a hit')
  if (opensAt === undefined) return { ok: true, keys: counters.map(({ key }) => key), at: now }
  const refusing = counters[counter ?? -1]?.rules[rule ?? -1]
  if (refusing === undefined) throw new Error('Redis refused for a rule that there is not')
  return { ok: false, rule: refusing, retryAfterSeconds: waitSeconds(opensAt, now) }
}

function keysOf(counters: readonly Counter[]): string[] {
  return counters.map(({ key }) => hitsKey(key))
}

function hitsKey(key: string): string {
  return HITS + key
}

function readLog(text: string): number[] {
  const hits: number[] = []
  for (let from = 0; from < text.length; from += STAMP_DIGITS) {
    hits.push(Number(text.slice(from, from + STAMP_DIGITS)))
  }
  return hits
}
