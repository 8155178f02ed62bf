import { MongoClient } from 'mongodb'
import { afterAll, beforeAll } from 'vitest'
import { openMongo } from '../../src/stores/mongo/store.ts'
import { describeAttempts } from '../conformance/attempts.ts'
import { describeAuthStore } from '../conformance/auth-store.ts'
import { RETENTION } from '../conformance/auth/world.ts'
import { describeCounters } from '../conformance/counters.ts'
import { describeKeyStore } from '../conformance/key-store.ts'
import { describeMessagingStore } from '../conformance/messaging-store.ts'
import { describeReceipts } from '../conformance/receipts.ts'
import { describeRecords } from '../conformance/records.ts'
import { describeTallies } from '../conformance/tallies.ts'
import { describeVerifyStore } from '../conformance/verify-store.ts'
import type { FakeClock } from '../fake-clock.ts'
import { describeWith, type Fresh, freshMongo } from '../helpers/services.ts'

describeWith('mongodb', 'mongodb', () => {
  let database: Fresh
  let client: MongoClient
  beforeAll(async () => {
    database = await freshMongo()
    client = await new MongoClient(database.url).connect()
  })
  afterAll(async () => {
    await client.close()
    await database.drop()
  })

  const open = (clock: FakeClock) => openMongo({ url: database.url, ...RETENTION, clock })
  /** Opens the store empty: its indexes stay, and with them the version of its schema. */
  const openEmpty = async (clock: FakeClock) => {
    const store = await open(clock)
    for (const collection of await client.db().collections()) {
      if (collection.collectionName !== 'meta') await collection.deleteMany({})
    }
    return store
  }

  describeVerifyStore('mongodb', async (clock) => {
    let store = await openEmpty(clock)
    return {
      verifications: store.verifications,
      reopen: async () => {
        await store.close()
        store = await open(clock)
        return store.verifications
      },
      close: () => store.close(),
    }
  })

  describeMessagingStore('mongodb', openEmpty)

  describeAttempts('mongodb', openEmpty)

  describeReceipts('mongodb', openEmpty)

  describeTallies('mongodb', openEmpty)

  const openTwice = async (clock: FakeClock) => {
    const [store, other] = [await openEmpty(clock), await open(clock)]
    return {
      store,
      other,
      sweep: () => store.sweep(),
      close: async () => {
        await Promise.all([store.close(), other.close()])
      },
    }
  }

  describeAuthStore('mongodb', async (clock) => {
    const { store, other, ...rest } = await openTwice(clock)
    return { auth: store.auth, other: other.auth, ...rest }
  })

  describeRecords('mongodb', async (clock) => {
    const { store, other, ...rest } = await openTwice(clock)
    return { records: store.records, other: other.records, ...rest }
  })

  describeKeyStore('mongodb', async (clock) => {
    const { store, other, ...rest } = await openTwice(clock)
    return { keys: store.keys, other: other.keys, ...rest }
  })

  describeCounters('mongodb', async (clock) => {
    const store = await openEmpty(clock)
    return { counters: store.counters, close: () => store.close() }
  })
})
