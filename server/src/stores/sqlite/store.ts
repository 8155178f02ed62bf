import type { Clock } from '../../primitives/clock.ts'
import type { Retention, Store } from '../store.ts'
import { refuseHalfMoved } from '../transfer.ts'
import { SqliteAttempts } from './attempts.ts'
import { SqliteAuth } from './auth.ts'
import { SqliteCounters } from './counters.ts'
import { SqliteDatabase } from './database.ts'
import { SqliteKeys } from './keys.ts'
import { SqliteMessaging } from './messaging.ts'
import { migrate, SCHEMA_VERSION, schemaVersion, writeVersionAgain } from './migrations.ts'
import { movingFrom } from './moves.ts'
import { SqlitePurge } from './purge.ts'
import { SqliteRecords } from './records.ts'
import { SqliteTallies } from './tallies.ts'
import { SqliteVerifications } from './verifications.ts'

/**
 * Opens a SQLite store, bringing its schema up to date first. Throws a `TransferError` when a move into it has not ended.
 */
export function openSqlite(
  options: Retention & {
    readonly path: string
    readonly synchronous: 'full' | 'normal'
    readonly clock: Clock
  },
): Store {
  const db = new SqliteDatabase(options.path, options.synchronous)
  try {
    migrate(db)
    refuseHalfMoved(movingFrom(db))
    const purge = new SqlitePurge(db, options.clock, options)
    return {
      clock: options.clock,
      verifications: new SqliteVerifications(db, options.clock),
      attempts: new SqliteAttempts(db, options.clock),
      messaging: new SqliteMessaging(db, options.clock),
      counters: new SqliteCounters(db, options.clock),
      keys: new SqliteKeys(db),
      tallies: new SqliteTallies(db, options.clock),
      auth: new SqliteAuth(db, options.clock),
      records: new SqliteRecords(db, options.clock),
      sweep: () => purge.sweep(),
      ping: () => db.write(() => writeVersionAgain(db)),
      close: async () => db.close(),
    }
  } catch (error) {
    db.close()
    throw error
  }
}

/** Brings a file's schema up to date, also that of one into which only a part has been moved. */
export function migrateSqlite(path: string): void {
  const db = new SqliteDatabase(path, 'full')
  try {
    migrate(db)
  } finally {
    db.close()
  }
}

/** Tells how far a file's schema is, without changing it; 0 where there is no file yet. */
export function sqliteSchema(path: string): { current: number; known: number } {
  const db = new SqliteDatabase(path, 'full')
  try {
    return { current: schemaVersion(db), known: SCHEMA_VERSION }
  } finally {
    db.close()
  }
}
