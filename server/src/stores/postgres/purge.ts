import type { Clock } from '../../primitives/clock.ts'
import { timePrefix } from '../../primitives/ids.ts'
import { number, textOrNull } from '../rows.ts'
import type { Retention } from '../store.ts'
import type { PostgresDatabase } from './database.ts'

/** Rows looked at or deleted in one statement: few enough that no request notices. */
const CHUNK = 1_000
/** How long one process sweeps for all; one that dies is followed by another after that. */
const LEASE_MS = 60_000

/** Ids begin with their time, so age is the order of the primary key and needs no index of its own. */
const BY_AGE = [
  { prefix: 'ver_', sql: deleteOldest('verifications', 'id', 'id') },
  { prefix: 'msg_', sql: deleteOldest('messages', 'id', 'id') },
  { prefix: 'ver_', sql: deleteOldest('sends', 'owner, seq', 'owner', 'ver_') },
  { prefix: 'msg_', sql: deleteOldest('sends', 'owner, seq', 'owner', 'msg_') },
]
const EVENTS = deleteOldest('auth_events', 'id', 'id')

/** These are walked by their key, so that the hot tables need no index on expiry. */
const BY_EXPIRY = [walk('counters', 'key'), walk('guess_budgets', 'phone'), walk('claims', 'key')]

/** These change seldom, so they have an index on expiry. */
const INDEXED = [
  deleteExpired('receipts', 'provider, ref, progress'),
  deleteExpired('sessions', 'id', 'idle_until'),
  deleteExpired('tickets', 'id, kind'),
  deleteExpired('records', 'id'),
]

/** Of these there is one a second at most, so they are gone in one statement. */
const TALLIES = 'DELETE FROM countersign.tallies WHERE expires_at <= $1 RETURNING 1'

const LEASE = `
  INSERT INTO countersign.leases AS l (name, lease_until) VALUES ('sweep', countersign.now_ms() + ${LEASE_MS})
  ON CONFLICT (name) DO UPDATE SET lease_until = excluded.lease_until
    WHERE l.lease_until <= countersign.now_ms() OR $1
  RETURNING name`

/**
 * Deletes what nobody may need any more; of the processes that share the database, one at a time. Nothing's validity
 * depends on it: an expired row reads as expired before it is swept.
 */
export class PostgresPurge {
  readonly #db: PostgresDatabase
  readonly #clock: Clock
  readonly #retention: Retention

  constructor(db: PostgresDatabase, clock: Clock, retention: Retention) {
    this.#db = db
    this.#clock = clock
    this.#retention = retention
  }

  /** Sweeps what there is to sweep, a chunk at a time; resolves with the number of rows deleted. */
  async sweep(): Promise<number> {
    if (!(await this.#lease(false))) return 0
    const now = this.#clock.now()
    const { retentionDays, eventRetentionDays = retentionDays } = this.#retention
    const oldest = timePrefix(now - retentionDays * 86_400_000)
    const oldestEvent = timePrefix(now - eventRetentionDays * 86_400_000)
    let deleted = 0
    for (const sql of INDEXED) deleted += await this.#drain(sql, now)
    for (const { prefix, sql } of BY_AGE) deleted += await this.#drain(sql, prefix + oldest)
    deleted += await this.#drain(EVENTS, `evt_${oldestEvent}`)
    for (const sql of BY_EXPIRY) {
      for (let at: string | null = ''; at !== null;) {
        const [row] = await this.#db.query(sql, [at, CHUNK, now])
        deleted += row ? number(row, 'deleted') : 0
        at = row ? textOrNull(row, 'next') : null
        await this.#lease(true)
      }
    }
    return deleted + (await this.#db.query(TALLIES, [now])).length
  }

  /** Deletes what is before a limit, a chunk at a time. */
  async #drain(sql: string, before: string | number): Promise<number> {
    let deleted = 0
    for (let gone = CHUNK; gone === CHUNK;) {
      gone = (await this.#db.query(sql, [before, CHUNK])).length
      deleted += gone
      await this.#lease(true)
    }
    return deleted
  }

  async #lease(isOurs: boolean): Promise<boolean> {
    return (await this.#db.query(LEASE, [isOurs])).length === 1
  }
}

function deleteOldest(table: string, key: string, id: string, from = ''): string {
  return `
    DELETE FROM countersign.${table} WHERE (${key}) IN (
      SELECT ${key} FROM countersign.${table} WHERE ${id} >= '${from}' AND ${id} < $1
      ORDER BY ${id} LIMIT $2 FOR UPDATE SKIP LOCKED
    ) RETURNING 1`
}

function deleteExpired(table: string, key: string, end = 'expires_at'): string {
  return `
    DELETE FROM countersign.${table} WHERE (${key}) IN (
      SELECT ${key} FROM countersign.${table} WHERE ${end} <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
    ) RETURNING 1`
}

/** One step: deletes what has expired in the next chunk, and tells where the one after begins, null at the end. */
function walk(table: string, key: string): string {
  return `
    WITH looked AS (
      SELECT ${key} AS key, expires_at FROM countersign.${table} WHERE ${key} > $1 ORDER BY ${key} LIMIT $2
    ),
    -- Not those that are in use: who waits for one while it holds others can be waited for.
    free AS (
      SELECT t.${key} AS key FROM countersign.${table} AS t
      JOIN looked ON t.${key} = looked.key AND looked.expires_at <= $3
      WHERE t.expires_at <= $3 FOR UPDATE OF t SKIP LOCKED
    ),
    gone AS (
      DELETE FROM countersign.${table} AS t USING free WHERE t.${key} = free.key RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone) AS deleted,
      CASE WHEN count(*) = $2 THEN max(key) END AS next FROM looked`
}
