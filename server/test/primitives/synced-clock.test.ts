import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { SyncedClock } from '../../src/primitives/clock.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND

/** Another machine: its clock runs evenly, may be set, and is told after as long as told. */
class Remote {
  asked = 0
  isDown = false
  tripMs = 0
  /** The whole trip is the way back, so that the middle of it is as wrong as it can be. */
  isOneWay = false
  #aheadMs: number

  constructor(aheadMs: number) {
    this.#aheadMs = aheadMs
  }

  now(): number {
    return performance.now() + this.#aheadMs
  }

  set(aheadMs: number): void {
    this.#aheadMs = aheadMs
  }

  /** Tells the time as it was when the question arrived, half of the way. */
  readonly read = async (): Promise<number> => {
    this.asked++
    if (this.isDown) throw new Error('nobody answers')
    if (this.tripMs === 0) return this.now()
    const there = this.isOneWay ? 0 : this.tripMs / 2
    await new Promise((resolve) => setTimeout(resolve, there))
    const now = this.now()
    await new Promise((resolve) => setTimeout(resolve, this.tripMs - there))
    return now
  }
}

describe('F22: a clock that follows another', () => {
  const remote = new Remote(0)
  let clock: SyncedClock
  const off = () => Math.abs(clock.now() - remote.now())
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    Object.assign(remote, { asked: 0, isDown: false, tripMs: 0, isOneWay: false })
    remote.set(5 * HOUR)
    clock = await SyncedClock.start(remote.read)
  })
  afterEach(() => {
    clock.stop()
    vi.useRealTimers()
  })

  test('tells its time at once, in whole milliseconds, and asks once a second', async () => {
    expect(off()).toBeLessThan(1)
    expect(Number.isInteger(clock.now())).toBe(true)
    await pass(10 * SECOND)
    expect(off()).toBeLessThan(1)
    expect(remote.asked).toBe(11)
  })

  test('what this machine takes for the time of day, and what becomes of that, changes nothing', async () => {
    for (const ms of [0, HOUR, -HOUR, 10 * 365 * 24 * HOUR]) {
      vi.setSystemTime(Date.now() + ms)
      expect(off()).toBeLessThan(1)
      await pass(SECOND)
      expect(off()).toBeLessThan(1)
    }
  })

  test('a clock that is set over there is followed within about a second', async () => {
    for (const ahead of [6 * HOUR, -HOUR]) {
      remote.set(ahead)
      expect(off()).toBeGreaterThan(HOUR / 2)
      await pass(SECOND + 1)
      expect(off()).toBeLessThan(1)
    }
  })

  test('is right although an answer is under way for a while', async () => {
    remote.tripMs = 400
    await pass(5 * SECOND)
    expect(off()).toBeLessThan(2)
  })

  test('a slow answer does not take the place of a quick one', async () => {
    Object.assign(remote, { tripMs: 400, isOneWay: true })
    await pass(20 * SECOND)
    expect(off()).toBeLessThan(20)
    // One that is set shows in a slow answer too, as well as that tells.
    remote.set(6 * HOUR)
    await pass(2 * SECOND)
    expect(off()).toBeLessThanOrEqual(201)
    Object.assign(remote, { tripMs: 0, isOneWay: false })
    await pass(2 * SECOND)
    expect(off()).toBeLessThan(1)
  })

  test('an answer that took longer than a second changes nothing', async () => {
    remote.tripMs = 1_500
    // What it would say is wrong, and must not be believed.
    remote.set(7 * HOUR)
    const before = clock.now()
    await pass(10 * SECOND)
    expect(clock.now() - before).toBe(10 * SECOND)
    expect(remote.asked).toBeGreaterThan(3)
    remote.tripMs = 0
    await pass(3 * SECOND)
    expect(off()).toBeLessThan(1)
  })

  test('goes on by itself while nobody answers, and follows again when somebody does', async () => {
    remote.isDown = true
    const before = clock.now()
    await pass(HOUR)
    expect(clock.now() - before).toBe(HOUR)
    expect(remote.asked).toBe(1 + 3_600)
    remote.isDown = false
    remote.set(4 * HOUR)
    await pass(SECOND + 1)
    expect(off()).toBeLessThan(1)
  })

  test('asks one question at a time', async () => {
    remote.tripMs = 5 * SECOND
    await pass(30 * SECOND)
    expect(remote.asked).toBeLessThanOrEqual(6)
  })

  test('asks no more once stopped, not even when stopped while it asks', async () => {
    await pass(SECOND)
    clock.stop()
    const { asked } = remote
    await pass(10 * SECOND)
    expect(remote.asked).toBe(asked)

    clock = await SyncedClock.start(remote.read)
    remote.tripMs = 500
    await pass(SECOND + 100)
    clock.stop()
    const during = remote.asked
    await pass(10 * SECOND)
    expect(remote.asked).toBe(during)
  })

  test('starts with an answer that was slow when there is no better one', async () => {
    clock.stop()
    remote.tripMs = 1_800
    const starting = SyncedClock.start(remote.read)
    await pass(4 * SECOND)
    clock = await starting
    expect(off()).toBeLessThan(2)
  })

  test('does not start where nobody answers', async () => {
    clock.stop()
    remote.isDown = true
    await expect(SyncedClock.start(remote.read)).rejects.toThrow('nobody answers')
  })
})

test('F22: with real timers it is right too', async () => {
  const clock = await SyncedClock.start(async () => {
    await sleep(20)
    const now = Date.now() + 5_000
    await sleep(20)
    return now
  })
  onTestFinished(() => clock.stop())
  await sleep(1_100)
  expect(Math.abs(clock.now() - Date.now() - 5_000)).toBeLessThan(50)
})
