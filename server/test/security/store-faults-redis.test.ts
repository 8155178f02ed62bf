import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { endProcesses, ServerProcess } from '../helpers/process.ts'
import {
  describeWith,
  type Fresh,
  freshPostgres,
  freshRedis,
  type Proxy,
  startRedis,
  toxiproxy,
} from '../helpers/services.ts'
import { wrong } from '../helpers/wire.ts'
import {
  expectAllUnavailable,
  expectUnavailable,
  expectUnharmed,
  nextNumber,
  open,
  TIMED,
  untilAnswered,
} from './outage.ts'

/** The longest that a caller waits for an answer while the limiter has none. */
const ANSWER_MS = 1_500
/** An end user's address, which limits count on. */
const IP = '203.0.113.7'

afterAll(endProcesses)

describeWith(['postgres', 'redis', 'toxiproxy'], 'F7: a Redis that counts, with a network between', () => {
  let database: Fresh
  let counting: Fresh
  let proxy: Proxy
  let server: ServerProcess
  beforeEach(async () => {
    database = await freshPostgres()
    counting = await freshRedis()
    proxy = await toxiproxy(counting.url)
    server = await ServerProcess.start({ settings: { DATABASE_URL: database.url, REDIS_URL: proxy.url } })
  })
  afterEach(async () => {
    await server.kill()
    await proxy.remove()
    await Promise.all([database.drop(), counting.drop()])
  })

  const OUTAGES = {
    'refuses connections': () => proxy.cut(),
    'resets connections': () => proxy.reset(),
    'swallows what is asked': () => proxy.blackhole('requests'),
    'swallows its answers': () => proxy.blackhole('answers'),
  }

  test.each(Object.entries(OUTAGES))(
    'one that %s: 503 within 1.5 s, nothing sent, nothing judged for whoever has limits, and back within 2 s',
    TIMED,
    async (_name, begin) => {
      const { id, code } = await open(server, nextNumber())
      const other = await open(server, nextNumber())
      const sent = await server.inbox()
      await begin()
      const everyLimited = () => [
        server.start(nextNumber()),
        server.start(nextNumber(), { ip: IP }),
        server.start(nextNumber(), {}, { key: 'pk' }),
        server.start(nextNumber(), {}, { headers: { 'idempotency-key': nextNumber() } }),
        server.check(id, code, { key: 'pk' }),
        server.check(id, wrong(code), { key: 'pk' }),
        server.call('POST', '/v1/messages', { body: { to: nextNumber(), body: 'hello' } }),
        server.call('GET', `/v1/verifications/${id}`, { key: 'pk' }),
      ]
      await expectAllUnavailable(everyLimited(), ANSWER_MS)
      await sleep(500)
      await expectAllUnavailable(everyLimited(), ANSWER_MS)
      expectUnavailable(await server.call('GET', '/readyz'))
      expect((await server.call('GET', '/healthz')).status).toBe(200)
      expect(await server.inbox()).toHaveLength(sent.length)
      // Whoever has no limit but the verification's own needs no limiter.
      expect((await server.check(other.id, other.code)).body).toMatchObject({ valid: true })
      expect(await server.read(id)).toMatchObject({ status: 'pending', checks_left: 5 })
      // It is told: in the log with the host and the reason, and in the figures.
      expect(server.stdout).toMatch(/"level":50,.*"message":"Redis at 127\.0\.0\.1:\d+ cannot be used: /)
      const { text } = await server.call('GET', '/metrics', { key: 'none' })
      expect(text).toMatch(/countersign_errors_total\{code="store_unavailable"\} \d\d/)
      expect(text).toMatch(/countersign_store_failures_total\{part="limiter"\} \d\d/)
      expect(text).toContain('countersign_store_failures_total{part="store"} 0\n')
      expect(text).toContain('countersign_ready 0\n')
      await proxy.restore()
      await untilAnswered(() => server.start(nextNumber(), { ip: IP }), 201)
      expect((await server.call('GET', '/readyz')).status).toBe(200)
      expect((await server.check(id, code, { key: 'pk' })).body).toMatchObject({ valid: true })
      expectUnharmed(server)
    },
  )
})

describeWith(['postgres', 'own redis'], 'a Redis of its own', () => {
  let database: Fresh
  let redis: Awaited<ReturnType<typeof startRedis>>
  let server: ServerProcess
  beforeEach(async () => {
    database = await freshPostgres()
    redis = await startRedis()
    const settings = {
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      // So that the number's limits, which Redis keeps and loses, are not what stops anything here.
      RESEND_COOLDOWN_SECONDS: '1',
      SMS_RATE_LIMIT_PER_PHONE: '1000',
      SMS_MAX_PER_PHONE_DAY: '1000',
    }
    server = await ServerProcess.start({ settings })
  })
  afterEach(async () => {
    await server.kill()
    await redis.remove()
    await database.drop()
  })

  test('F7: it is killed and started again: closed meanwhile, back within 2 s', TIMED, async () => {
    await open(server, nextNumber())
    await redis.kill()
    await expectAllUnavailable([server.start(nextNumber()), server.start(nextNumber())], ANSWER_MS)
    await sleep(1_000)
    await redis.start()
    await untilAnswered(() => server.start(nextNumber()), 201)
    expect(await server.inbox()).toHaveLength(2)
    expectUnharmed(server)
  })

  test('F7: its answers take 3 s: closed meanwhile, and back within 2 s', TIMED, async () => {
    const direct = new Redis(redis.url, { retryStrategy: null })
    const { id, code } = await open(server, nextNumber())
    await direct.call('CLIENT', 'PAUSE', '3000')
    const from = performance.now()
    for (let n = 0; n < 2; n++) {
      await expectAllUnavailable(
        [server.start(nextNumber(), { ip: IP }), server.check(id, code, { key: 'pk' })],
        ANSWER_MS,
      )
    }
    await sleep(3_000 - (performance.now() - from))
    await untilAnswered(() => server.start(nextNumber()), 201)
    // What Redis found in its socket when it went on was counted, but nothing was sent or judged for it.
    expect(await server.inbox()).toHaveLength(2)
    expect(await server.read(id)).toMatchObject({ status: 'pending', checks_left: 5 })
    direct.disconnect()
  })

  test('F8: flushed again and again, a number still has 20 wrong guesses a day and a verification 5', async () => {
    const direct = new Redis(redis.url, { retryStrategy: null })
    const to = nextNumber()
    let judged = 0
    const rounds: number[] = []
    for (let round = 0; round < 6; round++) {
      const { status, body, text } = await server.start(to, { ip: IP })
      expect(status, text).toBe(201)
      const { id = '', preview_code: code = '' } = body
      let here = 0
      for (let n = 1; n <= 8; n++) {
        if (n % 3 === 0) await direct.flushall()
        const { reason } = (await server.check(id, wrong(code, n), { key: n % 2 === 0 ? 'pk' : 'sk' })).body
        if (reason === 'wrong_code') here++
      }
      judged += here
      rounds.push(here)
      if (here === 0) {
        // The right code is refused as well: nobody can tell by it whether a guess was right.
        expect(await server.check(id, code)).toMatchObject({
          status: 429,
          body: { limit: 'wrong_checks_per_phone_day' },
        })
      }
      await server.call('POST', `/v1/verifications/${id}/cancel`)
      await direct.flushall()
    }
    direct.disconnect()
    expect(rounds).toEqual([5, 5, 5, 5, 0, 0])
  })

  test('F8: flushed before every resend, a verification sends 5 messages and waits as long between them', async () => {
    const direct = new Redis(redis.url, { retryStrategy: null })
    const to = nextNumber()
    const { id } = await open(server, to)
    const resend = async () => {
      await direct.flushall()
      return server.call('POST', `/v1/verifications/${id}/resend`, { body: {} })
    }
    const early = await resend()
    expect(early).toMatchObject({ status: 429, body: { limit: 'resend_cooldown' } })
    const sql = postgres(database.url, { max: 1 })
    for (let n = 2; n <= 5; n++) {
      await sql`UPDATE countersign.verifications SET resend_at = 0 WHERE id = ${id}`
      expect((await resend()).status).toBe(200)
    }
    await sql`UPDATE countersign.verifications SET resend_at = 0 WHERE id = ${id}`
    await sql.end()
    expect(await resend()).toMatchObject({ status: 429, body: { limit: 'sends_per_verification' } })
    expect(await server.inbox(to)).toHaveLength(5)
    direct.disconnect()
  })
})
