import { type Challenge, type ChallengeStatus, statusOf, toChallenge } from './challenge.ts'
import { type Factor, toFactor } from './factor.ts'
import type { FactorDeps } from './factor-deps.ts'
import { FACTORS_MAX } from './totp-factors.ts'

/** More than a factor has: so many are not begun in the time that a challenge is kept. */
const ALL = 1_000

/** Which challenges of an entity are wanted, in which order. */
export type ChallengesAsked = {
  readonly factor?: string
  readonly status?: ChallengeStatus
  /** Oldest first. */
  readonly isAscending: boolean
  readonly limit: number
  /** The last one of the page before. */
  readonly cursor?: string
}

/** A page of the challenges of an entity, each with its factor. */
export async function listChallenges(
  { records, clock }: FactorDeps,
  entity: string,
  { factor: wanted, status, isAscending, limit, cursor }: ChallengesAsked,
): Promise<{ data: readonly { factor: Factor; challenge: Challenge }[]; nextCursor: string | null }> {
  const factors = await records.list({ kind: 'factor', parent: entity, limit: FACTORS_MAX })
  const all = await Promise.all(
    factors.data.map(toFactor).map(async (factor) => {
      if (wanted !== undefined && factor.id !== wanted) return []
      const { data } = await records.list({ kind: 'challenge', parent: factor.id, limit: ALL })
      return data.map(toChallenge).map((challenge) => ({ factor, challenge }))
    }),
  )
  const isAfter = (id: string, other: string) => (isAscending ? id > other : id < other)
  const now = clock.now()
  const found = all
    .flat()
    .filter(({ challenge }) => status === undefined || statusOf(challenge, now) === status)
    .filter(({ challenge: { id } }) => cursor === undefined || isAfter(id, cursor))
    .sort((one, other) => (isAfter(one.challenge.id, other.challenge.id) ? 1 : -1))
  const data = found.slice(0, limit)
  return { data, nextCursor: found.length > limit ? (data.at(-1)?.challenge.id ?? null) : null }
}
