import { setTimeout as sleep } from 'node:timers/promises'
import postgres, { type Sql } from 'postgres'
import { Agent, request } from 'undici'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { endProcesses, requestHeaders, ServerProcess } from '../helpers/process.ts'
import { describeWith, type Fresh, freshPostgres, type Proxy, toxiproxy } from '../helpers/services.ts'
import { wrong } from '../helpers/wire.ts'
import {
  expectAllUnavailable,
  expectUnavailable,
  expectUnharmed,
  memoryOf,
  nextNumber,
  open,
  percentile,
  TIMED,
  untilAnswered,
} from './outage.ts'

/** The longest that anybody waits for an answer, whatever has become of the store. */
const ANSWER_MS = 3_000

afterAll(endProcesses)

describeWith(['postgres', 'toxiproxy'], 'a Postgres with a network between', () => {
  let database: Fresh
  let proxy: Proxy
  let server: ServerProcess
  let sql: Sql
  beforeEach(async () => {
    database = await freshPostgres()
    proxy = await toxiproxy(database.url)
    sql = postgres(database.url, { max: 2, onnotice: () => {} })
    server = await ServerProcess.start({ settings: { DATABASE_URL: proxy.url } })
  })
  afterEach(async () => {
    await server.kill()
    await sql.end({ timeout: 1 })
    await proxy.remove()
    await database.drop()
  })

  /** One call of every kind that needs the store. */
  const everyCall = (id: string, code: string) => [
    server.start(nextNumber()),
    server.start(nextNumber(), {}, { key: 'pk' }),
    server.start(nextNumber(), {}, { headers: { 'idempotency-key': nextNumber() } }),
    server.check(id, code),
    server.check(id, wrong(code)),
    server.check(id, code, { key: 'pk' }),
    server.call('POST', `/v1/verifications/${id}/resend`, { body: {} }),
    server.call('POST', `/v1/verifications/${id}/cancel`),
    server.call('GET', `/v1/verifications/${id}`),
    server.call('POST', '/v1/messages', { body: { to: nextNumber(), body: 'hello' } }),
    server.call('GET', '/readyz'),
  ]

  test(
    'F1, F2, F4: refusing, resetting and swallowing: 503 in time, nothing sent or judged, and back within 2 s',
    TIMED,
    async () => {
      for (const begin of [() => proxy.cut(), () => proxy.reset(), () => proxy.blackhole('requests')]) {
        const { id, code } = await open(server, nextNumber())
        await server.check(id, wrong(code))
        const before = await server.inbox()
        await begin()
        await expectAllUnavailable(everyCall(id, code), ANSWER_MS)
        // Also when it has been away for longer.
        await sleep(500)
        await expectAllUnavailable([server.start(nextNumber()), server.check(id, code)], ANSWER_MS)
        expect((await server.call('GET', '/healthz')).status).toBe(200)
        expect(await server.inbox()).toHaveLength(before.length)
        await proxy.restore()
        await untilAnswered(() => server.start(nextNumber()), 201)
        expect((await server.call('GET', '/readyz')).status).toBe(200)
        expect(await server.read(id)).toMatchObject({ status: 'pending', checks_left: 4, sends_left: 4 })
        expect((await server.check(id, code)).body).toMatchObject({ valid: true, reason: 'approved' })
        expect(await server.inbox()).toHaveLength(before.length + 1)
      }
      expectUnharmed(server)
    },
  )

  test(
    'F3: answers that take 2 s or 30 s: no statement is waited for longer, and back within 2 s',
    TIMED,
    async () => {
      const { id, code } = await open(server, nextNumber())
      await proxy.slow(30_000)
      await expectAllUnavailable(everyCall(id, code), ANSWER_MS)
      await proxy.restore()
      await untilAnswered(() => server.start(nextNumber()), 201)
      // Just within the time: what is one statement may be answered. What is several comes to an end as well.
      await proxy.slow(1_900)
      const from = performance.now()
      const answers = await Promise.all(everyCall(id, code))
      expect(performance.now() - from).toBeLessThan(3 * ANSWER_MS)
      expect(answers.filter(({ status }) => status === 500)).toEqual([])
      await proxy.restore()
      await untilAnswered(() => server.start(nextNumber()), 201)
      expectUnharmed(server)
    },
  )

  /** Keeps locks as a careless session does; resolves with what ends it. */
  async function lock(statement: string): Promise<() => Promise<void>> {
    const held = Promise.withResolvers<void>()
    const until = Promise.withResolvers<void>()
    const session = sql.begin(async (own) => {
      await own.unsafe(statement)
      held.resolve()
      await until.promise
    })
    session.catch(() => {})
    await held.promise
    return async () => {
      until.resolve()
      await session
    }
  }

  test(
    'F2, F3: what others keep locked: 503 in time, and no guess is judged after its caller was refused',
    TIMED,
    async () => {
      const { id, code } = await open(server, nextNumber())
      const release = await lock('SELECT 1 FROM countersign.verifications FOR UPDATE')
      const wave = () =>
        expectAllUnavailable(
          Array.from({ length: 22 }, () => server.check(id, wrong(code))),
          ANSWER_MS,
        )
      // Those of the second are still waiting when what the first has begun is given up.
      await Promise.all([wave(), sleep(1_200).then(wave)])
      await release()
      await untilAnswered(() => server.start(nextNumber()), 201)
      expect(await server.read(id)).toMatchObject({ status: 'pending', checks_left: 5 })
    },
  )

  test('F3: statements that are slow by themselves: 503 in time, nothing sent', TIMED, async () => {
    const { id, code } = await open(server, nextNumber())
    await sql.unsafe(`
      CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$;
      CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON countersign.verifications
        FOR EACH ROW EXECUTE FUNCTION slow()`)
    const calls = Array.from({ length: 20 }, (_, n) =>
      n % 2 === 0 ? server.start(nextNumber()) : server.check(id, code),
    )
    await expectAllUnavailable(calls, ANSWER_MS)
    // It gave them up itself: none runs on after its caller has gone.
    const [running] = await sql`
      SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'countersign' AND state = 'active'`
    expect(running?.['count']).toBe(0)
    expect(await server.inbox()).toHaveLength(1)
    await sql.unsafe('DROP TRIGGER slow ON countersign.verifications')
    expect((await server.check(id, code)).body).toMatchObject({ valid: true })
  })

  test(
    'F3: 3,000 requests while it is stuck: all refused in time, memory bounded, routes without a store quick',
    TIMED,
    async () => {
      const { id, code } = await open(server, nextNumber())
      const memoryBefore = memoryOf(server)
      const release = await lock('LOCK TABLE countersign.verifications IN ACCESS EXCLUSIVE MODE')
      const flooding = flood(server, id, code)
      const health: number[] = []
      let isOver = false
      void flooding.finally(() => (isOver = true))
      while (!isOver) {
        for (const path of ['/healthz', '/openapi.json', '/nothing']) {
          const from = performance.now()
          await server.call('GET', path)
          health.push(performance.now() - from)
        }
        await sleep(10)
      }
      const all = await flooding
      await release()
      expect(new Set(all.map(({ status }) => status))).toEqual(new Set([503]))
      expect(all).toHaveLength(3_000)
      expect(Math.max(...all.map(({ ms }) => ms))).toBeLessThan(ANSWER_MS + 1_000)
      expect(percentile(health, 0.99)).toBeLessThan(250)
      // 3,000 connections and what they asked for; a bound on what waits is a bound on this.
      expect(memoryOf(server) - memoryBefore).toBeLessThan(250)
      await untilAnswered(() => server.start(nextNumber()), 201)
      expect(await server.read(id)).toMatchObject({ status: 'pending', checks_left: 5 })
      expectUnharmed(server)
    },
  )

  test('F5: the answer to a commit is lost: 503, and every retry is told the true state', TIMED, async () => {
    const [right, wrongs, other] = [
      await open(server, nextNumber()),
      await open(server, nextNumber()),
      await open(server, nextNumber()),
    ]
    const loseAnswersOf = async (calls: () => Parameters<typeof expectAllUnavailable>[0]) => {
      // So that every connection knows its statements, and what follows is one message each way.
      for (let n = 0; n < 40; n++) await Promise.all([server.read(other.id), server.check(warm.id, '')])
      await Promise.all(Array.from({ length: 30 }, (_, n) => server.check(warm.id, wrong(warm.code, n))))
      await proxy.blackhole('answers')
      await expectAllUnavailable(calls(), ANSWER_MS)
      await proxy.restore()
      await untilAnswered(() => server.call('GET', `/v1/verifications/${other.id}`), 200)
    }
    const warm = await open(server, nextNumber())
    await loseAnswersOf(() => Array.from({ length: 2 }, () => server.check(right.id, right.code)))
    // It was done, once, and everybody is told so from now on.
    expect(await server.read(right.id)).toMatchObject({ status: 'approved' })
    const again = await Promise.all(Array.from({ length: 20 }, () => server.check(right.id, right.code)))
    expect(new Set(again.map(({ body }) => body.reason))).toEqual(new Set(['already_used']))

    await loseAnswersOf(() =>
      Array.from({ length: 8 }, (_, n) => server.check(wrongs.id, wrong(wrongs.code, n + 1))),
    )
    // Those that went together were counted, and nobody wins any back.
    const { checks_left: left = 5 } = await server.read(wrongs.id)
    expect(left).toBeLessThan(5)
    for (let n = 0; n < left; n++) {
      const { body } = await server.check(wrongs.id, wrong(wrongs.code, n + 1))
      expect(body).toMatchObject({ reason: 'wrong_code', checks_left: left - n - 1 })
    }
    expect((await server.check(wrongs.id, wrongs.code)).body.reason).toBe('locked')
    const [row] = await sql`SELECT max(guesses)::int AS guesses FROM countersign.verifications`
    expect(row?.['guesses']).toBe(5)
    expect((await server.check(other.id, other.code)).body.reason).toBe('approved')
    expect((await server.start(nextNumber())).status).toBe(201)
    expectUnharmed(server)
  })

  test('F6: what the database breaks off is tried again, three times; then it is a 503', async () => {
    await sql.unsafe(`
      CREATE SEQUENCE tries;
      CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        -- What a sequence has counted stays counted, whatever is rolled back.
        IF nextval('tries') <= TG_ARGV[0]::int THEN
          RAISE EXCEPTION 'broken off' USING ERRCODE = '40001';
        END IF;
        RETURN NEW;
      END $$`)
    const breakOff = (times: number) =>
      sql.unsafe(`
      ALTER SEQUENCE tries RESTART;
      CREATE OR REPLACE TRIGGER break_off BEFORE UPDATE ON countersign.verifications
        FOR EACH ROW EXECUTE FUNCTION break_off(${times})`)
    const { id, code } = await open(server, nextNumber())
    await breakOff(3)
    expect((await server.check(id, wrong(code))).body).toMatchObject({ reason: 'wrong_code', checks_left: 4 })
    await breakOff(1_000)
    expectUnavailable(await server.check(id, code))
    const [tries] = await sql`SELECT last_value::int AS count FROM tries`
    expect(tries?.['count']).toBe(4)
    await sql.unsafe('DROP TRIGGER break_off ON countersign.verifications')
    expect((await server.check(id, code)).body).toMatchObject({ valid: true })
  })
})

/** 3,000 starts and checks in three seconds, each on a connection of its own. */
async function flood(
  server: ServerProcess,
  id: string,
  code: string,
): Promise<{ status: number; ms: number }[]> {
  const agent = new Agent({ connections: 3_000 })
  const ask = async (n: number) => {
    const from = performance.now()
    const path = n % 2 === 0 ? '/v1/verifications' : `/v1/verifications/${id}/check`
    const { statusCode, body } = await request(server.url + path, {
      dispatcher: agent,
      method: 'POST',
      headers: requestHeaders(),
      body: JSON.stringify(n % 2 === 0 ? { to: nextNumber() } : { code: wrong(code) }),
    })
    await body.dump()
    return { status: statusCode, ms: performance.now() - from }
  }
  const all: Promise<{ status: number; ms: number }>[] = []
  for (let n = 0; n < 3_000; n++) {
    all.push(ask(n))
    if (n % 20 === 19) await sleep(20)
  }
  const answers = await Promise.all(all)
  await agent.destroy()
  return answers
}
