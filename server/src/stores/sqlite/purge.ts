import type { Clock } from '../../primitives/clock.ts'
import { timePrefix } from '../../primitives/ids.ts'
import type { Retention } from '../store.ts'
import type { SqliteDatabase } from './database.ts'

/** Rows looked at or deleted in one step: few enough that no request notices. */
const CHUNK = 500

/**
 * Deletes what nobody may need any more. Nothing's validity depends on it: an expired row reads as expired
 * before it is swept.
 */
export class SqlitePurge {
  readonly #db: SqliteDatabase
  readonly #clock: Clock
  readonly #retention: Retention
  readonly #byAge
  readonly #events
  readonly #walks
  readonly #ended
  readonly #tallies

  constructor(db: SqliteDatabase, clock: Clock, retention: Retention) {
    this.#db = db
    this.#clock = clock
    this.#retention = retention
    this.#byAge = [
      { prefix: 'ver_', statement: deleteOldest(db, 'verifications', 'id') },
      { prefix: 'msg_', statement: deleteOldest(db, 'messages', 'id') },
      { prefix: 'ver_', statement: deleteOwned(db, 'ver_') },
      { prefix: 'msg_', statement: deleteOwned(db, 'msg_') },
    ]
    this.#events = deleteOldest(db, 'auth_events', 'id')
    this.#walks = [
      new Walk(db, 'counters', 'key'),
      new Walk(db, 'guess_budgets', 'phone'),
      new Walk(db, 'claims', 'key'),
    ]
    this.#ended = [
      db.prepare(
        `DELETE FROM receipts WHERE (provider, ref, progress) IN
           (SELECT provider, ref, progress FROM receipts WHERE expires_at <= ? LIMIT ?)`,
      ),
      db.prepare('DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE idle_until <= ? LIMIT ?)'),
      db.prepare(
        `DELETE FROM tickets WHERE (id, kind) IN
           (SELECT id, kind FROM tickets WHERE expires_at <= ? LIMIT ?)`,
      ),
      db.prepare('DELETE FROM records WHERE id IN (SELECT id FROM records WHERE expires_at <= ? LIMIT ?)'),
    ]
    // Of these there is one a second at most, so they are gone in one step.
    this.#tallies = db.prepare('DELETE FROM tallies WHERE expires_at <= ?')
  }

  /** Sweeps everything there is to sweep, a chunk at a time; resolves with the number of rows deleted. */
  async sweep(): Promise<number> {
    let deleted = 0
    const now = this.#clock.now()
    const { retentionDays, eventRetentionDays = retentionDays } = this.#retention
    const oldest = timePrefix(now - retentionDays * 86_400_000)
    const oldestEvent = timePrefix(now - eventRetentionDays * 86_400_000)
    for (const { prefix, statement } of this.#byAge) {
      deleted += await this.#drain(() => Number(statement.run(prefix + oldest, CHUNK).changes))
    }
    deleted += await this.#drain(() => Number(this.#events.run(`evt_${oldestEvent}`, CHUNK).changes))
    for (const statement of this.#ended) {
      deleted += await this.#drain(() => Number(statement.run(now, CHUNK).changes))
    }
    for (const walk of this.#walks) {
      for (let done = false; !done;) {
        const step = await this.#db.write(() => walk.step(now))
        walk.at = step.next
        deleted += step.deleted
        done = step.done
      }
    }
    return deleted + (await this.#db.write(() => Number(this.#tallies.run(now).changes)))
  }

  async #drain(chunk: () => number): Promise<number> {
    let deleted = 0
    for (;;) {
      const gone = await this.#db.write(chunk)
      deleted += gone
      if (gone < CHUNK) return deleted
    }
  }
}

/** Ids begin with their time, so age is the order of the primary key and needs no index of its own. */
function deleteOldest(db: SqliteDatabase, table: string, id: string) {
  return db.prepare(
    `DELETE FROM ${table} WHERE ${id} IN (SELECT ${id} FROM ${table} WHERE ${id} < ? ORDER BY ${id} LIMIT ?)`,
  )
}

function deleteOwned(db: SqliteDatabase, prefix: string) {
  return db.prepare(
    `DELETE FROM sends WHERE (owner, seq) IN
       (SELECT owner, seq FROM sends WHERE owner >= '${prefix}' AND owner < ? ORDER BY owner LIMIT ?)`,
  )
}

/** Walks a table by its key and deletes what has expired, so that the hot tables need no index on expiry. */
class Walk {
  readonly #select
  readonly #delete
  /** Where the next step begins; moved once a step is durable. */
  at = ''

  constructor(db: SqliteDatabase, table: string, key: string) {
    this.#select = db.prepare(
      `SELECT max(key) AS last, count(*) AS seen FROM
         (SELECT ${key} AS key FROM ${table} WHERE ${key} > ? ORDER BY ${key} LIMIT ${CHUNK})`,
    )
    this.#delete = db.prepare(`DELETE FROM ${table} WHERE ${key} > ? AND ${key} <= ? AND expires_at <= ?`)
  }

  step(now: number): { deleted: number; done: boolean; next: string } {
    const row = this.#select.get(this.at)
    const last = row?.['last']
    if (typeof last !== 'string') return { deleted: 0, done: true, next: '' }
    const deleted = Number(this.#delete.run(this.at, last, now).changes)
    const done = Number(row?.['seen']) < CHUNK
    return { deleted, done, next: done ? '' : last }
  }
}
