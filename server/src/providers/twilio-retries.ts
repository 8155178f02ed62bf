import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sent } from '../messaging/provider.ts'
import { systemClock, type Clock } from '../primitives/clock.ts'
import type { TwilioAccount } from './twilio-account.ts'
import { TwilioFailure } from './twilio-failure.ts'

/** The longest pause between two tries; a longer `Retry-After` is handed back instead of waited for. */
const PAUSE_MAX_MS = 30_000

/** What a test replaces. */
export type TwilioDeps = {
  readonly clock?: Clock
  /** A whole number from 0 to `max - 1`, for the jitter. */
  readonly randomInt?: (max: number) => number
  /** Resolves after `ms`; rejects when `signal` aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

/** What came of one try, and whether the same may be tried once more. */
export type Try<T> = { readonly outcome: T; readonly again: boolean; readonly afterSeconds?: number }

/** Tries again what Twilio surely did not take, and nothing else. */
export class Retries {
  readonly #account: TwilioAccount
  readonly #clock: Clock
  readonly #randomInt: (max: number) => number
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<unknown>

  constructor(account: TwilioAccount, deps: TwilioDeps) {
    this.#account = account
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
      if (!again || hurried || retries >= this.#account.maxRetries) return outcome
      const pauseMs = this.#pauseMs(retries, afterSeconds)
      if (pauseMs > PAUSE_MAX_MS) return outcome
      try {
        await this.#sleep(pauseMs, signal)
      } catch {
        return outcome
      }
    }
  }

  /** What an error of the SDK says of a message that was to be sent. */
  refusalOf(error: unknown): Try<Sent> {
    // Not from our client: the SDK could not read an answer that said the message was taken.
    if (!(error instanceof TwilioFailure)) {
      return { outcome: { ok: false, why: 'unknown', code: 'sdk' }, again: false }
    }
    const { why, code, again, retryAfter } = error
    const seconds = retryAfterSeconds(retryAfter, this.#clock.now())
    if (seconds === undefined) return { outcome: { ok: false, why, code }, again }
    return { outcome: { ok: false, why, code, retryAfterSeconds: seconds }, again, afterSeconds: seconds }
  }

  /** Full jitter over a doubling back-off, on top of what Twilio asked for. */
  #pauseMs(retries: number, afterSeconds: number): number {
    const backoffMs = Math.min(PAUSE_MAX_MS, this.#account.retryDelayMs * 2 ** retries)
    return afterSeconds * 1_000 + this.#randomInt(Math.floor(backoffMs) + 1)
  }
}

/** Seconds or an HTTP date (RFC 9110 §10.2.3), as whole seconds from now; nothing where it is neither. */
function retryAfterSeconds(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header)
  const atMs = Date.parse(header)
  return Number.isNaN(atMs) ? undefined : Math.max(0, Math.ceil((atMs - nowMs) / 1_000))
}
