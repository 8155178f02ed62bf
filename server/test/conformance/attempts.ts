import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MessagingStore } from '../../src/messaging/store.ts'
import type { Attempt, AttemptFilter, AttemptStore } from '../../src/verify/attempts.ts'
import type { Draft, VerifyStore } from '../../src/verify/store.ts'
import { FakeClock } from '../fake-clock.ts'
import { planned } from './planned.ts'
import { draft, guessOf, RIGHT } from './verify-store.ts'

/** A fresh, empty store on this clock. */
export type AttemptsFixture = {
  verifications: VerifyStore
  messaging: MessagingStore
  attempts: AttemptStore
  close(): Promise<void>
}

const OWN = { services: ['default'] }
/** More verifications than one look goes over. */
const MANY = 1_001
/** More looks than any test needs. */
const LOOKS_MAX = 100

/** What every store tells of what was sent for verifications. */
export function describeAttempts(name: string, make: (clock: FakeClock) => Promise<AttemptsFixture>): void {
  describe(`attempts: ${name}`, () => {
    let clock: FakeClock
    let fixture: AttemptsFixture
    let numbers: number

    /** Opens a verification of a number of its own with its first send, a second after what was before. */
    const open = async (changes: Partial<Draft> = {}) => {
      clock.advance(1)
      const to = `+1415555${String(2000 + numbers++)}`
      return (await fixture.verifications.open(draft(clock, { to, send: planned(), ...changes })))
        .verification
    }
    /** Sends a verification again. */
    const resend = async (id: string, channel: Draft['channel'] = 'sms') => {
      const send = planned({ cause: 'resend', channel })
      const again = { channel, cooldownSeconds: 1, send, early: true }
      expect((await fixture.verifications.resend(id, again)).refused).toBeNull()
    }
    const approve = (id: string) => fixture.verifications.judge(guessOf(id, RIGHT))
    /** Every attempt that is asked for, over as many looks as it takes. */
    const all = async (filter: AttemptFilter = OWN, limit = 100, between = async () => {}) => {
      const seen: Attempt[] = []
      let from: { readonly cursor?: string } = {}
      for (let looks = 0; looks < LOOKS_MAX; looks++) {
        const page = await fixture.attempts.list({ ...filter, limit, ...from })
        expect(page.data.length).toBeLessThanOrEqual(limit)
        seen.push(...page.data)
        if (page.nextCursor === null) return seen
        from = { cursor: page.nextCursor }
        await between()
      }
      throw new Error('the list has no end')
    }
    /** How many there are by the summary, over as many looks as it takes. */
    const count = async (filter: AttemptFilter = OWN) => {
      let [total, converted] = [0, 0]
      let from: { readonly cursor?: string } = {}
      for (let looks = 0; looks < LOOKS_MAX; looks++) {
        const counted = await fixture.attempts.summary({ ...filter, ...from })
        total += counted.total
        converted += counted.converted
        if (counted.nextCursor === null) return { total, converted }
        from = { cursor: counted.nextCursor }
      }
      throw new Error('the summary has no end')
    }
    const nameOf = ({ verification, ordinal }: Attempt) => `${verification.id}:${ordinal}`
    /** Expects these attempts and no others, by the list and by the summary. */
    const expectFound = async (filter: Partial<AttemptFilter>, names: readonly string[]) => {
      const asked = { ...OWN, ...filter }
      expect((await all(asked)).map(nameOf), JSON.stringify(filter)).toEqual(names)
      expect((await count(asked)).total, JSON.stringify(filter)).toBe(names.length)
    }

    beforeEach(async () => {
      clock = new FakeClock()
      numbers = 0
      fixture = await make(clock)
    })
    afterEach(() => fixture.close())

    test('every send of a verification is one, told with its place and as the store tells both', async () => {
      const { id } = await open({ sendsMax: 3, metadata: { a: 'b' }, locale: 'de' })
      await resend(id)
      await fixture.messaging.recordSend(id, planned({ provider: 'vonage', cause: 'failover' }))
      const verification = await fixture.verifications.find(id)
      const sends = await fixture.messaging.sendsOf(id)
      expect(sends).toHaveLength(3)
      expect(await all()).toEqual(
        sends
          .map((send, index) => ({ verification, send, ordinal: index + 1, isConverted: false }))
          .toReversed(),
      )
    })

    test('what was never sent is none, and one whose time is over reads as expired', async () => {
      const { send: _send, ...unsent } = draft(clock)
      await fixture.verifications.open(unsent)
      expect(await all()).toEqual([])
      const { id } = await open()
      clock.advance(601)
      expect(await all()).toMatchObject([{ verification: { id, status: 'expired' }, isConverted: false }])
    })

    test('the newest verification is first and of each the newest send, page by page, while others are added', async () => {
      const wanted: string[] = []
      let last = ''
      for (let n = 0; n < 4; n++) {
        const { id } = await open()
        if (n % 2 === 0) await resend(id)
        wanted.unshift(...(n % 2 === 0 ? [`${id}:2`] : []), `${id}:1`)
        last = id
      }
      for (const limit of [1, 2, 3, 6, 7])
        expect((await all(OWN, limit)).map(nameOf), `${limit} a page`).toEqual(wanted)
      const added = async () => {
        await open()
        await fixture.messaging.recordSend(last, planned())
      }
      for (const limit of [1, 2, 4]) {
        const before = (await all()).map(nameOf)
        const seen = (await all(OWN, limit, added)).map(nameOf)
        expect(seen, `${limit} a page`).toEqual(expect.arrayContaining(before))
        expect(new Set(seen).size, `${limit} a page`).toBe(seen.length)
      }
    })

    test('the newest send of an approved verification is converted, and no other', async () => {
      const [pending, approved, canceled] = [await open(), await open(), await open()]
      for (const { id } of [pending, approved, canceled]) await resend(id)
      await approve(approved.id)
      await fixture.verifications.cancel(canceled.id)
      await expectFound({ isConverted: true }, [`${approved.id}:2`])
      await expectFound({ isConverted: false }, [
        `${canceled.id}:2`,
        `${canceled.id}:1`,
        `${approved.id}:1`,
        `${pending.id}:2`,
        `${pending.id}:1`,
      ])
      expect(await count()).toEqual({ total: 6, converted: 1 })
    })

    test('they are those of the services that are asked for', async () => {
      const [first, second] = [await open(), await open({ service: 'second' })]
      await open({ service: 'third' })
      await expectFound({}, [`${first.id}:1`])
      await expectFound({ services: ['default', 'second'] }, [`${second.id}:1`, `${first.id}:1`])
      await expectFound({ services: ['none'] }, [])
      await expectFound({ services: [] }, [])
    })

    test('they are found by number, by what it begins with, by country, channel and verification', async () => {
      const first = await open()
      await resend(first.id, 'call')
      const abroad = await open({ to: '+447400123456', country: 'GB' })
      const again = await open({ to: first.to, service: 'second' })
      const both = [`${first.id}:2`, `${first.id}:1`]
      await expectFound({ to: first.to }, both)
      await expectFound({ to: first.to, services: ['second'] }, [`${again.id}:1`])
      await expectFound({ destinationPrefix: '+1415' }, both)
      await expectFound({ destinationPrefix: '+44' }, [`${abroad.id}:1`])
      await expectFound({ country: 'GB' }, [`${abroad.id}:1`])
      await expectFound({ channel: 'call' }, [`${first.id}:2`])
      await expectFound({ channel: 'sms' }, [`${abroad.id}:1`, `${first.id}:1`])
      for (const length of ['ver_'.length + 30, 'ver_'.length + 32, undefined])
        await expectFound({ verification: first.id.slice(0, length) }, both)
      await expectFound({ verification: `ver_${'f'.repeat(30)}` }, [])
      await expectFound({ verification: again.id }, [])
      await expectFound({ to: first.to, channel: 'call', country: 'US', isConverted: true }, [])
    })

    test('they are found by the time of the send, from the one on and before the other', async () => {
      const first = await open({ ttlSeconds: 7_200 })
      const start = clock.now()
      clock.advance(3_600)
      await resend(first.id)
      const later = clock.now()
      const second = await open()
      await expectFound({ since: start }, [`${second.id}:1`, `${first.id}:2`, `${first.id}:1`])
      await expectFound({ since: start + 1 }, [`${second.id}:1`, `${first.id}:2`])
      await expectFound({ since: later + 1 }, [`${second.id}:1`])
      await expectFound({ until: later + 1 }, [`${first.id}:2`, `${first.id}:1`])
      await expectFound({ until: later }, [`${first.id}:1`])
      await expectFound({ until: start }, [])
      await expectFound({ since: later, until: later + 1 }, [`${first.id}:2`])
    })

    test(`of ${MANY} others between them none is in the way, and of ${MANY} of its own none is lost`, async () => {
      const [one, two] = [await open({ service: 'few' }), await open({ service: 'few' })]
      await resend(one.id)
      clock.advance(1)
      const drafts = Array.from({ length: MANY }, (_, n) =>
        draft(clock, { to: `+1415556${String(1000 + n)}`, send: planned() }),
      )
      await Promise.all(drafts.map((each) => fixture.verifications.open(each)))
      const three = await open({ service: 'few' })
      const names = [`${three.id}:1`, `${two.id}:1`, `${one.id}:2`, `${one.id}:1`]
      await expectFound({ services: ['few'] }, names)
      await expectFound(
        {},
        drafts
          .map(({ id }) => `${id}:1`)
          .toSorted()
          .toReversed(),
      )
      expect((await all(OWN, MANY)).length).toBe(MANY)
      // One look is bounded, however much is asked for.
      const look = await fixture.attempts.list({ ...OWN, limit: 10 * MANY })
      expect(look.data.length).toBeLessThan(MANY)
      expect(look.nextCursor).not.toBeNull()
      expect((await fixture.attempts.summary(OWN)).total).toBeLessThan(MANY)
    })
  })
}
