import type { Money } from './price.ts'

/** How a message travels. */
export type Channel = 'sms' | 'whatsapp' | 'call'

/** One message for one phone, as a provider is asked to carry it. */
export type Message = {
  /** The send's own id (`snd_…`), recorded before the call; useful to a vendor as a client reference. */
  readonly id: string
  /** Destination, E.164. */
  readonly to: string
  readonly channel: Channel
  /** The text as the phone will show it; at most 1,600 characters. */
  readonly body: string
  /** How long the message is worth delivering, in seconds: a code that has died must not arrive. */
  readonly validitySeconds?: number
}

/**
 * Why a message was not taken, in our words. Failover looks at this meaning alone, never at a vendor's code:
 * `unavailable`, `throttled` and `misconfigured` may go to the next provider; `bad_number`, `opted_out`,
 * `wrong_channel` and `blocked` stop. `unknown` means the vendor may have taken it (the answer was lost
 * after the request left), so it is never tried again blindly.
 */
export type Refusal =
  | 'bad_number'
  | 'opted_out'
  | 'wrong_channel'
  | 'blocked'
  | 'misconfigured'
  | 'throttled'
  | 'unavailable'
  | 'unknown'

/** What became of handing a message to a vendor. A refusal is a value, not an exception. */
export type Sent =
  | {
      readonly ok: true
      /** The vendor's own id of the message. */
      readonly ref: string
      readonly price?: Money
    }
  | {
      readonly ok: false
      readonly why: Refusal
      /** The vendor's own code, for the operator; never shown to an end user. */
      readonly code?: string
      /** Seconds the vendor asked us to wait. */
      readonly retryAfterSeconds?: number
    }

/** A callback as it came in: everything that a signature may be over. */
export type SignedRequest = {
  readonly method: string
  /** The address that the vendor called, made of the configured `PUBLIC_URL` and never of the Host header. */
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
  /** When it came in; milliseconds since the epoch. */
  readonly at: number
}

/** How far a message has come by its vendor's word; a later one is never followed by an earlier one. */
export type Progress = 'queued' | 'sent' | 'delivered' | 'undelivered' | 'read'

/** A provider's later word on a send. */
export type Receipt = {
  /** The vendor's own id of the message, as `send` told it. */
  readonly ref: string
  readonly progress: Progress
  /** Why it was not delivered, in our words. */
  readonly why?: Refusal
  /** The vendor's own code. */
  readonly code?: string
  /** When it happened by the vendor's word; milliseconds since the epoch. */
  readonly at?: number
  readonly price?: Money
}

/** Why a callback was not read: it is not the vendor's, it is too old, or it is no receipt. */
export type Unreadable = { readonly refused: 'unsigned' | 'forged' | 'stale' | 'malformed' }

/** Carries messages for one vendor. */
export interface Provider {
  readonly name: string
  readonly channels: readonly Channel[]
  /**
   * Hands the message to the vendor. Resolves with a refusal instead of rejecting, whatever the vendor does;
   * `signal` aborts the wait (the answer is then `unknown` if the request may have left).
   */
  send(message: Message, signal: AbortSignal): Promise<Sent>
  /** Looks whether the vendor accepts our credentials without sending anything; for `doctor`. */
  probe?(signal: AbortSignal): Promise<{ readonly ok: boolean; readonly detail: string }>
  /** Checks the signature of a callback and then reads it; a callback may tell of several messages, or of none. */
  receipts?(request: SignedRequest): readonly Receipt[] | Unreadable
  /** Of a vendor that tells on a connection of ours: hears every receipt, which is acknowledged once this resolves. */
  hear?(listener: (receipt: Receipt) => Promise<void>): void
  /** Releases sockets and timers. */
  close?(): Promise<void>
}
