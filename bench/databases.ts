import postgres from 'postgres'
import { startPostgres } from '../scripts/services/postgres.ts'
import { startRedis } from '../scripts/services/redis.ts'
import type { Medium, StartOptions, Target } from './targets.ts'

/** The servers that contestants keep their data on: one for all, started for a run and removed after it. */
export interface Databases {
  /** Where a contestant finds a new database of its own. */
  place(target: Target): Promise<Pick<StartOptions, 'databaseUrl' | 'redisUrl'>>
  remove(): Promise<void>
}

/** Starts what the medium needs; for SQLite nothing. Postgres as it comes, durable: fsync and synchronous_commit on. */
export async function startDatabases(medium: Medium): Promise<Databases> {
  if (medium === 'normal' || medium === 'full') return { place: async () => ({}), remove: async () => {} }
  const server = await startPostgres()
  const redis = medium === 'postgres+redis' ? await startRedis() : undefined
  const sql = postgres(server.url, { max: 1, onnotice: () => {} })
  let count = 0
  return {
    async place(target) {
      const url = new URL(server.url)
      url.pathname = `/bench_${++count}`
      await sql.unsafe(`CREATE DATABASE bench_${count}`)
      return {
        databaseUrl: url.href,
        ...(redis && (target === 'countersign' || target === 'otpgateway') ? { redisUrl: redis.url } : {}),
      }
    },
    async remove() {
      await sql.end()
      await Promise.all([server.remove(), redis?.remove()])
    },
  }
}
