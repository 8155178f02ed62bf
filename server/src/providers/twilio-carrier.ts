import type { Channel, Message, Sent } from '../messaging/provider.ts'
import type { TwilioConnection } from './twilio-connection.ts'
import { TwilioFailure } from './twilio-failure.ts'
import { callRequest, messageRequest, tooLong } from './twilio-requests.ts'
import type { Retries, Try } from './twilio-retries.ts'
import type { TwilioSettings } from './twilio-settings.ts'
import { CALL_SID, MESSAGE_SID, priceOf } from './twilio-shapes.ts'

/** Hands messages and calls to Twilio. */
export class Carrier {
  readonly #settings: TwilioSettings
  readonly #channels: readonly Channel[]
  readonly #connection: TwilioConnection
  readonly #retries: Retries
  /** Channels whose texts this account may not ask Twilio to forget. */
  readonly #kept = new Set<Channel>()

  constructor(
    settings: TwilioSettings,
    channels: readonly Channel[],
    connection: TwilioConnection,
    retries: Retries,
  ) {
    this.#settings = settings
    this.#channels = channels
    this.#connection = connection
    this.#retries = retries
  }

  async send(message: Message, signal: AbortSignal): Promise<Sent> {
    if (!this.#channels.includes(message.channel)) return { ok: false, why: 'misconfigured', code: 'channel' }
    const refused = tooLong(message)
    if (refused !== undefined) return refused
    const startedMs = this.#retries.now()
    return this.#retries.run(
      () => this.#try(message, startedMs, this.#discards(message.channel), signal),
      signal,
      message.hurried,
    )
  }

  async #try(message: Message, startedMs: number, discard: boolean, signal: AbortSignal): Promise<Try<Sent>> {
    try {
      return { outcome: await this.#create(message, startedMs, discard, signal), again: false }
    } catch (error) {
      if (error instanceof TwilioFailure && error.code === '30029' && discard) {
        this.#kept.add(message.channel)
        return this.#try(message, startedMs, false, signal)
      }
      return this.#retries.refusalOf(error)
    }
  }

  async #create(message: Message, startedMs: number, discard: boolean, signal: AbortSignal): Promise<Sent> {
    const { sdk, http } = this.#connection
    if (message.channel === 'call') {
      const request = callRequest(this.#settings, message)
      const { sid, price, priceUnit } = await http.within(signal, () => sdk.calls.create(request))
      return taken(sid, CALL_SID, price, priceUnit)
    }
    const spentMs = this.#retries.now() - startedMs
    const request = messageRequest(this.#settings, message, spentMs, discard)
    const { sid, price, priceUnit } = await http.within(signal, () => sdk.messages.create(request))
    return taken(sid, MESSAGE_SID, price, priceUnit)
  }

  /** A call has no text that Twilio could be asked to forget. */
  #discards(channel: Channel): boolean {
    return (this.#settings.discardContent ?? true) && channel !== 'call' && !this.#kept.has(channel)
  }
}

function taken(sid: unknown, shape: RegExp, price: unknown, unit: unknown): Sent {
  if (typeof sid !== 'string' || !shape.test(sid)) return { ok: false, why: 'unknown', code: 'garbled' }
  const cost = priceOf(price, unit)
  return { ok: true, ref: sid, ...(cost === undefined ? {} : { price: cost }) }
}
