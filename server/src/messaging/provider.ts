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
  /** ISO 3166-1 alpha-2 of `to`; `ZZ` where the number belongs to none. */
  readonly country: string
  /** Who it comes from, where the route names it: a number, a short code or a name. Else the provider's own setting. */
  readonly sender?: string
  /** Of a message that carries a code: for a channel or a vendor that does not show `body` as it stands. */
  readonly code?: CarriedCode
  /** How long the message is worth delivering, in seconds: a code that has died must not arrive. */
  readonly validitySeconds?: number
  /**
   * Of a call: the keys to dial once it is answered, such as an extension; a `w` waits half a second. A provider that
   * cannot dial calls as if there were none.
   */
  readonly sendDigits?: string
  /** Another provider waits for its turn: one that is refused should say so at once instead of trying again. */
  readonly hurried?: boolean
}

/** The code that a message carries. */
export type CarriedCode = {
  readonly digits: string
  /** The reader's language, BCP 47; null: not told. */
  readonly locale: string | null
  /** When its verification was opened; milliseconds since the epoch. What a vendor has older is of another one. */
  readonly since: number
  /** The vendor's own id of the message that carried this code before; only of a vendor that owns the code. */
  readonly ref?: string
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
  /** Our own id of the send, where the vendor gives it back: it finds a send whose answer was lost. */
  readonly send?: string
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

/** What a vendor knows of a message whose answer was lost. */
export type Found =
  | { readonly found: true; readonly ref: string; readonly price?: Money }
  /** The vendor has no such message, and will not send it any more. */
  | { readonly found: false }
  /** The vendor could not be asked, or cannot say. */
  | { readonly found: 'unknown' }

/** Tells which of a vendor's ids are of messages that we know of. */
export type KnownRefs = (refs: readonly string[]) => Promise<ReadonlySet<string>>

/** What a vendor that owns the code says to a guess. */
export type Ruling = 'right' | 'wrong' | 'unavailable'

/** Carries messages for one vendor. */
export interface Provider {
  readonly name: string
  readonly channels: readonly Channel[]
  /**
   * True where the vendor makes the code and judges it, by `check`: it carries only messages with a `code`, of which
   * neither the digits nor the text reach the phone.
   */
  readonly ownsCode?: boolean
  /** True where receipts come in for what it takes, so that silence means something. */
  readonly tells?: boolean
  /** The vendor's codes that say more than `blocked`: numbers like this one are used for fraud. */
  readonly fraudCodes?: ReadonlySet<string>
  /**
   * Hands the message to the vendor. Resolves with a refusal instead of rejecting, whatever the vendor does;
   * `signal` aborts the wait (the answer is then `unknown` if the request may have left).
   */
  send(message: Message, signal: AbortSignal): Promise<Sent>
  /** Judges a guess at the code of a message that `send` told the `ref` of; only where `ownsCode`. */
  check?(ref: string, code: string, signal: AbortSignal): Promise<Ruling>
  /**
   * Looks whether the vendor has taken a message whose answer was lost; `sinceMs`: when it was handed over; `known` tells
   * which of the vendor's ids are those of other messages of ours, which it is not.
   */
  lookup?(message: Message, sinceMs: number, signal: AbortSignal, known?: KnownRefs): Promise<Found>
  /** Looks whether the vendor accepts our credentials without sending anything; for `doctor`. */
  probe?(signal: AbortSignal): Promise<{ readonly ok: boolean; readonly detail: string }>
  /** Checks the signature of a callback and then reads it; a callback may tell of several messages, or of none. */
  receipts?(request: SignedRequest): readonly Receipt[] | Unreadable
  /** Of a vendor that tells on a connection of ours: hears every receipt, which is acknowledged once this resolves. */
  hear?(listener: (receipt: Receipt) => Promise<void>): void
  /** Releases sockets and timers. */
  close?(): Promise<void>
}
