import type { Clock } from '../primitives/clock.ts'
import { LATE, withDeadline } from '../primitives/deadline.ts'
import { CountersignError, type ErrorHelp } from '../primitives/errors.ts'
import { isId, makeId } from '../primitives/ids.ts'
import type { Channel, Provider, Refusal, Sent } from './provider.ts'
import { countSegments } from './segments.ts'
import type {
  HeldSend,
  MessageRecord,
  MessagingStore,
  PlannedSend,
  RetakenSend,
  Send,
  SendOutcome,
} from './store.ts'

/** The longest text a vendor takes, in characters. Source: Twilio, Messages resource, `Body`. */
export const BODY_MAX = 1_600

/** A send this old is worth a renewal; most are over long before. */
const RENEW_AFTER_MS = 4_000

/** What became of a delivery, over all the providers that were tried. */
export type Delivery = {
  /**
   * `sent`: a provider took it, or may have; `refused`: this number cannot be reached, by anyone;
   * `unavailable`: no provider could be reached, so trying again later makes sense.
   */
  readonly outcome: 'sent' | 'refused' | 'unavailable'
  /** The sends that were made, oldest first. */
  readonly sends: readonly Send[]
  /** Seconds a provider asked to wait. */
  readonly retryAfterSeconds?: number
}

/** A text for a phone. */
export type Text = {
  /** E.164. */
  readonly to: string
  readonly channel: Channel
  readonly body: string
  /** How long it is worth delivering. */
  readonly validitySeconds?: number
}

/** Told about every send when its provider has answered. */
export type SendObserver = (send: Send, seconds: number, vendorCode: string | undefined) => void

/** Meanings that say nothing about the number: another provider may do better. */
const NEXT_PROVIDER: ReadonlySet<Refusal> = new Set(['unavailable', 'throttled', 'misconfigured'])

/** Carries texts to phones through providers, and keeps what became of them. */
export class Messenger {
  readonly #store: MessagingStore
  readonly #providers: readonly Provider[]
  readonly #clock: Clock
  readonly #observe: SendObserver
  readonly #deadlineMs: number
  readonly #testNumbers: ReadonlySet<string>
  readonly #aborter = new AbortController()
  readonly #inFlight = new Set<Promise<Delivery>>()
  /** Sends whose provider has not answered yet, and since when. */
  readonly #held = new Map<HeldSend, number>()

  /** `providers` in order of preference. */
  constructor(deps: {
    store: MessagingStore
    providers: readonly Provider[]
    clock: Clock
    observe?: SendObserver
    /** A text is answered for by then even if the provider has not answered. */
    deadlineMs: number
    /** E.164 numbers that nothing is sent to. */
    testNumbers: ReadonlySet<string>
  }) {
    this.#store = deps.store
    this.#providers = deps.providers
    this.#clock = deps.clock
    this.#observe = deps.observe ?? (() => {})
    this.#deadlineMs = deps.deadlineMs
    this.#testNumbers = deps.testNumbers
  }

  /** Whether any provider carries this channel. */
  carries(channel: Channel): boolean {
    return this.#providers.some((provider) => provider.channels.includes(channel))
  }

