/** Tells the time. Domains and stores take one, so that a test can stop it or move it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
}

/** The machine's own clock. */
export const systemClock: Clock = { now: () => Date.now() }

const SYNC_EVERY_MS = 1_000
/** An answer that took longer says too little about the time. */
const ROUND_TRIP_MAX_MS = 1_000
/** By how much two clocks may run apart in a second, in milliseconds. */
const DRIFT_MS = 0.5

/**
 * Another machine's clock, asked once a second and carried on in between by this process's monotonic clock: what
 * this machine takes for the time of day, and what becomes of that, changes nothing. It is right to half a round
 * trip, the shortest of late: a slow answer changes nothing that it does not contradict. While nobody answers it goes
 * on by itself.
 */
export class SyncedClock implements Clock {
  readonly #read: () => Promise<number>
  #offsetMs: number
  /** How far the offset may be from the truth, at `#syncedAt`. */
  #errorMs = Infinity
  #syncedAt = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  private constructor(read: () => Promise<number>) {
    this.#read = read
    this.#offsetMs = Number.NaN
  }

  /** Asks for the time and resolves when it is known; rejects when nobody tells it. */
  static async start(read: () => Promise<number>): Promise<SyncedClock> {
    const clock = new SyncedClock(read)
    await clock.#sync()
    if (Number.isNaN(clock.#offsetMs)) await clock.#sync(Infinity)
    const again = () => {
      if (clock.#stopped) return
      const next = () =>
        clock
          .#sync()
          .catch(() => {})
          .then(again)
      clock.#timer = setTimeout(() => void next(), SYNC_EVERY_MS).unref()
    }
    again()
    return clock
  }

  now(): number {
    return Math.round(performance.now() + this.#offsetMs)
  }

  /** Asks no more. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #sync(roundTripMaxMs = ROUND_TRIP_MAX_MS): Promise<void> {
    const asked = performance.now()
    const time = await this.#read()
    const answered = performance.now()
    if (answered - asked > roundTripMaxMs) return
    const [offsetMs, errorMs] = [time - (asked + answered) / 2, (answered - asked) / 2]
    const known = this.#errorMs + ((answered - this.#syncedAt) / 1_000) * DRIFT_MS
    // Further apart than both can be wrong: the other clock was set.
    const isSet = Math.abs(offsetMs - this.#offsetMs) > errorMs + known + 1
    if (!isSet && errorMs > known) return
    this.#offsetMs = offsetMs
    this.#errorMs = errorMs
    this.#syncedAt = answered
  }
}
