import type { Clock } from '../primitives/clock.ts'
import { makeId } from '../primitives/ids.ts'
import type { CircuitKey, Circuits } from './circuits.ts'
import { goesOn, outcomeOf, signalOf } from './outcomes.ts'
import type { Message, Provider, Refusal, Sent } from './provider.ts'
import type { RetryBudget } from './retry-budget.ts'
import type { Candidate } from './routes.ts'
import type { HeldSend, MessagingStore, PlannedSend, Send, SendCause } from './store.ts'

/** A call that has not been answered for so long is a bad sign already, though it goes on. */
const SLOW_MS = 2_000

/** What became of a delivery, over all the providers that were tried. */
export type Delivery = {
  /**
   * `sent`: a provider took it, or may have; `refused`: this number cannot be reached this way, by anyone;
   * `unavailable`: no provider could be reached, so trying again later makes sense.
   */
  readonly outcome: 'sent' | 'refused' | 'unavailable'
  /** The sends that were made, oldest first. */
  readonly sends: readonly Send[]
  /** Of `refused`. */
  readonly why?: Refusal
  /** Seconds a provider asked to wait. */
  readonly retryAfterSeconds?: number
}

/** Told about every send when its provider has answered. */
export type SendObserver = (send: Send, seconds: number, vendorCode: string | undefined) => void

/** A message on its way: what it belongs to, its first send, and who may carry it after that one. */
export type Parcel = {
  readonly owner: string
  readonly message: Omit<Message, 'id' | 'sender'>
  readonly planned: PlannedSend
  /** The turn at the planned send: more than 1 where it was taken over. */
  readonly fence: number
  /** The provider of the planned send; undefined where this process has no such provider. */
  readonly first: Provider | undefined
  readonly others: readonly Candidate[]
  /** How long word is waited for of what a provider takes, or may have taken; null: for ever. */
  readonly watchSeconds: (provider: Provider, sent: Sent) => number | null
}

export type RelayDeps = {
  readonly store: MessagingStore
  readonly clock: Clock
  readonly circuits: Circuits
  readonly budget: RetryBudget
  readonly observe: SendObserver
  /** Told of each send that its provider has taken or refused, and awaited. Must not reject. */
  readonly onChange?: ((send: Send) => Promise<void>) | undefined
  /** How long a provider that does not answer is waited for while there is another. */
  readonly patienceMs: number
}

/** Hands a message from provider to provider until one takes it or says that none will. */
export class Relay {
  readonly #deps: RelayDeps
  /** Sends whose provider has not answered yet, and since when. */
  readonly #held = new Map<HeldSend, number>()
  /** One for each call: thousands of listeners at one signal would have to be walked through for each that is added. */
  readonly #calls = new Set<AbortController>()
  #isAborted = false

  constructor(deps: RelayDeps) {
    this.#deps = deps
  }

