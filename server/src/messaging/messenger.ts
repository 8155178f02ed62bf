import type { Clock } from '../primitives/clock.ts'
import { LATE, withDeadline } from '../primitives/deadline.ts'
import { CountersignError, type ErrorHelp } from '../primitives/errors.ts'
import { isId, makeId } from '../primitives/ids.ts'
import type { Circuits } from './circuits.ts'
import type { Latency } from './latency.ts'
import { FraudMarks } from './fraud-marks.ts'
import { isFinal, outcomeOf } from './outcomes.ts'
import type { PriceTable } from './prices.ts'
import type { CarriedCode, Channel, Found, KnownRefs, Provider, Ruling } from './provider.ts'
import { type Delivery, type Parcel, Relay, type SendObserver } from './relay.ts'
import type { RetryBudget } from './retry-budget.ts'
import { avoiding, type Candidate, type RoutingTable } from './routes.ts'
import { countSegments } from './segments.ts'
import type { MessageRecord, MessagingStore, PlannedSend, RetakenSend, Send, SendCause } from './store.ts'

export type { Delivery, SendObserver } from './relay.ts'

/** The longest text a vendor takes, in characters. Source: Twilio, Messages resource, `Body`. */
export const BODY_MAX = 1_600

/** A send this old is worth a renewal; most are over long before. */
const RENEW_AFTER_MS = 4_000
const LOOKUP_MS = 2_000
const CHECK_MS = 8_000

/** A text for a phone. */
export type Text = {
  /** E.164. */
  readonly to: string
  /** ISO 3166-1 alpha-2 of the number. */
  readonly country: string
  readonly channel: Channel
  readonly body: string
  readonly code?: CarriedCode
  /** How long it is worth delivering. */
  readonly validitySeconds?: number
  /** Of a call: what is dialled once it is answered, such as an extension. */
  readonly sendDigits?: string
  /** True where it can be sent once more when nobody knows whether a provider took it; see `Messenger.retake`. */
  readonly isRepeatable?: boolean
  /** True where that is so too when a provider that took it does not get it through. */
  readonly isConfirmed?: boolean
  /** True where it may then go by another channel. */
  readonly hasOtherChannel?: boolean
}

/** Where a text is to go, as far as its route depends on it. */
export type Destination = Pick<Text, 'to' | 'country' | 'channel'> & {
  readonly hasCode: boolean
  readonly segments: number
}

/** Who carries messages, in what order, and for what price. */
export type Routing = {
  /** In order of preference. */
  readonly providers: readonly Provider[]
  readonly routes: RoutingTable
  readonly prices: PriceTable
  /** A whole number from 0 to `max - 1`. */
  readonly random: (max: number) => number
}

export type MessengerDeps = {
  readonly store: MessagingStore
  readonly routing: Routing
  readonly circuits: Circuits
  readonly budget: RetryBudget
  readonly latency: Latency
  readonly clock: Clock
  readonly observe?: SendObserver
  /** Told of each send that its provider has taken or refused, and awaited. Must not reject. */
  readonly onChange?: ((send: Send) => Promise<void>) | undefined
  /** A text is answered for by then even if the provider has not answered. */
  readonly deadlineMs: number
  /** How long a provider that does not answer is waited for while there is another. */
  readonly patienceMs: number
  /** E.164 numbers that nothing is sent to. */
  readonly testNumbers: ReadonlySet<string>
}

/** Carries texts to phones through providers, and keeps what became of them. */
export class Messenger {
  readonly #deps: MessengerDeps
  readonly #relay: Relay
  readonly #marks: FraudMarks
  readonly #inFlight = new Set<Promise<Delivery>>()

  constructor(deps: MessengerDeps) {
    this.#deps = deps
    const { store, clock, circuits, budget, patienceMs, onChange, observe = () => {} } = deps
    this.#marks = new FraudMarks(clock)
    this.#relay = new Relay({ store, clock, circuits, budget, patienceMs, observe, onChange })
  }

  /** Whether any provider carries this channel. */
  carries(channel: Channel): boolean {
    return this.#deps.routing.providers.some((provider) => provider.channels.includes(channel))
  }

  /**
   * Plans the first send of a text, by the best provider that is not known to be down; the caller records it with what
   * it belongs to. `earlier` are the sends before it: who did not get through is asked last. Throws when nobody may
   * carry it.
   */
  plan(to: Destination, cause: SendCause, earlier: readonly Send[] = []): PlannedSend {
    const tried = earlier.filter((send) => send.channel === to.channel && send.deliveredAt === null)
    const candidates = avoiding(this.#candidates(to, earlier), tried)
    const [first] = candidates
    if (!first) throw channelNotCarried()
    return this.#relay.plan(candidates.find((one) => this.#isUp(one, to)) ?? first, to, cause)
  }

  /**
   * Plans another send after ones that did not arrive, by somebody who is not among those that were tried for the same
   * request and is not known to be down; undefined when there is nobody. `earlier`: every send before it.
   */
  planAnother(to: Destination, tried: readonly Send[], earlier: readonly Send[]): PlannedSend | undefined {
    const fresh = this.#candidates(to, earlier).find(
      (one) => !tried.some((send) => isSame(one, send)) && this.#isUp(one, to),
    )
    return fresh && this.#relay.plan(fresh, to, 'lost')
  }

