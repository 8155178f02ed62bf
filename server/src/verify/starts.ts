import { createHash } from 'node:crypto'
import { decide, type Decision } from '../guard/guard.ts'
import type { Taken } from '../limits/counters.ts'
import { giveBack, rateLimited, takeOrTell, takeOrThrow } from '../limits/refusal.ts'
import { waitSeconds } from '../limits/window.ts'
import { channelNotCarried } from '../messaging/messenger.ts'
import type { Channel } from '../messaging/provider.ts'
import { NO_PROVIDER, type PlannedSend } from '../messaging/store.ts'
import { CountersignError } from '../primitives/errors.ts'
import { makeId } from '../primitives/ids.ts'
import { parsePhone, type Phone } from '../primitives/phone.ts'
import { type CodeDelivery, destinationOf, type Outgoing, type Started } from './code-delivery.ts'
import { deriveCode, digestCode } from './codes.ts'
import { codeOf, ended, mustFind, type VerifyDeps } from './deps.ts'
import { once } from './idempotency.ts'
import { type Caller, returnable } from './rules.ts'
import type { Policy } from './policy.ts'
import type { Draft, ResendRefusal } from './store.ts'
import { asksForAnother, bindingOf, hasOwnCode, readTerms, type TermsRequest } from './terms.ts'
import type { Purpose, Verification } from './verification.ts'

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
  /** What else the tenant says of it; from a backend alone, because it decides what the text says. */
  readonly terms?: TermsRequest
  /** Nothing is sent, and nobody can tell: for a number that has no account to do this with. */
  readonly isDecoy?: boolean
  /** Nobody waits for the provider, so that an answer does not tell a decoy by its time. */
  readonly isQuiet?: boolean
}

/** A start whose parts have been read. */
type Wanted = {
  readonly request: StartRequest
  readonly phone: Phone
  readonly purpose: Purpose
  readonly channel: Channel
  readonly caller: Caller
  readonly policy: Policy
  readonly claimKey?: string
}

type Quiet = Pick<StartRequest, 'isDecoy' | 'isQuiet'>

const ALLOW: Decision = { verdict: 'allow', reasons: [] }

/** Starts verifications and sends them again. */
export class Starts {
  readonly #deps: VerifyDeps
  readonly #delivery: CodeDelivery

  constructor(deps: VerifyDeps, delivery: CodeDelivery) {
    this.#deps = deps
    this.#delivery = delivery
  }

  async start(request: StartRequest, caller: Caller): Promise<Started> {
    const { store, settings, messenger } = this.#deps
    const { country, purpose = 'verify', channel = 'sms', idempotencyKey } = request
    const phone = parsePhone(request.to, { field: 'to', ...(country === undefined ? {} : { country }) })
    const policy = await this.#deps.policyOf(caller.service)
    const wanted: Wanted = { request, phone, purpose, channel, caller, policy }
    if (idempotencyKey === undefined) return this.#start(wanted)
    const claimKey = digest([caller.service, caller.publishable, idempotencyKey])
    return once(store, {
      key: claimKey,
      // Not the address: a phone that changes networks sends the same request.
      fingerprint: digest(request),
      keepSeconds: settings.idempotencySeconds,
      run: () => this.#start({ ...wanted, claimKey }),
      recover: async (id) => ({
        opened: true,
        verification: await mustFind(store, id, caller),
        sends: await messenger.sendsOf(id),
      }),
    })
  }

