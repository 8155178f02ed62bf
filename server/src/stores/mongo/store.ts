import { type Clock, SyncedClock } from '../../primitives/clock.ts'
import type { Retention, Store } from '../store.ts'
import { MongoAttempts } from './attempts.ts'
import { MongoAuth } from './auth.ts'
import { MongoCounters } from './counters.ts'
import { MongoDatabase } from './database.ts'
import { MongoKeys } from './keys.ts'
import { MongoMessaging } from './messaging.ts'
import { prepareMongo } from './migrations.ts'
import { MongoPurge } from './purge.ts'
import { MongoRecords } from './records.ts'
import { MongoTallies } from './tallies.ts'
import { MongoVerifications } from './verifications.ts'

export { migrateMongo, mongoSchema } from './migrations.ts'

/**
 * Opens a store on MongoDB, or on what speaks its protocol, bringing its schema up to date first. Its clock is the
 * server's, unless a test brings one. Rejects with an Error that names the hosts when they cannot be reached, and with a
 * `TransferError` when a move into it has not ended.
 */
export async function openMongo(
  options: Retention & { readonly url: string; readonly clock?: Clock },
): Promise<Store> {
  await prepareMongo(options.url)
  const db = await MongoDatabase.open(options.url)
  try {
    const synced = options.clock ? undefined : await SyncedClock.start(() => db.time())
    const clock = options.clock ?? synced
    if (!clock) throw new Error('there is no clock')
    const purge = new MongoPurge(db, clock, options)
    return {
      clock,
      verifications: new MongoVerifications(db, clock, options.retentionDays),
      attempts: new MongoAttempts(db, clock),
      messaging: new MongoMessaging(db, clock, options.retentionDays),
      counters: new MongoCounters(db, clock),
      keys: new MongoKeys(db),
      tallies: new MongoTallies(db, clock),
      auth: new MongoAuth(db, clock, options),
      records: new MongoRecords(db, clock),
      sweep: () => purge.sweep(),
      ping: () => db.ping(clock.now()),
      close: async () => {
        synced?.stop()
        await db.close()
      },
    }
  } catch (error) {
    await db.close()
    throw error
  }
}
