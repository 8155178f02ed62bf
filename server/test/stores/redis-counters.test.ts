import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Counter, Counters, Refused, Rule, Taken } from '../../src/limits/counters.ts'
import { MemoryCounters } from '../../src/stores/memory/counters.ts'
import { readRedisUrl } from '../../src/stores/redis/address.ts'
import { openRedisCounters, type RedisStore } from '../../src/stores/redis/store.ts'
import { describeCounters } from '../conformance/counters.ts'
import { FakeClock } from '../fake-clock.ts'
import { endAll, running } from '../helpers/scratch.ts'
import { describeWith, type Fresh, freshRedis } from '../helpers/services.ts'

const STORE = join(import.meta.dirname, '../../src/stores/redis/store.ts')
const FIVE_A_MINUTE: Counter = { key: 'a', rules: [{ name: 'five', limit: 5, windowSeconds: 60 }] }

describeWith('redis', 'counters in Redis', () => {
  let fresh: Fresh
  let store: RedisStore
  let direct: Redis

  beforeEach(async () => {
    fresh = await freshRedis()
    store = await openRedisCounters({ url: fresh.url })
    direct = new Redis(fresh.url)
  })
  afterEach(async () => {
    await store.close()
    direct.disconnect()
    await fresh.drop()
  })
  afterAll(endAll)

  describeCounters('redis', async (clock) => {
    const fresh = await freshRedis()
    const { counters, close } = await openRedisCounters({ url: fresh.url, clock })
    return { counters, close: () => close().then(fresh.drop) }
  })

  test('R20, R21: whatever the calls and the clock, it answers as the counters in memory do', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const clock = new FakeClock()
        const redis = await openRedisCounters({ url: fresh.url, clock })
        try {
          run++
          await compare(steps, clock, new MemoryCounters(clock), redis.counters, `${run}`)
        } finally {
          await redis.close()
        }
      }),
      { numRuns: 150 },
    )
  })

  test('nothing but logs with an end is left behind, all in one slot of a cluster', async () => {
    const keys = ['a', '', '{b}', '}', '{', 'a:b', '€']
    const counters = keys.map((key) => ({ ...FIVE_A_MINUTE, key }))
    const taken = await store.counters.take(counters)
    if (!taken.ok) throw new Error('should pass')
    await store.ping()
    await store.counters.peek([{ ...FIVE_A_MINUTE, key: 'unheard of' }])
    await store.counters.give({ ...taken, keys: ['a'] })

    const found = await direct.keys('*')
    expect(found.sort()).toEqual(
      [...keys.map((key) => `{countersign}:hits:${key}`), '{countersign}:probe'].sort(),
    )
    for (const key of found) {
      const left = await direct.pttl(key)
      expect(left, key).toBeGreaterThan(0)
      expect(left, key).toBeLessThanOrEqual(61_000)
    }
  })

  test('a log outlives its longest window by a second, so that its rules decide and not its expiry', async () => {
    const rules = [
      { name: 'short', limit: 1, windowSeconds: 1 },
      { name: 'long', limit: 5, windowSeconds: 3 },
    ]
    await store.counters.take([{ key: 'a', rules }])
    expect(await direct.pttl('{countersign}:hits:a')).toBeGreaterThan(3_900)
  })

  test('a hit is given back only where there is one of just its time', async () => {
    const clock = new FakeClock(1_790_000_000_000)
    const dated = await openRedisCounters({ url: fresh.url, clock })
    await dated.counters.take([FIVE_A_MINUTE])
    clock.advanceMs(1_790)
    await dated.counters.take([FIVE_A_MINUTE])
    // These digits stand in the log, across the end of one time and the beginning of the next.
    expect(await direct.get('{countersign}:hits:a')).toContain('1790179000000')
    await dated.counters.give({ ok: true, keys: ['a', 'b'], at: 1_790_179_000_000 })
    expect((await dated.counters.peek([FIVE_A_MINUTE]))[0]?.remaining).toBe(3)
    expect(await direct.exists('{countersign}:hits:b')).toBe(0)
    await dated.close()
  })

  test('an error in the middle of a take leaves nothing half counted', async () => {
    await direct.lpush('{countersign}:hits:b', 'not a log')
    const both = [FIVE_A_MINUTE, { ...FIVE_A_MINUTE, key: 'b' }]
    await expect(store.counters.take(both)).rejects.toThrow(/WRONGTYPE$/)
    expect(await direct.exists('{countersign}:hits:a')).toBe(0)
  })

  test('the time is that of Redis', async () => {
    const [seconds] = await direct.time()
    expect(Math.abs((await store.now()) - Number(seconds) * 1000)).toBeLessThan(2_000)
    const taken = await store.counters.take([FIVE_A_MINUTE])
    const [state] = await store.counters.peek([FIVE_A_MINUTE])
    if (!taken.ok) throw new Error('should pass')
    expect(state?.resetsAt).toBe(taken.at + 60_000)
  })

  test('A39: of 1,000 hits from three processes exactly 5 pass, with clocks ten minutes apart', async () => {
    expect(await race(fresh.url, [-300, 0, 300])).toBe(5)
    expect(await race(fresh.url, [300])).toBe(0)
    const [state] = await store.counters.peek([FIVE_A_MINUTE])
    expect(state?.remaining).toBe(0)
  })

  // Adapters with one fault each: what they pass as well would prove nothing about the right one.
  test('A39: an adapter that goes by its process’s clock lets more than 5 pass', async () => {
    expect(await race(fresh.url, [-300], 'its own clock')).toBe(5)
    expect(await race(fresh.url, [300], 'its own clock')).toBe(5)
  })

  test('A39: an adapter that looks first and counts then lets more than 5 pass', async () => {
    const broken = new GetThenSet(store.counters)
    const all = await Promise.all(Array.from({ length: 100 }, () => broken.take([FIVE_A_MINUTE])))
    expect(all.filter((hit) => hit.ok).length).toBeGreaterThan(5)
  })
})

