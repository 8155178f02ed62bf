import type { Clock } from '../primitives/clock.ts'
import type { Reason } from './verification.ts'

/** Judged guesses in a window that are enough to say something. */
const ENOUGH = 20
/** Share of wrong ones from which it looks like guessing: people mistype far less. */
const SHARE = 0.8
const WINDOW_MS = 10_000

/**
 * Watches the share of wrong guesses over the whole service: a sprayer who tries one code on ten thousand numbers
 * stays under every limit of a number, and shows only here. Looks at windows of ten seconds, by this process's own
 * checks.
 */
export class WrongRateAlarm {
  readonly #clock: Clock
  readonly #changed: (on: boolean, wrong: number, judged: number) => void
  #windowStart = 0
  #wrong = 0
  #right = 0
  #on = false

  constructor(clock: Clock, changed: (on: boolean, wrong: number, judged: number) => void) {
    this.#clock = clock
    this.#changed = changed
  }

  /** Counts a check; rings within the window that the share is passed in. */
  count(reason: Reason): void {
    this.tick()
    if (reason === 'wrong_code') this.#wrong++
    else if (reason === 'approved') this.#right++
    if (!this.#on && this.#isHigh()) this.#set(true)
  }

  /** Ends a window whose time is over; called by a timer too, so that the alarm stops when the guesses do. */
  tick(): void {
    const now = this.#clock.now()
    if (now - this.#windowStart < WINDOW_MS && now >= this.#windowStart) return
    if (this.#on && !this.#isHigh()) this.#set(false)
    this.#windowStart = now
    this.#wrong = 0
    this.#right = 0
  }

  #isHigh(): boolean {
    const judged = this.#wrong + this.#right
    return judged >= ENOUGH && this.#wrong / judged >= SHARE
  }

  #set(on: boolean): void {
    this.#on = on
    this.#changed(on, this.#wrong, this.#wrong + this.#right)
  }
}
