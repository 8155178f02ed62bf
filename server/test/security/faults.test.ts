import { execFileSync, spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../src/primitives/clock.ts'
import { SqliteAttempts } from '../../src/stores/sqlite/attempts.ts'
import { SqliteAuth } from '../../src/stores/sqlite/auth.ts'
import { SqliteCounters } from '../../src/stores/sqlite/counters.ts'
import { SqliteDatabase } from '../../src/stores/sqlite/database.ts'
import { SqliteKeys } from '../../src/stores/sqlite/keys.ts'
import { SqliteMessaging } from '../../src/stores/sqlite/messaging.ts'
import { migrate } from '../../src/stores/sqlite/migrations.ts'
import type { Store } from '../../src/stores/store.ts'
import { SqliteRecords } from '../../src/stores/sqlite/records.ts'
import { SqliteTallies } from '../../src/stores/sqlite/tallies.ts'
import { SqliteVerifications } from '../../src/stores/sqlite/verifications.ts'
import { FakeClock } from '../fake-clock.ts'
import { type Answer, endProcesses, numberOf, ServerProcess, type Wire } from '../helpers/process.ts'
import { makeTempDir, startServer } from '../helpers/server.ts'
import { wrong } from '../helpers/wire.ts'
import { SlowVendor } from './slow-vendor.ts'

const HOUR = 3_600

let vendor = new SlowVendor()
afterEach(() => {
  vendor.close()
  vendor = new SlowVendor()
})
afterAll(endProcesses)

/** Opens a connection that writes this and then stays. */
function lean(server: ServerProcess, text: string): void {
  const socket = connect(server.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.on('data', () => {})
  socket.write(text)
}

function expectUnavailable(answer: Answer, what = ''): void {
  expect(answer, what).toMatchObject({ status: 503, body: { code: 'store_unavailable' } })
  expect(Number(answer.headers['retry-after']), what).toBeGreaterThanOrEqual(1)
  expect(answer.headers['content-type'], what).toMatch(/^application\/problem\+json/)
}

describe('F26: SIGTERM', () => {
  test('answers what is in flight, keeps what it sends, and ends with code 0 within 10 s', async () => {
    const server = await ServerProcess.start({ settings: await vendor.listen() })
    const inFlight = Promise.all(Array.from({ length: 40 }, (_, n) => server.start(numberOf(n))))
    await vendor.arrivals(40)
    // Connections that hold nothing must not hold the server either.
    lean(server, '')
    lean(server, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    lean(server, 'GET /dev/inbox/events HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await sleep(100)
    const stopped = server.stop()
    await sleep(300)
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow('fetch failed')
    vendor.letGo()
    const answers = await inFlight
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(answers.map(({ body }) => body.sends?.[0]?.status))).toEqual(new Set(['accepted']))
    const exit = await stopped
    expect(exit).toMatchObject({ code: 0, signal: null })
    // As soon as the last is answered, whatever connections are kept alive.
    expect(exit.ms).toBeLessThan(5_000)
  })

  test('a request that is never finished does not keep it: code 0 within 10 s all the same', async () => {
    const server = await ServerProcess.start()
    await server.start(numberOf(0))
    lean(server, 'GET /healthz HTTP/1.1\r\nHo')
    lean(server, 'POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{')
    await sleep(100)
    const exit = await server.stop()
    expect(exit).toMatchObject({ code: 0, signal: null })
    expect(exit.ms).toBeLessThan(10_000)
    expect(server.stdout).toContain('/v1/verifications')
  })
})

describe('the log', () => {
  const linesOf = (server: ServerProcess) => server.stdout.split('\n').filter((line) => line.startsWith('{'))

  test('is out within a second, so that kill -9 takes no more than the last moment of it', async () => {
    const server = await ServerProcess.start({ settings: { DEV_MODE: 'false' } })
    await server.start(numberOf(0))
    await sleep(1_000)
    await server.kill()
    const lines = linesOf(server).map((line) => JSON.parse(line) as { msg: string; port?: number })
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'listening', port: server.port }))
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'request', route: '/v1/verifications' }))
  })

  const canLimit = spawnSync('prlimit', ['--version']).status === 0

  test.skipIf(!canLimit)(
    'F23: that cannot be written any more neither stops the server nor hangs it',
    async () => {
      const server = await ServerProcess.start()
      for (let n = 0; n < 20; n++) await server.start(numberOf(n))
      await sleep(500)
      // The log's own file may not grow, while the database has room: what has been written of it is larger.
      const room = Buffer.byteLength(server.stdout)
      const db = new DatabaseSync(server.database)
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      db.close()
      limitFiles(server, Math.max(room, 1_024))
      for (let n = 0; n < 10; n++) await withTimeout(server.call('GET', '/healthz'), 2_000)
      await sleep(1_000)
      const { body } = await withTimeout(server.call('GET', '/healthz'), 2_000)
      expect(body).toEqual({ status: 'ok' })
      limitFiles(server, 'unlimited')
      expect((await withTimeout(server.start(numberOf(99)), 2_000)).status).toBe(201)
      expect(await withTimeout(server.stop(), 10_000)).toMatchObject({ code: 0 })
    },
  )

  test.skipIf(!canLimit)('F23: that cannot be written does not keep the server from stopping', async () => {
    const server = await ServerProcess.start()
    for (let n = 0; n < 5; n++) await server.start(numberOf(n))
    await sleep(500)
    limitFiles(server, Math.max(Buffer.byteLength(server.stdout), 1_024))
    await server.call('GET', '/healthz')
    expect(await withTimeout(server.stop(), 10_000)).toMatchObject({ code: 0 })
  })

  test.skipIf(!canLimit)(
    'F23: on a full disk writes are 503, nothing is approved, and room brings everything back',
    async () => {
      const server = await ServerProcess.start({ output: 'none' })
      const { id = '', preview_code: code = '' } = (await server.start(numberOf(0))).body
      await server.check(id, wrong(code))
      // No file of the process may grow past its first page.
      limitFiles(server, 1_024)
      const answers = await Promise.all([
        ...Array.from({ length: 30 }, (_, n) => server.start(numberOf(n + 1))),
        ...Array.from({ length: 30 }, () => server.check(id, code)),
        server.call('POST', `/v1/verifications/${id}/cancel`),
        server.call('POST', '/v1/messages', { body: { to: numberOf(50), body: 'hello' } }),
        server.call('GET', '/readyz'),
      ])
      for (const answer of answers) expectUnavailable(answer)
      // Also by itself, with nobody else's write to fail with.
      expectUnavailable(await server.call('GET', '/readyz'))
      expect(await server.inbox()).toHaveLength(1)
      expect((await server.call('GET', '/healthz')).status).toBe(200)
      expect(await server.read(id)).toMatchObject({ status: 'pending', checks_left: 4 })
      limitFiles(server, 'unlimited')
      expect((await server.check(id, code)).body).toMatchObject({ valid: true, reason: 'approved' })
      expect((await server.start(numberOf(1))).status).toBe(201)
      expect((await server.call('GET', '/readyz')).status).toBe(200)
      // What was written meanwhile is whole.
      await server.kill()
      const again = await server.again({ output: 'file' })
      expect(await again.read(id)).toMatchObject({ status: 'approved' })
      await again.kill()
    },
  )
})

