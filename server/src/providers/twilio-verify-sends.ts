import type { CarriedCode, Channel, Message, Sent } from '../messaging/provider.ts'
import type { TwilioConnection } from './twilio-account.ts'
import { TwilioFailure } from './twilio-failure.ts'
import type { Retries, Try } from './twilio-retries.ts'
import { VERIFICATION_SID } from './twilio-shapes.ts'
import { verifyLocale } from './twilio-verify-locales.ts'

/** What Twilio's clock and ours may differ by. */
export const SLACK_MS = 2_000
/** Verifications that are remembered: those of Twilio's ten minutes, at 16 a second. */
const OWNERS_MAX = 10_000
/** What says that Twilio Verify does not speak a language. */
const NO_SUCH_LOCALE = new Set(['20404', '60229', 'http_404'])

/** A verification at Twilio, and when it was made. */
type Verification = { readonly sid: string; readonly createdMs: number }
type CodeMessage = Message & { readonly code: CarriedCode }

/**
 * Has Twilio make a code and send it.
 *
 * Twilio knows one pending verification of a number and goes on with it, same code, whatever it is asked for. A code
 * for one purpose would be good for another, so one that was there before ours was opened is ended, and begun anew.
 */
export class VerifySends {
  readonly #service: string
  readonly #channels: readonly Channel[]
  readonly #connection: TwilioConnection
  readonly #retries: Retries
  /** Which of our verifications one of Twilio's serves, by when ours was opened; the oldest first. */
  readonly #owners = new Map<string, number>()

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
    return this.#retries.run(() => this.#try({ ...message, code }, signal), signal)
  }

  async #try(message: CodeMessage, signal: AbortSignal): Promise<Try<Sent>> {
    let made: Verification
    try {
      made = await this.#create(message, signal)
    } catch (error) {
      return this.#retries.refusalOf(error)
    }
    if (this.claim(made, message.code)) return { outcome: { ok: true, ref: made.sid }, again: false }
    return { outcome: await this.#renew(made, message, signal), again: false }
  }

  /** Ends a verification of something else and begins ours. Its code has just gone out once more, and is dead now. */
  async #renew(old: Verification, message: CodeMessage, signal: AbortSignal): Promise<Sent> {
    try {
      await this.#cancel(old.sid, signal)
    } catch (error) {
      // What was sent opens nothing of ours, so another provider may send.
      const { outcome } = this.#retries.refusalOf(error)
      return outcome.ok || outcome.why !== 'unknown' ? outcome : { ...outcome, why: 'unavailable' }
    }
    try {
      const { sid } = await this.#create(message, signal)
      // New for sure, whatever the clocks say, unless another of our verifications has begun it meanwhile.
      const isOurs = sid !== old.sid && this.claim({ sid, createdMs: Infinity }, message.code)
      return isOurs ? { ok: true, ref: sid } : { ok: false, why: 'unavailable', code: 'continued' }
    } catch (error) {
      return this.#retries.refusalOf(error).outcome
    }
  }

  /**
   * Takes a verification of Twilio's for one of ours, unless it is another's: told by what this process knows, else by
   * the time.
   */
  claim({ sid, createdMs }: Verification, { since }: CarriedCode): boolean {
    const owner = this.#owners.get(sid)
    if (owner === undefined ? createdMs < since - SLACK_MS : owner !== since) return false
    this.#owners.set(sid, since)
    const [oldest] = this.#owners.keys()
    if (this.#owners.size > OWNERS_MAX && oldest !== undefined) this.#owners.delete(oldest)
    return true
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
    { to, channel }: CodeMessage,
    locale: string | undefined,
    signal: AbortSignal,
  ): Promise<Verification> {
    const { sdk, http } = this.#connection
    const request = { to, channel, ...(locale === undefined ? {} : { locale }) }
    const { verifications } = sdk.verify.v2.services(this.#service)
    const made = await http.within(signal, () => verifications.create(request))
    const { sid, dateCreated }: { sid: unknown; dateCreated: unknown } = made
    if (typeof sid !== 'string' || !VERIFICATION_SID.test(sid) || !(dateCreated instanceof Date)) {
      throw new TwilioFailure('unknown', 'garbled')
    }
    return { sid, createdMs: dateCreated.getTime() }
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
