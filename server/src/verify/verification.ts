import type { Channel } from '../messaging/provider.ts'
import type { Terms } from './terms.ts'

/** What a verification is for. A code for one purpose is worthless for another. */
export const PURPOSES = ['verify', 'login', 'signup', 'reset', 'phone_change', 'second_factor'] as const
export type Purpose = (typeof PURPOSES)[number]

/** Where a verification stands. All but `pending` are final. */
export const STATUSES = ['pending', 'approved', 'canceled', 'expired', 'locked', 'failed', 'blocked'] as const
export type Status = (typeof STATUSES)[number]

/** What a check found. */
export type Reason =
  'approved' | 'wrong_code' | 'expired' | 'already_used' | 'locked' | 'canceled' | 'not_sent' | 'blocked'

/** One try to prove control of a phone number. Times are milliseconds since the epoch, by the store's clock. */
export type Verification = {
  readonly id: string
  /** The tenant it belongs to. */
  readonly service: string
  /** E.164. */
  readonly to: string
  readonly country: string
  readonly channel: Channel
  readonly purpose: Purpose
  readonly locale: string | null
  readonly status: Status
  /** Names the secret that its code and digest were made with. */
  readonly keyId: string
  readonly codeLength: number
  /** Guesses judged so far, over all its sends. */
  readonly guesses: number
  readonly guessesMax: number
  readonly sends: number
  readonly sendsMax: number
  readonly createdAt: number
  readonly expiresAt: number
  /** The earliest time of the next send. */
  readonly resendAt: number
  readonly decidedAt: number | null
  readonly nonce: string | null
  readonly metadata: Readonly<Record<string, string>> | null
  /** What its tenant has said of it beyond that; null: nothing. */
  readonly terms: Terms | null
}

/** What a final status means for a check that comes after it. */
export function reasonOfEnded(
  status: Exclude<Status, 'pending'>,
): Exclude<Reason, 'approved' | 'wrong_code'> {
  switch (status) {
    case 'approved':
      return 'already_used'
    case 'expired':
      return 'expired'
    case 'locked':
      return 'locked'
    case 'canceled':
      return 'canceled'
    case 'failed':
      return 'not_sent'
    case 'blocked':
      return 'blocked'
  }
}
