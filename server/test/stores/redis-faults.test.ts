import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Counter } from '../../src/limits/counters.ts'
import { openRedisCounters, type RedisStore } from '../../src/stores/redis/store.ts'
import { freePort } from '../../../scripts/services/tools.ts'
import { describeCounters } from '../conformance/counters.ts'
import { describeWith, startRedis, startRedisCluster, toxiproxy } from '../helpers/services.ts'

const ONE: Counter = { key: 'sends:+14155550100', rules: [{ name: 'one', limit: 1, windowSeconds: 60 }] }
const MANY: Counter = { key: 'starts:192.0.2.1', rules: [{ name: 'many', limit: 900, windowSeconds: 60 }] }
const BOTH = [MANY, ONE]

/** What a call without a connection says, and one without an answer: its own time is up, or the connection's is. */
const LOST = /: (E[A-Z]+|no connection)$/
const SILENT = /: no (answer in time|connection)$/

/** The longest that a call may take to reject, and that it may take to work again once Redis is back. */
const REJECTS_MS = 1_000
const RECOVERS_MS = 2_000

describeWith('own redis', 'A39, F22: counters whose Redis fails', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>
  let store: RedisStore
  let direct: Redis

  beforeEach(async () => {
    redis = await startRedis()
    store = await openRedisCounters({ url: redis.url })
    direct = new Redis(redis.url, { retryStrategy: () => 20 })
    direct.on('error', () => undefined)
  })
  afterEach(async () => {
    direct.disconnect()
    await store.close()
    await redis.remove()
  })

  test('down, every call rejects in time and names no number; back, it works without a restart', async () => {
    await store.counters.take([ONE])
    await redis.kill()
    for (let i = 0; i < 3; i++) await expectAllRejected(store, LOST)
    await sleep(1_000)
    await expectAllRejected(store, /ECONNREFUSED$/)
    await redis.start()
    await expectBack(store)
    expect((await store.counters.take([ONE])).ok).toBe(true)
  })

  test('calls that are under way when it dies reject in time, and are not sent again', async () => {
    const flood = Promise.allSettled(Array.from({ length: 300 }, () => store.counters.take([MANY])))
    const from = performance.now()
    await redis.kill()
    await flood
    expect(performance.now() - from).toBeLessThan(REJECTS_MS)
    await redis.start()
    await expectBack(store)
    expect((await store.counters.peek([MANY]))[0]?.remaining).toBe(900)
  })

  test('hung, with its port open: calls reject in time, and it recovers', async () => {
    const pid = Number(/process_id:(\d+)/.exec(await direct.info('server'))?.[1])
    process.kill(pid, 'SIGSTOP')
    try {
      await expectAllRejected(store, SILENT)
      await sleep(1_500)
      await expectAllRejected(store, SILENT)
      await expect(openRedisCounters({ url: redis.url })).rejects.toThrow(`127.0.0.1:${redis.port}`)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await expectBack(store)
  })

  test('a connection that died without a word is left for a new one', async () => {
    const dies: (() => void)[] = []
    const way = await listen((near) => {
      const far = connect(redis.port, '127.0.0.1').on('error', () => undefined)
      near.pipe(far).pipe(near)
      near.once('close', () => far.destroy())
      dies.push(() => {
        near.unpipe(far)
        far.unpipe(near)
      })
    })
    const through = await openRedisCounters({ url: `redis://127.0.0.1:${portOf(way)}` })
    await through.ping()
    for (const die of dies) die()
    await expectAllRejected(through, SILENT)
    await expectBack(through)
    await through.close()
    way.close()
  })

  test('answers that drip in byte by byte reject in time, though the connection is never silent', async () => {
    let drips = false
    const way = await listen((near) => {
      const far = connect(redis.port, '127.0.0.1').on('error', () => undefined)
      near.pipe(far)
      near.once('close', () => far.destroy())
      let sent = Promise.resolve()
      far.on('data', (answer: Buffer) => {
        sent = sent.then(async () => {
          if (drips) for (const byte of answer) await sleep(100).then(() => near.write(Buffer.of(byte)))
          else near.write(answer)
        })
      })
    })
    const through = await openRedisCounters({ url: `redis://127.0.0.1:${portOf(way)}` })
    drips = true
    await expectAllRejected(through, /: no answer in time$/)
    await through.close()
    way.close()
  })

  test('slow answers pass while they are in time; slower ones reject in time', async () => {
    await direct.call('CLIENT', 'PAUSE', '300')
    expect((await store.counters.take([MANY])).ok).toBe(true)
    await direct.call('CLIENT', 'PAUSE', '1500')
    await expectAllRejected(store, SILENT)
    await sleep(700)
    await expectBack(store)
  })

  test('connections that Redis closes are made anew', async () => {
    for (let i = 0; i < 5; i++) {
      await direct.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await expectBack(store, 500)
    }
  })

  test('a script that Redis has forgotten is sent again, and counts once', async () => {
    await store.counters.take([MANY])
    await direct.script('FLUSH')
    const all = await Promise.all(Array.from({ length: 100 }, () => store.counters.take([MANY])))
    expect(all.every((hit) => hit.ok)).toBe(true)
    await direct.script('FLUSH')
    expect((await store.counters.peek([MANY]))[0]?.remaining).toBe(900 - 101)
    await direct.script('FLUSH')
    const [first] = all
    if (!first?.ok) throw new Error('should pass')
    await store.counters.give(first)
    expect((await store.counters.peek([MANY]))[0]?.remaining).toBe(900 - 100)
  })

  test('flushed, it counts from nothing on', async () => {
    expect((await store.counters.take(BOTH)).ok).toBe(true)
    expect((await store.counters.take(BOTH)).ok).toBe(false)
    await direct.flushall()
    const all = await Promise.all(Array.from({ length: 200 }, () => store.counters.take(BOTH)))
    expect(all.filter((hit) => hit.ok)).toHaveLength(1)
  })

  test('a replica refuses, and is left for whatever the name leads to by then', async () => {
    const connections = async () =>
      /id=\d+ .*name=countersign /.exec(String(await direct.client('LIST')))?.[0]
    const first = await connections()
    await direct.replicaof('127.0.0.1', 1)
    await expect(store.counters.take([ONE])).rejects.toThrow(/READONLY$/)
    await until(async () => expect((await connections()) ?? first).not.toBe(first))
    await expectRejected(store.ping())
    await direct.replicaof('NO', 'ONE')
    await expectBack(store)
  })

  test('out of memory it refuses and counts on no counter, and recovers', async () => {
    await store.ping()
    await direct.config('SET', 'maxmemory', '1')
    await expect(store.counters.take(BOTH)).rejects.toThrow(/OOM$/)
    await expect(store.ping()).rejects.toThrow(/OOM$/)
    await direct.config('SET', 'maxmemory', '0')
    expect((await store.counters.peek([MANY]))[0]?.remaining).toBe(900)
    await expectBack(store)
  })

  test('closed, it refuses', async () => {
    await store.close()
    await expectAllRejected(store, /no connection$/)
  })

  test('opening what is not there, not let in or no Redis rejects, with the host and without the password', async () => {
    await direct.config('SET', 'requirepass', 'right')
    const other = await listen()
    const silent = await listen(() => undefined)
    for (const [url, reason] of [
      [`redis://me:se%63ret@127.0.0.1:${redis.port}`, 'WRONGPASS'],
      [`redis://127.0.0.1:${redis.port}`, 'NOAUTH'],
      [`redis://:right@127.0.0.1:${redis.port},127.0.0.1:${redis.port}`, 'several hosts, and no cluster'],
      [`rediss://:secret@127.0.0.1:${redis.port}`, ''],
      [`redis://:right@127.0.0.1:${redis.port}/4096`, 'no database 4096'],
      ['redis://:secret@127.0.0.1:1', 'ECONNREFUSED'],
      ['redis://:secret@nowhere.invalid', ''],
      [`redis://:secret@127.0.0.1:${portOf(other)}`, ''],
      [`redis://:secret@127.0.0.1:${portOf(silent)}`, 'no answer'],
    ] as const) {
      const from = performance.now()
      const error = await openRedisCounters({ url }).then(
        () => new Error('opened'),
        (error: Error) => error,
      )
      expect(performance.now() - from, url).toBeLessThan(2_500)
      expect(error.message).toMatch(/^Redis at (127\.0\.0\.1|nowhere\.invalid):\d+.* cannot be used: /)
      expect(error.message).toContain(reason)
      expect(inspectDeep(error)).not.toMatch(/secret|right/)
    }
    const opened = await openRedisCounters({ url: `redis://:right@127.0.0.1:${redis.port}` })
    await opened.close()
    other.close()
    silent.close()
  })
})

