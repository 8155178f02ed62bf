import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Refusal, Sent } from '../../messaging/provider.ts'
import { systemClock, type Clock } from '../../primitives/clock.ts'

/** The longest pause between two tries; a longer `Retry-After` is handed back instead of waited for. */
const PAUSE_MAX_MS = 30_000

/** How often what a vendor did not take is tried again. */
export type RetrySettings = {
  /** Tries after the first, of requests that the vendor did not take. */
  readonly maxRetries: number
  /** The first back-off; it doubles with each try, up to 30 s, and a random share of it is waited. */
  readonly retryDelayMs: number
}

/** What a test replaces. */
export type RetryDeps = {
  readonly clock?: Clock
  /** A whole number from 0 to `max - 1`, for the jitter. */
  readonly randomInt?: (max: number) => number
  /** Resolves after `ms`; rejects when `signal` aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

/** What came of one try, and whether the same may be tried once more. */
export type Try<T> = { readonly outcome: T; readonly again: boolean; readonly afterSeconds?: number }

/** Tries again what the vendor surely did not take, and nothing else. */
export class Retries {
  readonly #settings: RetrySettings
  readonly #clock: Clock
  readonly #randomInt: (max: number) => number
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<unknown>

  constructor(settings: RetrySettings, deps: RetryDeps) {
    this.#settings = settings
    this.#clock = deps.clock ?? systemClock
    this.#randomInt = deps.randomInt ?? randomInt
    this.#sleep = deps.sleep ?? ((ms, signal) => sleep(ms, undefined, { signal }))
  }

  now(): number {
    return this.#clock.now()
  }

  /**
   * The outcome of the last try: one that may not be repeated, or the last that was allowed. Where it is `hurried`,
   * somebody else waits for a turn, and there is one try.
   */
  async run<T>(attempt: () => Promise<Try<T>>, signal: AbortSignal, hurried = false): Promise<T> {
    for (let retries = 0; ; retries++) {
      const { outcome, again, afterSeconds = 0 } = await attempt()
      if (!again || hurried || retries >= this.#settings.maxRetries) return outcome
      const pauseMs = this.#pauseMs(retries, afterSeconds)
      if (pauseMs > PAUSE_MAX_MS) return outcome
      try {
        await this.#sleep(pauseMs, signal)
      } catch {
        return outcome
      }
    }
  }

  /** A try that a vendor refused; `retryAfter` is the header as it came. */
  refused(why: Refusal, code: string, again: boolean, retryAfter?: string): Try<Sent> {
    const seconds = this.#secondsOf(retryAfter)
    if (seconds === undefined) return { outcome: { ok: false, why, code }, again }
    return { outcome: { ok: false, why, code, retryAfterSeconds: seconds }, again, afterSeconds: seconds }
  }

  /** Seconds or an HTTP date (RFC 9110 §10.2.3), as whole seconds from now; nothing where it is neither. */
  #secondsOf(header: string | undefined): number | undefined {
    if (header === undefined) return undefined
    if (/^\d{1,9}$/.test(header)) return Number(header)
    const atMs = Date.parse(header)
    return Number.isNaN(atMs) ? undefined : Math.max(0, Math.ceil((atMs - this.now()) / 1_000))
  }

  /** Full jitter over a doubling back-off, on top of what the vendor asked for. */
  #pauseMs(retries: number, afterSeconds: number): number {
    const backoffMs = Math.min(PAUSE_MAX_MS, this.#settings.retryDelayMs * 2 ** retries)
    return afterSeconds * 1_000 + this.#randomInt(Math.floor(backoffMs) + 1)
  }
}