/** Lets a running process write no file past this size; a full disk, for one process and as long as wanted. */
function limitFiles(server: ServerProcess, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(server.pid), `--fsize=${bytes}:`])
}

function withTimeout<T>(work: Promise<T>, ms: number): Promise<T> {
  return Promise.race([
    work,
    sleep(ms, undefined, { ref: false }).then(() => Promise.reject(new Error(`no answer in ${ms} ms`))),
  ])
}

describe('a store that takes no writes, in one process', () => {
  /** A store whose connection the test has too. */
  function openStore(path: string, clock: Clock): { store: Store; db: SqliteDatabase } {
    const db = new SqliteDatabase(path, 'normal')
    migrate(db)
    const store: Store = {
      clock,
      verifications: new SqliteVerifications(db, clock),
      attempts: new SqliteAttempts(db, clock),
      messaging: new SqliteMessaging(db, clock),
      counters: new SqliteCounters(db, clock),
      keys: new SqliteKeys(db),
      tallies: new SqliteTallies(db, clock),
      auth: new SqliteAuth(db, clock),
      records: new SqliteRecords(db, clock),
      sweep: async () => 0,
      ping: () => db.write(() => {}),
      close: async () => db.close(),
    }
    return { store, db }
  }

  const FAULTS = {
    'full (SQLITE_FULL)': {
      begin: (db: SqliteDatabase) => {
        const pages = Number(db.prepare('PRAGMA page_count').get()?.['page_count'])
        db.exec(`PRAGMA max_page_count = ${pages}`)
      },
      end: (db: SqliteDatabase) => db.exec('PRAGMA max_page_count = 1000000'),
      // Until its last pages are full it still takes some.
      takesSome: true,
    },
    'read-only (SQLITE_READONLY)': {
      begin: (db: SqliteDatabase) => db.exec('PRAGMA query_only = ON'),
      end: (db: SqliteDatabase) => db.exec('PRAGMA query_only = OFF'),
      takesSome: false,
    },
  }

  test.each(Object.entries(FAULTS))(
    'F2, F23: %s: 503, nothing sent unrecorded, nothing approved, no attempt lost, and it recovers',
    async (_name, { begin, end, takesSome }) => {
      const clock = new FakeClock()
      const { store, db } = openStore(join(makeTempDir(), 'test.db'), clock)
      const server = await startServer({ overrides: { clock, store } })
      const opened = await server.api<Wire>('POST', '/v1/verifications', { body: { to: numberOf(0) } })
      const { id = '', preview_code: code = '' } = opened.body
      const check = () => server.api<Wire>('POST', `/v1/verifications/${id}/check`, { body: { code } })
      await server.api('POST', `/v1/verifications/${id}/check`, { body: { code: wrong(code) } })
      begin(db)
      clock.advance(60)
      const starts = Array.from({ length: 300 }, (_, n) =>
        server.api<Wire>('POST', '/v1/verifications', { body: { to: numberOf(n + 1) } }),
      )
      const refused = (await Promise.all(starts)).filter(({ status }) => status !== 201)
      for (const { status, headers, body } of refused) {
        expect({ status, code: body.code }).toEqual({ status: 503, code: 'store_unavailable' })
        expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1)
      }
      const recorded = Number(db.prepare('SELECT count(*) AS count FROM sends').get()?.['count'])
      expect(server.inbox.list().length).toBeLessThanOrEqual(recorded)
      if (takesSome) {
        expect(refused.length).toBeGreaterThan(100)
      } else {
        expect(refused).toHaveLength(300)
        const checks = await Promise.all(Array.from({ length: 20 }, check))
        expect(new Set(checks.map(({ status }) => status))).toEqual(new Set([503]))
        expect((await server.api('GET', '/readyz')).status).toBe(503)
      }
      expect((await server.api('GET', '/healthz')).status).toBe(200)
      expect((await server.api<Wire>('GET', `/v1/verifications/${id}`)).body).toMatchObject({
        status: 'pending',
        checks_left: 4,
      })
      end(db)
      expect((await check()).body).toMatchObject({ valid: true })
      expect((await server.api('POST', '/v1/verifications', { body: { to: numberOf(400) } })).status).toBe(
        201,
      )
    },
  )
})

