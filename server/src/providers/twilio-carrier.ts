import type { Channel, Message, Sent } from '../messaging/provider.ts'
import type { Retries, Try } from './shared/retries.ts'
import type { TwilioConnection } from './twilio-connection.ts'
import { refusalOf, TwilioFailure } from './twilio-failure.ts'
import type { AskMessages } from './twilio-messages.ts'
import { callRequest, messageRequest, tooLong } from './twilio-requests.ts'
import type { TwilioSettings } from './twilio-settings.ts'
import { CALL_SID, MESSAGE_SID, priceOf } from './twilio-shapes.ts'

/** Hands messages and calls to Twilio. */
export class Carrier {
  readonly #settings: TwilioSettings
  readonly #channels: readonly Channel[]
  readonly #connection: TwilioConnection
  readonly #askMessages: AskMessages
  readonly #retries: Retries
  /** Channels whose texts this account may not ask Twilio to forget. */
  readonly #kept = new Set<Channel>()

  constructor(
    settings: TwilioSettings,
    channels: readonly Channel[],
    connection: TwilioConnection,
    { askMessages, retries }: { readonly askMessages: AskMessages; readonly retries: Retries },
  ) {
    this.#settings = settings
    this.#channels = channels
    this.#connection = connection
    this.#askMessages = askMessages
    this.#retries = retries
  }

  async send(message: Message, signal: AbortSignal): Promise<Sent> {
    if (!this.#channels.includes(message.channel)) return { ok: false, why: 'misconfigured', code: 'channel' }
    const refused = tooLong(message)
    if (refused !== undefined) return refused
    return this.#retries.run(
      (spentMs) => this.#try(message, spentMs, this.#discards(message.channel), signal),
      signal,
      message.hurried,
    )
  }

  async #try(message: Message, spentMs: number, discard: boolean, signal: AbortSignal): Promise<Try<Sent>> {
    try {
      return { outcome: await this.#create(message, spentMs, discard, signal), again: false }
    } catch (error) {
      if (error instanceof TwilioFailure && error.code === '30029' && discard) {
        this.#kept.add(message.channel)
        return this.#try(message, spentMs, false, signal)
      }
      return refusalOf(error, this.#retries)
    }
  }

  async #create(message: Message, spentMs: number, discard: boolean, signal: AbortSignal): Promise<Sent> {
    if (message.channel === 'call') {
      const { sdk, http } = this.#connection
      const request = callRequest(this.#settings, message)
      const { sid, price, priceUnit } = await http.within(signal, () => sdk.calls.create(request))
      return taken(sid, CALL_SID, price, priceUnit)
    }
    const request = messageRequest(this.#settings, message, spentMs, discard)
    const { sid, price, price_unit: unit } = await this.#askMessages(request, signal)
    return taken(sid, MESSAGE_SID, price, unit)
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
