import type { Draft, Guess, Verdict } from '../../src/verify/store.ts'
import type { Verification } from '../../src/verify/verification.ts'
import { describeVerifyStore } from '../conformance/verify-store.ts'
import type { FakeClock } from '../fake-clock.ts'
import { MemoryVerifyStore, type Row } from './memory-verify-store.ts'
import { moment } from './moment.ts'

// Twins of a store that is right, each with one step made wrong the way known code bases have it. The suite must
// fail for each; `broken-twins.test.ts` says with which tests.

/** Reads, waits as a driver does, compares, and writes what it had read plus one (better-auth #8067, Supabase #2819). */
class ReadThenWrite extends MemoryVerifyStore {
  override async judge(guess: Guess): Promise<Verdict | undefined> {
    const row = this.rows.get(guess.id)
    if (row?.service !== guess.service) return undefined
    const refusal = this.refusal(row, guess)
    if (refusal) return refusal
    const { guesses } = row
    await moment()
    row.guesses = guesses
    return this.decide(row, guess)
  }
}

/** Tells every caller that it was he who canceled ("found rows" counted as changed, Keycloak CVE-2026-90997). */
class AlwaysCanceled extends MemoryVerifyStore {
  override async cancel(id: string): Promise<{ canceled: boolean; verification: Verification }> {
    const { verification } = this.end(id, 'canceled')
    return { canceled: true, verification }
  }
}

/** Looks for a pending one, waits, and inserts all the same. */
class NotUnique extends MemoryVerifyStore {
  override async open(draft: Draft): Promise<{ opened: boolean; verification: Verification }> {
    const pending = this.pendingNow(draft.service, draft.to, draft.purpose)
    if (pending) return { opened: false, verification: pending }
    await moment()
    return { opened: true, verification: this.insert(draft) }
  }
}

/** A new verification comes with a new budget (better-auth #11162, Kratos #4606). */
class FreshBudget extends MemoryVerifyStore {
  protected override insert(draft: Draft): Verification {
    this.budgets.delete(draft.to)
    return super.insert(draft)
  }
}

/** A resend comes with new guesses. */
class FreshGuesses extends MemoryVerifyStore {
  override async resend(...args: Parameters<MemoryVerifyStore['resend']>) {
    const answer = await super.resend(...args)
    if (answer.refused === null) this.mustFind(args[0]).guesses = 0
    return answer
  }
}

/** Leaves expiry to a sweeper that has not come by yet. */
class LateReaper extends MemoryVerifyStore {
  protected override statusOf(row: Parameters<MemoryVerifyStore['statusOf']>[0]) {
    return row.status
  }
}

/** Does not consume the code (ASVS 6.5.1). */
class NotConsumed extends MemoryVerifyStore {
  protected override decide(...args: Parameters<MemoryVerifyStore['decide']>): Verdict {
    const verdict = super.decide(...args)
    if (verdict.reason === 'approved') args[0].status = 'pending'
    return verdict
  }
}

/** Looks whether it may approve, waits, and approves. */
class LookThenApprove extends MemoryVerifyStore {
  override async approve(id: string): Promise<{ approved: boolean; verification: Verification }> {
    const row = this.mustFind(id)
    const { status } = row
    await moment()
    row.status = status
    return super.approve(id)
  }
}

/** What the vendor says counts, whatever became of the verification. */
class ApprovesEnded extends MemoryVerifyStore {
  protected override mayApprove(row: Row): boolean {
    return row.status !== 'approved'
  }
}

/** The last guess is wrong for ever, although the vendor says it was right. */
class LockedForEver extends MemoryVerifyStore {
  protected override mayApprove(row: Row): boolean {
    return row.status === 'pending'
  }
}

/** Asks whether there is time, when the guess has been judged already. */
class ApprovesInTime extends MemoryVerifyStore {
  protected override mayApprove(row: Row): boolean {
    return super.mayApprove(row) && this.statusOf(row) !== 'expired'
  }
}

/** A right guess at a vendor that owns the code costs the number a wrong one. */
class GuessKept extends MemoryVerifyStore {
  protected override giveBack(): void {}
}

/** Gives back every guess, so that one that is right makes room for twenty that are not. */
class BudgetFreed extends MemoryVerifyStore {
  protected override giveBack(to: string): void {
    this.budgets.delete(to)
  }
}

