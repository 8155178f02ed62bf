import type { Service } from '../../../scripts/services/index.ts'
import { mongoData } from './data/mongo.ts'
import { postgresData } from './data/postgres.ts'
import { withRedisCounters } from './data/redis.ts'
import { sqliteData } from './data/sqlite.ts'
import { describeWith } from './services.ts'

/** What server processes share, as a test prepares it, looks into it and lets time pass for it. */
export type Data = {
  /** What leads a server to it. */
  readonly settings: Readonly<Record<string, string>>
  /**
   * Moves every time that is kept into the past. The store's own clock decides and cannot be moved, so this is how a
   * day goes by. Undefined where the clocks of the servers decide: a test moves those.
   */
  readonly age: ((seconds: number) => Promise<void>) | undefined
  /** How many verifications a number has, and how many sends they have. */
  rowsOf(phone: string): Promise<{ readonly verifications: number; readonly sends: number }>
  drop(): Promise<void>
}

/** One of the stores that servers may share, and where the limits count with it. */
export type Backend = {
  readonly name: string
  readonly needs: readonly Service[]
  /** New and empty, and nobody else's. */
  fresh(): Promise<Data>
}

export const SQLITE: Backend = { name: 'one SQLite file', needs: [], fresh: sqliteData }
export const POSTGRES: Backend = { name: 'Postgres', needs: ['postgres'], fresh: postgresData }
export const REDIS: Backend = {
  name: 'Postgres, counting in Redis',
  needs: ['postgres', 'redis'],
  fresh: async () => withRedisCounters(await postgresData()),
}
export const MONGODB: Backend = { name: 'MongoDB', needs: ['mongodb'], fresh: mongoData }

/** The stores that are made for several processes. SQLite is not, and must be right with them all the same. */
export const SHARED = [POSTGRES, REDIS, MONGODB]

/** Those of these backends that only the long run plays: what they would show, another one or a conformance suite shows. */
export function inLongRuns(...backends: readonly Backend[]): readonly Backend[] {
  return process.env['TEST_LONG'] === '1' ? backends : []
}

/** A `describe` for each of these backends. */
export function describeBackends(
  backends: readonly Backend[],
  name: string,
  tests: (backend: Backend) => void,
): void {
  for (const backend of backends) describeWith(backend.needs, `${name} ${backend.name}`, () => tests(backend))
}
