import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openPostgres } from '../../src/stores/postgres/store.ts'
import { describeAuthStore } from '../conformance/auth-store.ts'
import { RETENTION } from '../conformance/auth/world.ts'
import { describeChargedOpening } from '../conformance/charged-opening.ts'
import { describeCounters } from '../conformance/counters.ts'
import { describeVerifyStore } from '../conformance/verify-store.ts'
import type { FakeClock } from '../fake-clock.ts'
import { emptyPostgres } from '../helpers/data/postgres.ts'
import { endProcesses, numberOf, ServerProcess } from '../helpers/process.ts'
import { describeWith, type Fresh, freshPostgres, pgbouncerFor } from '../helpers/services.ts'
import { wrong } from '../helpers/wire.ts'

const LONG = process.env['TEST_LONG'] === '1'
/** Fewer connections than those who use them have together, so that they change hands all the time. */
const POOLED = 7

afterAll(endProcesses)

describeWith(['postgres', 'pgbouncer'], 'Postgres behind a PgBouncer that pools transactions', () => {
  let database: Fresh
  let pooler: Awaited<ReturnType<typeof pgbouncerFor>>
  beforeAll(async () => {
    database = await freshPostgres()
    // Such a proxy lets nobody say it at the start of a connection, so the database must know it: see the manual.
    const sql = postgres(database.url, { max: 1 })
    await sql.unsafe(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET statement_timeout = '2s'`)
    await sql.end()
    pooler = await pgbouncerFor(database.url, POOLED)
  })
  afterAll(async () => {
    await pooler.stop()
    await database.drop()
  })

  describe('a store', () => {
    const open = (clock: FakeClock) =>
      openPostgres({ url: pooler.url, poolSize: 10, prepare: false, ...RETENTION, clock })
    const empty = () => emptyPostgres(database.url)

    describeVerifyStore('postgres through PgBouncer', async (clock) => {
      let store = await open(clock)
      await empty()
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

    describeChargedOpening('postgres through PgBouncer', async (clock) => {
      const store = await open(clock)
      await empty()
      return store
    })

    if (!LONG) return
    // The rest of what a store must do; it goes the same ways.
    describeAuthStore('postgres through PgBouncer', async (clock) => {
      const stores = [await open(clock), await open(clock)] as const
      await empty()
      return {
        auth: stores[0].auth,
        other: stores[1].auth,
        sweep: async () => {
          const sql = postgres(database.url, { max: 1, onnotice: () => {} })
          // The next sweep may begin at once, as if the one before had been a minute ago.
          await sql`DELETE FROM countersign.leases WHERE name = 'sweep'`
          await sql.end()
          return stores[0].sweep()
        },
        close: async () => {
          await Promise.all(stores.map((store) => store.close()))
        },
      }
    })

    describeCounters('postgres through PgBouncer', async (clock) => {
      const store = await open(clock)
      await empty()
      return { counters: store.counters, close: () => store.close() }
    })
  })

  describe('three processes', () => {
    let servers: ServerProcess[] = []
    let next = 0
    beforeAll(async () => {
      const settings = { DATABASE_URL: pooler.url, DATABASE_PREPARED_STATEMENTS: 'false' }
      servers = await Promise.all([1, 2, 3].map(() => ServerProcess.start({ settings })))
    })
    const server = (n: number) => {
      const found = servers[n % servers.length]
      if (!found) throw new Error('no server')
      return found
    }

    test('R3, R4: of 600 raced checks of each kind exactly 5 are judged and exactly 1 is approved', async () => {
      const [first, second] = (
        await Promise.all([server(0).start(numberOf(next++)), server(1).start(numberOf(next++))])
      ).map(({ body }) => ({ id: body.id ?? '', code: body.preview_code ?? '' }))
      if (!first || !second) throw new Error('no verification')
      const answers = await Promise.all(
        Array.from({ length: 600 }, async (_, n) => [
          (await server(n).check(first.id, wrong(first.code))).body.reason,
          (await server(n).check(second.id, second.code)).body.reason,
        ]),
      )
      const count = (of: number) =>
        Object.fromEntries(
          Object.entries(Object.groupBy(answers, (reasons) => String(reasons[of]))).map(([reason, all]) => [
            reason,
            all?.length,
          ]),
        )
      expect(count(0)).toEqual({ wrong_code: 5, locked: 595 })
      expect(count(1)).toEqual({ approved: 1, already_used: 599 })
    })

    test(
      'F3: what is stuck in the database is refused in time, does not pile up there, and is not done later',
      { retry: 2, timeout: 60_000 },
      async () => {
        const sql = postgres(database.url, { max: 2, onnotice: () => {} })
        onTestFinished(() => sql.end({ timeout: 1 }))
        const { id = '', preview_code: code = '' } = (await server(0).start(numberOf(next++))).body
        const holder = await sql.reserve()
        await holder.unsafe('BEGIN; LOCK TABLE countersign.verifications IN ACCESS EXCLUSIVE MODE')
        for (let round = 0; round < 3; round++) {
          const from = performance.now()
          const checks = Array.from({ length: 60 }, (_, n) => server(n).check(id, wrong(code)))
          for (const answer of await Promise.all(checks)) expect(answer.status).toBe(503)
          expect(performance.now() - from).toBeLessThan(3_000)
          const [row] = await sql`SELECT count(*)::int AS count FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'`
          // Seven more in every round, without that time-out.
          expect(row?.['count']).toBeLessThanOrEqual(2 * POOLED)
        }
        await holder.unsafe('COMMIT')
        holder.release()
        await sleep(300)
        expect(await server(0).read(id)).toMatchObject({ status: 'pending', checks_left: 5 })
      },
    )
  })
})
