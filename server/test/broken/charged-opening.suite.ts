import type { Counter, Refused, Taken } from '../../src/limits/counters.ts'
import { waitSeconds } from '../../src/limits/window.ts'
import type { Clock } from '../../src/primitives/clock.ts'
import { MemoryCounters } from '../../src/stores/memory/counters.ts'
import type { Charge, ChargedOpening, Draft } from '../../src/verify/store.ts'
import { describeChargedOpening } from '../conformance/charged-opening.ts'
import type { FakeClock } from '../fake-clock.ts'
import { GetThenSet } from './get-then-set.ts'
import { MemoryChargedStore } from './memory-charged-store.ts'
import { PartialTake } from './partial-take.ts'

// Twins of a store that charges right, each with one step made wrong. See `verify-store.suite.ts`.

/** Takes, opens and gives back one after the other, so that others meet hits that will be given back. */
class StepByStep extends MemoryChargedStore {
  protected override alone<T>(step: () => Promise<T>): Promise<T> {
    return step()
  }

  protected override async openTaken(draft: Draft, taken: Taken): Promise<ChargedOpening> {
    const opening = await this.open(draft)
    if (opening.opened) return { refused: null, ...opening, taken }
    await this.counters.give(taken)
    return { refused: null, ...opening, taken: undefined }
  }
}

/** The same, and does not give back where another start was first. */
class HitKept extends StepByStep {
  protected override async openTaken(draft: Draft, taken: Taken): Promise<ChargedOpening> {
    return { refused: null, ...(await this.open(draft)), taken }
  }
}

/** Looks whether there is room, and counts later what it has seen (hono-rate-limiter #68, boulder #7780). */
class LookThenCharge extends StepByStep {
  constructor(clock: Clock) {
    super(clock, new GetThenSet(clock))
  }
}

/** Counts one counter after the other, and leaves what it has counted when a later one refuses. */
class PartlyCharged extends MemoryChargedStore {
  constructor(clock: Clock) {
    super(clock, new PartialTake(clock))
  }
}

/** Charges first, and then finds that it was pending. */
class PendingPays extends MemoryChargedStore {
  protected override async openCharged(draft: Draft, charge: Charge): Promise<ChargedOpening> {
    const taken = await this.take(draft, charge)
    return taken.ok ? this.openTaken(draft, taken) : { refused: taken }
  }
}

/** Opens, then asks whether it may, and leaves it open. */
class OpensFirst extends MemoryChargedStore {
  protected override async openCharged(draft: Draft, charge: Charge): Promise<ChargedOpening> {
    const { opened, verification } = await this.open(draft)
    if (!opened) return { refused: null, opened, verification, taken: undefined }
    const taken = await this.take(draft, charge)
    return taken.ok ? { refused: null, opened, verification, taken } : { refused: taken }
  }
}

/** Does not tell what it has taken, so that a message that no provider took is paid for. */
class TakenNotTold extends MemoryChargedStore {
  protected override async openTaken(draft: Draft): Promise<ChargedOpening> {
    return { refused: null, ...(await this.open(draft)), taken: undefined }
  }
}

/** Whoever has just proved the number waits all the same. */
class WaitStays extends MemoryChargedStore {
  protected override isEnded(): boolean {
    return false
  }
}

/** Believes an approval that has not been yet. */
class FromTheFuture extends MemoryChargedStore {
  protected override isPast(): boolean {
    return true
  }
}

/** An approval ends every limit: one phone at hand is messages without end. */
class ApprovalEndsAll extends MemoryChargedStore {
  protected override isEnded(): boolean {
    return true
  }
}

/** Names the first rule that refuses, so that a caller who waits for it is refused again. */
class FirstRule extends MemoryChargedStore {
  constructor(clock: Clock) {
    super(clock, new FirstRuleCounters(clock))
  }
}

class FirstRuleCounters extends MemoryCounters {
  readonly #clock: Clock

  constructor(clock: Clock) {
    super(clock)
    this.#clock = clock
  }

  override async take(counters: readonly Counter[]): Promise<Taken | Refused> {
    const taken = await super.take(counters)
    const first = (await this.peek(counters)).find(({ remaining }) => remaining === 0)
    if (taken.ok || !first) return taken
    const retryAfterSeconds = waitSeconds(first.resetsAt, this.#clock.now())
    return { ok: false, rule: first.rule, retryAfterSeconds }
  }
}

const STORES: Record<string, new (clock: FakeClock) => MemoryChargedStore> = {
  right: MemoryChargedStore,
  'step-by-step': StepByStep,
  'hit-kept': HitKept,
  'look-then-charge': LookThenCharge,
  'partly-charged': PartlyCharged,
  'pending-pays': PendingPays,
  'opens-first': OpensFirst,
  'taken-not-told': TakenNotTold,
  'wait-stays': WaitStays,
  'from-the-future': FromTheFuture,
  'approval-ends-all': ApprovalEndsAll,
  'first-rule': FirstRule,
}

for (const [name, Store] of Object.entries(STORES)) {
  describeChargedOpening(name, async (clock) => {
    const verifications = new Store(clock)
    return { verifications, counters: verifications.counters, close: async () => {} }
  })
}
