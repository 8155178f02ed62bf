import type { Tallies, Tally } from './tallies.ts'
import type { Reason } from './verification.ts'

/** Judged guesses in a window that are enough to say something. */
const ENOUGH = 20
/** Share of wrong ones from which it looks like guessing: people mistype far less. */
const SHARE = 0.8
const WINDOW_SECONDS = 10

const NONE: Tally = { judged: 0, wrong: 0 }

/**
 * Watches the share of wrong guesses over the whole service: a sprayer who tries one code on ten thousand numbers
 * stays under every limit of a number, and shows only here. Looks at the last ten seconds, over all processes that
 * share the store: spread over enough of them, an attack would stay under what each can judge by.
 */
export class WrongRateAlarm {
  readonly #tallies: Tallies
  readonly #changed: (on: boolean, wrong: number, judged: number) => void
  /** What this process has judged and not yet told the others. */
  #untold: Tally = NONE
  /** What all had told at the last tick. */
  #told: Tally = NONE
  #on = false

  constructor(tallies: Tallies, changed: (on: boolean, wrong: number, judged: number) => void) {
    this.#tallies = tallies
    this.#changed = changed
  }

  /** Counts a check; rings at once when what is known here is enough. */
  count(reason: Reason): void {
    if (reason !== 'wrong_code' && reason !== 'approved') return
    this.#untold = plus(this.#untold, { judged: 1, wrong: reason === 'wrong_code' ? 1 : 0 })
    const known = plus(this.#told, this.#untold)
    if (!this.#on && isHigh(known)) this.#set(true, known)
  }

  /**
   * Tells the others and hears them, so that all ring and stop together. Called every second; asks the store nothing
   * once nobody has judged anything for a window. Rejects when the store cannot be reached: what was not told is told
   * the next time, and should it have arrived all the same, counts twice.
   */
  async tick(): Promise<void> {
    const telling = this.#untold
    if (telling.judged === 0 && this.#told.judged === 0) return
    this.#told = await this.#tallies.add(telling, WINDOW_SECONDS)
    this.#untold = plus(this.#untold, { judged: -telling.judged, wrong: -telling.wrong })
    const known = plus(this.#told, this.#untold)
    if (this.#on !== isHigh(known)) this.#set(!this.#on, known)
  }

  #set(on: boolean, { judged, wrong }: Tally): void {
    this.#on = on
    this.#changed(on, wrong, judged)
  }
}

function plus(one: Tally, other: Tally): Tally {
  return { judged: one.judged + other.judged, wrong: one.wrong + other.wrong }
}

function isHigh({ judged, wrong }: Tally): boolean {
  return judged >= ENOUGH && wrong / judged >= SHARE
}
