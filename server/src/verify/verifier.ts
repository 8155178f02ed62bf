import { createHash } from 'node:crypto'
import { decide, type Decision, type GuardPolicy } from '../guard/guard.ts'
import type { Counters, RuleState, Taken } from '../limits/counters.ts'
import { rateLimited, takeOrThrow } from '../limits/refusal.ts'
import { waitSeconds } from '../limits/window.ts'
import { channelNotCarried, type Delivery, type Messenger } from '../messaging/messenger.ts'
import type { Channel } from '../messaging/provider.ts'
import type { PlannedSend, Send } from '../messaging/store.ts'
import { renderCode } from '../messaging/texts.ts'
import type { Clock } from '../primitives/clock.ts'
import { CountersignError } from '../primitives/errors.ts'
import { makeId } from '../primitives/ids.ts'
import { parsePhone, type Phone } from '../primitives/phone.ts'
import type { KeyRing, SecretKeys } from '../primitives/secrets.ts'
import { deriveCode, digestCode } from './codes.ts'
import { once } from './idempotency.ts'
import { signProof } from './proof.ts'
import { type Caller, type LimitSettings, Rules } from './rules.ts'
import type { Draft, ResendRefusal, Verdict, VerifyStore } from './store.ts'
import type { Purpose, Reason, Status, Verification } from './verification.ts'

/** The figures of a verification; each is a setting. */
export type VerifySettings = {
  readonly codeLength: number
  readonly ttlSeconds: number
  /** For the purpose `second_factor`. */
  readonly secondFactorTtlSeconds: number
  readonly checksMax: number
  readonly sendsMax: number
  /** A start answers by then even if the provider has not. */
  readonly startDeadlineMs: number
  readonly idempotencySeconds: number
  /** The name shown in the message. */
  readonly serviceName: string
  readonly defaultLocale: string
  /** The `iss` of proofs. */
  readonly issuer: string
  /** Fixed codes of test numbers, by E.164: nothing is sent to them and no limit holds. */
  readonly testNumbers: ReadonlyMap<string, string>
}

/** What a caller asks to be started. */
export type StartRequest = {
  /** E.164, or national with `country`. */
  readonly to: string
  readonly country?: string
  readonly channel?: Channel
  readonly purpose?: Purpose
  /** BCP 47; the text falls back to the nearest language there is. */
  readonly locale?: string
  /** Comes back in the proof. */
  readonly nonce?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly idempotencyKey?: string
}

/** What a start or a resend came to. */
export type Started = {
  /** False when a pending verification was sent again. */
  readonly opened: boolean
  readonly verification: Verification
  readonly sends: readonly Send[]
}

/** What a check found; `proof` when approved. */
export type Checked = {
  readonly valid: boolean
  readonly reason: Reason
  readonly verification: Verification
  readonly proof?: string
}

const ALLOW: Decision = { verdict: 'allow', reasons: [] }

/** A backend that names no end user: the default of every call made in the same process. */
export const BACKEND: Caller = { service: 'default', publishable: false }

/** Proves that people control phone numbers. */
export class Verifier {
  readonly #store: VerifyStore
  readonly #counters: Counters
  readonly #messenger: Messenger
  readonly #keys: KeyRing
  readonly #clock: Clock
  readonly #guard: GuardPolicy
  readonly #settings: VerifySettings
  readonly #rules: Rules

  constructor(deps: {
    store: VerifyStore
    counters: Counters
    messenger: Messenger
    keys: KeyRing
    clock: Clock
    guard: GuardPolicy
    limits: LimitSettings
    settings: VerifySettings
  }) {
    this.#store = deps.store
    this.#counters = deps.counters
    this.#messenger = deps.messenger
    this.#keys = deps.keys
    this.#clock = deps.clock
    this.#guard = deps.guard
    this.#settings = deps.settings
    this.#rules = new Rules(deps.limits)
  }

  /**
   * Starts a verification, or sends the pending one of the same service, number and purpose again: same id, same
   * code, guesses kept. A number the guard refuses gives a verification with status `blocked` and no send.
   *
   * Throws `invalid_phone`, `invalid_request`, `rate_limited`, `delivery_unavailable` (nothing is charged, and
   * the verification stays for a resend), `idempotency_conflict`, `idempotency_in_progress`, `store_unavailable`.
   */
  async start(request: StartRequest, caller: Caller = BACKEND): Promise<Started> {
    const phone = parsePhone(request.to, {
      field: 'to',
      ...(request.country === undefined ? {} : { country: request.country }),
    })
    const key = request.idempotencyKey
    if (key === undefined) return this.#start(request, phone, caller)
    const claimKey = digest([caller.service, caller.publishable, key])
    return once(this.#store, {
      key: claimKey,
      fingerprint: digest({ ...request, caller }),
      keepSeconds: this.#settings.idempotencySeconds,
      run: () => this.#start(request, phone, caller, claimKey),
      recover: async (id) => {
        const verification = await this.#mustFind(id, caller)
        return { opened: true, verification, sends: await this.#messenger.sendsOf(id) }
      },
    })
  }

