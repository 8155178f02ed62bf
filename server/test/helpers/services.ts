import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import postgres from 'postgres'
import { describe, test } from 'vitest'
import { type MissingServices, type Service, VARIABLES } from '../../../scripts/services/index.ts'
import { type Proxy, makeProxy } from '../../../scripts/services/toxiproxy.ts'

export { startPgbouncer as pgbouncerFor } from '../../../scripts/services/pgbouncer.ts'
export { startPostgres } from '../../../scripts/services/postgres.ts'
export { startRedisCluster } from '../../../scripts/services/redis-cluster.ts'
export { startRedis } from '../../../scripts/services/redis.ts'
export type { Proxy }

/** A database that nobody else uses. */
export type Fresh = { readonly url: string; drop(): Promise<void> }

/** The addresses of the run's shared servers; undefined where one is missing, which in CI none is. */
export const services = {
  postgres: address('postgres'),
  redis: address('redis'),
  mongodb: address('mongodb'),
  toxiproxy: address('toxiproxy'),
  moto: address('moto'),
}

const missing = JSON.parse(process.env['TEST_SERVICES_MISSING'] ?? '{}') as MissingServices

/** Why this service is not there; undefined when it is. */
export function reasonMissing(service: Service): string | undefined {
  const isShared = service in services
  if (isShared && services[service as keyof typeof services] !== undefined) return undefined
  return missing[service] ?? (isShared ? 'this run started no services' : undefined)
}

/** `describe` for tests that need services. Where one is missing they are skipped, loudly; in CI they fail. */
export function describeWith(needed: Service | readonly Service[], name: string, tests: () => void): void {
  const reasons = [needed]
    .flat()
    .map((service) => [service, reasonMissing(service)])
    .filter(([, reason]) => reason !== undefined)
    .map(([service, reason]) => `${service} is missing (${reason})`)
  if (reasons.length === 0) {
    describe(name, tests)
    return
  }
  if (process.env['CI'] === 'true') {
    test(name, () => {
      throw new Error(reasons.join('; '))
    })
    return
  }
  process.stderr.write(`!!! SKIPPED: ${name}: ${reasons.join('; ')}\n`)
  describe.skip(name, tests)
}

/** A new, empty Postgres database. */
export async function freshPostgres(server = need('postgres')): Promise<Fresh> {
  const name = uniqueName()
  await withPostgres(server, (sql) => sql.unsafe(`create database ${name}`))
  const url = new URL(server)
  url.pathname = `/${name}`
  const drop = () => withPostgres(server, (sql) => sql.unsafe(`drop database if exists ${name} with (force)`))
  return { url: url.href, drop }
}

/** A new, empty MongoDB database. */
export async function freshMongo(server = need('mongodb')): Promise<Fresh> {
  const url = new URL(server)
  url.pathname = `/${uniqueName()}`
  // Drivers look for the user in the database of the path unless told.
  if (url.username !== '' && !url.searchParams.has('authSource')) url.searchParams.set('authSource', 'admin')
  const drop = async () => {
    const client = new MongoClient(url.href)
    try {
      await client.db().dropDatabase()
    } finally {
      await client.close()
    }
  }
  return Promise.resolve({ url: url.href, drop })
}

/**
 * An empty Redis database of its own number, counted on database 0. Keys are its own; what Redis shares between
 * databases (channels, scripts) is not.
 */
export async function freshRedis(server = need('redis')): Promise<Fresh> {
  const number = await withRedis(server, async (redis) => {
    const count = Number((await redis.config('GET', 'databases'))[1])
    if (count < 1024) throw new Error(`${server} has ${count} databases; start it with --databases 4096`)
    return 1 + ((await redis.incr('countersign:test:databases')) % (count - 1))
  })
  const url = new URL(server)
  url.pathname = `/${number}`
  const drop = async () => {
    await withRedis(url.href, (redis) => redis.flushdb())
  }
  await drop()
  return { url: url.href, drop }
}

/** A proxy before this `host:port` or URL, for tests that disturb the way to it. */
export function toxiproxy(target: string): Promise<Proxy> {
  return makeProxy(need('toxiproxy'), target)
}

function address(service: keyof typeof VARIABLES): string | undefined {
  return process.env[VARIABLES[service]] || undefined
}

function need(service: keyof typeof services): string {
  const url = services[service]
  if (url === undefined) throw new Error(`${service} is missing: ${reasonMissing(service)}`)
  return url
}

function uniqueName(): string {
  return `test_${randomBytes(8).toString('hex')}`
}

async function withPostgres(url: string, work: (sql: postgres.Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined })
  try {
    await work(sql)
  } finally {
    await sql.end()
  }
}

async function withRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url)
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}
