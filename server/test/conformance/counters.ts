import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Counter, Counters } from '../../src/limits/counters.ts'
import { FakeClock } from '../fake-clock.ts'

/** What a counters adapter is tested with: a fresh, empty one on this clock. */
export type CountersFixture = { counters: Counters; close(): Promise<void> }

const FIVE_AN_HOUR: Counter = { key: 'a', rules: [{ name: 'five', limit: 5, windowSeconds: 3600 }] }
const TWO_RULES: Counter = {
  key: 'b',
  rules: [
    { name: 'short', limit: 2, windowSeconds: 60 },
    { name: 'long', limit: 3, windowSeconds: 3600 },
  ],
}

/** The rules every counters adapter keeps. */
export function describeCounters(name: string, make: (clock: FakeClock) => Promise<CountersFixture>): void {
  describe(`counters: ${name}`, () => {
    let clock: FakeClock
    let fixture: CountersFixture
    let counters: Counters

    beforeEach(async () => {
      clock = new FakeClock()
      fixture = await make(clock)
      counters = fixture.counters
    })
    afterEach(() => fixture.close())

    test('R21: of 1,000 concurrent hits at a limit of 5, exactly 5 pass', async () => {
      const all = await Promise.all(Array.from({ length: 1000 }, () => counters.take([FIVE_AN_HOUR])))
      expect(all.filter((hit) => hit.ok)).toHaveLength(5)
    })

    test('R21: no double burst across a window edge', async () => {
      clock.advance(3590)
      for (let i = 0; i < 5; i++) expect((await counters.take([FIVE_AN_HOUR])).ok).toBe(true)
      clock.advance(20)
      expect((await counters.take([FIVE_AN_HOUR])).ok).toBe(false)
      clock.advance(3579)
      expect((await counters.take([FIVE_AN_HOUR])).ok).toBe(false)
      clock.advance(1)
      expect((await counters.take([FIVE_AN_HOUR])).ok).toBe(true)
    })

    test('R20, R29: waiting what a refusal says is enough, one second less is not', async () => {
      for (let i = 0; i < 5; i++) {
        await counters.take([FIVE_AN_HOUR])
        clock.advance(7)
      }
      const refused = await counters.take([FIVE_AN_HOUR])
      if (refused.ok) throw new Error('should be refused')
      expect(refused.rule.name).toBe('five')
      expect(refused.retryAfterSeconds).toBe(3600 - 35)
      clock.advance(refused.retryAfterSeconds - 1)
      expect((await counters.take([FIVE_AN_HOUR])).ok).toBe(false)
      clock.advance(1)
      expect((await counters.take([FIVE_AN_HOUR])).ok).toBe(true)
    })

    test('a refused take counts on no counter, whichever refused', async () => {
      for (let i = 0; i < 2; i++) expect((await counters.take([TWO_RULES])).ok).toBe(true)
      const refused = await counters.take([FIVE_AN_HOUR, TWO_RULES])
      expect(refused).toMatchObject({ ok: false, rule: { name: 'short' } })
      expect((await counters.peek([FIVE_AN_HOUR]))[0]?.remaining).toBe(5)
    })

    test('the rule with the longest wait is named', async () => {
      for (let i = 0; i < 3; i++) {
        await counters.take([TWO_RULES])
        clock.advance(61)
      }
      const refused = await counters.take([TWO_RULES])
      expect(refused).toMatchObject({ ok: false, rule: { name: 'long' }, retryAfterSeconds: 3600 - 183 })
    })

    test('peek counts nothing and tells what is left and when', async () => {
      await counters.take([TWO_RULES])
      clock.advance(10)
      await counters.take([TWO_RULES])
      for (let i = 0; i < 20; i++) await counters.peek([TWO_RULES])
      const [short, long] = await counters.peek([TWO_RULES])
      expect(short).toMatchObject({ remaining: 0, resetsAt: clock.now() + 50_000 })
      expect(long).toMatchObject({ remaining: 1, resetsAt: clock.now() + 3_590_000 })
    })

    test('a hit that is given back can be taken again, once', async () => {
      const hits = await Promise.all(Array.from({ length: 5 }, () => counters.take([FIVE_AN_HOUR])))
      const [first] = hits
      if (!first?.ok) throw new Error('should pass')
      await counters.give(first)
      expect((await counters.take([FIVE_AN_HOUR])).ok).toBe(true)
      expect((await counters.take([FIVE_AN_HOUR])).ok).toBe(false)
    })

    test('hits before `since` do not count for its rule, and count for the others', async () => {
      const since = (at: number): Counter => ({
        key: 'c',
        rules: [
          { name: 'wait', limit: 1, windowSeconds: 30, since: at },
          { name: 'hour', limit: 2, windowSeconds: 3600 },
        ],
      })
      expect((await counters.take([since(0)])).ok).toBe(true)
      expect(await counters.take([since(0)])).toMatchObject({ ok: false, rule: { name: 'wait' } })
      clock.advance(1)
      const ended = clock.now()
      clock.advance(1)
      const racing = await Promise.all([counters.take([since(ended)]), counters.take([since(ended)])])
      expect(racing.map((hit) => hit.ok).sort()).toEqual([false, true])
      clock.advance(30)
      expect(await counters.take([since(ended)])).toMatchObject({ ok: false, rule: { name: 'hour' } })
    })

    test('F22: a clock set back an hour neither opens a counter nor locks it for ever', async () => {
      for (let i = 0; i < 5; i++) await counters.take([FIVE_AN_HOUR])
      clock.advance(-3600)
      expect((await counters.take([FIVE_AN_HOUR])).ok).toBe(false)
      const [state] = await counters.peek([FIVE_AN_HOUR])
      expect(state?.resetsAt).toBeLessThanOrEqual(clock.now() + 3_600_000)
      clock.advance(3599)
      expect((await counters.take([FIVE_AN_HOUR])).ok).toBe(false)
      clock.advance(1)
      expect((await counters.take([FIVE_AN_HOUR])).ok).toBe(true)
    })

    test('A11: keys that look like SQL, like other keys or like object members are just keys', async () => {
      for (const key of ["a'; DROP TABLE counters; --", '__proto__', 'constructor', 'a%', 'a_', '']) {
        const counter = { key, rules: [{ name: 'one', limit: 1, windowSeconds: 60 }] }
        expect((await counters.take([counter])).ok).toBe(true)
        expect((await counters.take([counter])).ok).toBe(false)
      }
      expect((await counters.peek([FIVE_AN_HOUR]))[0]?.remaining).toBe(5)
    })
  })
}
