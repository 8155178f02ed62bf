import type { RuleState } from '../limits/counters.ts'
import { peekOrThrow } from '../limits/refusal.ts'
import type { Channel } from '../messaging/provider.ts'
import { isId } from '../primitives/ids.ts'
import { parsePhone } from '../primitives/phone.ts'
import { type Checked, Checks, type Paid } from './checks.ts'
import { codeOf, ended, mustFind, type VerifyDeps } from './deps.ts'
import type { Caller } from './rules.ts'
import { CodeDelivery, type Started } from './code-delivery.ts'
import { LostSends } from './lost-sends.ts'
import { type StartRequest, Starts } from './starts.ts'
import type { Purpose, Status, Verification } from './verification.ts'

/** A backend that names no end user: the default of every call made in the same process. */
export const BACKEND: Caller = { service: 'default', publishable: false }

/** Proves that people control phone numbers. */
export class Verifier {
  readonly #deps: VerifyDeps
  readonly #starts: Starts
  readonly #lost: LostSends
  readonly #checks: Checks

  constructor(deps: VerifyDeps) {
    this.#deps = deps
    const delivery = new CodeDelivery(deps)
    this.#starts = new Starts(deps, delivery)
    this.#lost = new LostSends(deps, delivery)
    this.#checks = new Checks(deps)
  }

  /**
   * Starts a verification, or sends the pending one of the same service, number and purpose again: same id, same
   * code, guesses kept. A number the guard refuses gives a verification with status `blocked` and no send.
   *
   * Throws `invalid_phone`, `invalid_request`, `rate_limited`, `delivery_unavailable` (nothing is charged, and
   * the verification stays for a resend), `idempotency_conflict`, `idempotency_in_progress`, `store_unavailable`.
   */
  start(request: StartRequest, caller: Caller = BACKEND): Promise<Started> {
    return this.#told(this.#starts.start(request, caller))
  }

  /**
   * Sends a pending verification's code again. Throws `not_found`, `verification_ended`, `rate_limited`
   * (the cool-down, the sends of the verification, or a limit), `delivery_unavailable`.
   */
  resend(id: string, options: { channel?: Channel }, caller: Caller = BACKEND): Promise<Started> {
    return this.#told(this.#starts.resend(id, options.channel, caller))
  }

  /**
   * Judges one guess. A wrong or late code is an answer, not an error. Throws `not_found` for an id that never
   * was, and `rate_limited` when the address or the number has used up its guesses.
   */
  check(id: string, code: string, caller: Caller = BACKEND, paid?: Paid): Promise<Checked> {
    return this.#checks.check(id, code, caller, paid)
  }

  /** Judges a guess for the pending, or else the newest verification of a number and purpose. For backends only. */
  async checkByNumber(
    request: { to: string; country?: string; code: string; purpose?: Purpose; paid?: Paid },
    caller: Caller = BACKEND,
  ): Promise<Checked> {
    const { to, country, code, purpose = 'verify', paid } = request
    const phone = parsePhone(to, { field: 'to', ...(country === undefined ? {} : { country }) })
    return this.#checks.checkByNumber({ to: phone.e164, purpose, code, paid }, caller)
  }

  /**
   * Finishes sends that a process left when it died, whose answer was lost, or that did not arrive; resolves with how
   * many were taken over.
   */
  retake(limit: number): Promise<number> {
    return this.#lost.retake(limit)
  }

  /** Ends a pending verification. Throws `not_found`, and `verification_ended` when it had ended before. */
  async cancel(id: string, caller: Caller = BACKEND): Promise<Verification> {
    await mustFind(this.#deps.store, id, caller)
    const { canceled, verification } = await this.#deps.store.cancel(id)
    if (!canceled && verification.status !== 'canceled') throw ended(verification)
    if (canceled) await this.#deps.onChange?.(verification)
    return verification
  }

  /**
   * Approves a pending verification on its tenant's word: the number was proven in another way. Throws `not_found`, and
   * `verification_ended` when it had ended before.
   */
  async accept(id: string, caller: Caller = BACKEND): Promise<Verification> {
    await mustFind(this.#deps.store, id, caller)
    const { accepted, verification } = await this.#deps.store.accept(id)
    if (!accepted) throw ended(verification)
    await this.#deps.onChange?.(verification)
    return verification
  }

  /** Reads a verification. Throws `not_found`. */
  read(id: string, caller: Caller = BACKEND): Promise<Verification> {
    return mustFind(this.#deps.store, id, caller)
  }

  /** Finds the verification whose id begins so, with its time and most of its random part; undefined: there is none. */
  async findByPrefix(prefix: string, caller: Caller = BACKEND): Promise<Verification | undefined> {
    const found = await this.#deps.store.findByPrefix(prefix)
    return found?.service === caller.service ? found : undefined
  }

  /** Finds a verification of whatever service: for callers that know from its service what it is for. */
  async find(id: string): Promise<Verification | undefined> {
    return isId('ver_', id) ? this.#deps.store.find(id) : undefined
  }

  /** Lists verifications, newest first. */
  list(
    filter: { to?: string; status?: Status; limit: number; cursor?: string },
    caller: Caller = BACKEND,
  ): Promise<{ data: Verification[]; nextCursor: string | null }> {
    const { to, ...rest } = filter
    const phone = to === undefined ? {} : { to: parsePhone(to, { field: 'to' }).e164 }
    return this.#deps.store.list({ ...rest, ...phone, service: caller.service })
  }

  /** What is known of a number: its newest verification and its newest approval. Information, never a proof. */
  async phoneStatus(
    to: string,
    caller: Caller = BACKEND,
  ): Promise<{ latest: Verification | undefined; approved: Verification | undefined }> {
    const { e164 } = parsePhone(to, { field: 'e164' })
    const [latest, approved] = await Promise.all([
      this.#deps.store.latest(caller.service, e164),
      this.#deps.store.latestApproved(caller.service, e164),
    ])
    return { latest, approved }
  }

  /** What a number's limits have left. Counts nothing. */
  async phoneLimits(to: string): Promise<RuleState[]> {
    const { e164 } = parsePhone(to, { field: 'e164' })
    const [states, budget] = await Promise.all([
      peekOrThrow(this.#deps.counters, this.#deps.rules.phone(e164)),
      this.#deps.store.budget(e164, this.#deps.rules.wrongChecks),
    ])
    return [...states, { rule: this.#deps.rules.wrongChecks, ...budget }]
  }

  /** Tells of what was sent before it is answered. */
  #told(starting: Promise<Started>): Promise<Started> {
    const { onChange } = this.#deps
    if (!onChange) return starting
    return starting.then(async (started) => {
      if (started.verification.status === 'pending') await onChange(started.verification)
      return started
    })
  }

  /** The code of a pending verification, derived anew: for the dev preview and tests, never for a client. */
  codeOf(verification: Verification): string {
    return codeOf(this.#deps, verification)
  }
}
