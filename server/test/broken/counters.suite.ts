import type { Counter, Counters, Refused, RuleState, Taken } from '../../src/limits/counters.ts'
import type { Clock } from '../../src/primitives/clock.ts'
import { MemoryCounters } from '../../src/stores/memory/counters.ts'
import { describeCounters } from '../conformance/counters.ts'
import type { FakeClock } from '../fake-clock.ts'
import { GetThenSet } from './get-then-set.ts'
import { PartialTake } from './partial-take.ts'

// Twins of counters that are right, each with one thing made wrong. See `verify-store.suite.ts`.

/** Windows that begin with the hour on the wall, so that twice the limit passes around each edge. */
class FixedWindows implements Counters {
  readonly #clock: Clock
  readonly #counts = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async take(counters: readonly Counter[]): Promise<Taken | Refused> {
    const spent = this.#states(counters).find((state) => state.remaining <= 0)
    const now = this.#clock.now()
    if (spent) {
      return {
        ok: false,
        rule: spent.rule,
        retryAfterSeconds: Math.max(1, Math.ceil((spent.resetsAt - now) / 1000)),
      }
    }
    for (const slot of this.#slots(counters)) this.#counts.set(slot.key, slot.used + 1)
    return { ok: true, keys: counters.map(({ key }) => key), at: now }
  }

  async peek(counters: readonly Counter[]): Promise<RuleState[]> {
    return this.#states(counters)
  }

  async give(taken: Taken): Promise<void> {
    for (const [slot, count] of this.#counts) {
      if (taken.keys.some((key) => slot.startsWith(`${key}|`))) this.#counts.set(slot, count - 1)
    }
  }

  #states(counters: readonly Counter[]): RuleState[] {
    return this.#slots(counters).map(({ rule, used, endsAt }) => ({
      rule,
      remaining: rule.limit - used,
      resetsAt: endsAt,
    }))
  }

  #slots(counters: readonly Counter[]) {
    const now = this.#clock.now()
    return counters.flatMap(({ key, rules }) =>
      rules.map((rule) => {
        const windowMs = rule.windowSeconds * 1000
        const window = Math.floor(now / windowMs)
        const slot = `${key}|${rule.name}|${window}`
        return { key: slot, rule, used: this.#counts.get(slot) ?? 0, endsAt: (window + 1) * windowMs }
      }),
    )
  }
}

const COUNTERS: Record<string, new (clock: FakeClock) => Counters> = {
  right: MemoryCounters,
  'get-then-set': GetThenSet,
  'fixed-windows': FixedWindows,
  'partial-take': PartialTake,
}

for (const [name, Kind] of Object.entries(COUNTERS)) {
  describeCounters(name, async (clock) => ({ counters: new Kind(clock), close: async () => {} }))
}