describeWith(['own redis', 'toxiproxy'], 'A39: counters behind a bad network', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>
  let proxy: Awaited<ReturnType<typeof toxiproxy>>
  let store: RedisStore
  let direct: RedisStore

  beforeEach(async () => {
    redis = await startRedis()
    proxy = await toxiproxy(redis.url)
    store = await openRedisCounters({ url: proxy.url })
    direct = await openRedisCounters({ url: redis.url })
  })
  afterEach(async () => {
    await Promise.all([store.close(), direct.close()])
    await proxy.remove()
    await redis.remove()
  })

  test.each(['requests', 'answers'] as const)(
    'a black hole for %s: calls reject in time, for as long as it lasts; then they work',
    async (what) => {
      await store.ping()
      await proxy.blackhole(what)
      for (let i = 0; i < 3; i++) {
        await expectAllRejected(store, SILENT)
        await sleep(400)
      }
      await proxy.restore()
      await expectBack(store)
    },
  )

  test('a hit whose answer was lost is counted once, and its caller refused', async () => {
    await proxy.blackhole('answers')
    await expectRejected(store.counters.take([MANY]))
    await proxy.restore()
    await expectBack(store)
    await sleep(500)
    expect((await direct.counters.peek([MANY]))[0]?.remaining).toBe(899)
  })

  test('a hit that did not arrive in time does not arrive later', async () => {
    await proxy.blackhole('requests')
    await expectRejected(store.counters.take([MANY]))
    await proxy.restore()
    await expectBack(store)
    await sleep(500)
    expect((await direct.counters.peek([MANY]))[0]?.remaining).toBe(900)
  })

  test('connections that are refused or reset: calls reject in time, and work again afterwards', async () => {
    for (const disturb of [proxy.cut, proxy.reset]) {
      await disturb()
      await expectAllRejected(store, LOST)
      await sleep(600)
      await expectAllRejected(store, LOST)
      await proxy.restore()
      await expectBack(store)
    }
  })
})

