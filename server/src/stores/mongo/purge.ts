import type { Collection, Filter } from 'mongodb'
import type { Clock } from '../../primitives/clock.ts'
import { timePrefix } from '../../primitives/ids.ts'
import type { Retention } from '../store.ts'
import { AuthLeftovers } from './auth-leftovers.ts'
import type { MongoDatabase } from './database.ts'
import { usersOf } from './user-documents.ts'

/** Documents deleted in one step: few enough that no request notices. */
const CHUNK = 500

type Purgeable = { _id: string; purge_at: Date }

/**
 * Deletes what nobody may need any more. A server with TTL indexes does so too; this is for those without, and for a
 * retention that was shortened. Nothing's validity depends on either.
 */
export class MongoPurge {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #retention: Retention
  readonly #leftovers: AuthLeftovers

  constructor(db: MongoDatabase, clock: Clock, retention: Retention) {
    this.#db = db
    this.#clock = clock
    this.#retention = retention
    this.#leftovers = new AuthLeftovers(db, retention)
  }

  /** Sweeps everything there is to sweep, a chunk at a time; resolves with the number of documents deleted. */
  async sweep(): Promise<number> {
    await this.#db.run((step) => this.#leftovers.tidyAll(step))
    const now = this.#clock.now()
    // Ids begin with their time.
    const { retentionDays, eventRetentionDays = retentionDays } = this.#retention
    const oldest = timePrefix(now - retentionDays * 86_400_000)
    const oldestEvent = timePrefix(now - eventRetentionDays * 86_400_000)
    const isPast = { purge_at: { $lte: new Date(now) } }
    const deleted = [
      await this.#drain('verifications', { _id: { $lt: `ver_${oldest}` } }),
      await this.#drain('messages', { _id: { $lt: `msg_${oldest}` } }),
      await this.#drain('counters', isPast),
      await this.#drain('guess_budgets', isPast),
      await this.#drain('claims', isPast),
      await this.#drain('receipts', isPast),
      await this.#drain('tallies', isPast),
      await this.#drain('tickets', isPast),
      await this.#drain('auth_events', { _id: { $lt: `evt_${oldestEvent}` } }),
      await this.#endSessions(now),
      await this.#drain('phone_locks', isPast),
      await this.#drain('records', isPast),
    ]
    return deleted.reduce((sum, count) => sum + count, 0)
  }

  /** Takes sessions that have ended out of their users. */
  async #endSessions(nowMs: number): Promise<number> {
    const users = usersOf(this.#db)
    const isOver = { idle_until: { $lte: nowMs } }
    const wanted = { session_log: { $elemMatch: isOver } }
    const options = { projection: { session_log: 1 }, limit: CHUNK, batchSize: CHUNK + 1 }
    for (let ended = 0; ;) {
      const found = await this.#db.run((step) => step(() => users.find(wanted, options).toArray()))
      const those = { _id: { $in: found.map(({ _id }) => _id) } }
      const gone = { $pull: { session_log: isOver } }
      if (found.length > 0) await this.#db.run((step) => step(() => users.updateMany(those, gone)))
      const over = found.flatMap(({ session_log: sessions }) => sessions)
      ended += over.filter(({ idle_until: until }) => until <= nowMs).length
      if (found.length < CHUNK) return ended
    }
  }

  async #drain(name: string, filter: Filter<Purgeable>): Promise<number> {
    const collection = this.#db.collection<Purgeable>(name)
    for (let deleted = 0; ;) {
      const found = await this.#chunk(collection, filter)
      // One that has been given a new life since it was found no longer matches.
      const ids = found.map(({ _id }) => _id)
      const doomed = { $and: [{ _id: { $in: ids } }, filter] }
      const { deletedCount } = await this.#db.run((step) => step(() => collection.deleteMany(doomed)))
      deleted += deletedCount
      if (found.length < CHUNK) return deleted
    }
  }

  #chunk(collection: Collection<Purgeable>, filter: Filter<Purgeable>): Promise<Pick<Purgeable, '_id'>[]> {
    const options = { projection: { _id: 1 }, limit: CHUNK, batchSize: CHUNK + 1 } as const
    return this.#db.run((step) => step(() => collection.find(filter, options).toArray()))
  }
}
