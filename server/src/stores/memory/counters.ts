import type { Counter, Counters, Refused, RuleState, Taken } from '../../limits/counters.ts'
import {
  capacity,
  lifetimeSeconds,
  refusing,
  stateOf,
  waitSeconds,
  withoutFuture,
} from '../../limits/window.ts'
import type { Clock } from '../../primitives/clock.ts'

const SWEEP_EVERY = 10_000

/** Counters in the memory of one process: exact, fast, and gone with it. */
export class MemoryCounters implements Counters {
  readonly #clock: Clock
  readonly #logs = new Map<string, { hits: number[]; expiresAt: number }>()
  #takes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async take(counters: readonly Counter[]): Promise<Taken | Refused> {
    const now = this.#clock.now()
    for (const { key, rules } of counters) {
      const log = this.#logs.get(key)
      if (log) log.hits = withoutFuture(log.hits, now) ?? log.hits
      const refused = refusing(rules, this.#hits(key), now)
      if (refused) {
        return { ok: false, rule: refused.rule, retryAfterSeconds: waitSeconds(refused.at, now) }
      }
    }
    for (const { key, rules } of counters) {
      const hits = [now, ...this.#hits(key)].slice(0, capacity(rules))
      this.#logs.set(key, { hits, expiresAt: now + lifetimeSeconds(rules) * 1000 })
    }
    if (++this.#takes % SWEEP_EVERY === 0) this.#sweep(now)
    return { ok: true, keys: counters.map((counter) => counter.key), at: now }
  }

  async peek(counters: readonly Counter[]): Promise<RuleState[]> {
    const now = this.#clock.now()
    return counters.flatMap(({ key, rules }) => stateOf(rules, this.#hits(key), now))
  }

  async give(taken: Taken): Promise<void> {
    for (const key of taken.keys) {
      const log = this.#logs.get(key)
      const at = log?.hits.indexOf(taken.at) ?? -1
      if (log && at >= 0) log.hits.splice(at, 1)
    }
  }

  #hits(key: string): readonly number[] {
    return this.#logs.get(key)?.hits ?? []
  }

  #sweep(now: number): void {
    for (const [key, log] of this.#logs) if (log.expiresAt <= now) this.#logs.delete(key)
  }
}
