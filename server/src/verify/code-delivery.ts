import type { Taken } from '../limits/counters.ts'
import { giveBack } from '../limits/refusal.ts'
import { waitSeconds } from '../limits/window.ts'
import { decide } from '../guard/guard.ts'
import { type Delivery, deliveryUnavailable, type Destination, type Text } from '../messaging/messenger.ts'
import type { Channel } from '../messaging/provider.ts'
import type { PlannedSend, Send } from '../messaging/store.ts'
import { renderCode } from '../messaging/texts.ts'
import { LATE, withDeadline } from '../primitives/deadline.ts'
import { parsePhone } from '../primitives/phone.ts'
import type { VerifyDeps } from './deps.ts'
import type { Verification } from './verification.ts'

/** What a start or a resend came to. */
export type Started = {
  /** False when a pending verification was sent again. */
  readonly opened: boolean
  readonly verification: Verification
  readonly sends: readonly Send[]
}

/** What a delivery needs to know of the send that is to be made. */
export type Outgoing = {
  readonly verification: Verification
  readonly code: string
  readonly planned: PlannedSend
  /** Of a send that was retaken. */
  readonly fence?: number
  /** The sends of the verification before, oldest first. */
  readonly earlier: readonly Send[]
  readonly taken: Taken | undefined
  readonly opened: boolean
  /** What becomes of it changes nothing that can be seen from outside, as with a decoy; see `StartRequest.isQuiet`. */
  readonly isQuiet?: boolean
}

/** Brings the code of a verification to its phone. */
export class CodeDelivery {
  readonly #deps: VerifyDeps

  constructor(deps: VerifyDeps) {
    this.#deps = deps
  }