  /** Plans the first send of a text; the caller records it with what it belongs to. Throws when nobody carries the channel. */
  plan(channel: Channel): PlannedSend {
    const provider = this.#providers.find((candidate) => candidate.channels.includes(channel))
    if (!provider) throw channelNotCarried()
    return { id: makeId('snd_', this.#clock.now()), provider: provider.name, channel }
  }

  /**
   * Delivers a text whose first send is planned and recorded: calls the provider, records the outcome; on a refusal
   * that says nothing about the number it goes on to the next provider. `fence` is that of a send that was retaken.
   */
  deliver(owner: string, text: Text, planned: PlannedSend, fence = 1): Promise<Delivery> {
    const delivery = this.#deliver(owner, text, planned, fence)
    this.#inFlight.add(delivery)
    const done = () => this.#inFlight.delete(delivery)
    delivery.then(done, done)
    return delivery
  }

  /**
   * Sends a text that a backend wrote, answering by the deadline whether or not the provider has. Throws
   * `message_too_long` and `invalid_request` before anything is recorded, and `delivery_unavailable`.
   */
  async send(
    text: Text & { readonly service: string; readonly template: string | null },
  ): Promise<{ message: MessageRecord; sends: readonly Send[] }> {
    if (text.body.length > BODY_MAX) {
      throw new CountersignError('message_too_long', `A message holds at most ${BODY_MAX} characters`, {
        field: 'body',
      })
    }
    const isTest = this.#testNumbers.has(text.to)
    const planned = isTest ? this.#planTest(text.channel) : this.plan(text.channel)
    const message = await this.#store.openMessage(
      {
        id: makeId('msg_', this.#clock.now()),
        service: text.service,
        to: text.to,
        channel: text.channel,
        template: text.template,
        segments: countSegments(text.body).segments,
      },
      planned,
    )
    if (isTest) {
      const send = { owner: message.id, id: planned.id, fence: 1 }
      await this.#store.settleSend(send, outcomeOf({ ok: true, ref: planned.id }))
      return { message, sends: await this.sendsOf(message.id) }
    }
    const work = this.deliver(message.id, text, planned)
    const delivery = await withDeadline(work, this.#deadlineMs)
    if (delivery === LATE) {
      work.catch(() => {})
      return { message, sends: await this.sendsOf(message.id) }
    }
    if (delivery.outcome === 'unavailable') throw deliveryUnavailable(delivery)
    return { message, sends: delivery.sends }
  }

  /** Takes over sends that a process left unfinished: whoever has them may deliver them, or give them up. */
  retake(limit: number): Promise<RetakenSend[]> {
    return this.#store.retakeSends(limit)
  }

  /** Ends a send that nobody can finish any more. A provider may have taken it before its process died. */
  async giveUp(send: HeldSend): Promise<void> {
    await this.#store.settleSend(send, outcomeOf({ ok: false, why: 'unknown' }))
  }

  /** Keeps the sends under way from being retaken; to be called several times in a lease. */
  async renew(): Promise<void> {
    const since = this.#clock.now() - RENEW_AFTER_MS
    const slow = [...this.#held].filter(([, heldAt]) => heldAt <= since).map(([send]) => send)
    if (slow.length > 0) await this.#store.renewSends(slow)
  }

  /** Every send of a verification or message, oldest first. */
  sendsOf(owner: string): Promise<Send[]> {
    return this.#store.sendsOf(owner)
  }

  async message(service: string, id: string): Promise<MessageRecord | undefined> {
    return isId('msg_', id) ? this.#store.message(service, id) : undefined
  }

  messages(filter: Parameters<MessagingStore['messages']>[0]): ReturnType<MessagingStore['messages']> {
    return this.#store.messages(filter)
  }

  /** Asks each provider whether it accepts our credentials. */
  async probe(signal: AbortSignal): Promise<{ name: string; ok: boolean; detail: string }[]> {
    return Promise.all(
      this.#providers.map(async (provider) => {
        const found = (await provider.probe?.(signal)) ?? { ok: true, detail: 'nothing to check' }
        return { name: provider.name, ...found }
      }),
    )
  }

  /** Waits for the sends under way, at most so long, then aborts them and closes the providers. */
  async close(graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.#aborter.abort(), graceMs)
    await Promise.allSettled(this.#inFlight)
    clearTimeout(timer)
    await Promise.allSettled(this.#providers.map(async (provider) => provider.close?.()))
  }

  async #deliver(owner: string, text: Text, planned: PlannedSend, fence: number): Promise<Delivery> {
    const sends: Send[] = []
    let retryAfterSeconds: number | undefined
    let started = false
    for (const provider of this.#providers) {
      if (!started && provider.name !== planned.provider) continue
      if (!provider.channels.includes(text.channel)) continue
      const next = started ? { ...this.plan(text.channel), provider: provider.name } : planned
      if (started) await this.#store.recordSend(owner, next)
      const held: HeldSend = { owner, id: next.id, fence: started ? 1 : fence }
      started = true
      const at = this.#clock.now()
      this.#held.set(held, at)
      const sent = await this.#call(provider, { ...text, id: next.id })
      this.#held.delete(held)
      const outcome = outcomeOf(sent)
      const isOurs = await this.#store.settleSend(held, outcome)
      const { status, error, price } = outcome
      const send: Send = { ...next, owner, status, error, at, deliveredAt: null, price }
      sends.push(send)
      this.#observe(send, (this.#clock.now() - at) / 1000, sent.ok ? undefined : sent.code)
      // Whoever has taken the send over goes on with it; one more message is enough.
      if (sent.ok || sent.why === 'unknown' || !isOurs) return { outcome: 'sent', sends }
      if (!NEXT_PROVIDER.has(sent.why)) return { outcome: 'refused', sends }
      retryAfterSeconds = Math.max(retryAfterSeconds ?? 0, sent.retryAfterSeconds ?? 0)
    }
    return {
      outcome: 'unavailable',
      sends,
      ...(retryAfterSeconds ? { retryAfterSeconds } : {}),
    }
  }

  /** Nothing goes to a test number. */
  #planTest(channel: Channel): PlannedSend {
    return { id: makeId('snd_', this.#clock.now()), provider: 'test', channel }
  }

  /** A provider answers with a value; one that throws all the same has a bug, and may have sent. */
  async #call(provider: Provider, message: Parameters<Provider['send']>[0]): Promise<Sent> {
    try {
      return await provider.send(message, this.#aborter.signal)
    } catch {
      return { ok: false, why: 'unknown' }
    }
  }
}

/** The refusal of a text that no provider could be reached for. */
export function deliveryUnavailable(delivery: Delivery, help: ErrorHelp = {}): CountersignError {
  return new CountersignError('delivery_unavailable', 'The message could not be sent at the moment', {
    ...help,
    retryAfterSeconds: Math.max(1, delivery.retryAfterSeconds ?? 1),
  })
}

/** The refusal of a channel that no provider carries. */
export function channelNotCarried(): CountersignError {
  return new CountersignError('invalid_request', 'No provider carries this channel', { field: 'channel' })
}

function outcomeOf(sent: Sent): SendOutcome {
  if (sent.ok) {
    return { status: 'accepted', error: null, ref: sent.ref, vendorCode: null, price: sent.price ?? null }
  }
  return {
    status: sent.why === 'unknown' ? 'unknown' : 'refused',
    error: sent.why,
    ref: null,
    vendorCode: sent.code ?? null,
    price: null,
  }
}
