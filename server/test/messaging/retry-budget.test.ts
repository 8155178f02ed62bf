import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Circuits, type Signal } from '../../src/messaging/circuits.ts'
import { RetryBudget } from '../../src/messaging/retry-budget.ts'
import { FakeClock } from '../fake-clock.ts'
import { Dice } from '../history/random.ts'

describe('the budget', () => {
  test('starts with five, earns a fifth with each message, and keeps at most twenty', () => {
    const budget = new RetryBudget()
    const spend = () => {
      let spent = 0
      while (budget.mayRetry()) spent++
      return spent
    }
    expect(spend()).toBe(5)
    for (let n = 0; n < 4; n++) budget.called()
    expect(spend()).toBe(0)
    budget.called()
    expect(spend()).toBe(1)
    for (let n = 0; n < 10_000; n++) budget.called()
    expect(spend()).toBe(20)
  })

  test('is spent by calls to a healthy provider too, which are never refused', () => {
    const budget = new RetryBudget()
    for (let n = 0; n < 100; n++) expect(budget.mayRetry(true)).toBe(true)
    expect(budget.mayRetry()).toBe(false)
  })

  test('is never overspent, in whatever order, in any stretch of time', () => {
    const steps = fc.array(fc.constantFrom('called', 'retry', 'retry', 'healthy'), { maxLength: 500 })
    fc.assert(
      fc.property(steps, fc.nat(400), (steps, from) => {
        const budget = new RetryBudget()
        const done: [called: number, retried: number][] = [[0, 0]]
        for (const step of steps) {
          const [called, retried] = done.at(-1) ?? [0, 0]
          if (step === 'called') budget.called()
          const isSpent = step !== 'called' && budget.mayRetry(step === 'healthy')
          if (step === 'healthy') expect(isSpent).toBe(true)
          done.push([called + Number(step === 'called'), retried + Number(step === 'retry' && isSpent)])
        }
        const [calledBefore, retriedBefore] = done[Math.min(from, done.length - 1)] ?? [0, 0]
        const [called, retried] = done.at(-1) ?? [0, 0]
        expect(retried).toBeLessThanOrEqual(5 + called / 5)
        expect(retried - retriedBefore).toBeLessThanOrEqual(20 + (called - calledBefore) / 5)
      }),
    )
  })
})

/** How a provider answers at a time, and after how many milliseconds. */
type Behaviour = (ms: number, dice: Dice) => { readonly signal: Signal; readonly afterMs: number }
type Task = { readonly at: number; readonly run: () => void }

const good: Behaviour = () => ({ signal: 'ok', afterMs: 80 })
const dead: Behaviour = () => ({ signal: 'failed', afterMs: 50 })
const SLOW_MS = 2_000

/**
 * Starts as the relay makes them: the first provider that is not known to be down, then each other one, by its
 * circuit and the budget.
 */
