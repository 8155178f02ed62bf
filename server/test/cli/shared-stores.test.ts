import { connect, createServer } from 'node:net'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import postgres from 'postgres'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { portOf } from '../conformance/provider-faults.ts'
import {
  describeWith,
  freshMongo,
  freshPostgres,
  freshRedis,
  pgbouncerFor,
  startRedis,
} from '../helpers/services.ts'
import { countersign, endAll, makeFolder, serve } from './cli.ts'

const SK = 'sk_countersign_cli_tests_0123456789'
const SECRETS = { SECRET_KEY: 'a secret of these tests', API_KEYS: SK }
/** A port where nobody listens: connections to it are refused. */
const NOBODY = '127.0.0.1:1'

afterAll(endAll)

const run = (line: string, env: Record<string, string>) =>
  countersign(line.split(' '), { cwd: makeFolder(), env: { ...SECRETS, ...env } })

async function postgresUrl(): Promise<string> {
  const { url, drop } = await freshPostgres()
  onTestFinished(drop)
  return url
}

async function redisUrl(): Promise<string> {
  const { url, drop } = await freshRedis()
  onTestFinished(drop)
  return url
}

async function mongoUrl(): Promise<string> {
  const { url, drop } = await freshMongo()
  onTestFinished(drop)
  return url
}

describeWith('postgres', 'Postgres', () => {
  test('migrate brings a new database to this version’s schema once, and --status changes nothing', async () => {
    const env = { DATABASE_URL: await postgresUrl() }
    const before = await run('migrate --status', env)
    expect(before).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^schema 0, this version knows \d+\n$/),
    })
    expect(await tablesOf(env.DATABASE_URL)).toEqual([])
    expect(await run('migrate', env)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^schema 0 → \d+\n$/),
    })
    expect(await run('migrate', env)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/nothing to do\n$/),
    })
    expect(await run('migrate --status', env)).toMatchObject({ code: 0 })
    expect(await tablesOf(env.DATABASE_URL)).toContain('verifications')
  })

  test.for(['serve', 'migrate', 'migrate --status', 'doctor', 'keys list'])(
    '`%s` refuses a database of a newer version, naming both schemas, and leaves it as it was',
    async (line) => {
      const env = { DATABASE_URL: await postgresUrl() }
      await run('migrate', env)
      await query(env.DATABASE_URL, 'UPDATE countersign.schema_version SET version = 999')
      const { code, stdout, stderr } = await run(line, env)
      expect(code).toBe(1)
      expect(stdout + stderr).toMatch(/schema 999.* knows \d+/)
      expect(await query(env.DATABASE_URL, 'SELECT version FROM countersign.schema_version')).toEqual([
        { version: 999 },
      ])
    },
  )

  test('a key made by one machine is known to another, and a code is checked there', async () => {
    const env = { DATABASE_URL: await postgresUrl() }
    const { stdout: key } = await run('keys create', env)
    const sent = await run('send +14155552671', env)
    const code = /The code is (\d+)/.exec(sent.stderr)?.[1] ?? ''
    const server = await serve([], { cwd: makeFolder(), env: { ...SECRETS, ...env } })
    const { body } = await server.call(`/v1/verifications/${sent.stdout.trim()}/check`, key.trim(), { code })
    expect(body).toMatchObject({ valid: true, reason: 'approved' })
    expect((await server.stop()).code).toBe(0)
  })

  test('doctor tells host, round trip, schema, version, connections and clocks, and no password', async () => {
    const url = new URL(await postgresUrl())
    url.password = 'CANARY'
    const { code, stdout } = await run('doctor', { DATABASE_URL: url.href })
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^ok {4}store: postgres 127\.0\.0\.1:\d+\/\w+ takes writes, \d+\.\d ms a round trip, schema \d+$/m,
    )
    expect(stdout).toMatch(/^ok {4}store: Postgres \d+\.\d+$/m)
    expect(stdout).toMatch(/^ok {4}store: 10 connections of this machine .* the database takes \d+$/m)
    expect(stdout).toMatch(/^ok {4}clock: this machine and the store agree to \d+ ms$/m)
    expect(stdout).not.toContain('CANARY')
    expect(stdout).not.toMatch(/^FAIL/m)
  })

  test('doctor warns of more connections than the database takes, counting every worker', async () => {
    const env = { DATABASE_URL: await postgresUrl(), DATABASE_POOL_SIZE: '50', WORKERS: '6' }
    const { code, stdout } = await run('doctor', env)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^note {2}store: 300 connections .* lower DATABASE_POOL_SIZE or WORKERS/m)
  })

  test('doctor warns of a machine whose clock is wrong', async () => {
    const wrong = 'const now = Date.now; Date.now = () => now() + 90_000'
    const { code, stdout } = await run('doctor', {
      DATABASE_URL: await postgresUrl(),
      NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(wrong)}"`,
    })
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^note {2}clock: this machine is (89|90)\.\d s ahead of the store: keep both by NTP/m,
    )
  })
})