  /** The sends under way since `sinceMs` or longer. */
  heldSince(sinceMs: number): HeldSend[] {
    return [...this.#held].filter(([, heldAt]) => heldAt <= sinceMs).map(([send]) => send)
  }

  /** Gives up what has not been answered. */
  abort(): void {
    this.#isAborted = true
    for (const call of this.#calls) call.abort()
  }

  /** A send through a candidate, not recorded yet. */
  plan(
    { provider, sender, price }: Candidate,
    { channel, country }: Pick<Message, 'channel' | 'country'>,
    cause: SendCause,
  ): PlannedSend {
    const id = makeId('snd_', this.#deps.clock.now())
    return { id, provider: provider.name, channel, sender, country, cause, price }
  }

  /** Delivers a message whose planned send is recorded: each send is recorded before its provider is called. */
  async deliver(parcel: Parcel): Promise<Delivery> {
    const { store, budget } = this.#deps
    const { owner, message, planned, fence, others } = parcel
    budget.called()
    let held: HeldSend = { owner, id: planned.id, fence }
    let done = await this.#send(parcel, { plan: planned, provider: parcel.first, held, next: 0 })
    const sends = [done.send]
    let retryAfterSeconds = 0
    for (let next = 0; ; next += 1) {
      const { sent, isOurs } = done
      // Whoever has taken the send over goes on with it; one more message is enough.
      if (sent.ok || sent.why === 'unknown' || !isOurs) return { outcome: 'sent', sends }
      if (!goesOn(sent.why)) return { outcome: 'refused', sends, why: sent.why }
      retryAfterSeconds = Math.max(retryAfterSeconds, sent.retryAfterSeconds ?? 0)
      while (others[next] && !this.#mayGoOn(others[next], message)) next += 1
      const candidate = others[next]
      if (candidate === undefined) break
      const plan = this.plan(candidate, message, 'failover')
      await store.recordSend(owner, plan)
      held = { owner, id: plan.id, fence: 1 }
      done = await this.#send(parcel, { plan, provider: candidate.provider, held, next: next + 1 })
      sends.push(done.send)
    }
    return { outcome: 'unavailable', sends, ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}) }
  }

  async #send(
    { owner, message, others, watchSeconds }: Parcel,
    step: {
      readonly plan: PlannedSend
      readonly provider: Provider | undefined
      readonly held: HeldSend
      /** Where the others begin that have not had their turn. */
      readonly next: number
    },
  ): Promise<{ sent: Sent; send: Send; isOurs: boolean }> {
    const { store, clock, observe, onChange } = this.#deps
    const { plan, provider, held, next } = step
    const { id, sender } = plan
    const at = clock.now()
    this.#held.set(held, at)
    const hurried = others.slice(next).some((candidate) => this.#isUp(candidate, message))
    const sent: Sent =
      provider === undefined
        ? { ok: false, why: 'unavailable', code: 'no_such_provider' }
        : await this.#call(
            provider,
            { ...message, id, hurried, ...(sender === null ? {} : { sender }) },
            plan,
          )
    this.#held.delete(held)
    const outcome = outcomeOf(sent, provider === undefined ? null : watchSeconds(provider, sent))
    const isOurs = await store.settleSend(held, outcome)
    const { status, error, vendorCode, ref } = outcome
    const send: Send = {
      ...plan,
      owner,
      status,
      error,
      vendorCode,
      ref,
      at,
      deliveredAt: null,
      price: outcome.price ?? plan.price,
      history: [],
    }
    observe(send, (clock.now() - at) / 1000, sent.ok ? undefined : sent.code)
    if (onChange && isOurs) await onChange(send)
    return { sent, send, isOurs }
  }

  /**
   * Calls a provider under its circuit. Where another waits, one that does not answer is given up in time; where there
   * is none, it has as long as its own settings give it.
   */
  async #call(provider: Provider, message: Message, key: CircuitKey): Promise<Sent> {
    const { circuits } = this.#deps
    const attempt = circuits.begin(key)
    if (attempt === undefined) {
      const retryAfterSeconds = Math.ceil(circuits.waitMs(key) / 1_000)
      return { ok: false, why: 'unavailable', code: 'circuit_open', retryAfterSeconds }
    }
    const call = new AbortController()
    this.#calls.add(call)
    if (this.#isAborted) call.abort()
    const { hurried } = message
    const slow = hurried === true ? setTimeout(() => attempt.slow(), SLOW_MS) : undefined
    const over = hurried === true ? setTimeout(() => call.abort(), this.#deps.patienceMs) : undefined
    let sent: Sent
    try {
      sent = await provider.send(message, call.signal)
    } catch {
      // A provider answers with a value; one that throws all the same has a bug, and may have sent.
      sent = { ok: false, why: 'unknown' }
    }
    clearTimeout(slow)
    clearTimeout(over)
    this.#calls.delete(call)
    // Where there is no other, one word is not enough to stay away: who puts it right wants to send at once.
    if (hurried === true) attempt.end(signalOf(sent), sent.ok ? undefined : sent.retryAfterSeconds)
    else attempt.end(sent.ok || !goesOn(sent.why) ? signalOf(sent) : 'failed')
    return sent
  }

  #isUp(candidate: Candidate, message: Pick<Message, 'country'>): boolean {
    return this.#deps.circuits.mayCall(keyOf(candidate, message))
  }

  /** Whether a message that was refused may go on to a candidate; spends from the budget where that has to pay. */
  #mayGoOn(candidate: Candidate | undefined, message: Pick<Message, 'country'>): boolean {
    if (candidate === undefined) return false
    const { circuits, budget } = this.#deps
    const key = keyOf(candidate, message)
    const permission = circuits.ask(key)
    if (permission === 'open') return false
    return permission === 'probe' || budget.mayRetry(circuits.isHealthy(key))
  }
}

/** The circuit of a candidate. */
function keyOf({ provider, sender }: Candidate, { country }: Pick<Message, 'country'>): CircuitKey {
  return { provider: provider.name, country, sender }
}
