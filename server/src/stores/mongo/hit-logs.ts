import { randomInt } from 'node:crypto'
import type { Collection, Filter, UpdateFilter } from 'mongodb'
import { capacity, lifetimeSeconds, withoutFuture } from '../../limits/window.ts'
import type { Rule } from '../../limits/counters.ts'
import { isDuplicate } from './errors.ts'

/** How many hits of one millisecond can be told apart. A double holds them exactly until the year 2248. */
const LABELS = 1024
/** Clocks of processes differ by less; what lies further ahead means that the clock was set back. */
const SKEW_MS = 1_000

/** Longer than any verb takes: whoever holds a hit for longer has died, and it is spent. */
const HELD_MAX_MS = 3_000

/** A log of hits: newest first, each with its own label behind the point (see `HitLogs.label`). */
export type LogDocument = {
  _id: string
  hits: number[]
  /** Hits that may still be taken back. */
  held?: number[]
  /** When the last of them is out of every window. */
  purge_at: Date
}

/** A log as `limits/window.ts` reads it. */
export type Log = {
  readonly hits: readonly number[]
  /** Whether some of them may still be taken back: who is refused may be refused for nothing. */
  readonly isOpen: boolean
}

const EMPTY: Log = { hits: [], isOpen: false }

/**
 * Logs of hits, a document each. Adding one is a single conditional update, in which the server itself checks every
 * rule: a rule of `limit` has room unless the `limit`-th newest hit (`hits.4` for 5) lies in its window. That is the rule
 * of `limits/window.ts` said as a filter, so a crowd needs no lock and no second try: exactly `limit` get through.
 */
export class HitLogs {
  readonly #collection: Collection<LogDocument>
  #label = randomInt(LABELS)

  constructor(collection: Collection<LogDocument>) {
    this.#collection = collection
  }

  /**
   * A hit at this time. Its label makes it one of a kind within its log, which `add` sees to, so that giving it back
   * takes out this one and no other that was made in the same millisecond.
   */
  label(nowMs: number): number {
    this.#label = (this.#label + 1) % LABELS
    return nowMs + this.#label / LABELS
  }

  /**
   * Reads logs. Where one has hits from the future, the clock was set back: they are moved to now and kept so, which
   * lets no jump of the clock lock a counter for longer than its window.
   */
  async read(keys: readonly string[], now: () => number): Promise<(key: string) => Log> {
    const documents = await this.#collection.find({ _id: { $in: [...keys] } }).toArray()
    const nowMs = now()
    const logs = new Map<string, Log>()
    for (const document of documents) {
      const times = document.hits.map(Math.floor)
      const moved = withoutFuture(times, nowMs + SKEW_MS) && withoutFuture(times, nowMs)
      if (moved) await this.#rewrite(document, moved)
      const isOpen = document.held?.some((hit) => Math.abs(nowMs - hit) < HELD_MAX_MS) ?? false
      logs.set(document._id, { hits: moved ?? times, isOpen })
    }
    return (key) => logs.get(key) ?? EMPTY
  }

  /**
   * Adds a hit if every rule has room and no other hit has its label; false when one has not. One that is held counts
   * as any other, and is to be kept or removed soon.
   */
  async add(key: string, rules: readonly Rule[], hit: number, isHeld: boolean): Promise<boolean> {
    const keep = capacity(rules)
    const nowMs = Math.floor(hit)
    const filter = { _id: key, hits: { $ne: hit }, ...roomAt(rules, nowMs) } as Filter<LogDocument>
    const change: UpdateFilter<LogDocument> = {
      // Sorted, because processes may write in another order than they read the clock.
      $push: {
        hits: { $each: [hit], $sort: -1, $slice: keep },
        ...(isHeld ? { held: { $each: [hit], $slice: -keep } } : {}),
      },
      $set: { purge_at: new Date(nowMs + lifetimeSeconds(rules) * 1000) },
    }
    try {
      await this.#collection.updateOne(filter, change, { upsert: true })
      return true
    } catch (error) {
      // The log is there and does not match the filter, or another's first hit came first.
      if (isDuplicate(error)) return false
      throw error
    }
  }

  /** Lets a hit that was held stay for good. */
  keep(keys: readonly string[], hit: number): Promise<void> {
    return this.#pull(keys, { held: hit })
  }

  /** Takes a hit out of every log that has it. */
  remove(keys: readonly string[], hit: number): Promise<void> {
    return this.#pull(keys, { held: hit, hits: hit })
  }

  /** Takes out the newest hit that stays for good, if there is one. */
  async removeNewest(key: string): Promise<void> {
    for (;;) {
      const log = await this.#collection.findOne({ _id: key })
      const hit = log?.hits.find((one) => log.held?.includes(one) !== true)
      if (hit === undefined) return
      const { matchedCount } = await this.#collection.updateOne(
        { _id: key, hits: hit },
        { $pull: { hits: hit } },
      )
      if (matchedCount === 1) return
      // Somebody else took that one out meanwhile.
    }
  }

  /** An update each, because a driver sends the update of one document again when its answer is lost. */
  async #pull(keys: readonly string[], pull: { held: number; hits?: number }): Promise<void> {
    await Promise.all(keys.map((key) => this.#collection.updateOne({ _id: key }, { $pull: pull })))
  }

  /** Writes moved hits, unless somebody else changed the log since: then it is as well moved the next time. */
  async #rewrite({ _id, hits }: LogDocument, moved: number[]): Promise<void> {
    await this.#collection.updateOne({ _id, hits }, { $set: { hits: moved } })
  }
}

/** The filter that lets a hit at this time through: for each rule, that its `limit`-th newest hit does not count any more. */
function roomAt(rules: readonly Rule[], nowMs: number): Record<string, { $not: { $gte: number } }> {
  const room: Record<string, { $not: { $gte: number } }> = {}
  for (const { limit, windowSeconds, since = 0 } of rules) {
    const place = `hits.${limit - 1}`
    const counts = Math.max(nowMs - windowSeconds * 1000 + 1, since)
    // Absent is room as well, which `$lt` would not say.
    room[place] = { $not: { $gte: Math.min(counts, room[place]?.$not.$gte ?? Infinity) } }
  }
  return room
}
