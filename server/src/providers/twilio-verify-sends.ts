import type { CarriedCode, Channel, Message, Sent } from '../messaging/provider.ts'
import type { Retries, Try } from './shared/retries.ts'
import type { TwilioConnection } from './twilio-connection.ts'
import { refusalOf, TwilioFailure } from './twilio-failure.ts'
import { VERIFICATION_SID } from './twilio-shapes.ts'
import { verifyLocale } from './twilio-verify-locales.ts'

/** What Twilio's clock and ours may differ by. */
export const SLACK_MS = 2_000
/** What says that Twilio Verify does not speak a language. */
const NO_SUCH_LOCALE = new Set(['20404', '60229', 'http_404'])

/** A verification at Twilio, when it was made, and how many messages it has sent; 0: Twilio did not say. */
type Verification = { readonly sid: string; readonly createdMs: number; readonly messages: number }
type CodeMessage = Message & { readonly code: CarriedCode }

/**
 * Has Twilio make a code and send it.
 *
 * Twilio knows one pending verification of a number and goes on with it, same code, whatever it is asked for. A code
 * for one purpose would be good for another, so one that is not ours is ended, and ours begun anew. Nothing of this is
 * kept here: whichever process sends, the store knows what ours was, and Twilio how old its own is.
 */
export class VerifySends {
  readonly #service: string
  readonly #channels: readonly Channel[]
  readonly #connection: TwilioConnection
  readonly #retries: Retries

  constructor(service: string, channels: readonly Channel[], connection: TwilioConnection, retries: Retries) {
    this.#service = service
    this.#channels = channels
    this.#connection = connection
    this.#retries = retries
  }

  async send(message: Message, signal: AbortSignal): Promise<Sent> {
    const { channel, code } = message
    if (!this.#channels.includes(channel)) return { ok: false, why: 'misconfigured', code: 'channel' }
    // Twilio Verify sends nothing but codes of its own; that says nothing against it.
    if (code === undefined) return { ok: false, why: 'wrong_channel', code: 'no_code' }
    return this.#retries.run(() => this.#try({ ...message, code }, signal), signal, message.hurried)
  }

  async #try(message: CodeMessage, signal: AbortSignal): Promise<Try<Sent>> {
    let made: Verification
    try {
      made = await this.#create(message, signal)
    } catch (error) {
      return refusalOf(error, this.#retries)
    }
    if (isOurs(made, message.code)) return { outcome: { ok: true, ref: made.sid }, again: false }
    return { outcome: await this.#renew(made, message, signal), again: false }
  }

  /** Ends a verification of something else and begins ours. Its code has just gone out once more, and is dead now. */
  async #renew(old: Verification, message: CodeMessage, signal: AbortSignal): Promise<Sent> {
    try {
      await this.#cancel(old.sid, signal)
    } catch (error) {
      // What was sent opens nothing of ours, so another provider may send.
      const { outcome } = refusalOf(error, this.#retries)
      return outcome.ok || outcome.why !== 'unknown' ? outcome : { ...outcome, why: 'unavailable' }
    }
    try {
      const { sid, messages } = await this.#create(message, signal)
      // New for sure, whatever the clocks say, unless another of our verifications has begun it meanwhile.
      const isNew = sid !== old.sid && messages <= 1
      return isNew ? { ok: true, ref: sid } : { ok: false, why: 'unavailable', code: 'continued' }
    } catch (error) {
      return refusalOf(error, this.#retries).outcome
    }
  }

  async #create(message: CodeMessage, signal: AbortSignal): Promise<Verification> {
    const locale = verifyLocale(message.code.locale)
    if (locale === undefined) return this.#ask(message, undefined, signal)
    try {
      return await this.#ask(message, locale, signal)
    } catch (error) {
      // Nothing was sent: a template may have fewer languages than Twilio's own.
      if (!(error instanceof TwilioFailure) || !NO_SUCH_LOCALE.has(error.code)) throw error
      return this.#ask(message, undefined, signal)
    }
  }

  async #ask(
    { to, channel, sendDigits }: CodeMessage,
    locale: string | undefined,
    signal: AbortSignal,
  ): Promise<Verification> {
    const { sdk, http } = this.#connection
    const request = {
      to,
      channel,
      ...(locale === undefined ? {} : { locale }),
      ...(sendDigits === undefined ? {} : { sendDigits }),
    }
    const { verifications } = sdk.verify.v2.services(this.#service)
    const made = await http.within(signal, () => verifications.create(request))
    const {
      sid,
      dateCreated,
      sendCodeAttempts,
    }: Record<'sid' | 'dateCreated' | 'sendCodeAttempts', unknown> = made
    if (typeof sid !== 'string' || !VERIFICATION_SID.test(sid) || !(dateCreated instanceof Date)) {
      throw new TwilioFailure('unknown', 'garbled')
    }
    const messages = Array.isArray(sendCodeAttempts) ? sendCodeAttempts.length : 0
    return { sid, createdMs: dateCreated.getTime(), messages }
  }

  async #cancel(sid: string, signal: AbortSignal): Promise<void> {
    const { sdk, http } = this.#connection
    const verification = sdk.verify.v2.services(this.#service).verifications(sid)
    try {
      await http.within(signal, () => verification.update({ status: 'canceled' }))
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TwilioFailure) || error.code !== '20404') throw error
    }
  }
}

/**
 * Whether what Twilio has sent is of our verification. Where that was sent before, it is the one that was sent then and
 * no other. Else it must be of this message alone, and begun after ours was opened.
 */
function isOurs({ sid, createdMs, messages }: Verification, { ref, since }: CarriedCode): boolean {
  return ref === undefined ? messages <= 1 && createdMs >= since - SLACK_MS : sid === ref
}
