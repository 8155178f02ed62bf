import type { Send } from '../messaging/store.ts'
import { timePrefix } from '../primitives/ids.ts'
import {
  type AttemptFilter,
  type AttemptPage,
  attemptsOf,
  type AttemptStore,
  type AttemptSummary,
} from '../verify/attempts.ts'
import type { Verification } from '../verify/verification.ts'

/** One look at verifications goes over no more of them than this. */
export const LOOK_WINDOW = 1_000

/** A verification is sent for no longer than this after its id was made. Few live for more than ten minutes. */
const SENT_FOR_MS = 86_400_000
/** By how much the clocks of two processes may differ. */
const SKEW_MS = 60_000

/** The verifications that one look goes over: those between two ids, the first included, the newest first. */
export type Look = {
  readonly from: string
  readonly before: string
  /** Of one number alone. */
  readonly phone: string | null
  readonly window: number
  /** Of what it goes over, those of these services are shown. */
  readonly services: readonly string[]
}

/** What a look has shown, newest first. */
export type Seen = {
  readonly found: readonly { readonly verification: Verification; readonly sends: readonly Send[] }[]
  /** The id of the last one that it went over; null when there is none beyond. */
  readonly end: string | null
}

/** What a look has counted. */
export type Counted = AttemptSummary & Pick<Seen, 'end'>

/** How a database is looked at. */
export type AttemptLooks = {
  see(look: Look): Promise<Seen>
  /** Counts what `attemptsOf` would find, where the database can do that by itself. */
  count?(look: Look, filter: AttemptFilter): Promise<Counted>
}

type Asked = AttemptFilter & { readonly cursor?: string }

/**
 * What was sent for verifications, in a database that shows a window of them. Ids begin with their time, so that times
 * that are asked for bound what is looked at.
 */
export class Attempts implements AttemptStore {
  readonly #looks: AttemptLooks

  constructor(looks: AttemptLooks) {
    this.#looks = looks
  }

  async list(filter: Asked & { readonly limit: number }): Promise<AttemptPage> {
    const { services, limit } = filter
    if (services.length === 0) return { data: [], nextCursor: null }
    // Where most of what there is is asked for, a page is soon full.
    const window = Math.min(LOOK_WINDOW, 2 * limit)
    let { met, end } = await this.#meet(filter, window)
    if (met.length < limit && end !== null && window < LOOK_WINDOW) {
      const rest = await this.#meet({ ...filter, cursor: cursorOf(end, 1) }, LOOK_WINDOW)
      met = [...met, ...rest.met]
      end = rest.end
    }
    const data = met.slice(0, limit)
    const last = data.at(-1)
    if (last && met.length > limit) return { data, nextCursor: cursorOf(last.verification.id, last.ordinal) }
    return { data, nextCursor: end === null ? null : cursorOf(end, 1) }
  }

  async summary(filter: Asked): Promise<AttemptSummary & { readonly nextCursor: string | null }> {
    if (filter.services.length === 0) return { total: 0, converted: 0, nextCursor: null }
    const { end, ...counted } = await this.#count(filter)
    return { ...counted, nextCursor: end === null ? null : cursorOf(end, 1) }
  }

  async #count(filter: Asked): Promise<Counted> {
    const look = lookFor(filter, LOOK_WINDOW)
    if (this.#looks.count) return this.#looks.count(look, filter)
    const { met, end } = await this.#meet(filter, LOOK_WINDOW)
    return { total: met.length, converted: met.filter(({ isConverted }) => isConverted).length, end }
  }

  async #meet(filter: Asked, window: number) {
    const after = readCursor(filter.cursor)
    const { found, end } = await this.#looks.see(lookFor(filter, window))
    const met = found.flatMap(({ verification, sends }) =>
      attemptsOf(verification, sends, filter).filter(
        ({ ordinal }) => verification.id !== after?.id || ordinal < after.ordinal,
      ),
    )
    return { met, end }
  }
}

/** What has to be gone over for what is asked. */
function lookFor({ services, to, since, until, verification = 'ver_', cursor }: Asked, window: number): Look {
  const after = readCursor(cursor)
  const lowest = since === undefined ? [] : [`ver_${timePrefix(since - SENT_FOR_MS - SKEW_MS)}`]
  const highest = [
    ...(until === undefined ? [] : [`ver_${timePrefix(until + SKEW_MS)}`]),
    // The first send is the last that is shown of a verification.
    ...(after === undefined ? [] : [after.ordinal === 1 ? after.id : pastAll(after.id)]),
  ]
  return {
    services,
    window,
    phone: to ?? null,
    from: [verification, ...lowest].reduce((one, other) => (one > other ? one : other)),
    before: [pastAll(verification), ...highest].reduce((one, other) => (one < other ? one : other)),
  }
}

/** What sorts behind every id that begins so, and before all others: ids are hexadecimal. */
function pastAll(prefix: string): string {
  return `${prefix}g`
}

/** Where a page ends: with this send of this verification. */
function cursorOf(id: string, ordinal: number): string {
  return `${id}:${ordinal}`
}

function readCursor(
  cursor: string | undefined,
): { readonly id: string; readonly ordinal: number } | undefined {
  const [id, ordinal] = cursor?.split(':') ?? []
  return id === undefined ? undefined : { id, ordinal: Number(ordinal) }
}
