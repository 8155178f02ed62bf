import type { Rule } from '../../limits/counters.ts'
import { refusing, stateOf, waitSeconds } from '../../limits/window.ts'
import type { Clock } from '../../primitives/clock.ts'
import type { MongoDatabase, Step } from './database.ts'
import { HitLogs } from './hit-logs.ts'

/** What came of asking for a place in a number's budget. */
export type Place =
  | { readonly state: 'held'; readonly hit: number }
  /** No room, but somebody who is being judged right now may give some back. */
  | { readonly state: 'busy' | 'spent'; readonly retryAfterSeconds: number }

/**
 * The wrong guesses of numbers. A guess takes a place before it is judged, whether it is right or wrong, so that no
 * more guesses are under way than the budget has room for; one that was not wrong gives its place back. Whoever dies in
 * between has spent it.
 */
export class GuessBudgets {
  readonly #clock: Clock
  readonly #logs: HitLogs

  constructor(db: MongoDatabase, clock: Clock) {
    this.#clock = clock
    this.#logs = new HitLogs(db.collection('guess_budgets'))
  }

  /** Takes a place for a guess that is about to be judged. */
  async reserve(step: Step, phone: string, rule: Rule): Promise<Place> {
    for (;;) {
      const hit = this.#logs.label(this.#clock.now())
      if (await step(() => this.#logs.add(phone, [rule], hit, true))) return { state: 'held', hit }
      const { hits, isOpen } = await this.#read(step, phone)
      const now = this.#clock.now()
      const refused = refusing([rule], hits, now)
      // Somebody gave a place back meanwhile, or had this very label.
      if (!refused) continue
      return { state: isOpen ? 'busy' : 'spent', retryAfterSeconds: waitSeconds(refused.at, now) }
    }
  }

  /** Says of a place whether it was needed: it was by a wrong guess. */
  settle(phone: string, hit: number, wasWrong: boolean): Promise<void> {
    return wasWrong ? this.#logs.keep([phone], hit) : this.#logs.remove([phone], hit)
  }

  /** Takes the newest wrong guess back, which was right after all. */
  giveBack(phone: string): Promise<void> {
    return this.#logs.removeNewest(phone)
  }

  async state(step: Step, phone: string, rule: Rule): Promise<{ remaining: number; resetsAt: number }> {
    const { hits } = await this.#read(step, phone)
    const now = this.#clock.now()
    const [state] = stateOf([rule], hits, now)
    return { remaining: state?.remaining ?? rule.limit, resetsAt: state?.resetsAt ?? now }
  }

  async #read(step: Step, phone: string) {
    const logs = await step(() => this.#logs.read([phone], () => this.#clock.now()))
    return logs(phone)
  }
}