  /**
   * Delivers a text whose first send is planned and recorded: calls the provider, records the outcome; on a refusal
   * that says nothing about the number it goes on to the next provider. `fence` is that of a send that was retaken;
   * `earlier` are the sends of the same owner before it.
   */
  deliver(
    owner: string,
    text: Text,
    planned: PlannedSend,
    { fence = 1, earlier = [] }: { readonly fence?: number; readonly earlier?: readonly Send[] } = {},
  ): Promise<Delivery> {
    const { isRepeatable = false, isConfirmed = false, hasOtherChannel = false, ...message } = text
    const to = destinationOf(text)
    const candidates = this.#candidates(to, earlier)
    const parcel: Parcel = {
      owner,
      message,
      planned,
      fence,
      first: this.#provider(planned.provider),
      others: candidates.filter((candidate) => !isSame(candidate, planned)),
      watchSeconds: (provider, sent) => {
        if (!sent.ok) return isRepeatable ? 0 : null
        // Nobody waits for word that does not come, or that nothing would follow.
        if (!isConfirmed || provider.tells !== true) return null
        if (candidates.length < 2 && !hasOtherChannel) return null
        return Math.ceil(this.#deps.latency.patienceMs(provider.name, text.country) / 1_000)
      },
    }
    const delivery = this.#relay.deliver(parcel).then((result) => {
      for (const send of result.sends) this.heardOf(text.to, send)
      return result
    })
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
    const { store, clock, testNumbers, deadlineMs } = this.#deps
    const { service, template, ...rest } = text
    const isTest = testNumbers.has(text.to)
    const to = destinationOf(rest)
    const planned = isTest ? this.#planTest(to) : this.plan(to, 'start')
    const message = await store.openMessage(
      {
        id: makeId('msg_', clock.now()),
        service,
        to: text.to,
        channel: text.channel,
        template,
        segments: to.segments,
      },
      planned,
    )
    if (isTest) {
      const send = { owner: message.id, id: planned.id, fence: 1 }
      await store.settleSend(send, outcomeOf({ ok: true, ref: planned.id }))
      return { message, sends: await this.sendsOf(message.id) }
    }
    const work = this.deliver(message.id, rest, planned)
    const delivery = await withDeadline(work, deadlineMs)
    if (delivery === LATE) {
      work.catch(() => {})
      return { message, sends: await this.sendsOf(message.id) }
    }
    if (delivery.outcome === 'unavailable') throw deliveryUnavailable(delivery)
    return { message, sends: delivery.sends }
  }

  /** Settles a planned send of {@link NO_PROVIDER} as if it had been taken. */
  async pretend(owner: string, { id }: PlannedSend): Promise<void> {
    await this.#deps.store.settleSend({ owner, id, fence: 1 }, outcomeOf({ ok: true, ref: id }))
  }

  /** Hears what became of a send to a number (E.164), where that may bear on other messages. */
  heardOf(to: string, send: Send): void {
    this.#marks.hear(to, send, this.#provider(send.provider))
  }

  /** Takes over sends that something must be done about: whoever has them may deliver, resolve or release them. */
  retake(limit: number): Promise<RetakenSend[]> {
    return this.#deps.store.retakeSends(limit)
  }

  /** Asks the provider of a send whose answer was lost whether it has taken the message; what it tells is recorded. */
  async lookUp(send: RetakenSend, text: Text): Promise<Found['found']> {
    const provider = this.#provider(send.provider)
    if (provider?.lookup === undefined) return 'unknown'
    const { isRepeatable: _, isConfirmed: __, hasOtherChannel: ___, ...message } = text
    // Two messages to a number may look alike to a vendor that has forgotten their texts.
    const known: KnownRefs = (refs) => this.#deps.store.knownRefs(send.provider, refs)
    const signal = AbortSignal.timeout(LOOKUP_MS)
    const sender = send.sender === null ? {} : { sender: send.sender }
    const found = await provider
      .lookup({ ...message, id: send.id, ...sender }, send.at, signal, known)
      .catch((): Found => ({ found: 'unknown' }))
    if (found.found !== true) return (await this.#isTold(send)) || found.found
    const { ref, price } = found
    await this.#deps.store.settleSend(send, outcomeOf({ ok: true, ref, ...(price ? { price } : {}) }))
    return true
  }

  /** Whether a receipt has come since: its ref is known as the send's own then, and no lookup shows it. */
  async #isTold({ owner, id }: Send): Promise<boolean> {
    const sends = await this.#deps.store.sendsOf(owner)
    return sends.some((send) => send.id === id && send.ref !== null)
  }

  /** Whether receipts come in for what a provider takes. */
  tells(send: Send): boolean {
    return this.#provider(send.provider)?.tells === true
  }

  /** Waits for word of a send whose answer was lost, so many seconds more. */
  async await(send: RetakenSend, seconds: number): Promise<void> {
    await this.#deps.store.settleSend(send, outcomeOf({ ok: false, why: 'unknown' }, seconds))
  }

  /** Ends a send that nobody can finish any more: a provider may have taken it before its process died. */
  async giveUp(send: RetakenSend): Promise<void> {
    const { store } = this.#deps
    if (send.status === 'sending') await store.settleSend(send, outcomeOf({ ok: false, why: 'unknown' }))
    else await store.releaseSend(send)
  }

  /** Keeps the sends under way from being retaken; to be called several times in a lease. */
  async renew(): Promise<void> {
    const slow = this.#relay.heldSince(this.#deps.clock.now() - RENEW_AFTER_MS)
    if (slow.length > 0) await this.#deps.store.renewSends(slow)
  }

  /** The send of a verification whose vendor owns the code, the newest first; undefined where there is none. */
  codeOwner(sends: readonly Send[]): Send | undefined {
    return sends.findLast(({ provider, ref }) => ref !== null && this.#provider(provider)?.ownsCode === true)
  }

  /** Whether some provider's vendor owns its codes. */
  get hasCodeOwner(): boolean {
    return this.#deps.routing.providers.some(({ ownsCode }) => ownsCode === true)
  }

  /** Asks the vendor that owns a code about a guess at it. */
  async check(send: Send, code: string): Promise<Ruling> {
    const provider = this.#provider(send.provider)
    if (provider?.check === undefined || send.ref === null) return 'unavailable'
    const signal = AbortSignal.timeout(CHECK_MS)
    return provider.check(send.ref, code, signal).catch((): Ruling => 'unavailable')
  }

  /** Every send of a verification or message, oldest first. */
  sendsOf(owner: string): Promise<Send[]> {
    return this.#deps.store.sendsOf(owner)
  }

  async message(service: string, id: string): Promise<MessageRecord | undefined> {
    return isId('msg_', id) ? this.#deps.store.message(service, id) : undefined
  }

  messages(filter: Parameters<MessagingStore['messages']>[0]): ReturnType<MessagingStore['messages']> {
    return this.#deps.store.messages(filter)
  }

  /** Asks each provider whether it accepts our credentials. */
  async probe(signal: AbortSignal): Promise<{ name: string; ok: boolean; detail: string }[]> {
    return Promise.all(
      this.#deps.routing.providers.map(async (provider) => {
        const found = (await provider.probe?.(signal)) ?? { ok: true, detail: 'nothing to check' }
        return { name: provider.name, ...found }
      }),
    )
  }

  /** Waits for the sends under way, at most so long, then aborts them and closes the providers. */
  async close(graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.#relay.abort(), graceMs)
    await Promise.allSettled(this.#inFlight)
    clearTimeout(timer)
    await Promise.allSettled(this.#deps.routing.providers.map(async (provider) => provider.close?.()))
  }

  /** Those who may carry a text. Who has said the last word on the number keeps it: others are not asked to overrule it. */
  #candidates(to: Destination, earlier: readonly Send[] = []): readonly Candidate[] {
    const { routes, ...rest } = this.#deps.routing
    const candidates = routes.candidates(to, rest)
    const last = earlier.findLast((send) => send.channel === to.channel && isFinal(send.error))
    const keeper = last?.provider ?? this.#marks.keeperOf(to.to)
    return keeper === undefined ? candidates : candidates.filter(({ provider }) => provider.name === keeper)
  }

  #isUp({ provider, sender }: Candidate, { country }: Destination): boolean {
    return this.#deps.circuits.mayCall({ provider: provider.name, country, sender })
  }

  #provider(name: string): Provider | undefined {
    return this.#deps.routing.providers.find((provider) => provider.name === name)
  }

  /** Nothing goes to a test number. */
  #planTest({ channel, country }: Destination): PlannedSend {
    const id = makeId('snd_', this.#deps.clock.now())
    return { id, provider: 'test', channel, country, sender: null, cause: 'start', price: null }
  }
}

/** What the route of a text depends on. */
function destinationOf({ to, country, channel, body, code }: Text): Destination {
  // A message with a code is written to fit one segment; see texts.ts.
  if (code !== undefined) return { to, country, channel, hasCode: true, segments: 1 }
  return { to, country, channel, hasCode: false, segments: countSegments(body).segments }
}

function isSame({ provider, sender }: Candidate, send: Pick<PlannedSend, 'provider' | 'sender'>): boolean {
  return provider.name === send.provider && sender === send.sender
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