  async resend(id: string, channel: Channel | undefined, caller: Caller): Promise<Started> {
    const verification = await mustFind(this.#deps.store, id, caller)
    const phone = parsePhone(verification.to)
    return this.#sendAgain(verification, phone, channel ?? verification.channel, caller)
  }

  async #start(wanted: Wanted): Promise<Started> {
    const { settings, messenger, counters, rules } = this.#deps
    const { phone, channel, caller } = wanted
    const testCode = settings.testNumbers.get(phone.e164)
    if (testCode !== undefined) return this.#startTest(wanted, testCode)

    const planned = this.#planned(
      messenger.plan(destinationOf({ to: phone.e164, country: phone.country }, channel), 'start'),
      wanted.request,
    )
    const decision = decide(this.#deps.guard, phone, channel)
    const { draft, code } = this.#draft(wanted, decision)
    const allowed = decision.verdict === 'allow'
    const opening = await this.#open(allowed ? { ...draft, send: planned } : draft, caller)
    const { opened, verification, taken } = opening
    if (!opened) {
      await giveBack(counters, taken)
      if (asksForAnother(this.#deps.keys, verification, wanted.request.terms)) {
        // The code that is pending is not good for what is wanted now. It stays if no other may be sent yet.
        const { alsoCounted: _, ...who } = caller
        const limits = rules.send(phone.e164, Math.max(1, verification.sends), who)
        await giveBack(counters, await takeOrThrow(counters, limits))
        const ending = await this.#deps.store.cancel(verification.id)
        if (ending.canceled) await this.#deps.onChange?.(ending.verification)
        return this.#start(wanted)
      }
      // It was pending, or another start was first: this one is a resend.
      return this.#sendAgain(verification, phone, channel, caller, wanted.request)
    }
    if (allowed) {
      const outgoing = { verification, code, earlier: [], planned, taken: returnable(taken, caller), opened }
      return this.#deliver(outgoing, wanted.request)
    }
    // Nothing went to the number; the address keeps its hit.
    await giveBack(counters, taken, [rules.sendsKey(phone.e164)])
    return { opened, verification, sends: [] }
  }

  /** Opens a verification and takes its hits: in one step where one store does both, else one after the other. */
  async #open(
    draft: Draft,
    caller: Caller,
  ): Promise<{ opened: boolean; verification: Verification; taken: Taken | undefined }> {
    const { store, counters, rules } = this.#deps
    if (store.charged?.counters === counters) {
      const charge = { counters: rules.send(draft.to, 1, caller), endedByApproval: rules.waitName }
      const opening = await store.charged.open(draft, charge)
      if (opening.refused) throw rateLimited(opening.refused)
      return opening
    }
    const taken = await takeOrTell(counters, rules.send(draft.to, 1, caller))
    if (taken.ok) return this.#openTaken(draft, taken)
    // Refused: unless it is pending already, or its newest approval ends what refuses.
    const { current, approvedAt } = await store.situation(draft.service, draft.to, draft.purpose)
    if (current?.status === 'pending') return { opened: false, verification: current, taken: undefined }
    if (approvedAt === undefined) throw rateLimited(taken)
    return this.#openTaken(draft, await takeOrThrow(counters, rules.send(draft.to, 1, caller, approvedAt)))
  }

  async #openTaken(draft: Draft, taken: Taken | undefined) {
    return { ...(await this.#deps.store.open(draft)), taken }
  }

  async #startTest(wanted: Wanted, code: string): Promise<Started> {
    const { draft } = this.#draft(wanted, ALLOW, code)
    const { opened, verification } = await this.#deps.store.open(draft)
    if (opened) return { opened, verification, sends: [] }
    return this.#resendTest(verification, wanted.channel)
  }

  #draft(wanted: Wanted, decision: Decision, testCode?: string): { draft: Draft; code: string } {
    const { settings, rules, clock } = this.#deps
    const { request, phone, purpose, channel, caller, policy, claimKey } = wanted
    const keys = this.#deps.keys.current
    const id = makeId('ver_', clock.now())
    const terms = readTerms(this.#deps.keys, id, request.terms)
    if (hasOwnCode(terms) && this.#deps.messenger.hasCodeOwner) throw codeIsTheVendors()
    const fixed = testCode ?? settings.fixedCode({ service: caller.service, purpose })
    const code = fixed ?? request.terms?.customCode ?? deriveCode(keys, id, policy.codeLength)
    const draft: Draft = {
      id,
      service: caller.service,
      to: phone.e164,
      country: phone.country,
      channel,
      purpose,
      locale: request.locale ?? null,
      status: decision.verdict === 'block' ? 'blocked' : 'pending',
      keyId: keys.id,
      digest: digestCode(keys, id, code, bindingOf(terms)),
      codeLength: code.length,
      guessesMax: policy.checksMax,
      sendsMax: policy.sendsMax,
      ttlSeconds: purpose === 'second_factor' ? settings.secondFactorTtlSeconds : policy.ttlSeconds,
      cooldownSeconds: testCode === undefined ? rules.cooldownSeconds(1) : 0,
      nonce: request.nonce ?? null,
      metadata: request.metadata ?? null,
      terms,
      decision: [decision.verdict, ...decision.reasons].join(':'),
      ...(claimKey === undefined ? {} : { claimKey }),
    }
    return { draft, code }
  }

  /** A send, or one like it that goes nowhere. */
  #planned(planned: PlannedSend, { isDecoy = false }: Pick<StartRequest, 'isDecoy'>): PlannedSend {
    return isDecoy ? { ...planned, provider: NO_PROVIDER, sender: null, price: null } : planned
  }