  /**
   * Sends a pending verification's code again. Throws `not_found`, `verification_ended`, `rate_limited`
   * (the cool-down, the sends of the verification, or a limit), `delivery_unavailable`.
   */
  async resend(id: string, options: { channel?: Channel }, caller: Caller = BACKEND): Promise<Started> {
    const verification = await this.#mustFind(id, caller)
    return this.#sendAgain(verification, options.channel ?? verification.channel, caller)
  }

  /**
   * Judges one guess. A wrong or late code is an answer, not an error. Throws `not_found` for an id that never
   * was, and `rate_limited` when the address or the number has used up its guesses.
   */
  async check(id: string, code: string, caller: Caller = BACKEND): Promise<Checked> {
    const counters = this.#rules.check(caller)
    const taken = await takeOrThrow(this.#counters, counters)
    const verification = await this.#mustFind(id, caller)
    const keys = this.#keys.byId.get(verification.keyId)
    const isTest = this.#settings.testNumbers.has(verification.to)
    const verdict = await this.#store.judge({
      verification,
      // A verification made under a secret that is no longer known cannot be approved; the guess still counts.
      digest: digestCode(keys ?? this.#keys.current, id, code),
      ...(isTest ? {} : { budget: this.#rules.wrongChecks }),
    })
    await this.#giveBackUnlessWrong(verdict, taken, caller)
    return this.#answer(verdict)
  }

  /** Judges a guess for the newest verification of a number and purpose. For backends only. */
  async checkByNumber(
    request: { to: string; country?: string; code: string; purpose?: Purpose },
    caller: Caller = BACKEND,
  ): Promise<Checked> {
    const phone = parsePhone(request.to, {
      field: 'to',
      ...(request.country === undefined ? {} : { country: request.country }),
    })
    const newest = await this.#store.latest(caller.service, phone.e164, request.purpose ?? 'verify')
    if (!newest) throw notFound()
    return this.check(newest.id, request.code, caller)
  }

  /** Ends a pending verification. Throws `not_found`, and `verification_ended` when it had ended before. */
  async cancel(id: string, caller: Caller = BACKEND): Promise<Verification> {
    await this.#mustFind(id, caller)
    const { canceled, verification } = await this.#store.cancel(id)
    if (!canceled && verification.status !== 'canceled') throw ended(verification)
    return verification
  }

  /** Reads a verification. Throws `not_found`. */
  read(id: string, caller: Caller = BACKEND): Promise<Verification> {
    return this.#mustFind(id, caller)
  }

  /** Lists verifications, newest first. */
  list(
    filter: { to?: string; status?: Status; limit: number; cursor?: string },
    caller: Caller = BACKEND,
  ): Promise<{ data: Verification[]; nextCursor: string | null }> {
    const { to, ...rest } = filter
    const phone = to === undefined ? {} : { to: parsePhone(to, { field: 'to' }).e164 }
    return this.#store.list({ ...rest, ...phone, service: caller.service })
  }

  /** What is known of a number: its newest verification and its newest approval. Information, never a proof. */
  async phoneStatus(
    to: string,
    caller: Caller = BACKEND,
  ): Promise<{ latest: Verification | undefined; approved: Verification | undefined }> {
    const { e164 } = parsePhone(to, { field: 'e164' })
    const [latest, approved] = await Promise.all([
      this.#store.latest(caller.service, e164),
      this.#store.latestApproved(caller.service, e164),
    ])
    return { latest, approved }
  }

  /** What a number's limits have left. Counts nothing. */
  async phoneLimits(to: string): Promise<RuleState[]> {
    const { e164 } = parsePhone(to, { field: 'e164' })
    const [states, budget] = await Promise.all([
      this.#counters.peek(this.#rules.phone(e164)),
      this.#store.budget(e164, this.#rules.wrongChecks),
    ])
    return [...states, { rule: this.#rules.wrongChecks, ...budget }]
  }

  /** The code of a pending verification, derived anew: for the dev preview and tests, never for a client. */
  codeOf(verification: Verification): string {
    const fixed = this.#settings.testNumbers.get(verification.to)
    if (fixed !== undefined) return fixed
    return deriveCode(this.#mustHaveKeys(verification.keyId), verification.id, verification.codeLength)
  }

  async #start(request: StartRequest, phone: Phone, caller: Caller, claimKey?: string): Promise<Started> {
    const purpose = request.purpose ?? 'verify'
    const channel = request.channel ?? 'sms'
    const testCode = this.#settings.testNumbers.get(phone.e164)
    const pending = await this.#store.pending(caller.service, phone.e164, purpose)
    if (pending) return this.#sendAgain(pending, channel, caller, phone)
    if (testCode !== undefined) {
      const draft = this.#draft(request, phone, {
        purpose,
        channel,
        caller,
        claimKey,
        testCode,
        decision: ALLOW,
      })
      return { ...(await this.#store.open(draft)), sends: [] }
    }

    const planned = this.#messenger.plan(channel)
    const waits = !(await this.#store.newestIsApproved(phone.e164))
    const taken = await takeOrThrow(this.#counters, this.#rules.send(phone.e164, 1, waits, caller))
    const decision = decide(this.#guard, phone, channel)
    const draft = this.#draft(request, phone, { purpose, channel, caller, claimKey, decision })
    if (decision.verdict === 'block') {
      const { verification } = await this.#store.open(draft)
      await this.#giveBackSend(taken, phone.e164)
      return { opened: true, verification, sends: [] }
    }
    const { opened, verification } = await this.#store.open({ ...draft, send: planned })
    if (opened) return this.#deliver(verification, planned, taken, true)
    // Another start was first, so this one is a resend that came too soon.
    if (taken) await this.#counters.give(taken)
    return this.#sendAgain(verification, channel, caller, phone)
  }

  #draft(
    request: StartRequest,
    phone: Phone,
    what: {
      purpose: Purpose
      channel: Channel
      caller: Caller
      claimKey: string | undefined
      decision: Decision
      testCode?: string
    },
  ): Draft {
    const { purpose, testCode, decision } = what
    const settings = this.#settings
    const keys = this.#keys.current
    const id = makeId('ver_', this.#clock.now())
    const code = testCode ?? deriveCode(keys, id, settings.codeLength)
    return {
      id,
      service: what.caller.service,
      to: phone.e164,
      country: phone.country,
      channel: what.channel,
      purpose,
      locale: request.locale ?? null,
      status: decision.verdict === 'block' ? 'blocked' : 'pending',
      keyId: keys.id,
      digest: digestCode(keys, id, code),
      codeLength: code.length,
      guessesMax: settings.checksMax,
      sendsMax: settings.sendsMax,
      ttlSeconds: purpose === 'second_factor' ? settings.secondFactorTtlSeconds : settings.ttlSeconds,
      cooldownSeconds: testCode === undefined ? this.#rules.cooldownSeconds(1) : 0,
      nonce: request.nonce ?? null,
      metadata: request.metadata ?? null,
      decision: [decision.verdict, ...decision.reasons].join(':'),
      ...(what.claimKey === undefined ? {} : { claimKey: what.claimKey }),
    }
  }

  async #sendAgain(
    verification: Verification,
    channel: Channel,
    caller: Caller,
    phone: Phone = parsePhone(verification.to),
  ): Promise<Started> {
    if (verification.status !== 'pending') throw ended(verification)
    if (this.#settings.testNumbers.has(verification.to)) return this.#resendTest(verification, channel)
    const planned = this.#messenger.plan(channel)
    if (decide(this.#guard, phone, channel).verdict === 'block') throw channelNotCarried()
    if (verification.sends >= verification.sendsMax) throw this.#resendRefused('no_sends_left', verification)
    const sent = Math.max(1, verification.sends)
    const taken = await takeOrThrow(
      this.#counters,
      // A send that nobody took is not waited for.
      this.#rules.send(verification.to, sent, verification.sends > 0, caller),
    )
    const again = await this.#store.resend(verification.id, {
      channel,
      cooldownSeconds: this.#rules.cooldownSeconds(verification.sends + 1),
      send: planned,
    })
    if (again.refused) {
      if (taken) await this.#counters.give(taken)
      throw this.#resendRefused(again.refused, again.verification)
    }
    return this.#deliver(again.verification, planned, taken, false)
  }

  async #resendTest(verification: Verification, channel: Channel): Promise<Started> {
    const again = await this.#store.resend(verification.id, { channel, cooldownSeconds: 0 })
    if (again.refused) throw this.#resendRefused(again.refused, again.verification)
    return { opened: false, verification: again.verification, sends: [] }
  }

  /** Delivers the code, answering by the deadline whether or not the provider has. */
  async #deliver(
    verification: Verification,
    planned: PlannedSend,
    taken: Taken | undefined,
    opened: boolean,
  ): Promise<Started> {
    const text = {
      to: verification.to,
      channel: verification.channel,
      body: this.#text(verification),
      validitySeconds: waitSeconds(verification.expiresAt, this.#clock.now()),
    }
    const delivery = this.#messenger
      .deliver(verification.id, text, planned)
      .then((result) => this.#delivered(verification, taken, opened, result))
    const answer = await withDeadline(delivery, this.#settings.startDeadlineMs)
    if (answer !== LATE) return answer
    // The send goes on. What it comes to is in the store, and a refusal cannot reach this caller any more.
    delivery.catch(() => {})
    return { opened, verification, sends: await this.#messenger.sendsOf(verification.id) }
  }

  async #delivered(
    verification: Verification,
    taken: Taken | undefined,
    opened: boolean,
    delivery: Delivery,
  ): Promise<Started> {
    if (delivery.outcome === 'unavailable') {
      await this.#store.retract(verification.id)
      if (taken) await this.#counters.give(taken)
      throw new CountersignError('delivery_unavailable', 'The message could not be sent at the moment', {
        verificationId: verification.id,
        retryAfterSeconds: Math.max(1, delivery.retryAfterSeconds ?? 1),
      })
    }
    const sends = opened ? delivery.sends : await this.#messenger.sendsOf(verification.id)
    if (delivery.outcome === 'refused' && opened) {
      return { opened, verification: await this.#store.fail(verification.id), sends }
    }
    return { opened, verification, sends }
  }

  #text(verification: Verification): string {
    const left = verification.expiresAt - this.#clock.now()
    return renderCode({
      ...(verification.locale === null ? {} : { locale: verification.locale }),
      defaultLocale: this.#settings.defaultLocale,
      ttlMinutes: Math.max(1, Math.round(left / 60_000)),
      serviceName: this.#settings.serviceName,
      code: this.codeOf(verification),
      purpose: verification.purpose,
    })
  }

  /** Only a wrong guess is charged to the address. */
  async #giveBackUnlessWrong(verdict: Verdict, taken: Taken | undefined, caller: Caller): Promise<void> {
    if (verdict.reason === 'wrong_code' || !taken || caller.address === undefined) return
    await this.#counters.give({ ...taken, keys: [this.#rules.wrongKey(caller.address)] })
  }

  /** Nothing went to the number; the address keeps its hit. */
  async #giveBackSend(taken: Taken | undefined, phone: string): Promise<void> {
    if (taken) await this.#counters.give({ ...taken, keys: [this.#rules.sendsKey(phone)] })
  }

  #answer(verdict: Verdict): Checked {
    if (verdict.reason === 'budget_spent') {
      throw rateLimited({
        ok: false,
        rule: this.#rules.wrongChecks,
        retryAfterSeconds: verdict.retryAfterSeconds,
      })
    }
    const { reason, verification } = verdict
    if (reason !== 'approved') return { valid: false, reason, verification }
    const proof = signProof(this.#keys, this.#settings.issuer, verification, this.#clock.now())
    return { valid: true, reason, verification, proof }
  }

  #resendRefused(refused: ResendRefusal, verification: Verification): CountersignError {
    if (refused === 'ended') return ended(verification)
    const now = this.#clock.now()
    const tooSoon = refused === 'too_soon'
    return rateLimited({
      ok: false,
      rule: tooSoon
        ? {
            name: 'resend_cooldown',
            limit: 1,
            windowSeconds: this.#rules.cooldownSeconds(Math.max(1, verification.sends)),
          }
        : {
            name: 'sends_per_verification',
            limit: verification.sendsMax,
            windowSeconds: waitSeconds(verification.expiresAt, verification.createdAt),
          },
      retryAfterSeconds: waitSeconds(tooSoon ? verification.resendAt : verification.expiresAt, now),
    })
  }

  async #mustFind(id: string, caller: Caller): Promise<Verification> {
    const found = await this.#store.find(id)
    // Another service's verification does not exist for this caller.
    if (!found || found.service !== caller.service) throw notFound()
    return found
  }

  #mustHaveKeys(keyId: string): SecretKeys {
    const keys = this.#keys.byId.get(keyId)
    if (keys) return keys
    throw new CountersignError('verification_ended', 'The verification was made with a secret that is gone')
  }
}

const LATE = Symbol('late')

/** Resolves with the work, or with `LATE` when it takes longer. */
function withDeadline<T>(work: Promise<T>, ms: number): Promise<T | typeof LATE> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(LATE), ms).unref()
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function notFound(): CountersignError {
  return new CountersignError('not_found', 'There is no such verification')
}

function ended(verification: Verification): CountersignError {
  return new CountersignError('verification_ended', `The verification is ${verification.status}`, {
    verificationId: verification.id,
  })
}

/** A digest of a value whose members may come in any order. */
function digest(value: object): string {
  const sorted = JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
  return createHash('sha256').update(sorted).digest('base64url')
}