describeWith(['postgres', 'pgbouncer'], 'Postgres behind a proxy that pools transactions', () => {
  test('doctor sees it, and says which setting it takes', async () => {
    const proxy = await pgbouncerFor(await postgresUrl())
    onTestFinished(() => proxy.stop())
    const env = { DATABASE_URL: proxy.url }
    // Such a proxy refuses parameters that it does not know.
    const prepared = await run('doctor', env)
    expect(prepared.code).toBe(1)
    expect(prepared.stdout).toMatch(
      /^FAIL {2}store: .*startup parameter.*; .*DATABASE_PREPARED_STATEMENTS=false$/m,
    )
    const { code, stdout } = await run('doctor', { ...env, DATABASE_PREPARED_STATEMENTS: 'false' })
    expect(code).toBe(0)
    expect(stdout).toContain('ok    store: a proxy pools transactions, and statements are not prepared\n')
  })
})

describeWith('mongodb', 'MongoDB', () => {
  test('migrate brings a new database to this version’s schema once, and --status changes nothing', async () => {
    const env = { DATABASE_URL: await mongoUrl() }
    expect(await run('migrate --status', env)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^schema 0, this version knows \d+\n$/),
    })
    const client = new MongoClient(env.DATABASE_URL)
    onTestFinished(() => client.close())
    expect(await client.db().listCollections().toArray()).toEqual([])
    expect(await run('migrate', env)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^schema 0 → \d+\n$/),
    })
    expect(await run('migrate', env)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/nothing to do\n$/),
    })
    expect(await run('migrate --status', env)).toMatchObject({ code: 0 })
  })

  test('doctor is content with it', async () => {
    const { code, stdout } = await run('doctor', { DATABASE_URL: await mongoUrl() })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ok {4}store: mongodb 127\.0\.0\.1:\d+\/\w+ takes writes, /m)
    expect(stdout).toMatch(/^ok {4}clock: this machine and the store agree/m)
  })
})

describeWith(['postgres', 'redis'], 'Postgres with Redis', () => {
  test('limits are counted in Redis alone', async () => {
    const env = { DATABASE_URL: await postgresUrl(), REDIS_URL: await redisUrl() }
    await run('send +14155552671', env)
    expect(await query(env.DATABASE_URL, 'SELECT count(*)::int AS n FROM countersign.counters')).toEqual([
      { n: 0 },
    ])
    const redis = new Redis(env.REDIS_URL)
    expect(await redis.dbsize()).toBeGreaterThan(0)
    redis.disconnect()
    expect((await run('send +14155552671', env)).stderr).toMatch(/^rate_limited: /)
  })

  test('doctor tells of the limiter, and what a Redis that forgets means for the limits', async () => {
    const own = await startRedis()
    onTestFinished(() => own.remove())
    const redis = new Redis(own.url)
    onTestFinished(() => redis.disconnect())
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const env = { DATABASE_URL: await postgresUrl(), REDIS_URL: own.url }
    const first = await run('doctor', env)
    expect(first.code).toBe(0)
    expect(first.stdout).toMatch(
      /^ok {4}limiter: redis 127\.0\.0\.1:\d+ takes hits, \d+\.\d ms a round trip$/m,
    )
    expect(first.stdout).toMatch(/^note {2}limiter: maxmemory-policy is allkeys-lru: .*set noeviction$/m)
    expect(first.stdout).toMatch(/^ok {4}clock: the limiter and the store agree to \d+ ms$/m)
    await redis.config('SET', 'maxmemory-policy', 'noeviction')
    await redis.config('SET', 'appendonly', 'yes')
    const then = await run('doctor', env)
    expect(then.stdout).toContain('ok    limiter: maxmemory-policy is noeviction\n')
    expect(then.stdout).toContain('ok    limiter: appendonly is on: a restart keeps the counters\n')
    await redis.config('SET', 'appendonly', 'no')
    expect((await run('doctor', env)).stdout).toMatch(/^note {2}limiter: appendonly is off: /m)
  })

  test('readiness is red while either is down, and green again once both are back', async () => {
    const own = await startRedis()
    onTestFinished(() => own.remove())
    const env = { ...SECRETS, DATABASE_URL: await postgresUrl(), REDIS_URL: own.url }
    const server = await serve([], { cwd: makeFolder(), env })
    const ready = async () => (await fetch(`${server.url}/readyz`)).status
    expect(await ready()).toBe(200)
    const redis = new Redis(own.url)
    // It takes no write for as long: what a failover or a black hole looks like from here.
    await redis.call('CLIENT', 'PAUSE', '3000', 'ALL')
    const from = performance.now()
    expect(await ready()).toBe(503)
    expect(performance.now() - from).toBeLessThan(2_500)
    // Neither is a request let through uncounted meanwhile.
    const refused = await server.call('/v1/verifications', SK, { to: '+14155552671' })
    expect(refused).toMatchObject({ status: 503, body: { code: 'store_unavailable' } })
    await expect.poll(ready, { timeout: 10_000, interval: 200 }).toBe(200)
    redis.disconnect()
    await server.stop()
  })
})

