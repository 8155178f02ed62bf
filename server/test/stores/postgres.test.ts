import postgres from 'postgres'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openPostgres } from '../../src/stores/postgres/store.ts'
import { describeAttempts } from '../conformance/attempts.ts'
import { describeAuthStore } from '../conformance/auth-store.ts'
import { RETENTION } from '../conformance/auth/world.ts'
import { describeChargedOpening } from '../conformance/charged-opening.ts'
import { describeCounters } from '../conformance/counters.ts'
import { describeKeyStore } from '../conformance/key-store.ts'
import { describeMessagingStore } from '../conformance/messaging-store.ts'
import { describeReceipts } from '../conformance/receipts.ts'
import { describeRecords } from '../conformance/records.ts'
import { describeTallies } from '../conformance/tallies.ts'
import { describeVerifyStore } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'
import { phoneOf, startServer } from '../helpers/server.ts'
import { emptyPostgres } from '../helpers/data/postgres.ts'
import { describeWith, type Fresh, freshPostgres } from '../helpers/services.ts'
import { ACCOUNT, fill } from './transfer-contents.ts'

describeWith('postgres', 'postgres', () => {
  let database: Fresh
  beforeAll(async () => {
    database = await freshPostgres()
  })
  afterAll(() => database.drop())

  const open = (clock: FakeClock, prepare = true) =>
    openPostgres({ url: database.url, poolSize: 10, prepare, ...RETENTION, clock })

  const empty = () => emptyPostgres(database.url)

  /** Lets the next sweep begin at once, as if the one before had been a minute ago. */
  const endSweep = async () => {
    const sql = postgres(database.url, { max: 1, onnotice: () => {} })
    await sql`DELETE FROM countersign.leases WHERE name = 'sweep'`
    await sql.end()
  }

  for (const prepare of [true, false]) {
    const name = prepare ? 'postgres' : 'postgres without prepared statements'
    describeMessagingStore(name, async (clock) => {
      const store = await open(clock, prepare)
      await empty()
      return store
    })

    describeAttempts(name, async (clock) => {
      const store = await open(clock, prepare)
      await empty()
      return store
    })

    describeReceipts(name, async (clock) => {
      const store = await open(clock, prepare)
      await empty()
      return store
    })

    describeTallies(name, async (clock) => {
      const store = await open(clock, prepare)
      await empty()
      return store
    })
    // The others run without them in postgres-pooler.test.ts.
    if (!prepare) continue

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

    describeCounters(name, async (clock) => {
      const store = await open(clock, prepare)
      await empty()
      return { counters: store.counters, close: () => store.close() }
    })

    const openTwice = async (clock: FakeClock) => {
      const [store, other] = [await open(clock, prepare), await open(clock, prepare)]
      await empty()
      return {
        store,
        other,
        sweep: async () => {
          await endSweep()
          return store.sweep()
        },
        close: async () => {
          await Promise.all([store.close(), other.close()])
        },
      }
    }

    describeAuthStore(name, async (clock) => {
      const { store, other, ...rest } = await openTwice(clock)
      return { auth: store.auth, other: other.auth, ...rest }
    })

    describeRecords(name, async (clock) => {
      const { store, other, ...rest } = await openTwice(clock)
      return { records: store.records, other: other.records, ...rest }
    })

    describeKeyStore(name, async (clock) => {
      const { store, other, ...rest } = await openTwice(clock)
      return { keys: store.keys, other: other.keys, ...rest }
    })
  }

  test('lists are whole in a database that sorts by the rules of a language, as most do', async () => {
    const german = await freshPostgres()
    onTestFinished(() => german.drop())
    const clock = new FakeClock()
    const store = await openPostgres({ url: german.url, poolSize: 2, prepare: true, ...RETENTION, clock })
    onTestFinished(() => store.close())
    const sql = postgres(german.url, { max: 1, onnotice: () => {} })
    for (const table of ['verifications', 'messages', 'users', 'auth_events', 'records'])
      await sql.unsafe(`ALTER TABLE countersign.${table} ALTER id TYPE text COLLATE "de-x-icu"`)
    await sql.end()
    await fill(store, clock)
    const limit = 100
    const lists = {
      verifications: await store.verifications.list({ service: 'default', limit }),
      messages: await store.messaging.messages({ service: 'default', limit }),
      attempts: await store.attempts.list({ services: ['default'], limit }),
      users: await store.auth.users({ limit }),
      events: await store.auth.events({ limit }),
      records: await store.records.list({ kind: 'service', parent: ACCOUNT, limit }),
    }
    const counts = Object.entries(lists).map(([name, { data }]) => [name, data.length])
    expect(Object.fromEntries(counts)).toEqual({
      verifications: 11,
      messages: 5,
      attempts: 9,
      users: 5,
      events: 18,
      records: 1,
    })
  })

  test('half of a surrogate pair, which Postgres reads in no JSON, is kept as U+FFFD', async () => {
    const { auth, close } = await open(new FakeClock())
    await empty()
    const by = { actor: 'anonymous', address: null, agent: 'a\ud800' } as const
    await auth.record({ id: 'evt_1', type: 'login.failed', by, data: { a: '\udc00' }, userId: null })
    await auth.putTicket({ id: 'tkt_1', kind: 'reset', userId: null, data: { name: '\ud800b' } }, 60)
    const [event] = (await auth.events({ limit: 1 })).data
    expect(event).toMatchObject({ by: { agent: 'a\ufffd' } })
    expect(await auth.takeTicket('reset', 'tkt_1')).toMatchObject({ data: { name: '\ud800b' } })
    await close()
  })

  test('U+0000, which Postgres cannot keep, is refused as on every store', async () => {
    const server = await startServer({ settings: { DATABASE_URL: database.url } })
    for (const path of ['/v1/verifications/%00', '/v1/verifications/ver_%00', '/v1/messages/msg_%00'])
      expect((await server.api('GET', path)).status, path).toBe(404)
    for (const verb of ['check', 'resend', 'cancel']) {
      const body = verb === 'check' ? { code: '123456' } : {}
      const { status } = await server.api('POST', `/v1/verifications/ver_%00/${verb}`, { body })
      expect(status, verb).toBe(404)
    }
    for (const member of [{ nonce: '\0' }, { metadata: { a: '\0' } }, { locale: 'en\0' }]) {
      const { status } = await server.api('POST', '/v1/verifications', {
        body: { to: phoneOf(0), ...member },
      })
      expect(status, Object.keys(member)[0]).toBe(400)
    }
    for (const query of ['cursor=%00', 'to=%00', `to=%2B14155552671%00`, 'status=%00'])
      expect((await server.api('GET', `/v1/verifications?${query}`)).status, query).toBe(400)
    const sent = await server.api('POST', '/v1/messages', { body: { to: phoneOf(1), body: 'a\0b' } })
    expect(sent.status).toBe(202)
  })
})