describeWith('own redis', 'A39: counters in a cluster of Redis', () => {
  let cluster: Awaited<ReturnType<typeof startRedisCluster>>
  let url: string
  let store: RedisStore

  beforeAll(async () => {
    cluster = await startRedisCluster()
    url = `redis://${cluster.nodes.map((node) => new URL(node).host).join(',')}`
  })
  afterAll(() => cluster.stop())
  beforeEach(async () => {
    await onEach(cluster.nodes, (node) => node.flushall())
    store = await openRedisCounters({ url })
  })
  afterEach(() => store.close())

  describeCounters('redis cluster', async (clock) => {
    await onEach(cluster.nodes, (node) => node.flushall())
    return openRedisCounters({ url, clock })
  })

  test('one node that is there is enough to find the others', async () => {
    for (const node of cluster.nodes) {
      const found = await openRedisCounters({ url: `redis://127.0.0.1:1,${new URL(node).host}` })
      await found.counters.take([MANY])
      await found.close()
    }
    expect((await store.counters.peek([MANY]))[0]?.remaining).toBe(900 - cluster.nodes.length)
  })

  test('of 1,002 hits on two counters from three clients exactly 1 passes, and counts on both', async () => {
    const stores = await Promise.all([1, 2, 3].map(() => openRedisCounters({ url })))
    const calls = stores.flatMap(({ counters }) => Array.from({ length: 334 }, () => counters.take(BOTH)))
    expect((await Promise.all(calls)).filter((hit) => hit.ok)).toHaveLength(1)
    expect((await store.counters.peek([MANY]))[0]?.remaining).toBe(899)
    await Promise.all(stores.map((store) => store.close()))
  })

  test('a cluster’s scripts and connections can be lost on every node', async () => {
    await store.counters.take([MANY])
    await onEach(cluster.nodes, (node) => node.script('FLUSH'))
    await store.counters.take([MANY])
    await onEach(cluster.nodes, (node) => node.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
    await expectBack(store)
    expect((await store.counters.peek([MANY]))[0]?.remaining).toBe(898)
  })

  test('a database of a cluster is refused by name', async () => {
    await expect(openRedisCounters({ url: `${url}/1` })).rejects.toThrow('a cluster has no database but 0')
  })

  test('hung, the node with the keys: calls reject in time, and it recovers', async () => {
    const owner = await ownerOf(cluster.nodes)
    const pid = Number(/process_id:(\d+)/.exec(await owner.info('server'))?.[1])
    owner.disconnect()
    const fresh = await openRedisCounters({ url })
    process.kill(pid, 'SIGSTOP')
    try {
      await expectAllRejected(store, /./)
      await expectAllRejected(fresh, /./)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await Promise.all([expectBack(store), expectBack(fresh)])
    await fresh.close()
  })

  test('a hit on a node that hangs is counted once at most, and its caller refused', async () => {
    const owner = await ownerOf(cluster.nodes)
    const pid = Number(/process_id:(\d+)/.exec(await owner.info('server'))?.[1])
    owner.disconnect()
    process.kill(pid, 'SIGSTOP')
    try {
      await Promise.all(Array.from({ length: 20 }, () => expectRejected(store.counters.take([MANY]))))
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await expectBack(store)
    await sleep(1_000)
    expect((await store.counters.peek([MANY]))[0]?.remaining).toBeGreaterThanOrEqual(880)
  })

  test('all of it down: calls reject in time; back, they work without a restart', async () => {
    const named = ['--cluster-announce-ip', '127.0.0.1', '--cluster-port', `${await freePort()}`]
    const node = await startRedis(['--cluster-enabled', 'yes', '--databases', '1', ...named])
    const admin = new Redis(node.url)
    admin.on('error', () => undefined)
    try {
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
      const isWhole = async () => expect(await admin.cluster('INFO')).toContain('cluster_state:ok')
      await until(isWhole)
      const alone = await openRedisCounters({ url: node.url })
      await alone.counters.take(BOTH)
      await node.kill()
      for (let i = 0; i < 3; i++) {
        await expectAllRejected(alone, LOST)
        await sleep(500)
      }
      await node.start()
      await until(isWhole)
      await expectBack(alone)
      await alone.close()
    } finally {
      admin.disconnect()
      await node.remove()
    }
  })

  // The last one, because it leaves a dead node behind.
  test('a failover keeps the hits; calls reject in time until it is over, and work then', async () => {
    const ports = ['--cluster-port', `${await freePort()}`, '--databases', '1']
    const replica = await startRedis(['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', ...ports])
    const old = await ownerOf(cluster.nodes)
    const next = new Redis(replica.url)
    next.on('error', () => undefined)
    try {
      const [, id, port, busPort] =
        /^(\S+) \S+:(\d+)@(\d+)\S* \S*myself/m.exec(String(await old.cluster('NODES'))) ?? []
      await next.call('CLUSTER', 'MEET', '127.0.0.1', `${port}`, `${busPort}`)
      await until(() => next.call('CLUSTER', 'REPLICATE', `${id}`))
      await until(async () => expect(await next.info('replication')).toContain('master_link_status:up'))
      expect((await store.counters.take(BOTH)).ok).toBe(true)

      await until(() => next.call('CLUSTER', 'FAILOVER'))
      await until(async () => expect(await next.role()).toContain('master'))
      await expectBack(store)
      expect((await store.counters.take(BOTH)).ok).toBe(false)

      await until(async () => expect(await old.info('replication')).toContain('master_link_status:up'))
      await replica.kill()
      await expectAllRejected(store, /./)
      await until(async () => expect(await old.role()).toContain('master'))
      await until(async () => expect(await old.cluster('INFO')).toContain('cluster_state:ok'))
      await expectBack(store)
      expect((await store.counters.take(BOTH)).ok).toBe(false)
    } finally {
      next.disconnect()
      old.disconnect()
      await replica.remove()
    }
  })
})

/** Expects a call to reject within `REJECTS_MS`, with an Error that holds no key. */
async function expectRejected(call: Promise<unknown>, reason = /./): Promise<void> {
  const from = performance.now()
  const error = await call.then(
    () => new Error('resolved'),
    (error: unknown) => error,
  )
  expect(performance.now() - from).toBeLessThan(REJECTS_MS)
  expect(error).toBeInstanceOf(Error)
  expect((error as Error).message).toMatch(/^Redis at [\d.:,]+ cannot be used: /)
  expect((error as Error).message).toMatch(reason)
  expect(inspectDeep(error)).not.toMatch(/4155550100|192\.0\.2/)
}

/** Expects so of every kind of call, and of many at once. */
async function expectAllRejected({ counters, ping, now }: RedisStore, reason: RegExp): Promise<void> {
  const calls = Array.from({ length: 50 }, () => counters.take(BOTH))
  await Promise.all(
    [...calls, counters.peek(BOTH), counters.give({ ok: true, keys: ['a'], at: 1 }), ping(), now()].map(
      (call) => expectRejected(call, reason),
    ),
  )
}

/** Expects a hit to be possible within this time. */
async function expectBack(store: RedisStore, ms = RECOVERS_MS): Promise<void> {
  const until = performance.now() + ms
  for (;;) {
    try {
      await store.ping()
      expect(performance.now()).toBeLessThan(until)
      return
    } catch (error) {
      if (performance.now() > until) throw error
      await sleep(10)
    }
  }
}

/** Tries again until it does not reject, for at most ten seconds. */
async function until(work: () => Promise<unknown>): Promise<void> {
  const last = performance.now() + 10_000
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      if (performance.now() > last) throw error
      await sleep(20)
    }
  }
}

async function onEach(nodes: readonly string[], work: (node: Redis) => Promise<unknown>): Promise<void> {
  for (const url of nodes) {
    const node = new Redis(url)
    try {
      await work(node)
    } finally {
      node.disconnect()
    }
  }
}

/** A connection to the node of a cluster that has our keys. */
async function ownerOf(nodes: readonly string[]): Promise<Redis> {
  for (const url of nodes) {
    const node = new Redis(url)
    const owns = await node.set('{countersign}:owner', '1', 'PX', 1).catch(() => undefined)
    if (owns) return node
    node.disconnect()
  }
  throw new Error('no node has our keys')
}

/** A port that speaks, unless told, what is no Redis. */
async function listen(answer = (socket: Socket) => void socket.write('HTTP/1.1 400\r\n\r\n')) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    answer(socket)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

/** Everything that a log could show of an error. */
function inspectDeep(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = Object.getOwnPropertyNames(error).map((name) => String(Reflect.get(error, name)))
  return [...own, error.cause === undefined ? '' : inspectDeep(error.cause)].join('\n')
}
