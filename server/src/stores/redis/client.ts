import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { RedisAddress } from './address.ts'
import { Reason, within } from './errors.ts'
import { GIVE, READ, TAKE } from './scripts.ts'

const RETRY_STEP_MS = 50
const RETRY_MAX_MS = 250
/** How often a cluster may send a call on; with the delays between, no call is under way long after its time. */
const REDIRECTIONS_MAX = 5

type Run = (keyCount: number, ...keysAndArguments: (string | number)[]) => Promise<unknown>
/** The scripts, by the names they have on the client; each runs in one call. */
export type Script = 'takeHits' | 'readHits' | 'giveHits'
/** A client of a Redis or of a cluster, with our scripts. */
export type RedisClient = (Redis | Cluster) & Record<Script, Run>

const SCRIPTS: Record<Script, { lua: string }> = {
  takeHits: { lua: TAKE },
  readHits: { lua: READ },
  giveHits: { lua: GIVE },
}

/**
 * A client that is not yet connected. Once it is, it reconnects by itself for ever. Without a connection it rejects a
 * call at once, because what waits in a queue is counted after its caller was refused. A connection that stays silent
 * for `timeoutMs` with a call under way is closed and made anew. Nothing is sent twice: a call whose answer was lost may
 * have been counted.
 */
export function makeClient(address: RedisAddress, isCluster: boolean, timeoutMs: number): RedisClient {
  const redisOptions = { ...connectionOptions(address, timeoutMs), lazyConnect: true }
  const client = isCluster
    ? new Cluster([...address.nodes], {
        redisOptions,
        scripts: SCRIPTS,
        lazyConnect: true,
        enableOfflineQueue: false,
        clusterRetryStrategy: retryDelay,
        retryDelayOnFailover: 0,
        maxRedirections: REDIRECTIONS_MAX,
        slotsRefreshTimeout: timeoutMs,
        // Names stay names until the socket looks them up: a certificate is for a name, and addresses change.
        dnsLookup: (host, found) => found(null, host),
      })
    : new Redis({
        ...redisOptions,
        ...address.nodes[0],
        db: address.db,
        scripts: SCRIPTS,
        enableOfflineQueue: false,
        retryStrategy: retryDelay,
      })
  return client as RedisClient
}

/**
 * Asks every node whether it belongs to a cluster, and takes the first answer. Rejects when there is none in time, or
 * when it is one that the address does not fit.
 */
export function isCluster(address: RedisAddress, timeoutMs: number): Promise<boolean> {
  return Promise.any(address.nodes.map((node) => isNodeOfCluster(address, node, timeoutMs)))
}

async function isNodeOfCluster(
  address: RedisAddress,
  node: RedisAddress['nodes'][number],
  timeoutMs: number,
): Promise<boolean> {
  const options = { ...connectionOptions(address, timeoutMs), ...node }
  const redis = new Redis({ ...options, lazyConnect: true, retryStrategy: null })
  let fault: unknown
  redis.on('error', (error: unknown) => {
    fault = error
  })
  try {
    await within(timeoutMs, redis.connect())
    const clustered = (await redis.info('cluster')).includes('cluster_enabled:1')
    if (clustered && address.db !== 0) throw new Reason('a cluster has no database but 0')
    if (!clustered && address.nodes.length > 1) throw new Reason('several hosts, and no cluster')
    // When it connects, the client takes database 0 where there is none of the number it was told.
    if (address.db !== 0) await redis.select(address.db).catch(() => noDatabase(address.db))
    return clustered
  } catch (error) {
    throw fault ?? error
  } finally {
    redis.disconnect()
  }
}

function noDatabase(db: number): never {
  throw new Reason(`no database ${db}`)
}

function connectionOptions({ username, password, isTls }: RedisAddress, timeoutMs: number) {
  return {
    username,
    password,
    tls: isTls ? {} : undefined,
    connectionName: 'countersign',
    connectTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disconnectTimeout: RETRY_MAX_MS,
    maxLoadingRetryTime: RETRY_MAX_MS,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // A master that became a replica: the name leads to another by now.
    reconnectOnError: (error) => error.message.includes('READONLY'),
  } satisfies RedisOptions
}

/** At once after a connection that worked, then less and less often. */
function retryDelay(times: number): number {
  return Math.min((times - 1) * RETRY_STEP_MS, RETRY_MAX_MS)
}