function simulate(setting: {
  providers: readonly Behaviour[]
  startsPerSecond: number
  seconds: number
  countries?: number
  seed?: number
}) {
  const { providers, startsPerSecond, seconds, countries = 1, seed = 1 } = setting
  const clock = new FakeClock(0)
  const dice = new Dice(seed)
  const circuits = new Circuits({ clock, random: (max) => dice.within(0, max) })
  const budget = new RetryBudget()
  /** What is to come of the calls under way, soonest first. */
  const tasks: Task[] = []
  const after = (ms: number, run: () => void) => {
    const at = clock.now() + ms
    tasks.splice(tasks.findLastIndex((task) => task.at <= at) + 1, 0, { at, run })
  }
  const runUntil = (ms: number) => {
    while (tasks[0] && tasks[0].at <= ms) {
      const task = tasks.shift()
      clock.advanceMs((task?.at ?? 0) - clock.now())
      task?.run()
    }
    clock.advanceMs(ms - clock.now())
  }
  const calls = providers.map(() => 0)
  let through = 0
  const keyOf = (provider: number, country: string) => ({ provider: `p${provider}`, country, sender: null })

  const go = (country: string, left: readonly number[], isFirst: boolean) => {
    const index = left.findIndex((provider) => {
      const key = keyOf(provider, country)
      return circuits.mayCall(key) && (isFirst || budget.mayRetry(circuits.isHealthy(key)))
    })
    const provider = left[index]
    const attempt = provider === undefined ? undefined : circuits.begin(keyOf(provider, country))
    const behaviour = provider === undefined ? undefined : providers[provider]
    if (provider === undefined || attempt === undefined || behaviour === undefined) return
    calls[provider] = (calls[provider] ?? 0) + 1
    const { signal, afterMs } = behaviour(clock.now(), dice)
    if (afterMs > SLOW_MS) after(SLOW_MS, attempt.slow)
    after(afterMs, () => {
      attempt.end(signal)
      if (signal === 'ok') through++
      else go(country, left.slice(index + 1), false)
    })
  }

  const starts = seconds * startsPerSecond
  for (let n = 0; n < starts; n++) {
    runUntil((n * 1_000) / startsPerSecond)
    budget.called()
    go(`C${dice.within(0, countries)}`, [...providers.keys()], true)
  }
  runUntil(2 * seconds * 1_000)
  const total = calls.reduce((sum, one) => sum + one, 0)
  return { starts, calls, total, through, perStart: total / starts, share: through / starts }
}

describe('a storm of five minutes, with 50 starts a second and a second provider that is healthy', () => {
  const run = (
    first: Behaviour,
    more: { countries?: number; seed?: number; startsPerSecond?: number } = {},
  ) => simulate({ providers: [first, good], startsPerSecond: 50, seconds: 300, ...more })
  const flapping: Behaviour = (ms) => ({ signal: ms % 10_000 < 5_000 ? 'ok' : 'failed', afterMs: 50 })
  const coin: Behaviour = (_, dice) => ({ signal: dice.chance(0.5) ? 'ok' : 'failed', afterMs: 50 })
  const blackHole: Behaviour = () => ({ signal: 'failed', afterMs: 5_000 })

  test.each([
    ['is up for five seconds and down for five', flapping],
    ['fails every other call at random', coin],
    ['is down', dead],
  ])('the first %s: at most 1.2 calls a start, and all get through', (_, first) => {
    for (const countries of [1, 10, 60]) {
      for (let seed = 1; seed <= 5; seed++) {
        const { perStart, share } = run(first, { countries, seed })
        expect(perStart).toBeLessThanOrEqual(1.2)
        expect(share).toBeGreaterThanOrEqual(0.999)
      }
    }
  })

  test('the first answers nobody: all that were under way to it go on to the other', () => {
    const { perStart, share, calls } = run(blackHole)
    expect(share).toBe(1)
    expect(perStart).toBeLessThanOrEqual(1.2)
    // What left in the two seconds before anyone could know, and a probe now and then.
    expect(calls[0]).toBeLessThan(2 * 50 + 30)
    const busy = run(blackHole, { startsPerSecond: 500 })
    expect(busy.share).toBe(1)
  })

  test('no provider ever gets more calls than there are starts, whatever share of them fails', () => {
    for (const chance of [0.1, 0.2, 0.3, 0.4]) {
      const { calls, share, starts } = run((_, dice) => ({
        signal: dice.chance(chance) ? 'failed' : 'ok',
        afterMs: 50,
      }))
      expect(share).toBeGreaterThanOrEqual(0.999)
      for (const made of calls) expect(made).toBeLessThanOrEqual(starts)
    }
  })
})

test('with every provider down there are fewer calls than starts', () => {
  const { perStart, through } = simulate({
    providers: [dead, dead, dead],
    startsPerSecond: 50,
    seconds: 300,
    countries: 10,
  })
  expect(through).toBe(0)
  expect(perStart).toBeLessThan(0.02)
})

test('with two of three down all get through to the third', () => {
  const { perStart, share } = simulate({
    providers: [dead, dead, good],
    startsPerSecond: 50,
    seconds: 300,
    countries: 10,
  })
  expect(share).toBe(1)
  expect(perStart).toBeLessThan(1.05)
})
