import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Counter, Counters } from '../../src/limits/counters.ts'
import type { Charge, ChargedOpening, VerifyStore } from '../../src/verify/store.ts'
import { FakeClock } from '../fake-clock.ts'
import { draft, RIGHT } from './verify-store.ts'

/** A fresh, empty store on this clock. */
export type ChargedFixture = { verifications: VerifyStore; counters: Counters; close(): Promise<void> }

const TO = '+14155552671'
const wait = { name: 'wait', limit: 1, windowSeconds: 30 }
const hour = { name: 'hour', limit: 3, windowSeconds: 3600 }
const number = (to = TO): Counter => ({ key: `sends:${to}`, rules: [wait, hour] })
const address: Counter = { key: 'starts:a', rules: [{ name: 'address', limit: 4, windowSeconds: 3600 }] }
const charge = (...counters: Counter[]): Charge => ({ counters, endedByApproval: 'wait' })

/** What a store promises that takes the hits of a start in the step that opens it. */
export function describeChargedOpening(
  name: string,
  make: (clock: FakeClock) => Promise<ChargedFixture>,
): void {
  describe(`charged opening: ${name}`, () => {
    let clock: FakeClock
    let fixture: ChargedFixture

    const open = (changes: Parameters<typeof draft>[1] = {}, charged = charge(number(), address)) => {
      const both = fixture.verifications.charged
      if (!both) throw new Error('the store does not charge')
      return both.open(draft(clock, changes), charged)
    }
    const approve = async (opening: ChargedOpening) => {
      if (opening.refused) throw new Error('refused')
      const { id } = opening.verification
      const guess = { id, service: 'default', budget: hour, unlimited: [], digests: [RIGHT] }
      // A hit of the same millisecond is not before the approval.
      clock.advanceMs(5)
      expect(await fixture.verifications.judge(guess)).toMatchObject({ reason: 'approved' })
      clock.advanceMs(5)
    }
    const left = async (counter: Counter) =>
      (await fixture.counters.peek([counter])).map(({ remaining }) => remaining)

    beforeEach(async () => {
      clock = new FakeClock()
      fixture = await make(clock)
    })
    afterEach(() => fixture.close())

    test('opens, takes a hit on every counter, and tells which, so that they can be given back', async () => {
      const opening = await open()
      if (opening.refused) throw new Error('refused')
      expect(opening).toMatchObject({ opened: true, verification: { status: 'pending', to: TO } })
      expect(await left(number())).toEqual([0, 2])
      expect(await left(address)).toEqual([3])
      if (opening.taken) await fixture.counters.give(opening.taken)
      expect(await left(number())).toEqual([1, 3])
      expect(await left(address)).toEqual([4])
    })

    test('what is pending is found and costs nothing', async () => {
      const first = await open()
      expect(await open()).toMatchObject({ opened: false, taken: undefined, refused: null })
      expect(first.refused).toBeNull()
      expect(await left(address)).toEqual([3])
    })

    test('a refusal names the rule with the longest wait, opens nothing and counts nothing', async () => {
      for (let i = 0; i < 3; i++) {
        clock.advance(31)
        const opening = await open()
        if (opening.refused) throw new Error('refused')
        await fixture.verifications.cancel(opening.verification.id)
      }
      clock.advance(10)
      // Both rules refuse: the number has 20 seconds to wait as well.
      expect(await open()).toEqual({ refused: { ok: false, rule: hour, retryAfterSeconds: 3600 - 72 } })
      expect(await left(address)).toEqual([1])
      const { current } = await fixture.verifications.situation('default', TO, 'verify')
      expect(current?.status).toBe('canceled')
    })

    test('F22: an approval from the future, after the clock was set back, ends no wait', async () => {
      await approve(await open())
      clock.advanceMs(-8)
      expect(await open()).toMatchObject({ refused: { rule: wait } })
    })

    test('an approval of the number ends its wait and no other limit', async () => {
      const opening = await open()
      expect(await open({ purpose: 'login' })).toMatchObject({ refused: { rule: wait } })
      await approve(opening)
      const second = await open({ purpose: 'login' })
      expect(second).toMatchObject({ opened: true })
      expect(await open({ purpose: 'signup' })).toMatchObject({ refused: { rule: wait } })
      expect(await left(number())).toEqual([0, 1])
      await approve(second)
      await approve(await open({ purpose: 'signup' }))
      expect(await open({ purpose: 'reset' })).toMatchObject({ refused: { rule: hour } })
    })

    test('R19: of 200 at once for one number and six purposes one opens and one hit is taken', async () => {
      const purposes = ['verify', 'login', 'signup', 'reset', 'phone_change', 'second_factor'] as const
      const all = await Promise.all(
        Array.from({ length: 200 }, (_, i) => open({ purpose: purposes[i % 6] ?? 'verify' })),
      )
      expect(all.filter((one) => one.refused === null && one.opened)).toHaveLength(1)
      expect(await left(number())).toEqual([0, 2])
      expect(await left(address)).toEqual([3])
    })

    test('where two open one slot at once with room for both, one opens and the other is not charged', async () => {
      const roomy = charge({ key: 'roomy', rules: [{ name: 'r', limit: 500, windowSeconds: 60 }] })
      const all = await Promise.all(Array.from({ length: 100 }, () => open({}, roomy)))
      expect(all.filter((one) => one.refused === null && one.opened)).toHaveLength(1)
      expect((await fixture.counters.peek(roomy.counters)).map(({ remaining }) => remaining)).toEqual([499])
    })

    test('starts that find one pending take no room from another at the same time', async () => {
      const narrow = charge({ key: 'narrow', rules: [{ name: 'n', limit: 2, windowSeconds: 60 }] })
      const numbers = [...Array.from({ length: 20 }, () => TO), '+14155552672']
      const all = await Promise.all(numbers.map((to) => open({ to }, narrow)))
      const opened = all.flatMap((one) => (one.refused === null && one.opened ? one.verification.to : []))
      expect(opened.sort()).toEqual([TO, '+14155552672'])
    })

    test('R21: an address that starts 100 numbers at once opens as many as it may', async () => {
      const numbers = Array.from({ length: 100 }, (_, i) => `+1415555${1000 + i}`)
      const all = await Promise.all(numbers.map((to) => open({ to }, charge(number(to), address))))
      expect(all.filter((one) => one.refused === null && one.opened)).toHaveLength(4)
      const waits = await fixture.counters.peek(numbers.map((to) => ({ ...number(to), rules: [wait] })))
      expect(waits.filter(({ remaining }) => remaining === 0)).toHaveLength(4)
    })
  })
}
