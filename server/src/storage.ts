import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config, StoreConfig } from './config.ts'
import type { RedisPlace } from './config-addresses.ts'
import type { Counters } from './limits/counters.ts'
import { type Clock, systemClock } from './primitives/clock.ts'
import { LATE, withDeadline } from './primitives/deadline.ts'
import { CountersignError } from './primitives/errors.ts'
import { isLasting, reasonOf, StorageError } from './storage-errors.ts'
import type { RedisStore } from './stores/redis/store.ts'
import type { Finding, Retention, Store } from './stores/store.ts'
import type { TransferStore } from './stores/transfer.ts'

/** Everything that is kept, wherever the settings say. */
export type Storage = {
  readonly store: Store
  /** The limits' counters: Redis', or else the store's. */
  readonly counters: Counters
  /** What the time is for all who share the store. */
  readonly clock: Clock
  /** Resolves when the store takes a write and the limiter a hit; rejects within `READY_MS` when either does not. */
  ready(): Promise<void>
  close(): Promise<void>
}

/** How a storage is opened. */
export type StorageOptions = {
  readonly clock?: Clock | undefined
  /** In the place of the one the settings name. */
  readonly store?: Store | undefined
  /** Goes on trying for so long, because containers start in any order. */
  readonly waitMs?: number | undefined
  readonly log: Logger
}

/** A load balancer that asks gets its answer before it gives up, even where a network swallows every packet. */
const READY_MS = 2_000
const PAUSE_MS = 1_000

/** Opens what the settings name, and nothing that stays open when one of it cannot be used. */
export async function openStorage(config: Config, options: StorageOptions): Promise<Storage> {
  const { clock } = options
  const patience = { until: performance.now() + (options.waitMs ?? 0), log: options.log }
  const store = options.store ?? (await openStore(config, { clock, patience }))
  try {
    const limiter = config.limiter && (await openLimiter(config.limiter, { clock, patience }))
    return {
      store,
      counters: limiter?.counters ?? store.counters,
      clock: clock ?? store.clock,
      ready: async () => {
        const pings = Promise.all([store.ping(), limiter?.ping().catch(refuse)])
        if ((await withDeadline(pings, READY_MS)) !== LATE) return
        refuse(new Error(`the store or the limiter did not answer within ${READY_MS} ms`))
      },
      close: async () => {
        await Promise.allSettled([limiter?.close()])
        await store.close()
      },
    }
  } catch (error) {
    if (!options.store) await store.close()
    throw error
  }
}

/** Until when (by `performance.now()`) another try is made, and where each failure is told. */
type Patience = { readonly until: number; readonly log: Logger }

type OpenOptions = { readonly clock?: Clock | undefined; readonly patience?: Patience | undefined }

/** Opens the store that the settings name, its schema brought up to date. Rejects when a move into it has not ended. */
export async function openStore(config: Config, { clock, patience }: OpenOptions = {}): Promise<Store> {
  const { store } = config
  // A file is there or is not, and SQLite's own words about it are told as they are.
  if (store.kind === 'sqlite') return makeStore(config, clock)
  return patiently('DATABASE_URL', nameOf(store), patience, () => makeStore(config, clock))
}

/** Opens the Redis that counts. */
export async function openLimiter(
  place: RedisPlace,
  { clock, patience }: OpenOptions = {},
): Promise<RedisStore> {
  const { openRedisCounters } = await import('./stores/redis/store.ts')
  return patiently('REDIS_URL', `redis ${place.name}`, patience, () =>
    openRedisCounters({ url: place.url, ...(clock ? { clock } : {}) }),
  )
}

/** Each store is loaded only when it is used. */
async function makeStore(config: Config, clock: Clock | undefined): Promise<Store> {
  const { store } = config
  const retention = retentionOf(config)
  switch (store.kind) {
    case 'sqlite': {
      const { openSqlite } = await import('./stores/sqlite/store.ts')
      return openSqlite({ ...store, ...retention, clock: clock ?? systemClock })
    }
    case 'postgres': {
      const { openPostgres } = await import('./stores/postgres/store.ts')
      const { url, poolSize, prepare } = store
      return openPostgres({ url, poolSize, prepare, ...retention, ...(clock ? { clock } : {}) })
    }
    case 'mongodb': {
      const { openMongo } = await import('./stores/mongo/store.ts')
      return openMongo({ url: store.url, ...retention, ...(clock ? { clock } : {}) })
    }
  }
}

