import postgres from 'postgres'
import { afterAll, beforeAll } from 'vitest'
import { openPostgres } from '../../src/stores/postgres/store.ts'
import { describeChargedOpening } from '../conformance/charged-opening.ts'
import { describeCounters } from '../conformance/counters.ts'
import { describeMessagingStore } from '../conformance/messaging-store.ts'
import { describeVerifyStore } from '../conformance/verify-store.ts'
import type { FakeClock } from '../fake-clock.ts'
import { describeWith, type Fresh, freshPostgres } from '../helpers/services.ts'

describeWith('postgres', 'postgres', () => {
  let database: Fresh
  beforeAll(async () => {
    database = await freshPostgres()
  })
  afterAll(() => database.drop())

  const open = (clock: FakeClock, prepare = true) =>
    openPostgres({ url: database.url, poolSize: 10, prepare, retentionDays: 30, clock })

  const empty = async () => {
    const sql = postgres(database.url, { max: 1, onnotice: () => {} })
    await sql`
      TRUNCATE countersign.verifications, countersign.guess_budgets, countersign.counters, countersign.sends,
        countersign.messages, countersign.claims, countersign.api_keys`
    await sql.end()
  }

  for (const prepare of [true, false]) {
    const name = prepare ? 'postgres' : 'postgres without prepared statements'
    describeVerifyStore(name, async (clock) => {
      let store = await open(clock, prepare)
      await empty()
      return {
        verifications: store.verifications,
        reopen: async () => {
          await store.close()
          store = await open(clock, prepare)
          return store.verifications
        },
        close: () => store.close(),
      }
    })

    describeChargedOpening(name, async (clock) => {
      const store = await open(clock, prepare)
      await empty()
      return store
    })

    describeMessagingStore(name, async (clock) => {
      const store = await open(clock, prepare)
      await empty()
      return store
    })

    describeCounters(name, async (clock) => {
      const store = await open(clock, prepare)
      await empty()
      return { counters: store.counters, close: () => store.close() }
    })
  }
})
