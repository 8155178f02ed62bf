import { setTimeout as sleep } from 'node:timers/promises'
import postgres, { type Sql } from 'postgres'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { PostgresDatabase, type PostgresOptions } from '../../src/stores/postgres/database.ts'
import { openPostgres } from '../../src/stores/postgres/store.ts'
import { describeWith, type Fresh, freshPostgres } from '../helpers/services.ts'
import { Tunnel } from './tunnel.ts'

/** Bounds of time are the code's, and a machine that does something else meanwhile says nothing about them. */
const TIMED = { retry: 2 }
const UNAVAILABLE = { code: 'store_unavailable', help: { retryAfterSeconds: 1 } }

describeWith('postgres', 'the connections to Postgres', () => {
  let fresh: Fresh
  let sql: Sql
  beforeEach(async () => {
    fresh = await freshPostgres()
    sql = postgres(fresh.url, { max: 4, onnotice: () => {} })
    await sql.unsafe('CREATE TABLE notes (n int PRIMARY KEY, times int NOT NULL DEFAULT 0)')
  })
  afterEach(async () => {
    await sql.end({ timeout: 1 })
    await fresh.drop()
  })

  function connect(options: Partial<PostgresOptions> = {}): PostgresDatabase {
    const db = new PostgresDatabase({ url: fresh.url, poolSize: 4, prepare: true, ...options })
    onTestFinished(() => db.close())
    return db
  }

  /** Expects a statement to be refused within this time. */
  async function expectRefused(statement: Promise<unknown>, why: RegExp, withinMs = 2_700): Promise<void> {
    const from = performance.now()
    const error: unknown = await statement.then(() => undefined).catch((thrown: unknown) => thrown)
    expect(performance.now() - from).toBeLessThan(withinMs)
    expect(error).toMatchObject({ ...UNAVAILABLE, cause: { message: expect.stringMatching(why) } })
  }

  const insert = (n: number) => ['INSERT INTO notes (n) VALUES ($1)', [n]] as const
  const notes = async () => (await sql`SELECT n FROM notes ORDER BY n`).map(({ n }) => Number(n))

  test('F3: a statement that takes longer is ended by the server after 2 s', TIMED, async () => {
    const db = connect()
    await expectRefused(db.query('SELECT pg_sleep(30)'), /statement timeout/)
    const running =
      await sql`SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)' AND state = 'active'
      AND pid <> pg_backend_pid()`
    expect(running).toHaveLength(0)
  })

  test('F3: no more statements run at once than there are connections; the others wait their turn', async () => {
    const db = connect({ poolSize: 3 })
    const all = Array.from({ length: 30 }, () =>
      db.query(`SELECT pg_sleep(0.02), (SELECT count(*)::int FROM pg_stat_activity
        WHERE application_name = 'countersign' AND datname = current_database()) AS count`),
    )
    const counts = (await Promise.all(all)).map(([row]) => Number(row?.['count']))
    expect(Math.max(...counts)).toBe(3)
  })

  test(
    'F2, F3: what waited behind a slow statement is refused, and is not done afterwards',
    TIMED,
    async () => {
      const db = connect({ poolSize: 1 })
      const slow = expectRefused(db.query('SELECT pg_sleep(30)'), /statement timeout/)
      await sleep(100)
      const waiting = [1, 2, 3].map((n) => expectRefused(db.query(...insert(n)), /slow|in time/))
      await sleep(1_500)
      const late = db.query(...insert(4))
      await Promise.all([slow, ...waiting, late])
      // Whoever came late enough to have all the time there is was let through.
      expect(await notes()).toEqual([4])
      await db.query(...insert(5))
      await sleep(200)
      expect(await notes()).toEqual([4, 5])
    },
  )

  test('F3: more than 2,000 that wait are refused at once', TIMED, async () => {
    const db = connect({ poolSize: 1 })
    const slow = db.query('SELECT pg_sleep(1)')
    const waiting = Array.from({ length: 2_000 }, () => db.query('SELECT 1'))
    for (let n = 0; n < 50; n++) await expectRefused(db.query('SELECT 1'), /too many/, 500)
    await Promise.all([slow, ...waiting])
  })

  test('F6: what Postgres breaks off is tried again three times, and then refused', async () => {
    await sql.unsafe(`
      CREATE SEQUENCE tries;
      CREATE FUNCTION attempt(broken int, code text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
        -- What a sequence has counted stays counted, whatever is rolled back.
        IF nextval('tries') <= broken THEN RAISE EXCEPTION 'broken off' USING ERRCODE = code; END IF;
        RETURN currval('tries');
      END $$`)
    const db = connect()
    const attempt = (broken: number, code: string) =>
      db.query('SELECT attempt($1, $2) AS count', [broken, code])
    for (const code of ['40001', '40P01']) {
      for (let broken = 0; broken <= 3; broken++) {
        await sql.unsafe('ALTER SEQUENCE tries RESTART')
        expect(await attempt(broken, code)).toEqual([{ count: broken + 1 }])
      }
      await sql.unsafe('ALTER SEQUENCE tries RESTART')
      await expectRefused(attempt(1_000, code), /broken off/)
      expect(await sql`SELECT last_value::int AS count FROM tries`).toEqual([{ count: 4 }])
    }
    // Another error is no reason to do it again.
    await sql.unsafe('ALTER SEQUENCE tries RESTART')
    await expectRefused(attempt(1_000, '23505'), /broken off/)
    expect(await sql`SELECT last_value::int AS count FROM tries`).toEqual([{ count: 1 }])
  })

  test(
    'F6: a deadlock with a session that locks the other way round ends well, and in time',
    TIMED,
    async () => {
      const store = await openPostgres({ url: fresh.url, poolSize: 4, prepare: true, retentionDays: 30 })
      onTestFinished(() => store.close())
      const rules = [{ name: 'many', limit: 100, windowSeconds: 60 }]
      const both = ['a', 'b'].map((key) => ({ key, rules }))
      await store.counters.take(both)
      const own = await sql.reserve()
      onTestFinished(() => own.release())
      // The other one finds out first, and so is the one that is broken off.
      await own.unsafe("BEGIN; SET LOCAL deadlock_timeout = '20s'")
      await own.unsafe("SELECT 1 FROM countersign.counters WHERE key = 'b' FOR UPDATE")
      const from = performance.now()
      const taken = store.counters.take(both)
      await sleep(100)
      await own.unsafe("SELECT 1 FROM countersign.counters WHERE key = 'a' FOR UPDATE")
      // Broken off after half a second, it is tried again and waits for this session to end.
      expect(performance.now() - from).toBeGreaterThan(400)
      await sleep(200)
      await own.unsafe('COMMIT')
      expect((await taken).ok).toBe(true)
      expect(performance.now() - from).toBeLessThan(2_500)
      expect((await store.counters.peek(both)).map(({ remaining }) => remaining)).toEqual([98, 98])
    },
  )

  test('F6: 300 takes of the same counters in every order never lock each other', async () => {
    const store = await openPostgres({ url: fresh.url, poolSize: 10, prepare: true, retentionDays: 30 })
    onTestFinished(() => store.close())
    const rules = [{ name: 'many', limit: 1_000, windowSeconds: 60 }]
    const [before] = await sql`SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()`
    const keys = ['a', 'b', 'c'].map((key) => ({ key, rules }))
    const takes = Array.from({ length: 300 }, (_, n) =>
      store.counters.take(n % 2 === 0 ? keys : keys.toReversed()),
    )
    expect((await Promise.all(takes)).every(({ ok }) => ok)).toBe(true)
    const [after] = await sql`SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()`
    expect(after).toEqual(before)
  })

  test('F5: when connections are lost, what only looks is asked again; what writes is not', async () => {
    const db = connect()
    const lose = () => sql`
      SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
      WHERE application_name = 'countersign' AND datname = current_database()`
    const looking = Array.from({ length: 4 }, () => db.read('SELECT 7 AS n, pg_sleep(0.3)'))
    await sleep(150)
    await lose()
    for (const look of looking) expect(await look).toMatchObject([{ n: 7 }])
    const slowly = 'WITH slow AS (SELECT pg_sleep(0.3)) INSERT INTO notes (n) SELECT $1::int FROM slow'
    const writing = [1, 2, 3, 4].map((n) => expectRefused(db.query(slowly, [n]), /./, 1_000))
    await sleep(150)
    await lose()
    await Promise.all(writing)
    // And the next statement is not refused for what became of the last one.
    expect(await notes()).toEqual([])
    await db.query(...insert(9))
    expect(await notes()).toEqual([9])
  })

  test(
    'F4: connections that went silent are left after one statement each, and the next ones work',
    TIMED,
    async () => {
      const tunnel = await Tunnel.open(fresh.url)
      onTestFinished(() => tunnel.close())
      const db = connect({ url: tunnel.through(fresh.url) })
      const all = () => Promise.all([1, 2, 3, 4].map(() => db.query('SELECT pg_sleep(0.05)')))
      await all()
      tunnel.silence()
      await Promise.all([1, 2, 3, 4].map((n) => expectRefused(db.query(...insert(n)), /did not answer/)))
      const from = performance.now()
      await all()
      expect(performance.now() - from).toBeLessThan(1_000)
      expect(await notes()).toEqual([])
    },
  )

  test(
    'F4: one silent connection of four costs what it was asked, and nobody else anything',
    TIMED,
    async () => {
      const tunnel = await Tunnel.open(fresh.url)
      onTestFinished(() => tunnel.close())
      const db = connect({ url: tunnel.through(fresh.url) })
      await Promise.all([1, 2, 3, 4].map(() => db.query('SELECT pg_sleep(0.05)')))
      tunnel.silence(1)
      let lost = 0
      const until = performance.now() + 3_000
      const clients = Array.from({ length: 4 }, async () => {
        while (performance.now() < until) await db.query('SELECT pg_sleep(0.01)').catch(() => lost++)
      })
      await Promise.all(clients)
      expect(lost).toBe(1)
    },
  )

  test('F23: a database that became read-only and writable again is written to at once', async () => {
    const db = connect()
    await db.query(...insert(1))
    const name = new URL(fresh.url).pathname.slice(1)
    await sql.unsafe(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
    // Sessions know at their start what they may do, so those from before still write, and those from now never will.
    await sql`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'countersign' AND datname = current_database()`
    const sessions = async () =>
      Number((await sql`SELECT sessions FROM pg_stat_database WHERE datname = ${name}`)[0]?.['sessions'])
    const before = await sessions()
    const until = performance.now() + 1_000
    let refused = 0
    const clients = Array.from({ length: 8 }, async () => {
      while (performance.now() < until) {
        await db.query(...insert(2)).catch(() => refused++)
        await sleep(5)
      }
    })
    await Promise.all(clients)
    expect(refused).toBeGreaterThan(20)
    // It looks for one that writes, and is no burden to one that does not.
    expect((await sessions()) - before).toBeLessThan(40)
    await sql.unsafe(`ALTER DATABASE ${name} RESET default_transaction_read_only`)
    const from = performance.now()
    while (!(await notes()).includes(3)) await db.query(...insert(3)).catch(() => sleep(20))
    expect(performance.now() - from).toBeLessThan(2_000)
  })

  test('F26: closing lets what is under way end, for a second at most', async () => {
    const db = connect()
    const quick = db.query(...insert(1))
    const slow = db.query('SELECT pg_sleep(30)')
    slow.catch(() => undefined)
    await sleep(50)
    const from = performance.now()
    await db.close()
    expect(performance.now() - from).toBeLessThan(1_500)
    await quick
    await expect(slow).rejects.toMatchObject(UNAVAILABLE)
    await expectRefused(db.query('SELECT 1'), /closed/)
  })

  test('F1: where nothing listens, opening is refused in time and nothing stays behind', TIMED, async () => {
    const nowhere = new URL(fresh.url)
    nowhere.port = '1'
    const from = performance.now()
    await expect(
      openPostgres({ url: nowhere.href, poolSize: 4, prepare: true, retentionDays: 30 }),
    ).rejects.toMatchObject(UNAVAILABLE)
    expect(performance.now() - from).toBeLessThan(3_000)
  })
})
