import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import postgres from 'postgres'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  type Fresh,
  type Proxy,
  describeWith,
  freshMongo,
  freshPostgres,
  freshRedis,
  pgbouncerFor,
  startPostgres,
  startRedis,
  startRedisCluster,
  toxiproxy,
} from './helpers/services.ts'

const SERVICES = join(import.meta.dirname, '../../scripts/services')

describeWith('postgres', 'Postgres', () => {
  test('a fresh database is empty, its own, and gone once dropped', async () => {
    const [one, other] = await Promise.all([freshPostgres(), freshPostgres()])
    const sql = postgres(one.url)
    await sql`create table t (n int)`
    await sql`insert into t values (7)`
    expect(await sql`select n from t`).toEqual([{ n: 7 }])
    const otherSql = postgres(other.url)
    expect(await otherSql`select 1 from pg_tables where schemaname = 'public'`).toHaveLength(0)
    // With a connection still open.
    await one.drop()
    await expect(sql`select 1`).rejects.toThrow()
    await Promise.all([sql.end(), otherSql.end(), other.drop()])
  })

  test('has room for several pools', async () => {
    const fresh = await freshPostgres()
    const sql = postgres(fresh.url)
    const [settings] = await sql`select current_setting('max_connections') as connections`
    await sql.end()
    await fresh.drop()
    expect(settings).toEqual({ connections: '300' })
  })
})

describeWith('redis', 'Redis', () => {
  test('a fresh database is empty and its own', async () => {
    const [one, other] = await Promise.all([freshRedis(), freshRedis()])
    const [redis, otherRedis] = [new Redis(one.url), new Redis(other.url)]
    expect(await redis.dbsize()).toBe(0)
    await redis.set('key', 'value')
    expect(await redis.get('key')).toBe('value')
    expect(await otherRedis.get('key')).toBeNull()
    await one.drop()
    expect(await redis.dbsize()).toBe(0)
    redis.disconnect()
    otherRedis.disconnect()
  })
})

