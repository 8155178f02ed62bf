import { setImmediate } from 'node:timers/promises'
import type { Channel } from '../messaging/provider.ts'
import type { Send } from '../messaging/store.ts'
import { CountersignError } from '../primitives/errors.ts'
import type { Verification } from './verification.ts'

/** A send of a verification, and whether it did what it was for. */
export type Attempt = {
  readonly verification: Verification
  readonly send: Send
  /** Which of the verification's sends it is: 1 is the first. */
  readonly ordinal: number
  /** Its verification was approved, and it was the newest send of it. */
  readonly isConverted: boolean
}

/** Which attempts are asked for. */
export type AttemptFilter = {
  readonly services: readonly string[]
  /** The time of the send, in milliseconds since the epoch: from this one on, and before that one. */
  readonly since?: number
  readonly until?: number
  /** E.164. */
  readonly to?: string
  /** What the number begins with. */
  readonly destinationPrefix?: string
  /** ISO 3166-1 alpha-2. */
  readonly country?: string
  readonly channel?: Channel
  /** What the id of the verification begins with. */
  readonly verification?: string
  readonly isConverted?: boolean
}

/** A page of attempts, the newest verification first and of each the newest send. */
export type AttemptPage = { readonly data: readonly Attempt[]; readonly nextCursor: string | null }

/** How many there were. */
export type AttemptSummary = { readonly total: number; readonly converted: number }

/**
 * Looks back at what was sent for verifications. A look is bounded, however little of what it meets is asked for: it may
 * end early, and tells where the next one begins.
 */
export interface AttemptStore {
  /** After the cursor, `ver_id:ordinal`. A page may be short although more follows; `nextCursor` tells. */
  list(filter: AttemptFilter & { readonly limit: number; readonly cursor?: string }): Promise<AttemptPage>
  /** Counts after the cursor, as far as one look goes; the sum over all of them is what is asked for. */
  summary(
    filter: AttemptFilter & { readonly cursor?: string },
  ): Promise<AttemptSummary & { readonly nextCursor: string | null }>
}

/** Looks that one page takes at most, so that a tenant with few verifications among many is not given empty pages. */
const PAGE_LOOKS = 20
/** Looks that one summary takes at most. */
const SUMMARY_LOOKS = 1_000

/** The attempts among a verification's sends (oldest first) that are asked for, the newest first. */
export function attemptsOf(
  verification: Verification,
  sends: readonly Send[],
  filter: AttemptFilter,
): readonly Attempt[] {
  const { since = -Infinity, until = Infinity, destinationPrefix = '' } = filter
  const { to, country, status } = verification
  if (!to.startsWith(destinationPrefix)) return []
  if (filter.country !== undefined && filter.country !== country) return []
  return sends
    .map((send, index) => {
      const isConverted = status === 'approved' && index === sends.length - 1
      return { verification, send, ordinal: index + 1, isConverted }
    })
    .filter(
      ({ send: { at, channel }, isConverted }) =>
        at >= since &&
        at < until &&
        (filter.channel ?? channel) === channel &&
        (filter.isConverted ?? isConverted) === isConverted,
    )
    .toReversed()
}

/** Fills a page with as many looks as it takes, up to a bound. */
export async function listAttempts(
  store: AttemptStore,
  filter: AttemptFilter & { readonly limit: number; readonly cursor?: string },
): Promise<AttemptPage> {
  const data: Attempt[] = []
  let cursor: string | null | undefined = filter.cursor
  for (let looks = 0; looks < PAGE_LOOKS && cursor !== null && data.length < filter.limit; looks++) {
    const from = cursor === undefined ? {} : { cursor }
    const page = await store.list({ ...filter, ...from, limit: filter.limit - data.length })
    data.push(...page.data)
    cursor = page.nextCursor
  }
  return { data, nextCursor: cursor ?? null }
}

/** Counts all that is asked for. Throws `invalid_request` naming `dateCreatedAfter` when that is too much to look at. */
export async function summarizeAttempts(store: AttemptStore, filter: AttemptFilter): Promise<AttemptSummary> {
  let [total, converted] = [0, 0]
  let from: { readonly cursor?: string } = {}
  for (let looks = 0; looks < SUMMARY_LOOKS; looks++) {
    const counted = await store.summary({ ...filter, ...from })
    total += counted.total
    converted += counted.converted
    if (counted.nextCursor === null) return { total, converted }
    from = { cursor: counted.nextCursor }
    // Others come in between.
    await setImmediate()
  }
  const detail = 'There are more verifications than one summary counts: ask for a shorter time'
  throw new CountersignError('invalid_request', detail, { field: 'dateCreatedAfter' })
}