describe('readRedisUrl', () => {
  test('reads host, port, login, database and TLS', () => {
    expect(readRedisUrl('redis://localhost')).toEqual({
      nodes: [{ host: 'localhost', port: 6379 }],
      username: undefined,
      password: undefined,
      db: 0,
      isTls: false,
      name: 'localhost:6379',
    })
    expect(readRedisUrl('rediss://me:p%40ss%2F@[::1]:7000/12')).toEqual({
      nodes: [{ host: '::1', port: 7000 }],
      username: 'me',
      password: 'p@ss/',
      db: 12,
      isTls: true,
      name: '[::1]:7000',
    })
    expect(readRedisUrl('redis://:secret@one:1,two:80,three/')).toMatchObject({
      nodes: [
        { host: 'one', port: 1 },
        { host: 'two', port: 80 },
        { host: 'three', port: 6379 },
      ],
      username: undefined,
      password: 'secret',
      name: 'one:1,two:80,three:6379',
    })
  })

  test.each([
    '',
    'secret',
    'http://secret',
    'redis://',
    'redis://secret@host',
    'redis://me:secret%@host',
    'redis://me:secret@',
    'redis://me:secret@host:99999',
    'redis://me:secret@host:0x1',
    'redis://me:secret@host,',
    'redis://me:secret@host/x',
    'redis://me:secret@host?db=1',
    'redis://me:se/cret@host',
    'redis://me:se@cret@host',
  ])('refuses %j without repeating it', (url) => {
    let message = ''
    try {
      readRedisUrl(url)
    } catch (error) {
      message = String(error)
    }
    expect(message).toMatch(/must have the form/)
    expect(message).not.toContain('cret')
  })
})

const WINDOWS = [60, 61, 120, 3_600]
const MOVES = [0, 1, 999, 1_000, 59_999, 60_000, 60_001, 120_000, 3_600_000, -1, -59_999, -60_000, -3_600_000]

type WantedRule = { limit: number; windowSeconds: number; since: number | undefined }
type Step =
  | { readonly does: 'take' | 'peek'; readonly counters: readonly { key: string; rules: WantedRule[] }[] }
  | { readonly does: 'give'; readonly nth: number; readonly keys: number }
  | { readonly does: 'move'; readonly ms: number }