describeWith('mongodb', 'MongoDB', () => {
  type Counter = { _id: string; n: number }

  test('a fresh database is empty, and findOneAndUpdate lets exactly five of 200 racing calls through', async () => {
    const fresh = await freshMongo()
    // Several clients, since one may put its calls in a row.
    const clients = await Promise.all(
      Array.from({ length: 4 }, () =>
        new MongoClient(fresh.url, { maxPoolSize: 25, minPoolSize: 25 }).connect(),
      ),
    )
    const collections = clients.map((client) => client.db().collection<Counter>('counters'))
    const [first] = collections
    expect(await clients[0]?.db().listCollections().toArray()).toEqual([])
    await first?.insertOne({ _id: 'a', n: 0 })
    const found = await Promise.all(
      collections.flatMap((counters) =>
        Array.from({ length: 50 }, () =>
          counters.findOneAndUpdate({ _id: 'a', n: { $lt: 5 } }, { $inc: { n: 1 } }),
        ),
      ),
    )
    expect(found.filter((counter) => counter !== null)).toHaveLength(5)
    expect(await first?.findOne({ _id: 'a' })).toEqual({ _id: 'a', n: 5 })
    await Promise.all(clients.map((client) => client.close()))
    await fresh.drop()
  })

  test('a unique index lets one of twenty racing inserts through', async () => {
    const fresh = await freshMongo()
    const client = await new MongoClient(fresh.url).connect()
    const collection = client.db().collection('unique')
    await collection.createIndex({ phone: 1 }, { unique: true })
    const inserted = await Promise.allSettled(
      Array.from({ length: 20 }, () => collection.insertOne({ phone: '+14155550100' })),
    )
    expect(inserted.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const refused = inserted.find((result) => result.status === 'rejected')
    expect(refused?.reason).toMatchObject({ code: 11_000 })
    await client.close()
    await fresh.drop()
  })
})

describeWith(['redis', 'toxiproxy'], 'toxiproxy', () => {
  let fresh: Fresh
  let proxy: Proxy
  let direct: Redis
  let redis: Redis

  beforeEach(async () => {
    fresh = await freshRedis()
    proxy = await toxiproxy(fresh.url)
    direct = new Redis(fresh.url)
    redis = new Redis(proxy.url, { retryStrategy: () => null, commandTimeout: 1000, lazyConnect: true })
    redis.on('error', () => undefined)
    await redis.connect()
    await redis.set('key', 'value')
  })
  afterEach(async () => {
    redis.disconnect()
    direct.disconnect()
    await proxy.remove()
    await fresh.drop()
  })

  test('cuts the way to Redis, and restores it', async () => {
    await proxy.cut()
    await expect(redis.get('key')).rejects.toThrow()
    await expect(redis.connect()).rejects.toThrow()
    await proxy.restore()
    await redis.connect()
    expect(await redis.get('key')).toBe('value')
  })

  test('makes every answer late', async () => {
    await proxy.slow(200)
    const from = performance.now()
    expect(await redis.get('key')).toBe('value')
    expect(performance.now() - from).toBeGreaterThan(190)
  })

  test('swallows answers: what was asked is done', async () => {
    await proxy.blackhole('answers')
    await expect(redis.set('unheard', 'done')).rejects.toThrow('timed out')
    expect(await direct.get('unheard')).toBe('done')
  })

  test('swallows requests: nothing is done', async () => {
    await proxy.blackhole('requests')
    await expect(redis.set('lost', 'done')).rejects.toThrow('timed out')
    expect(await direct.get('lost')).toBeNull()
  })

  test('resets connections, and lets new ones pass once restored', async () => {
    await proxy.reset()
    await expect(redis.get('key')).rejects.toThrow()
    await proxy.restore()
    await expect.poll(() => redis.status).toBe('end')
    await redis.connect()
    expect(await redis.get('key')).toBe('value')
  })
})

describeWith(['postgres', 'pgbouncer'], 'pgbouncer', () => {
  test('passes queries, and pools by transaction: ten clients share two connections', async () => {
    const fresh = await freshPostgres()
    const pgbouncer = await pgbouncerFor(fresh.url, 2)
    const sql = postgres(pgbouncer.url, { max: 10, prepare: false })
    const pids = await Promise.all(Array.from({ length: 50 }, () => sql`select pg_backend_pid() as pid`))
    expect(new Set(pids.map(([row]) => Number(row?.['pid']))).size).toBeLessThanOrEqual(2)
    await sql.end()
    await pgbouncer.stop()
    await fresh.drop()
  })
})

describeWith('own postgres', 'a Postgres of a test', () => {
  test('restarts on its port with what was committed, even after kill -9', async () => {
    const server = await startPostgres({ max_connections: '20' })
    const sql = postgres(server.url, { max: 1, onnotice: () => undefined, connect_timeout: 5 })
    await sql`create table kept (n int)`
    const stops = [() => server.stop('fast'), () => server.stop('immediate'), () => server.kill()]
    for (const [index, stop] of stops.entries()) {
      await sql`insert into kept values (${index})`
      await stop()
      // The process that serves a connection may outlive its parent's kill -9 by a moment.
      await vi.waitFor(() => expect(sql`select 1`).rejects.toThrow(), 10_000)
      await server.start()
    }
    const [found] = await sql`select count(*)::int as count, current_setting('max_connections') as max,
      current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit from kept`
    // Durable as in production.
    expect(found).toEqual({ count: 3, max: '20', fsync: 'on', commit: 'on' })
    await sql.end()
    await server.remove()
  })
})

describeWith('own redis', 'a Redis of a test', () => {
  test('restarts on its port, empty', async () => {
    const server = await startRedis()
    const redis = new Redis(server.url, { maxRetriesPerRequest: 0 })
    redis.on('error', () => undefined)
    await redis.set('key', 'value')
    await server.kill()
    await expect(redis.get('key')).rejects.toThrow()
    redis.disconnect()
    await server.start()
    const again = new Redis(server.url)
    expect(await again.get('key')).toBeNull()
    again.disconnect()
    await server.remove()
  })

  test('forms a cluster that spreads keys over its nodes', async () => {
    const cluster = await startRedisCluster()
    const client = new Cluster([...cluster.nodes])
    const keys = Array.from({ length: 60 }, (_, index) => `key${index}`)
    await Promise.all(keys.map((key) => client.set(key, key)))
    expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys)
    const sizes = await Promise.all(client.nodes('master').map((node) => node.dbsize()))
    expect(sizes).toHaveLength(3)
    expect(Math.min(...sizes)).toBeGreaterThan(0)
    expect(sizes.reduce((sum, size) => sum + size)).toBe(60)
    client.disconnect()
    await cluster.stop()
  })
})

describeWith(['own postgres', 'own redis'], 'a service', () => {
  test('is gone, with its folder, when the process that started it is killed with -9', async () => {
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', STARTS_TWO], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(parent.stdout.setEncoding('utf8'), 'data')
    const started = JSON.parse(String(line)) as { port: number; folder: string }[]
    expect(started.map(({ folder }) => existsSync(folder))).toEqual([true, true])
    await Promise.all(started.map(({ port }) => connection(port)))
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    await expect.poll(() => started.some(({ folder }) => existsSync(folder)), { timeout: 10_000 }).toBe(false)
    for (const { port } of started) await expect(connection(port)).rejects.toThrow('ECONNREFUSED')
  })
})

/** Starts a Postgres and a Redis, tells where they are, and waits to be killed. */
const STARTS_TWO = `
  import { startPostgres } from '${SERVICES}/postgres.ts'
  import { startRedis } from '${SERVICES}/redis.ts'
  const started = await Promise.all([startPostgres(), startRedis()])
  console.log(JSON.stringify(started.map(({ port, folder }) => ({ port, folder }))))
  setInterval(() => undefined, 1000)`

async function connection(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.destroy()
}
