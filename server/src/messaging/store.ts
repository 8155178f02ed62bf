import type { Money } from './price.ts'
import type { Channel, Receipt, Refusal } from './provider.ts'

/**
 * How far a send has come: `sending` is recorded before the provider is called and stays if the process dies in
 * between; `unknown` means the vendor may have taken it. What follows is the vendor's word in receipts. See
 * {@link sendRanks}.
 */
export type SendStatus =
  'sending' | 'accepted' | 'unknown' | 'refused' | 'sent' | 'undelivered' | 'delivered' | 'read'

/**
 * Why a send was made: a verification or message was started with it, somebody asked for it again, the provider before
 * refused, or what an earlier one took did not arrive.
 */
export type SendCause = 'start' | 'resend' | 'failover' | 'lost'

/** One message handed to a provider. */
export type Send = {
  readonly id: string
  /** The verification (`ver_…`) or message (`msg_…`) it belongs to. */
  readonly owner: string
  readonly provider: string
  readonly channel: Channel
  /** Who it comes from, where a route named one. */
  readonly sender: string | null
  /** ISO 3166-1 alpha-2 of the number. */
  readonly country: string
  readonly cause: SendCause
  readonly status: SendStatus
  /** Why it was refused or not delivered, in our words. */
  readonly error: Refusal | null
  /** The vendor's own code of that. */
  readonly vendorCode: string | null
  /** The vendor's own id of the message. */
  readonly ref: string | null
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly deliveredAt: number | null
  /** By the operator's table until the vendor tells its own. */
  readonly price: Money | null
  /** What receipts changed, oldest first. */
  readonly history: readonly { readonly status: SendStatus; readonly at: number }[]
}

/** The provider of a send that only looks like one; see `StartRequest.isDecoy`. */
export const NO_PROVIDER = 'none'

/** A send that is about to be made: it is recorded together with what it belongs to, before the provider is called. */
export type PlannedSend = Pick<Send, 'id' | 'provider' | 'channel' | 'sender' | 'country' | 'cause' | 'price'>

/** A send and the turn that is being taken at it: 1 for the process that recorded it, one more each time it is retaken. */
export type HeldSend = { readonly owner: string; readonly id: string; readonly fence: number }

/**
 * A send that something must be done about, taken over by one process: it was left `sending` by a process that died, is
 * still `unknown`, was told to be `undelivered`, or there has been no word of it for as long as it was watched.
 */
export type RetakenSend = Send & { readonly fence: number }

/** What a provider's answer changes in a send. */
export type SendOutcome = {
  readonly status: 'accepted' | 'unknown' | 'refused'
  readonly error: Refusal | null
  /** The vendor's id of the message. */
  readonly ref: string | null
  /** The vendor's own code of a refusal. */
  readonly vendorCode: string | null
  /** What the vendor tells; null leaves the price that was planned. */
  readonly price: Money | null
  /** How long to wait for word of it; when that is over without any the send can be retaken. null: for ever. */
  readonly watchSeconds: number | null
}

/** What a receipt came to: it is news of a send, or none, or it waits for a send that is not settled yet. */
export type Told = { readonly state: 'news' | 'old'; readonly send: Send } | { readonly state: 'waiting' }

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
  /**
   * Records what the provider answered to a send that is `sending` or `unknown`; false, and nothing, when another
   * process has taken the send over.
   */
  settleSend(send: HeldSend, outcome: SendOutcome): Promise<boolean>
  /** Keeps sends that are still under way from being taken over. */
  renewSends(sends: readonly HeldSend[]): Promise<void>
  /**
   * Takes over sends that something must be done about, each for one caller alone: those whose process has neither
   * settled nor renewed them in time, and those whose watch is over.
   */
  retakeSends(limit: number): Promise<RetakenSend[]>
  /** Ends the watch over a send, or a turn at one that has been settled: nothing is left to be done about it. */
  releaseSend(send: HeldSend): Promise<void>
  /**
   * Records a receipt, found by `ref` or, for a send whose answer was lost, by our own id. It never takes a step back
   * in {@link sendRanks}, and one that tells nothing new changes nothing. `delivered` ends the watch; `undelivered`
   * makes a send that is watched due at once. A receipt whose send is not there or still `sending` waits in the store.
   */
  tell(provider: string, receipt: Receipt): Promise<Told>
  /** Tries waiting receipts again, oldest first; resolves with the sends that they were news of. */
  tellWaiting(limit: number): Promise<Send[]>
  /** Which of a provider's ids belong to sends, of whatever owner. */
  knownRefs(provider: string, refs: readonly string[]): Promise<Set<string>>
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
