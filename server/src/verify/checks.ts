import type { Taken } from '../limits/counters.ts'
import { giveBack, rateLimited, takeOrThrow } from '../limits/refusal.ts'
import type { Send } from '../messaging/store.ts'
import { CountersignError } from '../primitives/errors.ts'
import { isId } from '../primitives/ids.ts'
import type { SecretKeys } from '../primitives/secrets.ts'
import { digestCode } from './codes.ts'
import { findFor, notFound, type VerifyDeps } from './deps.ts'
import { signProof } from './proof.ts'
import { type Caller, returnable } from './rules.ts'
import type { Verdict } from './store.ts'
import { bindingOf, hasOwnCode, type TermsRequest } from './terms.ts'
import { type Purpose, type Reason, reasonOfEnded, type Verification } from './verification.ts'

/** What a check found; `proof` when approved, signed when it is asked for. */
export type Checked = {
  readonly valid: boolean
  readonly reason: Reason
  readonly verification: Verification
  /** Its sends, where the store told them with the verdict. */
  readonly sends?: readonly Send[]
  readonly proof?: string
}

/** What is paid and to whom, where a code is good for that alone: another amount or payee makes the guess a wrong one. */
export type Paid = Pick<TermsRequest, 'amount' | 'payee'>

/** Judges guesses. */
export class Checks {
  readonly #deps: VerifyDeps
  readonly #testNumbers: readonly string[]
  /** A verification made under a secret that is no longer known matches none of these; its guesses still count. */
  readonly #allKeys: readonly SecretKeys[]

  constructor(deps: VerifyDeps) {
    this.#deps = deps
    this.#testNumbers = [...deps.settings.testNumbers.keys()]
    this.#allKeys = [...deps.keys.byId.values()]
  }

  async check(id: string, code: string, caller: Caller, paid?: Paid): Promise<Checked> {
    const { store } = this.#deps
    const taken = await this.#charge(caller, async () => {
      const found = await findFor(store, id, caller)
      return found !== undefined && this.#isTest(found)
    })
    return this.#judge(id, { code, paid }, caller, taken)
  }

  /** Judges a guess for the pending, or else the newest verification of a number and purpose. */
  async checkByNumber(
    { to, purpose, code, paid }: { to: string; purpose: Purpose; code: string; paid?: Paid | undefined },
    caller: Caller,
  ): Promise<Checked> {
    const taken = await this.#charge(caller, async () => this.#testNumbers.includes(to))
    const { current } = await this.#deps.store.situation(caller.service, to, purpose)
    if (!current) throw notFound()
    return this.#judge(current.id, { code, paid }, caller, taken)
  }

  async #judge(
    id: string,
    { code, paid }: { readonly code: string; readonly paid: Paid | undefined },
    caller: Caller,
    taken: Taken | undefined,
  ): Promise<Checked> {
    const { store, rules } = this.#deps
    const guess = {
      id,
      service: caller.service,
      digests: this.#allKeys.map((made) => digestCode(made, id, code, bindingOf(paid))),
      budget: rules.wrongChecks,
      unlimited: this.#testNumbers,
    }
    const judged = isId('ver_', id) ? await store.judge(guess) : undefined
    // An id that never was costs the address a check too.
    if (!judged) throw notFound()
    const verdict = await this.#ruled(judged, code)
    if (verdict.judged && verdict.verification.status !== 'pending')
      await this.#deps.onChange?.(verdict.verification)
    await this.#giveBack(verdict, taken, caller)
    return this.#answer(verdict)
  }

  /** Counts a check on the caller's address. A test number has no limits, so its checks pass where others are refused. */
  async #charge(caller: Caller, isTest: () => Promise<boolean>): Promise<Taken | undefined> {
    const { counters, rules } = this.#deps
    try {
      return await takeOrThrow(counters, rules.check(caller))
    } catch (error) {
      if (this.#testNumbers.length === 0 || !(await isTest())) throw error
      return undefined
    }
  }

  /**
   * Where a vendor owns the code it has the last word on a guess that is not ours: it is asked after the guess has been
   * counted, so that it is never asked more often than a verification has guesses.
   */
  async #ruled(verdict: Verdict, code: string): Promise<Verdict> {
    const { messenger, store, settings } = this.#deps
    if (verdict.reason !== 'wrong_code' || !messenger.hasCodeOwner) return verdict
    const { verification } = verdict
    if (settings.fixedCode(verification) !== undefined || hasOwnCode(verification.terms)) return verdict
    const sends = verdict.sends ?? (await messenger.sendsOf(verification.id))
    const owner = messenger.codeOwner(sends)
    if (owner === undefined) return verdict
    const ruling = await messenger.check(owner, code)
    if (ruling === 'wrong') return verdict
    if (ruling === 'unavailable') throw checkUnavailable(verification.id)
    const { approved, verification: now } = await store.approve(verification.id)
    if (approved) return { judged: true, reason: 'approved', verification: now, sends }
    if (now.status === 'pending') throw new Error('a right code did not approve')
    return { judged: false, reason: reasonOfEnded(now.status), verification: now, sends }
  }

  /** Only a wrong guess is charged to the address as wrong, and nothing for a test number. */
  async #giveBack(verdict: Verdict, taken: Taken | undefined, caller: Caller): Promise<void> {
    const { counters, rules } = this.#deps
    if (verdict.reason !== 'budget_spent' && this.#isTest(verdict.verification)) {
      return giveBack(counters, returnable(taken, caller))
    }
    if (verdict.reason === 'wrong_code' || caller.address === undefined) return
    await giveBack(counters, taken, [rules.wrongKey(caller.address)])
  }

  #isTest({ to }: Verification): boolean {
    return this.#deps.settings.testNumbers.has(to)
  }

  #answer(verdict: Verdict): Checked {
    const { keys, settings, clock, rules } = this.#deps
    if (verdict.reason === 'budget_spent') {
      const { retryAfterSeconds } = verdict
      throw rateLimited({ ok: false, rule: rules.wrongChecks, retryAfterSeconds })
    }
    const { judged: _judged, ...found } = verdict
    if (found.reason !== 'approved') return { valid: false, ...found }
    return {
      valid: true,
      ...found,
      // Not for everybody who checks a code.
      get proof() {
        return signProof(keys, settings.issuer, found.verification, clock.now())
      },
    }
  }
}

/** The vendor that owns the code did not answer: the guess is counted, and nothing is approved. */
function checkUnavailable(verificationId: string): CountersignError {
  const detail = 'The code cannot be checked at the moment'
  return new CountersignError('delivery_unavailable', detail, { verificationId, retryAfterSeconds: 1 })
}