describe('a new file', () => {
  test('is opened by four at once, each waiting for the others', async () => {
    const OPENER = `
      import { parentPort, workerData } from 'node:worker_threads'
      const { SqliteDatabase } = await import(workerData.source + '/database.ts')
      const { migrate } = await import(workerData.source + '/migrations.ts')
      parentPort.on('message', (path) => {
        try {
          const db = new SqliteDatabase(path, 'normal')
          migrate(db)
          db.close()
          parentPort.postMessage('opened')
        } catch (error) {
          parentPort.postMessage(String(error))
        }
      })`
    const source = new URL('../../src/stores/sqlite', import.meta.url).href
    const url = new URL(`data:text/javascript,${encodeURIComponent(OPENER)}`)
    const workers = Array.from({ length: 4 }, () => new Worker(url, { workerData: { source } }))
    const folder = makeTempDir()
    const found: string[] = []
    for (let round = 0; round < 100; round++) {
      const answers = workers.map(
        (worker) =>
          new Promise<string>((resolve) => {
            worker.once('message', resolve)
          }),
      )
      // A worker thread has no origin.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      for (const worker of workers) worker.postMessage(join(folder, `${round}.db`))
      found.push(...(await Promise.all(answers)))
    }
    await Promise.all(workers.map((worker) => worker.terminate()))
    expect(new Set(found)).toEqual(new Set(['opened']))
  })
})

describe('F3: a store that somebody else keeps locked', () => {
  test(
    '40 requests are all refused within 6 s, the server goes on living, and they work once it is free',
    { timeout: 60_000 },
    async () => {
      const server = await ServerProcess.start()
      const { id = '', preview_code: code = '' } = (await server.start(numberOf(0))).body
      const other = new DatabaseSync(server.database)
      other.exec('BEGIN IMMEDIATE')
      const from = performance.now()
      const answers = await Promise.all([
        ...Array.from({ length: 20 }, (_, n) => server.start(numberOf(n + 1))),
        ...Array.from({ length: 20 }, () => server.check(id, code)),
      ])
      const ms = performance.now() - from
      other.exec('ROLLBACK')
      other.close()
      for (const answer of answers) expectUnavailable(answer)
      expect(ms).toBeLessThan(6_000)
      expect((await server.check(id, code)).body).toMatchObject({ valid: true })
      expect((await server.start(numberOf(1))).status).toBe(201)
      await server.kill()
    },
  )
})