/** Gives back the guess that would have been forgotten next. */
class OldestBack extends MemoryVerifyStore {
  protected override giveBack(to: string): void {
    this.budgets.get(to)?.pop()
  }
}

/** Joins the number's budget, so that without one nothing is approved. */
class NeedsBudget extends MemoryVerifyStore {
  protected override mayApprove(row: Row): boolean {
    return super.mayApprove(row) && this.budgets.has(row.to)
  }
}

/** Lets nobody but the clock say when a message may be sent again. */
class NeverEarly extends MemoryVerifyStore {
  override resend(id: string, { early, ...again }: Parameters<MemoryVerifyStore['resend']>[1]) {
    return super.resend(id, again)
  }
}

/** What is sent early is sent without end. */
class EarlyIsFree extends MemoryVerifyStore {
  override async resend(...args: Parameters<MemoryVerifyStore['resend']>) {
    const [id, again] = args
    const row = this.mustFind(id)
    if (again.early === true) row.sends = Math.min(row.sends, row.sendsMax - 1)
    return super.resend(...args)
  }
}

/** Looks whether it may accept, waits, and accepts. */
class LookThenAccept extends MemoryVerifyStore {
  override async accept(id: string): Promise<{ accepted: boolean; verification: Verification }> {
    const row = this.mustFind(id)
    if (!this.mayAccept(row)) return super.accept(id)
    await moment()
    row.status = 'pending'
    return super.accept(id)
  }
}

/** What the tenant says counts, whatever became of the verification. */
class AcceptsEnded extends MemoryVerifyStore {
  protected override mayAccept(row: Row): boolean {
    return row.status !== 'approved'
  }
}

/** Does not ask whether there is time. */
class AcceptsLate extends MemoryVerifyStore {
  protected override mayAccept(row: Row): boolean {
    return row.status === 'pending'
  }
}

/** Does as if a vendor had said that the guess was right. */
class AcceptsTheGuess extends MemoryVerifyStore {
  override accept(id: string): Promise<{ accepted: boolean; verification: Verification }> {
    const row = this.mustFind(id)
    if (this.mayAccept(row)) this.giveBack(row.to)
    return super.accept(id)
  }
}

/** Keeps nothing of what the tenant has said. */
class TermsForgotten extends MemoryVerifyStore {
  protected override insert(draft: Draft): Verification {
    return super.insert({ ...draft, terms: null })
  }
}

/** Tells it to whoever opens, and not to whoever judges. */
class TermsNotJudged extends MemoryVerifyStore {
  protected override decide(...args: Parameters<MemoryVerifyStore['decide']>): Verdict {
    const verdict = super.decide(...args)
    if (verdict.reason === 'budget_spent') return verdict
    return { ...verdict, verification: { ...verdict.verification, terms: null } }
  }
}

const STORES: Record<string, new (clock: FakeClock) => MemoryVerifyStore> = {
  right: MemoryVerifyStore,
  'read-then-write': ReadThenWrite,
  'always-canceled': AlwaysCanceled,
  'not-unique': NotUnique,
  'fresh-budget': FreshBudget,
  'fresh-guesses': FreshGuesses,
  'late-reaper': LateReaper,
  'not-consumed': NotConsumed,
  'look-then-approve': LookThenApprove,
  'approves-ended': ApprovesEnded,
  'locked-for-ever': LockedForEver,
  'approves-in-time': ApprovesInTime,
  'guess-kept': GuessKept,
  'budget-freed': BudgetFreed,
  'oldest-back': OldestBack,
  'needs-a-budget': NeedsBudget,
  'never-early': NeverEarly,
  'early-is-free': EarlyIsFree,
  'look-then-accept': LookThenAccept,
  'accepts-ended': AcceptsEnded,
  'accepts-late': AcceptsLate,
  'accepts-the-guess': AcceptsTheGuess,
  'terms-forgotten': TermsForgotten,
  'terms-not-judged': TermsNotJudged,
}

for (const [name, Store] of Object.entries(STORES)) {
  describeVerifyStore(name, async (clock) => {
    const verifications = new Store(clock)
    return { verifications, reopen: async () => verifications, close: async () => {} }
  })
}
