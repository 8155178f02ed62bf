import type { Send } from '../messaging/store.ts'
import type { Clock } from '../primitives/clock.ts'
import type { EventSender, Outbox } from '../services/outbox.ts'
import type { Service } from '../services/service.ts'
import { isSid } from '../services/sids.ts'
import type { Verification } from '../verify/verification.ts'
import type { CloudEvent } from './cloud-event.ts'
import { isTold, messageEvent } from './message-events.ts'
import { verificationEvent } from './verification-events.ts'

/** The kinds of events in the outbox: one that is to be told, and a look at a verification whose time is over. */
export const SINK_EVENT = 'sink'
export const EXPIRY_EVENT = 'expiry'

/** Places of the outbox: each tells ten at once, and one sink takes more. */
const LANES = 8

export type VerifyEventsDeps = {
  readonly outbox: Pick<Outbox, 'put'>
  readonly serviceOf: (id: string) => Promise<Service | undefined>
  readonly verificationOf: (id: string) => Promise<Verification | undefined>
  readonly sendsOf: (verification: string) => Promise<readonly Send[]>
  readonly clock: Clock
  /** Told of what could not be written down, and so is not told to anybody. */
  readonly onFailure: (verification: string, error: unknown) => void
}

/**
 * Writes down what becomes of the verifications of accounts' services, to be told to the operator's sink. None of it
 * rejects: that a code was right is not taken back because it could not be written that it was.
 */
export class VerifyEvents {
  readonly #deps: VerifyEventsDeps

  constructor(deps: VerifyEventsDeps) {
    this.#deps = deps
  }

  /** A verification has come to where it stands, or a message of one that is pending was asked for. */
  verificationChanged(verification: Verification): Promise<void> {
    return this.#safely(verification.id, async () => {
      const service = await this.#serviceOf(verification)
      if (!service) return
      const { outbox, clock } = this.#deps
      await this.#put(service, verification, await this.#eventOf(service, verification))
      // Nothing happens when its time is over, so that is looked at then.
      if (verification.status !== 'pending' || verification.sends > 1) return
      const dueInSeconds = Math.max(0, Math.ceil((verification.expiresAt - clock.now()) / 1_000))
      const look = { kind: EXPIRY_EVENT, to: laneOf(verification), what: verification.id }
      await outbox.put(service.account, look, dueInSeconds)
    })
  }

  /** A message was taken or refused by its provider, or a receipt has told of it. */
  sendChanged(send: Send): Promise<void> {
    if (!send.owner.startsWith('ver_') || !isTold(send.status)) return Promise.resolve()
    return this.#safely(send.owner, async () => {
      const { verificationOf, sendsOf, clock } = this.#deps
      const verification = await verificationOf(send.owner)
      const service = verification && (await this.#serviceOf(verification))
      if (!service) return
      const sends = await sendsOf(send.owner)
      const about = { service, verification }
      await this.#put(service, verification, messageEvent(about, send, sends, clock.now()))
    })
  }

  /** Makes what looks at verifications whose time is over, and tells of those that nothing else has ended. */
  makeExpirySender(tell: EventSender): EventSender {
    return async (event) => {
      const verification = await this.#deps.verificationOf(String(event.what))
      if (verification?.status === 'pending') return false
      const service = verification?.status === 'expired' ? await this.#serviceOf(verification) : undefined
      if (!verification || !service) return true
      return tell({ ...event, what: await this.#eventOf(service, verification) })
    }
  }

  async #serviceOf({ service }: Verification): Promise<Service | undefined> {
    return isSid('VA', service) ? this.#deps.serviceOf(service) : undefined
  }

  async #eventOf(service: Service, verification: Verification): Promise<CloudEvent | undefined> {
    const { sendsOf, clock } = this.#deps
    return verificationEvent({ service, verification }, await sendsOf(verification.id), clock.now())
  }

  async #put(service: Service, verification: Verification, event: CloudEvent | undefined): Promise<void> {
    if (event === undefined) return
    await this.#deps.outbox.put(service.account, { kind: SINK_EVENT, to: laneOf(verification), what: event })
  }

  async #safely(verification: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#deps.onFailure(verification, error)
    }
  }
}

function laneOf({ id }: Verification): string {
  return `sink:${Number.parseInt(id.slice(-1), 16) % LANES}`
}