describe.concurrent('a store that is down', () => {
  test.for([
    ['DATABASE_URL', { DATABASE_URL: `postgres://me:CANARY@${NOBODY}/auth` }, 'postgres 127.0.0.1:1/auth'],
    ['REDIS_URL', { REDIS_URL: `redis://:CANARY@${NOBODY}` }, 'redis 127.0.0.1:1'],
    ['DATABASE_URL', { DATABASE_URL: `mongodb://me:CANARY@${NOBODY}/auth` }, 'mongodb 127.0.0.1:1/auth'],
  ] as const)(
    'serve waits some seconds for %s, telling each try, then names setting and host, exit code 1: %s',
    async ([setting, env, at]) => {
      const from = performance.now()
      const { code, stdout, stderr } = await run('serve', env)
      expect(code).toBe(1)
      expect(stderr).toContain(`Countersign cannot start: ${setting}: ${at} cannot be used: `)
      expect(stderr).toContain('ECONNREFUSED')
      expect(performance.now() - from).toBeGreaterThan(7_000)
      const tries = stdout.split('\n').filter((line) => line.includes('cannot be used yet; trying again'))
      expect(tries.length).toBeGreaterThanOrEqual(2)
      expect(tries[0]).toContain(`"setting":"${setting}","at":"${at}"`)
      expect(stdout + stderr).not.toContain('CANARY')
    },
  )

  test.for([
    [
      'store',
      { DATABASE_URL: `postgres://me:CANARY@${NOBODY}/auth` },
      'DATABASE_URL: postgres 127.0.0.1:1/auth',
    ],
    ['limiter', { REDIS_URL: `redis://:CANARY@${NOBODY}` }, 'REDIS_URL: redis 127.0.0.1:1'],
    [
      'store',
      { DATABASE_URL: `mongodb://me:CANARY@${NOBODY}/auth` },
      'DATABASE_URL: mongodb 127.0.0.1:1/auth',
    ],
  ] as const)(
    'doctor says FAIL of the %s and what to do, goes on, exit code 1: %s',
    async ([about, env, at]) => {
      const { code, stdout, stderr } = await run('doctor', env)
      expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
      expect(stdout).toContain(`FAIL  ${about}: ${at} cannot be used: `)
      expect(stdout).toContain('is it running, and may this machine reach that port?\n')
      expect(stdout).toContain('ok    provider mock')
      expect(stdout).not.toContain('CANARY')
    },
  )

  test('other commands say so at once', async () => {
    const from = performance.now()
    const { code, stderr } = await run('keys list', { DATABASE_URL: `postgres://me:CANARY@${NOBODY}/auth` })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^DATABASE_URL: postgres 127\.0\.0\.1:1\/auth cannot be used: .*\n$/)
    expect(performance.now() - from).toBeLessThan(7_000)
  })

  test('what is silent is given up too', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => {
      silent.listen(0, '127.0.0.1', resolve)
    })
    onTestFinished(() => void silent.close())
    const { code, stdout } = await run('doctor', {
      DATABASE_URL: `postgres://me:CANARY@127.0.0.1:${portOf(silent)}/auth`,
      REDIS_URL: `redis://127.0.0.1:${portOf(silent)}`,
    })
    expect(code).toBe(1)
    expect(stdout.match(/^FAIL/gm)).toHaveLength(2)
  })
})

describeWith('postgres', 'a Postgres that comes later', () => {
  test('is waited for: serve starts once the database is there', async () => {
    const url = new URL(await postgresUrl())
    const { hostname, port } = url
    const free = createServer()
    await new Promise<void>((resolve) => {
      free.listen(0, '127.0.0.1', resolve)
    })
    const later = portOf(free)
    free.close()
    url.port = String(later)
    const starting = serve([], { cwd: makeFolder(), env: { ...SECRETS, DATABASE_URL: url.href } })
    const forward = createServer((socket) => {
      const up = connect(Number(port), hostname)
      socket.pipe(up).pipe(socket)
      for (const end of [socket, up]) end.on('error', () => {})
    })
    onTestFinished(() => void forward.close())
    await new Promise((resolve) => {
      setTimeout(resolve, 3_000)
    })
    forward.listen(later, '127.0.0.1')
    const server = await starting
    expect(server.stdout()).toContain('cannot be used yet; trying again')
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    await server.stop()
  })
})

async function query(url: string, text: string): Promise<unknown[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return [...(await sql.unsafe(text))]
  } finally {
    await sql.end()
  }
}

async function tablesOf(url: string): Promise<unknown[]> {
  const rows = await query(url, `SELECT tablename FROM pg_tables WHERE schemaname = 'countersign'`)
  return rows.map((row) => (row as { tablename: string }).tablename)
}
