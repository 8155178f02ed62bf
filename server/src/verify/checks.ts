import type { Taken } from '../limits/counters.ts'
import { giveBack, rateLimited, takeOrThrow } from '../limits/refusal.ts'
import { digestCode } from './codes.ts'
import { findFor, notFound, type VerifyDeps } from './deps.ts'
import { signProof } from './proof.ts'
import type { Caller } from './rules.ts'
import type { Verdict } from './store.ts'
import type { Reason, Verification } from './verification.ts'

/** What a check found; `proof` when approved. */
export type Checked = {
  readonly valid: boolean
  readonly reason: Reason
  readonly verification: Verification
  readonly proof?: string
}

/** Judges guesses. */
export class Checks {
  readonly #deps: VerifyDeps

  constructor(deps: VerifyDeps) {
    this.#deps = deps
  }

  async check(id: string, code: string, caller: Caller): Promise<Checked> {
    const { store, counters, keys, rules, settings } = this.#deps
    const verification = await findFor(store, id, caller)
    const isTest = verification !== undefined && settings.testNumbers.has(verification.to)
    // An id that never was costs the address a check too.
    const taken = isTest ? undefined : await takeOrThrow(counters, rules.check(caller))
    if (!verification) throw notFound()
    // A verification made under a secret that is no longer known cannot be approved; the guess still counts.
    const made = keys.byId.get(verification.keyId) ?? keys.current
    const verdict = await store.judge({
      verification,
      digest: digestCode(made, id, code),
      ...(isTest ? {} : { budget: rules.wrongChecks }),
    })
    await this.#giveBackUnlessWrong(verdict, taken, caller)
    return this.#answer(verdict)
  }

  /** Only a wrong guess is charged to the address. */
  async #giveBackUnlessWrong(verdict: Verdict, taken: Taken | undefined, caller: Caller): Promise<void> {
    if (verdict.reason === 'wrong_code' || caller.address === undefined) return
    await giveBack(this.#deps.counters, taken, [this.#deps.rules.wrongKey(caller.address)])
  }

  #answer(verdict: Verdict): Checked {
    const { keys, settings, clock, rules } = this.#deps
    if (verdict.reason === 'budget_spent') {
      const { retryAfterSeconds } = verdict
      throw rateLimited({ ok: false, rule: rules.wrongChecks, retryAfterSeconds })
    }
    const { reason, verification } = verdict
    if (reason !== 'approved') return { valid: false, reason, verification }
    const proof = signProof(keys, settings.issuer, verification, clock.now())
    return { valid: true, reason, verification, proof }
  }
}
