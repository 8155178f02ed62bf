import { MongoClient } from 'mongodb'
import { freshMongo, toxiproxy } from '../helpers/services.ts'
import { type Ground, rowOf, sendRowOf } from './ground.ts'
import { faultsOnTheWay } from './ways.ts'

/** How far the clock of each server is off: MongoDB's own decides. */
const CLOCKS_SECONDS = [0, 300, -300]

/** A server asks MongoDB for the time, and an answer that is slow to come leaves it this unsure. */
const CLOCK_ERROR_MS = 500

/** A database of the run's MongoDB, that every server reaches on a way of its own, to be cut and slowed. */
export async function onMongo(): Promise<Ground> {
  const { url, drop } = await freshMongo()
  const proxies = await Promise.all(CLOCKS_SECONDS.map(() => toxiproxy(url)))
  return {
    seats: proxies.map((proxy, n) => ({
      clockSeconds: CLOCKS_SECONDS[n] ?? 0,
      settings: { DATABASE_URL: proxy.url },
    })),
    faults: faultsOnTheWay(proxies),
    clockErrorMs: CLOCK_ERROR_MS,
    read: async () => {
      const client = new MongoClient(url)
      try {
        const kept = await client.db().collection('verifications').find().toArray()
        return {
          rows: kept.map((one) => rowOf({ ...one, id: one._id })),
          sends: kept.flatMap((one) =>
            (one['send_log'] as Record<string, unknown>[]).map((send) =>
              sendRowOf({ ...send, owner: one._id }),
            ),
          ),
        }
      } finally {
        await client.close()
      }
    },
    end: async () => {
      await Promise.all(proxies.map((proxy) => proxy.remove()))
      await drop()
    },
  }
}
