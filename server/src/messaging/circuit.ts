import { type Dice, fractionOf } from './dice.ts'

/** `closed`: calls go through; `open`: none does; `half_open`: one is on its way that decides. */
export type CircuitState = 'closed' | 'open' | 'half_open'

/** What a circuit says to a call: go, go as the one that tries, or do not. */
export type Permission = 'closed' | 'probe' | 'open'

const FIRST_MS = 2_000
const LONGEST_MS = 60_000
/** Closed for so long, it starts with the shortest period again. Less would let a flapping provider be stormed. */
const HEALTHY_MS = 60_000
/** A vendor that asks for more is asked again then: it may have been a mistake, and one message finds out. */
const RETRY_AFTER_MAX_MS = 300_000
/** A probe that has not reported by then has been lost; callers give up sooner. */
const PROBE_MS = 30_000
/** What was learnt from the last call says nothing any more. */
const OLD_MS = 600_000

/**
 * One circuit: open for a time that doubles, then one probe, whose word closes or opens it again. When to open it
 * somebody else decides, by {@link Circuit.open}. It never waits and holds no timer: times come with each call.
 */
export class Circuit {
  readonly #random: Dice
  readonly #changed: (state: CircuitState) => void
  #state: CircuitState = 'closed'
  #turn = 0
  #periodMs = 0
  /** Since when it is closed, until when it is open, or since when a probe is on its way. */
  #at = -Infinity

  constructor(random: Dice, changed: (state: CircuitState) => void) {
    this.#random = random
    this.#changed = changed
  }

  get state(): CircuitState {
    return this.#state
  }

  /** Another with each change: the word of a call counts only in the turn in which it began. */
  get turn(): number {
    return this.#turn
  }

  /** Looks what a call would be told; changes nothing. */
  ask(now: number): Permission {
    if (this.#state === 'closed') return 'closed'
    return this.waitMs(now) === 0 ? 'probe' : 'open'
  }

  /** Begins a call that {@link ask} lets through, and gives its turn. From now on a probe is the only one. */
  begin(now: number): number {
    if (this.#state !== 'closed') this.#change('half_open', now)
    return this.#turn
  }

  /** Milliseconds until a call may go through. */
  waitMs(now: number): number {
    if (this.#state === 'closed') return 0
    return Math.max(0, (this.#state === 'open' ? this.#at : this.#at + PROBE_MS) - now)
  }

  /** Whether a call could have gone through for so long that nobody seems to want one. */
  isOld(now: number): boolean {
    return this.#state !== 'closed' && now - this.#at >= OLD_MS
  }

  /** The probe got through, or what is known is old. */
  close(now: number): void {
    this.#change('closed', now)
  }

  /** Opens it, or opens it again, for at least so long. */
  open(now: number, atLeastMs: number): void {
    const wasHealthy = this.#state === 'closed' && now - this.#at >= HEALTHY_MS
    this.#periodMs = wasHealthy ? FIRST_MS : Math.min(this.#periodMs * 2, LONGEST_MS)
    // Processes that saw the same outage do not come back in the same moment.
    const ms = Math.round(this.#periodMs * (0.75 + 0.25 * fractionOf(this.#random)))
    this.#change('open', now + Math.max(ms, Math.min(atLeastMs, RETRY_AFTER_MAX_MS)))
  }

  /** The probe has told nothing: the next call is one. */
  again(now: number): void {
    this.#change('open', now)
  }

  #change(state: CircuitState, at: number): void {
    const isOther = state !== this.#state
    this.#state = state
    this.#at = at
    this.#turn += 1
    if (isOther) this.#changed(state)
  }
}
