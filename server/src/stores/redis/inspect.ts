import { Redis } from 'ioredis'
import type { Finding } from '../store.ts'
import { readRedisUrl } from './address.ts'

const TIMEOUT_MS = 2_000

/** Looks at how the Redis is set up, of a cluster at its first node. Rejects when it cannot be reached or asked. */
export async function inspectRedis(url: string): Promise<readonly Finding[]> {
  const { nodes, username, password, isTls } = readRedisUrl(url)
  const redis = new Redis({
    ...nodes[0],
    username,
    password,
    tls: isTls ? {} : undefined,
    lazyConnect: true,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  // Every fault reaches the caller through its call; without a listener the client writes to the console.
  redis.on('error', () => {})
  try {
    await redis.connect()
    const [server, memory, persistence] = await Promise.all(
      ['server', 'memory', 'persistence'].map(async (section) => readInfo(await redis.info(section))),
    )
    return [
      { level: 'ok', detail: versionOf(server) },
      evictionFinding(memory?.get('maxmemory_policy')),
      persistenceFinding(persistence?.get('aof_enabled')),
    ]
  } finally {
    redis.disconnect()
  }
}

/** Lines of `name:value` under headings. */
function readInfo(info: string): ReadonlyMap<string, string> {
  const pairs = [...info.matchAll(/^(\w+):(.*?)\r?$/gm)]
  return new Map(pairs.map(([, name = '', value = '']) => [name, value]))
}

function versionOf(server: ReadonlyMap<string, string> | undefined): string {
  const valkey = server?.get('valkey_version')
  return valkey === undefined ? `Redis ${server?.get('redis_version')}` : `Valkey ${valkey}`
}

function evictionFinding(policy: string | undefined): Finding {
  if (policy === 'noeviction') return { level: 'ok', detail: 'maxmemory-policy is noeviction' }
  return {
    level: 'note',
    detail: `maxmemory-policy is ${policy}: short of memory it drops counters, and the limits with them; set noeviction`,
  }
}

function persistenceFinding(appendOnly: string | undefined): Finding {
  if (appendOnly === '1') return { level: 'ok', detail: 'appendonly is on: a restart keeps the counters' }
  return {
    level: 'note',
    detail:
      'appendonly is off: a restart may forget the counters, and every limit then begins anew; turn it on',
  }
}
