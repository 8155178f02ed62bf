import { type Clock, SyncedClock } from '../../primitives/clock.ts'
import { number } from '../rows.ts'
import type { Retention, Store } from '../store.ts'
import { refuseHalfMoved } from '../transfer.ts'
import { PostgresAttempts } from './attempts.ts'
import { PostgresAuth } from './auth.ts'
import { PostgresCounters } from './counters.ts'
import { PostgresDatabase, type PostgresOptions } from './database.ts'
import { PostgresKeys } from './keys.ts'
import { PostgresMessaging } from './messaging.ts'
import { migrate, SCHEMA_VERSION, schemaVersion } from './migrations.ts'
import { movingFrom } from './moves.ts'
import { PostgresPurge } from './purge.ts'
import { SQL } from './statements.ts'
import { PostgresRecords } from './records.ts'
import { PostgresTallies } from './tallies.ts'
import { PostgresVerifications } from './verifications.ts'

/**
 * Opens a Postgres store, bringing its schema up to date first. Rejects when the database cannot be reached or was
 * made by a newer version, and with a `TransferError` when a move into it has not ended. `clock` stands for the
 * database's own, in tests.
 */
export async function openPostgres(
  options: PostgresOptions & Retention & { readonly clock?: Clock },
): Promise<Store> {
  const db = new PostgresDatabase(options)
  const { clock: given } = options
  let clock: SyncedClock | undefined
  try {
    await migrate(db)
    refuseHalfMoved(await movingFrom((sql) => db.read(sql)))
    clock = await SyncedClock.start(async () => readClock(db))
    const counters = new PostgresCounters(db, given ?? clock, given)
    const purge = new PostgresPurge(db, given ?? clock, options)
    return {
      clock: given ?? clock,
      verifications: new PostgresVerifications(db, counters, given ?? clock, given),
      attempts: new PostgresAttempts(db, given),
      messaging: new PostgresMessaging(db, given),
      counters,
      keys: new PostgresKeys(db),
      tallies: new PostgresTallies(db, given),
      auth: new PostgresAuth(db, given ?? clock, given),
      records: new PostgresRecords(db, given),
      sweep: () => purge.sweep(),
      ping: async () => {
        await db.query(PING)
      },
      close: async () => {
        clock?.stop()
        await db.close()
      },
    }
  } catch (error) {
    clock?.stop()
    await db.close()
    throw error
  }
}

/** A write: a database that only answers questions is of no use. */
const PING = `
  INSERT INTO countersign.leases (name, lease_until) VALUES ('ping', 0)
  ON CONFLICT (name) DO UPDATE SET lease_until = 0`

async function readClock(db: PostgresDatabase): Promise<number> {
  const [row] = await db.read(SQL.now)
  if (!row) throw new Error('the database did not tell the time')
  return number(row, 't')
}

/** Brings a database's schema up to date, also that of one into which only a part has been moved. */
export async function migratePostgres(url: string): Promise<void> {
  const db = new PostgresDatabase({ url, poolSize: 1, prepare: false })
  try {
    await migrate(db)
  } finally {
    await db.close()
  }
}

/** Tells how far a database's schema is, without changing it; 0 where there is none yet. */
export async function postgresSchema(url: string): Promise<{ current: number; known: number }> {
  const db = new PostgresDatabase({ url, poolSize: 1, prepare: false })
  try {
    return { current: await schemaVersion(db), known: SCHEMA_VERSION }
  } finally {
    await db.close()
  }
}