  async #deliver(outgoing: Outgoing, { isDecoy = false, isQuiet = false }: Quiet): Promise<Started> {
    const delivery = this.#delivery
    const work = () => (isDecoy ? delivery.pretend(outgoing) : delivery.deliver({ ...outgoing, isQuiet }))
    if (!isQuiet) return work()
    // Not before the answer has gone: what a decoy is spared would show in its time. A process that dies now has
    // recorded the send, and another takes it over.
    setImmediate(() => void work().catch(() => {}))
    const { opened, verification } = outgoing
    return { opened, verification, sends: [] }
  }

  async #sendAgain(
    verification: Verification,
    phone: Phone,
    channel: Channel,
    caller: Caller,
    how: Quiet = {},
  ): Promise<Started> {
    const { store, settings, messenger, counters, rules } = this.#deps
    if (verification.status !== 'pending') throw ended(verification)
    if (settings.testNumbers.has(verification.to)) return this.#resendTest(verification, channel)
    if (!messenger.carries(channel)) throw channelNotCarried()
    if (decide(this.#deps.guard, phone, channel).verdict === 'block') throw channelNotCarried()
    if (verification.sends >= verification.sendsMax) throw this.#refused('no_sends_left', verification)
    const earlier = await messenger.sendsOf(verification.id)
    const isWrong = earlier.some((send) => send.channel === channel && send.error === 'wrong_channel')
    if (isWrong) throw wrongChannel(verification, channel)
    const planned = this.#planned(
      messenger.plan(destinationOf(verification, channel), 'resend', earlier),
      how,
    )
    const wanted = rules.send(verification.to, Math.max(1, verification.sends), caller)
    const taken = returnable(await takeOrThrow(counters, wanted), caller)
    const again = await store.resend(verification.id, {
      channel,
      cooldownSeconds: rules.cooldownSeconds(verification.sends + 1),
      send: planned,
    })
    if (again.refused) {
      await giveBack(counters, taken)
      throw this.#refused(again.refused, again.verification)
    }
    const code = codeOf(this.#deps, verification)
    const outgoing = { code, earlier, planned, taken, opened: false }
    return this.#deliver({ ...outgoing, verification: again.verification }, how)
  }

  async #resendTest(verification: Verification, channel: Channel): Promise<Started> {
    const again = await this.#deps.store.resend(verification.id, { channel, cooldownSeconds: 0 })
    if (again.refused) throw this.#refused(again.refused, again.verification)
    return { opened: false, verification: again.verification, sends: [] }
  }

  #refused(why: ResendRefusal, verification: Verification): CountersignError {
    if (why === 'ended') return ended(verification)
    const { rules, clock } = this.#deps
    const tooSoon = why === 'too_soon'
    const rule = tooSoon
      ? {
          name: 'resend_cooldown',
          limit: 1,
          windowSeconds: rules.cooldownSeconds(Math.max(1, verification.sends)),
        }
      : {
          name: 'sends_per_verification',
          limit: verification.sendsMax,
          windowSeconds: waitSeconds(verification.expiresAt, verification.createdAt),
        }
    const opensAt = tooSoon ? verification.resendAt : verification.expiresAt
    return rateLimited({ ok: false, rule, retryAfterSeconds: waitSeconds(opensAt, clock.now()) })
  }
}

/** The refusal of a code of one's own where a vendor makes the codes. */
function codeIsTheVendors(): CountersignError {
  const detail = 'A provider makes the codes here, so none can be chosen or be good for one payment alone'
  return new CountersignError('invalid_request', detail, { field: 'customCode' })
}

/** The refusal of a channel that this number was found not to take. */
function wrongChannel({ id }: Verification, channel: Channel): CountersignError {
  const detail = `The number takes no message by ${channel}; another channel may do`
  return new CountersignError('invalid_request', detail, { field: 'channel', verificationId: id })
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
