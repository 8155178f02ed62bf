import type { TenantRecord } from './records.ts'

/** What is shown with a challenge. */
export type ChallengeDetails = {
  readonly message: string | null
  readonly fields: readonly { readonly label: string; readonly value: string }[]
}

/** What the record of a challenge says. */
export type ChallengeBody = {
  readonly expiresAt: number
  /** When a code approved it. */
  readonly respondedAt: number | null
  /** Codes that were tried, each counted before it is judged. */
  readonly tries: number
  readonly details: ChallengeDetails | null
  readonly hiddenDetails: Readonly<Record<string, string>> | null
  readonly metadata: Readonly<Record<string, string>> | null
}

/** A question for a code of a factor. */
export type Challenge = ChallengeBody & {
  /** `YC…`. */
  readonly id: string
  /** The id of the factor that answers it. */
  readonly factor: string
  readonly version: number
  readonly createdAt: number
  readonly updatedAt: number
}

export const CHALLENGE_STATUSES = ['pending', 'expired', 'approved', 'denied'] as const
export type ChallengeStatus = (typeof CHALLENGE_STATUSES)[number]

/** Reads a challenge from its record. */
export function toChallenge({ id, parent, body, version, createdAt, updatedAt }: TenantRecord): Challenge {
  return { ...(JSON.parse(body) as ChallengeBody), id, factor: parent, version, createdAt, updatedAt }
}

/** What of a challenge its record keeps as its body. */
export function challengeBody(challenge: ChallengeBody): string {
  const { expiresAt, respondedAt, tries, details, hiddenDetails, metadata } = challenge
  return JSON.stringify({ expiresAt, respondedAt, tries, details, hiddenDetails, metadata })
}

/** Where a challenge stands. A code that is wrong denies nothing, so none ever is `denied`. */
export function statusOf({ respondedAt, expiresAt }: ChallengeBody, now: number): ChallengeStatus {
  if (respondedAt !== null) return 'approved'
  return expiresAt <= now ? 'expired' : 'pending'
}
