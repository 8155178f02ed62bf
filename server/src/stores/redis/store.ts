import type { Counters } from '../../limits/counters.ts'
import type { Clock } from '../../primitives/clock.ts'
import { readRedisUrl } from './address.ts'
import { RedisConnection } from './connection.ts'
import { probe, RedisCounters, timeOf } from './counters.ts'

/** How long a call may take, and a connection may owe an answer, unless told. */
const TIMEOUT_MS = 600
/** How long opening may take, unless told. */
const OPEN_TIMEOUT_MS = 2_500

export type RedisCountersOptions = {
  /** `redis://[user:password@]host[:port][/db]`, or `rediss://` for TLS; of a cluster some nodes, with commas. */
  readonly url: string
  /** For tests. Without it Redis tells the time, so that processes need not agree on it. */
  readonly clock?: Clock
  /** Milliseconds after which a call rejects. */
  readonly timeoutMs?: number
  /** Milliseconds after which opening rejects. */
  readonly openTimeoutMs?: number
}

/** A Redis in use. */
export type RedisStore = {
  readonly counters: Counters
  /** Resolves when a hit can be counted, and rejects as `take` does when it cannot. */
  ping(): Promise<void>
  /** What time it is in Redis; milliseconds since the epoch. */
  now(): Promise<number>
  /** Ends the connection for good. */
  close(): Promise<void>
}

/**
 * Opens counters in Redis, whether one or a cluster: it is asked. Rejects with an Error that names the host and the
 * reason, and no secret, when no hit can be counted there in time. Afterwards a lost connection is made anew by
 * itself; until then every call rejects within `timeoutMs`.
 */
export async function openRedisCounters(options: RedisCountersOptions): Promise<RedisStore> {
  const { url, clock, timeoutMs = TIMEOUT_MS, openTimeoutMs = OPEN_TIMEOUT_MS } = options
  const redis = await RedisConnection.open(readRedisUrl(url), timeoutMs, openTimeoutMs - timeoutMs)
  try {
    await probe(redis)
  } catch (error) {
    await redis.close()
    throw error
  }
  return {
    counters: new RedisCounters(redis, clock),
    ping: () => probe(redis),
    now: () => timeOf(redis),
    close: () => redis.close(),
  }
}
