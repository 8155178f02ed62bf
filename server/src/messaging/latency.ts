import { RecentMap } from './recent-map.ts'

const KEYS_MAX = 1_000
/** How many of the last ones are kept. */
const KEPT = 200
/** Fewer say nothing yet. */
const ENOUGH = 20
const DEFAULT_MS = 20_000
const LEAST_MS = 15_000
const MOST_MS = 120_000

/** The last times, and what they come to. */
type Times = { readonly last: number[]; next: number; patienceMs: number | undefined }

/**
 * Learns how long messages normally take to arrive, by provider and country, from those that did: after twice what all
 * but one of twenty take, one is more likely lost than late.
 */
export class Latency {
  readonly #times: RecentMap<Times>

  constructor(keysMax = KEYS_MAX) {
    this.#times = new RecentMap(keysMax)
  }

  /** A message arrived so long after it was handed to the provider. */
  learn(provider: string, country: string, ms: number): void {
    if (!Number.isFinite(ms)) return
    // The vendor tells when it arrived, by a clock of its own.
    const took = Math.max(0, ms)
    for (const key of [keyOf(provider, country), provider]) {
      const times = this.#times.use(key, () => ({ last: [], next: 0, patienceMs: undefined }))
      times.last[times.next] = took
      times.next = (times.next + 1) % KEPT
      times.patienceMs = undefined
    }
  }

  /**
   * How long to wait for word of a message before another is worth sending: by what is known of the country, else of
   * the provider, else 20 seconds.
   */
  patienceMs(provider: string, country: string): number {
    for (const key of [keyOf(provider, country), provider]) {
      const times = this.#times.peek(key)
      if (times && times.last.length >= ENOUGH) return (times.patienceMs ??= patienceOf(times.last))
    }
    return DEFAULT_MS
  }
}

function patienceOf(last: readonly number[]): number {
  const sorted = last.toSorted((a, b) => a - b)
  const p95 = sorted[Math.ceil(sorted.length * 0.95) - 1] ?? DEFAULT_MS
  return Math.min(MOST_MS, Math.max(LEAST_MS, 2 * p95))
}

function keyOf(provider: string, country: string): string {
  return `${provider}\n${country}`
}
