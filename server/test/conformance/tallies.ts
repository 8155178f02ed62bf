import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Tallies } from '../../src/verify/tallies.ts'
import { FakeClock } from '../fake-clock.ts'

/** A fresh, empty store on this clock. */
export type TalliesFixture = { tallies: Tallies; sweep(): Promise<number>; close(): Promise<void> }

const NONE = { judged: 0, wrong: 0 }
const WINDOW_SECONDS = 10

/** What every store promises of the tallies of all processes. */
export function describeTallies(name: string, make: (clock: FakeClock) => Promise<TalliesFixture>): void {
  describe(`tallies: ${name}`, () => {
    let clock: FakeClock
    let fixture: TalliesFixture

    const add = (judged: number, wrong: number) => fixture.tallies.add({ judged, wrong }, WINDOW_SECONDS)
    const total = () => fixture.tallies.add(NONE, WINDOW_SECONDS)

    beforeEach(async () => {
      clock = new FakeClock()
      fixture = await make(clock)
    })
    afterEach(() => fixture.close())

    test('what is told is added up, in one second and over seconds, and told back with one’s own', async () => {
      expect(await total()).toEqual(NONE)
      expect(await add(3, 2)).toEqual({ judged: 3, wrong: 2 })
      expect(await add(4, 0)).toEqual({ judged: 7, wrong: 2 })
      clock.advance(1)
      expect(await add(1, 1)).toEqual({ judged: 8, wrong: 3 })
      expect(await total()).toEqual({ judged: 8, wrong: 3 })
    })

    test('R10: of 100 who tell at once, over seconds, nothing is lost', async () => {
      for (let second = 1; second <= 3; second++) {
        await Promise.all(Array.from({ length: 100 }, () => add(2, 1)))
        expect(await total()).toEqual({ judged: 200 * second, wrong: 100 * second })
        clock.advance(1)
      }
    })

    test('counts for the window, and no longer', async () => {
      await add(5, 5)
      clock.advance(5)
      await add(1, 0)
      clock.advanceMs(4_999)
      expect(await total()).toEqual({ judged: 6, wrong: 5 })
      clock.advanceMs(1)
      expect(await total()).toEqual({ judged: 1, wrong: 0 })
      clock.advance(5)
      expect(await total()).toEqual(NONE)
    })

    test('a clock that is set back does not keep what was told later', async () => {
      await add(5, 5)
      clock.advance(-3_600)
      expect(await total()).toEqual(NONE)
      expect(await add(1, 0)).toEqual({ judged: 1, wrong: 0 })
    })

    test('a tally of nothing is not written; what is past its time is swept, and only that', async () => {
      await total()
      // In a second of its own: one that was written would be swept, and seen.
      clock.advance(1)
      await add(1, 1)
      clock.advance(6)
      await add(1, 1)
      clock.advance(6)
      await total()
      expect(await fixture.sweep()).toBe(1)
      expect(await total()).toEqual({ judged: 1, wrong: 1 })
    })
  })
}