/** Brings the schema of the store to this version's, also of one that a move has not filled yet. */
export async function migrateStore(store: StoreConfig): Promise<void> {
  switch (store.kind) {
    case 'sqlite': {
      const { migrateSqlite } = await import('./stores/sqlite/store.ts')
      return migrateSqlite(store.path)
    }
    case 'postgres': {
      const { migratePostgres } = await import('./stores/postgres/store.ts')
      return patiently('DATABASE_URL', nameOf(store), undefined, () => migratePostgres(store.url))
    }
    case 'mongodb': {
      const { migrateMongo } = await import('./stores/mongo/store.ts')
      await patiently('DATABASE_URL', nameOf(store), undefined, () => migrateMongo(store.url))
    }
  }
}

/** How far the schema of the store is, and how far this version's goes. Looks only: it makes no file and no table. */
export async function readSchema(store: StoreConfig): Promise<{ current: number; known: number }> {
  switch (store.kind) {
    case 'sqlite': {
      const { sqliteSchema } = await import('./stores/sqlite/store.ts')
      return sqliteSchema(existsSync(store.path) ? store.path : ':memory:')
    }
    case 'postgres': {
      const { postgresSchema } = await import('./stores/postgres/store.ts')
      return patiently('DATABASE_URL', nameOf(store), undefined, () => postgresSchema(store.url))
    }
    case 'mongodb': {
      const { mongoSchema } = await import('./stores/mongo/store.ts')
      return patiently('DATABASE_URL', nameOf(store), undefined, () => mongoSchema(store.url))
    }
  }
}

/** Opens the rows of a store whose schema is this version's, to move them. Nobody else may have it in use. */
export async function openTransfer(config: Config): Promise<TransferStore> {
  const { store } = config
  switch (store.kind) {
    case 'sqlite': {
      const { openSqliteTransfer } = await import('./stores/sqlite/transfer.ts')
      return openSqliteTransfer(store.path)
    }
    case 'postgres': {
      const { openPostgresTransfer } = await import('./stores/postgres/transfer.ts')
      return openPostgresTransfer(store.url)
    }
    case 'mongodb': {
      const { openMongoTransfer } = await import('./stores/mongo/transfer.ts')
      return openMongoTransfer(store.url, retentionOf(config))
    }
  }
}

/** Looks at how the store is set up, for so many processes of this machine. */
export async function inspectStore(store: StoreConfig, processes: number): Promise<readonly Finding[]> {
  if (store.kind !== 'postgres') return []
  const { inspectPostgres } = await import('./stores/postgres/inspect.ts')
  return inspectPostgres({ ...store, processes })
}

/** Looks whether the store gives up by itself what takes too long; undefined where that is no question. */
export async function inspectTimeout(store: StoreConfig): Promise<Finding | undefined> {
  if (store.kind !== 'postgres') return undefined
  const { inspectStatementTimeout } = await import('./stores/postgres/inspect.ts')
  return inspectStatementTimeout(store)
}

/** Looks at how the Redis that counts is set up. */
export async function inspectLimiter(place: RedisPlace): Promise<readonly Finding[]> {
  const { inspectRedis } = await import('./stores/redis/inspect.ts')
  return inspectRedis(place.url)
}

/** What people know a store by; holds no secret. */
export function nameOf(store: StoreConfig): string {
  return `${store.kind} ${store.kind === 'sqlite' ? store.path : store.name}`
}

/** Opens a part, and tries again until the time is over where another try may do better. */
async function patiently<T>(
  setting: string,
  name: string,
  patience: Patience | undefined,
  open: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      // Not bounded: a step of a migration may take minutes. Each store gives up by itself on a network that is silent.
      return await open()
    } catch (error) {
      const isLate = patience === undefined || performance.now() + PAUSE_MS > patience.until
      if (isLate || isLasting(error)) throw new StorageError(setting, name, error)
      const reason = reasonOf(error)
      patience.log.warn({ setting, at: name, reason }, 'cannot be used yet; trying again')
      await sleep(PAUSE_MS)
    }
  }
}

function refuse(cause: unknown): never {
  if (cause instanceof CountersignError) throw cause
  const detail = 'The store cannot be reached at the moment'
  throw new CountersignError('store_unavailable', detail, { retryAfterSeconds: 1 }, cause)
}

function retentionOf({ retention }: Config): Retention {
  return { retentionDays: retention.days, eventRetentionDays: retention.eventDays }
}
