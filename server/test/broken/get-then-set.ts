import type { Counter, Refused, Taken } from '../../src/limits/counters.ts'
import { MemoryCounters } from '../../src/stores/memory/counters.ts'
import { moment } from './moment.ts'

/** Looks whether there is room, waits as a driver does, and then counts (hono-rate-limiter #68, boulder #7780). */
export class GetThenSet extends MemoryCounters {
  override async take(counters: readonly Counter[]): Promise<Taken | Refused> {
    const before = await Promise.all(counters.map((counter) => this.peek([counter])))
    await moment()
    const spent = before.flat().find((state) => state.remaining === 0)
    if (spent) return super.take(counters)
    const limitless = counters.map(({ key, rules }) => ({
      key,
      rules: rules.map((rule) => ({ ...rule, limit: 10_000 })),
    }))
    return super.take(limitless)
  }
}