const counters = fc.uniqueArray(
  fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    rules: fc.array(
      fc.record({
        limit: fc.integer({ min: 1, max: 5 }),
        windowSeconds: fc.constantFrom(...WINDOWS),
        since: fc.option(fc.constantFrom(...MOVES), { nil: undefined, freq: 2 }),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
  { selector: ({ key }) => key, minLength: 1, maxLength: 3 },
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('take' as const), counters }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('peek' as const), counters }) },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant('give' as const), nth: fc.nat(5), keys: fc.nat(3) }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('move' as const), ms: fc.constantFrom(...MOVES) }) },
)

/** Does the same with both, under keys of this run, and expects the same answers. */
async function compare(
  steps: readonly Step[],
  clock: FakeClock,
  expected: Counters,
  actual: Counters,
  run: string,
): Promise<void> {
  const passed: Taken[] = []
  for (const step of steps) {
    if (step.does === 'move') clock.advanceMs(step.ms)
    else if (step.does === 'give') {
      const taken = passed[passed.length - 1 - step.nth]
      if (taken === undefined) continue
      const given = { ...taken, keys: taken.keys.slice(0, step.keys) }
      await Promise.all([expected.give(given), actual.give(given)])
    } else {
      const wanted = step.counters.map(({ key, rules }) => ({
        key: `${run}:${key}`,
        rules: rules.map((rule, nth): Rule => {
          const { limit, windowSeconds, since } = rule
          const named = { name: `${key}${nth}`, limit, windowSeconds }
          return since === undefined ? named : { ...named, since: clock.now() - since }
        }),
      }))
      if (step.does === 'peek') expect(await actual.peek(wanted)).toEqual(await expected.peek(wanted))
      else {
        const taken = await actual.take(wanted)
        expect(taken).toEqual(await expected.take(wanted))
        if (taken.ok) passed.push(taken)
      }
    }
  }
}

/** Looks whether there is room, and then counts in a second call. */
class GetThenSet {
  readonly #right: Counters

  constructor(right: Counters) {
    this.#right = right
  }

  async take(counters: readonly Counter[]): Promise<Taken | Refused> {
    const states = await this.#right.peek(counters)
    const spent = states.find((state) => state.remaining === 0)
    if (spent) return { ok: false, rule: spent.rule, retryAfterSeconds: 1 }
    return this.#right.take(
      counters.map(({ key, rules }) => ({ key, rules: rules.map((rule) => ({ ...rule, limit: 10_000 })) })),
    )
  }
}

/** Of 1,000 concurrent hits from processes whose clocks are off by these seconds, how many pass. */
async function race(
  url: string,
  shifts: readonly number[],
  time: 'Redis' | 'its own clock' = 'Redis',
): Promise<number> {
  const hits = Math.ceil(1_000 / shifts.length)
  const children = shifts.map((seconds) => {
    const source = `
      const now = Date.now
      Date.now = () => now() + ${seconds * 1000}
      const { openRedisCounters } = await import(${JSON.stringify(STORE)})
      const clock = ${time === 'Redis' ? 'undefined' : '{ now: () => Date.now() }'}
      const { counters } = await openRedisCounters({ url: ${JSON.stringify(url)}, clock })
      process.once('message', async () => {
        const all = Array.from({ length: ${hits} }, () => counters.take([${JSON.stringify(FIVE_A_MINUTE)}]))
        process.send((await Promise.all(all)).filter((hit) => hit.ok).length)
      })
      process.send('ready')`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    running.add(child)
    child.once('exit', () => running.delete(child))
    return child
  })
  await Promise.all(children.map((child) => once(child, 'message')))
  const passed = await Promise.all(
    children.map(async (child) => {
      const answer = once(child, 'message') as Promise<[number]>
      child.send('go')
      const [count] = await answer
      child.kill('SIGKILL')
      return count
    }),
  )
  return passed.reduce((sum, count) => sum + count, 0)
}