describe('F22: clocks that jump and clocks that differ', () => {
  test('no jump of an hour makes a used, locked or canceled code live again, nor opens or locks a limit for longer than it says', async () => {
    const server = await ServerProcess.start({ settings: { MESSAGES_PER_PHONE_HOUR: '5' } })
    const open = async (n: number) => {
      const { id = '', preview_code: code = '' } = (await server.start(numberOf(n))).body
      return { id, code }
    }
    const [used, locked, canceled, live] = [await open(0), await open(1), await open(2), await open(3)]
    await server.check(used.id, used.code)
    for (let n = 1; n <= 5; n++) await server.check(locked.id, wrong(locked.code, n))
    await server.call('POST', `/v1/verifications/${canceled.id}/cancel`)
    const hit = () => server.call('POST', '/v1/messages', { body: { to: numberOf(9), body: 'hello' } })
    for (let n = 0; n < 5; n++) expect((await hit()).status).toBe(202)
    // Back an hour, and on from there: the five hits count as made at the jump, and for one window from it.
    for (const [seconds, status] of [
      [-HOUR, 429],
      [-60, 429],
      [10, 202],
    ] as const) {
      await server.setClock(seconds)
      expect((await server.check(used.id, used.code)).body.reason).toBe('already_used')
      expect((await server.check(locked.id, locked.code)).body.reason).toBe('locked')
      expect((await server.check(canceled.id, canceled.code)).body.reason).toBe('canceled')
      const answer = await hit()
      expect({ seconds, status: answer.status }).toEqual({ seconds, status })
      expect(answer.body.retry_after ?? 0).toBeLessThanOrEqual(HOUR)
    }
    // A jump forward ends what its time ends, and a number can be used again at once.
    await server.setClock(HOUR + 60)
    expect((await server.check(live.id, live.code)).body.reason).toBe('expired')
    expect((await server.start(numberOf(3))).status).toBe(201)
    await server.kill()
  })

  test('a code that was told expired stays expired when the clock is set back', async () => {
    const server = await ServerProcess.start()
    const { id = '', preview_code: code = '' } = (await server.start(numberOf(0))).body
    await server.setClock(601)
    expect((await server.check(id, code)).body.reason).toBe('expired')
    await server.setClock(-HOUR)
    expect((await server.check(id, code)).body.reason).toBe('expired')
    await server.kill()
  })

  test('a number has one pending verification, found by its number, also after the clock was set back', async () => {
    const server = await ServerProcess.start({ clockSeconds: 300 })
    const to = numberOf(0)
    const first = (await server.start(to)).body.id ?? ''
    await server.call('POST', `/v1/verifications/${first}/cancel`)
    await server.setClock(60)
    // The message that was sent in what is now the future is waited for as if it had been sent now.
    expect((await server.start(to)).status).toBe(429)
    await server.setClock(100)
    const opened = await server.start(to)
    expect(opened.status).toBe(201)
    const { id, preview_code: code = '' } = opened.body
    await server.setClock(200)
    const again = await server.start(to)
    expect({ status: again.status, id: again.body.id }).toEqual({ status: 200, id })
    const checked = await server.call('POST', '/v1/checks', { body: { to, code } })
    expect(checked.body).toMatchObject({ id, valid: true })
    await server.kill()
  })

  test('of two processes five minutes apart, neither judges more than 5 nor approves twice', async () => {
    const [first, second] = await ServerProcess.startSeveral(2)
    if (!first || !second) throw new Error('no server')
    await second.setClock(300)
    for (let round = 0; round < 20; round++) {
      const { id = '', preview_code: code = '' } = (
        await (round % 2 === 0 ? first : second).start(numberOf(round))
      ).body
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          (n % 2 === 0 ? first : second).check(id, n === round ? code : wrong(code, n + 1)),
        ),
      )
      const of = (reason: string) => answers.filter(({ body }) => body.reason === reason).length
      expect(of('approved') + of('wrong_code')).toBeLessThanOrEqual(5)
      expect(of('approved')).toBeLessThanOrEqual(1)
      const again = await Promise.all([first.check(id, code), second.check(id, code)])
      expect(again.filter(({ body }) => body.valid)).toEqual([])
    }
    await Promise.all([first.kill(), second.kill()])
  })
})
