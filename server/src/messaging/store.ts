import type { Money } from './price.ts'
import type { Channel, Refusal } from './provider.ts'

/**
 * How far a send has come: `sending` is recorded before the provider is called and stays if the process dies
 * in between; `unknown` means the vendor may have taken it.
 */
export type SendStatus = 'sending' | 'accepted' | 'unknown' | 'refused'

/** One message handed to a provider. */
export type Send = {
  readonly id: string
  /** The verification (`ver_…`) or message (`msg_…`) it belongs to. */
  readonly owner: string
  readonly provider: string
  readonly channel: Channel
  readonly status: SendStatus
  /** Why it was refused, in our words. */
  readonly error: Refusal | null
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly deliveredAt: number | null
  readonly price: Money | null
}

/** A send that is about to be made: it is recorded together with what it belongs to, before the provider is called. */
export type PlannedSend = Pick<Send, 'id' | 'provider' | 'channel'>

/** A send and the turn that is being taken at it: 1 for the process that recorded it, one more each time it is retaken. */
export type HeldSend = { readonly owner: string; readonly id: string; readonly fence: number }

/** A send whose process did not finish it in time, taken over. */
export type RetakenSend = HeldSend & PlannedSend

/** What a provider's answer changes in a send. */
export type SendOutcome = {
  readonly status: SendStatus
  readonly error: Refusal | null
  /** The vendor's id of the message. */
  readonly ref: string | null
  /** The vendor's own code of a refusal. */
  readonly vendorCode: string | null
  readonly price: Money | null
}

/** A text that a backend asked to send, without the text itself. */
export type MessageRecord = {
  readonly id: string
  readonly service: string
  readonly to: string
  readonly channel: Channel
  readonly template: string | null
  readonly segments: number
  readonly createdAt: number
}

/** Keeps sends and messages. Never the text: it may hold a code. */
export interface MessagingStore {
  /** Records a send before the provider is called; resolves once it is durable. */
  recordSend(owner: string, send: PlannedSend): Promise<void>
  /** Records what the provider answered; false, and nothing, when another process has taken the send over. */
  settleSend(send: HeldSend, outcome: SendOutcome): Promise<boolean>
  /** Keeps sends that are still under way from being taken over. */
  renewSends(sends: readonly HeldSend[]): Promise<void>
  /** Takes over sends whose process has neither settled nor renewed them in time, each for one caller alone. */
  retakeSends(limit: number): Promise<RetakenSend[]>
  /** Every send of an owner, oldest first. */
  sendsOf(owner: string): Promise<Send[]>
  /** Records a message and its first send in one step. */
  openMessage(message: Omit<MessageRecord, 'createdAt'>, send: PlannedSend): Promise<MessageRecord>
  message(service: string, id: string): Promise<MessageRecord | undefined>
  /** Newest first, after the cursor. */
  messages(filter: {
    readonly service: string
    readonly limit: number
    readonly cursor?: string
  }): Promise<{ data: MessageRecord[]; nextCursor: string | null }>
}