  /** Delivers the code, answering by the deadline whether or not the provider has. */
  async deliver(outgoing: Outgoing): Promise<Started> {
    const { messenger, settings } = this.#deps
    const { verification, code, earlier, planned, opened } = outgoing
    const text = await this.textOf(verification, code, earlier)
    const delivery = messenger
      .deliver(verification.id, text, planned, {
        earlier,
        ...(outgoing.fence === undefined ? {} : { fence: outgoing.fence }),
      })
      .then((result) => this.#delivered(outgoing, result))
    const answer = await withDeadline(delivery, settings.startDeadlineMs)
    if (answer !== LATE) return answer
    // The send goes on. What it comes to is in the store, and a refusal cannot reach this caller any more.
    delivery.catch(() => {})
    return { opened, verification, sends: await messenger.sendsOf(verification.id) }
  }

  /** Does to the store what a delivery does, and sends nothing. */
  async pretend({ verification, planned, opened }: Outgoing): Promise<Started> {
    await this.#deps.messenger.pretend(verification.id, planned)
    return { opened, verification, sends: [] }
  }

  /** The message that carries the code of a verification, by its channel; `earlier` are those that did before. */
  async textOf(verification: Verification, code: string, earlier: readonly Send[]): Promise<Text> {
    const { messenger, settings, clock } = this.#deps
    const ref = messenger.codeOwner(earlier)?.ref ?? undefined
    const { to, country, channel, locale, terms, createdAt, expiresAt } = verification
    return {
      to,
      country,
      channel,
      body: await this.#body(verification, code),
      code: { digits: code, locale, since: createdAt, ...(ref === undefined ? {} : { ref }) },
      validitySeconds: waitSeconds(expiresAt, clock.now()),
      ...(channel !== 'call' || terms?.sendDigits === undefined ? {} : { sendDigits: terms.sendDigits }),
      isRepeatable: true,
      isConfirmed: settings.confirms(verification.service),
      hasOtherChannel: this.otherChannels(verification, settings.failoverChannels).length > 0,
    }
  }

  /** The channels to fall back to, in order: those that somebody carries and that the guard lets go to this number. */
  otherChannels(verification: Verification, among: readonly Channel[]): readonly Channel[] {
    if (among.length === 0) return []
    const { messenger, guard } = this.#deps
    const phone = parsePhone(verification.to)
    return among.filter(
      (channel) =>
        channel !== verification.channel &&
        messenger.carries(channel) &&
        decide(guard, phone, channel).verdict === 'allow',
    )
  }

  async #delivered(outgoing: Outgoing, delivery: Delivery): Promise<Started> {
    const { store, counters, messenger } = this.#deps
    const { verification, taken, opened, isQuiet = false } = outgoing
    if (isQuiet) return { opened, verification, sends: delivery.sends }
    if (delivery.outcome === 'unavailable') {
      await store.retract(verification.id)
      await giveBack(counters, taken)
      throw deliveryUnavailable(delivery, { verificationId: verification.id })
    }
    const sends = opened ? delivery.sends : await messenger.sendsOf(verification.id)
    if (delivery.outcome === 'sent') return { opened, verification, sends }
    if (delivery.why === 'wrong_channel') return this.#wrongChannel(outgoing, sends)
    return { opened, verification: await this.#ended(verification, sends), sends }
  }

  /** This number takes no such message: another channel may do, now where the operator wants that, or when asked for. */
  async #wrongChannel(outgoing: Outgoing, sends: readonly Send[]): Promise<Started> {
    const { store, messenger, settings, counters, rules } = this.#deps
    const { verification, taken, opened } = outgoing
    const tried = new Set(sends.map(({ channel }) => channel))
    const isNew = (channel: Channel) => !tried.has(channel)
    const next = this.otherChannels(verification, settings.failoverChannels).find(isNew)
    if (next !== undefined) {
      const planned = messenger.plan(destinationOf(verification, next), 'failover', sends)
      const { refused, verification: again } = await store.resend(verification.id, {
        channel: next,
        cooldownSeconds: rules.cooldownSeconds(verification.sends),
        send: planned,
        early: true,
      })
      if (!refused) {
        return this.deliver({ ...outgoing, verification: again, earlier: sends, planned, opened: false })
      }
    }
    const isOffered = this.otherChannels(verification, CHANNELS).some(isNew)
    if (!isOffered) return { opened, verification: await this.#ended(verification, sends), sends }
    // Nothing went to the number; the address keeps its hit.
    await giveBack(counters, taken, [rules.sendsKey(verification.to)])
    await store.retract(verification.id)
    return { opened, verification: (await store.find(verification.id)) ?? verification, sends }
  }

  /** A number that cannot be reached ends the verification, unless an earlier message may have got through. */
  async #ended(verification: Verification, sends: readonly Send[]): Promise<Verification> {
    const failed = sends.every((send) => send.status === 'refused')
    return failed ? this.#deps.store.fail(verification.id) : verification
  }

  async #body(
    { service, channel, locale, purpose, terms, expiresAt }: Verification,
    code: string,
  ): Promise<string> {
    const { settings, clock, policyOf, templateOf } = this.#deps
    const { template, substitutions, amount, payee, appHash } = terms ?? {}
    const left = expiresAt - clock.now()
    return renderCode({
      ...(locale === null ? {} : { locale }),
      defaultLocale: settings.defaultLocale,
      ttlMinutes: Math.max(1, Math.round(left / 60_000)),
      serviceName: terms?.friendlyName ?? (await policyOf(service)).name,
      code,
      purpose,
      ...(amount === undefined || payee === undefined ? {} : { payment: { amount, payee } }),
      ...(appHash === undefined ? {} : { lastLine: appHash }),
      autofill: channel === 'sms' ? settings.autofillOf(service) : undefined,
      template: template === undefined ? undefined : templateOf(template, locale),
      substitutions,
    })
  }
}

/** What the route of a code depends on: its message is written to fit one segment. */
export function destinationOf(
  { to, country }: Pick<Destination, 'to' | 'country'>,
  channel: Channel,
): Destination {
  return { to, country, channel, hasCode: true, segments: 1 }
}

const CHANNELS: readonly Channel[] = ['sms', 'whatsapp', 'call']
