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
  /** Releases sockets and timers. */
  close?(): Promise<void>
}
