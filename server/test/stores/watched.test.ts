import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Counters } from '../../src/limits/counters.ts'
import { CountersignError } from '../../src/primitives/errors.ts'
import { openSqlite } from '../../src/stores/sqlite/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { type Part, watchStore } from '../../src/stores/watched.ts'
import { describeCounters } from '../conformance/counters.ts'
import { describeVerifyStore } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'
import { makeTempDir } from '../helpers/server.ts'

type Told = { readonly part: Part; readonly verb: string; readonly seconds: number; readonly isDown: boolean }

const open = (clock: FakeClock = new FakeClock(), path = ':memory:') =>
  openSqlite({ path, synchronous: 'normal', retentionDays: 30, clock })

/** A watched store, and what was told of it. */
function watch(store: Store, counters: Counters = store.counters) {
  const told: Told[] = []
  const kept = watchStore({ store, counters }, (part, verb) => (seconds, isDown) => {
    told.push({ part, verb, seconds, isDown })
  })
  return { ...kept, told }
}

describe('a store that is watched behaves as it did', () => {
  describeVerifyStore('sqlite, watched', async (clock) => {
    const path = join(makeTempDir(), 'test.db')
    let store = open(clock, path)
    const verifications = () => watch(store).store.verifications
    return {
      verifications: verifications(),
      reopen: async () => {
        await store.close()
        store = open(clock, path)
        return verifications()
      },
      close: () => store.close(),
    }
  })

  describeCounters('sqlite, watched', async (clock) => {
    const store = open(clock)
    return { counters: watch(store).counters, close: () => store.close() }
  })
})

describe('of a store that is watched', () => {
  let store: Store
  beforeEach(() => {
    store = open()
  })
  afterEach(() => store.close())

  test('every verb of every port is told of, once, with the time it took', async () => {
    const seen: string[] = []
    const { store: watched } = watchStore({ store, counters: store.counters }, (part, verb) => {
      seen.push(`${part} ${verb}`)
      return () => {}
    })
    /** The verbs of a port's class and of what it extends. */
    const verbs = (port: object): string[] => {
      const prototype = Object.getPrototypeOf(port) as object
      if (prototype === Object.prototype) return []
      const own = Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor')
      return [...own, ...verbs(prototype)]
    }
    const { verifications, messaging, counters, keys, tallies, auth, records, attempts } = store
    expect(seen.sort()).toEqual(
      [
        ...[verifications, messaging, counters, tallies].flatMap(verbs),
        ...verbs(keys).map((verb) => `keys.${verb}`),
        ...verbs(auth).map((verb) => `auth.${verb}`),
        ...verbs(records).map((verb) => `records.${verb}`),
        ...verbs(attempts).map((verb) => `attempts.${verb}`),
        'sweep',
      ]
        .map((verb) => `store ${verb}`)
        .sort(),
    )
    expect(seen.length).toBeGreaterThan(25)
    // Nothing is lost on the way.
    expect(Object.keys(watched).sort()).toEqual(Object.keys(store).sort())
  })

  test('answers are the port’s own promises, and the time until them is told', async () => {
    let answer: Promise<number> | undefined
    const sweep = () => (answer = new Promise((resolve) => setTimeout(() => resolve(7), 50)))
    const { store: watched, told } = watch({ ...store, sweep })
    const given = watched.sweep()
    expect(given).toBe(answer)
    expect(told).toEqual([])
    expect(await given).toBe(7)
    await Promise.resolve()
    expect(told).toEqual([
      { part: 'store', verb: 'sweep', isDown: false, seconds: expect.any(Number) as number },
    ])
    expect(told[0]?.seconds).toBeGreaterThan(0.04)
    expect(told[0]?.seconds).toBeLessThan(5)
  })

  test('errors are the port’s own; out of reach is what a store calls so, and nothing else', async () => {
    const down = new CountersignError('store_unavailable', 'down')
    const fault = new TypeError('a fault of the program')
    const limited = new CountersignError('rate_limited', 'too many')
    for (const [error, isDown] of [
      [down, true],
      [fault, false],
      [limited, false],
    ] as const) {
      const failing = { ...store, tallies: { add: () => Promise.reject(error) } }
      const { store: watched, told } = watch(failing)
      await expect(watched.tallies.add({ judged: 1, wrong: 0 }, 10)).rejects.toBe(error)
      await Promise.resolve()
      expect(told.map((each) => each.isDown)).toEqual([isDown])
    }
  })

  test('a limiter of its own is told of as one, and whatever it throws means that it is out of reach', async () => {
    const fail = () => Promise.reject(new Error('Redis at 127.0.0.1:1 cannot be used'))
    const limiter: Counters = { take: fail, peek: fail, give: fail }
    const { counters, store: watched, told } = watch(store, limiter)
    await expect(counters.take([])).rejects.toThrow('cannot be used')
    await watched.verifications.find('ver_1')
    await Promise.resolve()
    expect(told.map(({ part, verb, isDown }) => ({ part, verb, isDown }))).toEqual([
      { part: 'limiter', verb: 'take', isDown: true },
      { part: 'store', verb: 'find', isDown: false },
    ])
  })

  test('who opens and charges in one step still knows the counters, and is told of', async () => {
    const opened = { refused: null, opened: true } as never
    const charged = { counters: store.counters, open: async () => opened }
    const verifications = Object.assign(Object.create(store.verifications) as Store['verifications'], {
      charged,
    })
    const { counters, store: watched, told } = watch({ ...store, verifications })
    expect(watched.verifications.charged?.counters).toBe(counters)
    expect(watched.counters).toBe(counters)
    expect(await watched.verifications.charged?.open({} as never, {} as never)).toBe(opened)
    await Promise.resolve()
    expect(told.map(({ verb }) => verb)).toEqual(['open'])
    // Where the counters are elsewhere, it is not theirs.
    const elsewhere = watch({ ...store, verifications }, { ...store.counters })
    expect(elsewhere.store.verifications.charged?.counters).not.toBe(elsewhere.counters)
  })
})
