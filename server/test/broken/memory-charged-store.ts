import type { Counters, Refused, Rule, Taken } from '../../src/limits/counters.ts'
import type { Clock } from '../../src/primitives/clock.ts'
import { MemoryCounters } from '../../src/stores/memory/counters.ts'
import type { Charge, ChargedOpening, Draft } from '../../src/verify/store.ts'
import { MemoryVerifyStore } from './memory-verify-store.ts'

/** A verify store in memory that charges, and is right because openings wait for each other. */
export class MemoryChargedStore extends MemoryVerifyStore {
  readonly counters: Counters
  readonly charged: {
    readonly counters: Counters
    open(draft: Draft, charge: Charge): Promise<ChargedOpening>
  }
  #last: Promise<unknown> = Promise.resolve()

  constructor(clock: Clock, counters: Counters = new MemoryCounters(clock)) {
    super(clock)
    this.counters = counters
    this.charged = { counters, open: (draft, charge) => this.alone(() => this.openCharged(draft, charge)) }
  }

  protected alone<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(step)
    this.#last = turn
    return turn
  }

  protected async openCharged(draft: Draft, charge: Charge): Promise<ChargedOpening> {
    const pending = this.pendingNow(draft.service, draft.to, draft.purpose)
    if (pending) return { refused: null, opened: false, verification: pending, taken: undefined }
    const taken = await this.take(draft, charge)
    return taken.ok ? this.openTaken(draft, taken) : { refused: taken }
  }

  protected async take(draft: Draft, charge: Charge): Promise<Taken | Refused> {
    const { approvedAt } = await this.situation(draft.service, draft.to, draft.purpose)
    if (approvedAt === undefined) return this.counters.take(charge.counters)
    const since = (rule: Rule) => (this.isEnded(rule, charge) ? { ...rule, since: approvedAt } : rule)
    return this.counters.take(charge.counters.map(({ key, rules }) => ({ key, rules: rules.map(since) })))
  }

  protected async openTaken(draft: Draft, taken: Taken): Promise<ChargedOpening> {
    return { refused: null, ...(await this.open(draft)), taken }
  }

  /** Whether an approval of the number makes this rule forget the hits before. */
  protected isEnded(rule: Rule, charge: Charge): boolean {
    return rule.name === charge.endedByApproval
  }
}
