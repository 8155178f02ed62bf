import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SEND_LEASE_SECONDS } from '../../src/messaging/lease.ts'
import type { MessagingStore, PlannedSend, Send, SendOutcome } from '../../src/messaging/store.ts'
import { makeId } from '../../src/primitives/ids.ts'
import type { VerifyStore } from '../../src/verify/store.ts'
import { FakeClock } from '../fake-clock.ts'
import { planned } from './planned.ts'
import { draft } from './verify-store.ts'

/** A fresh, empty store on this clock. */
export type MessagingFixture = {
  messaging: MessagingStore
  verifications: VerifyStore
  close(): Promise<void>
}

export const ACCEPTED: SendOutcome = {
  status: 'accepted',
  error: null,
  ref: 'SM1',
  vendorCode: null,
  price: { amount: '0.0079', currency: 'USD' },
  watchSeconds: null,
}
export const UNKNOWN: SendOutcome = {
  status: 'unknown',
  error: 'unknown',
  ref: null,
  vendorCode: null,
  price: null,
  watchSeconds: null,
}
export const REFUSED: SendOutcome = {
  status: 'refused',
  error: 'bad_number',
  ref: null,
  vendorCode: '21211',
  price: null,
  watchSeconds: null,
}

/** What every messaging store keeps, and who may finish a send whose process has died. */
export function describeMessagingStore(
  name: string,
  make: (clock: FakeClock) => Promise<MessagingFixture>,
): void {
  describe(`messaging store: ${name}`, () => {
    let clock: FakeClock
    let fixture: MessagingFixture
    let store: MessagingStore

    const held = (owner: string, id: string, fence = 1) => ({ owner, id, fence })
    /** A verification with its first send. */
    const open = async (to = '+14155552671', send = planned()) => {
      const { verification } = await fixture.verifications.open(draft(clock, { to, send }))
      return { owner: verification.id, send }
    }
    const openMessage = async (service = 'default', send = planned()) => {
      const message = await store.openMessage(
        {
          id: makeId('msg_', clock.now()),
          service,
          to: '+14155552671',
          channel: 'sms',
          template: null,
          segments: 2,
        },
        send,
      )
      return { message, send }
    }

    /** What a send is once it is recorded. */
    const sendingOf = (owner: string, send: PlannedSend): Send => ({
      ...send,
      owner,
      status: 'sending',
      error: null,
      vendorCode: null,
      ref: null,
      at: clock.now(),
      deliveredAt: null,
      history: [],
    })

    beforeEach(async () => {
      clock = new FakeClock()
      fixture = await make(clock)
      store = fixture.messaging
    })
    afterEach(() => fixture.close())

    test('a verification opens with its send on the way, and the answer is written over it', async () => {
      const { owner, send } = await open()
      const sending = sendingOf(owner, send)
      expect(await store.sendsOf(owner)).toEqual([sending])
      expect(await store.settleSend(held(owner, send.id), ACCEPTED)).toBe(true)
      const price = { amount: '0.0079', currency: 'USD' }
      expect(await store.sendsOf(owner)).toEqual([{ ...sending, status: 'accepted', ref: 'SM1', price }])
    })

    test('all that was planned is kept, and the price until the vendor tells one', async () => {
      const price = { amount: '0.0100', currency: 'EUR' }
      const { owner, send } = await open('+14155552671', planned({ sender: null, country: 'BR', price }))
      await store.settleSend(held(owner, send.id), { ...REFUSED, error: 'unavailable' })
      const next = planned({ provider: 'sns', cause: 'failover', price })
      await store.recordSend(owner, next)
      await store.settleSend(held(owner, next.id), ACCEPTED)
      const last = planned({ cause: 'lost', price })
      const again = { channel: 'sms', cooldownSeconds: 60, send: last, early: true } as const
      await fixture.verifications.resend(owner, again)
      const refused = { status: 'refused', error: 'unavailable', vendorCode: '21211' }
      const accepted = { status: 'accepted', ref: 'SM1', price: ACCEPTED.price }
      expect(await store.sendsOf(owner)).toEqual([
        { ...sendingOf(owner, send), ...refused },
        { ...sendingOf(owner, next), ...accepted },
        sendingOf(owner, last),
      ])
      const message = await openMessage('default', planned({ price }))
      expect(await store.sendsOf(message.message.id)).toEqual([sendingOf(message.message.id, message.send)])
    })

    test('sends are told oldest first, each with what became of it', async () => {
      const { owner, send } = await open()
      await store.settleSend(held(owner, send.id), REFUSED)
      const second = planned()
      await store.recordSend(owner, { ...second, provider: 'sns' })
      const third = planned()
      clock.advance(31)
      await fixture.verifications.resend(owner, { channel: 'sms', cooldownSeconds: 60, send: third })
      expect((await store.sendsOf(owner)).map(({ id, status, error }) => [id, status, error])).toEqual([
        [send.id, 'refused', 'bad_number'],
        [second.id, 'sending', null],
        [third.id, 'sending', null],
      ])
      expect(await store.sendsOf('ver_none')).toEqual([])
    })

    test('a start that finds one pending records no send, nor does a resend that is refused', async () => {
      const { owner, send } = await open()
      expect(await open()).toMatchObject({ owner })
      const again = { channel: 'sms', cooldownSeconds: 60, send: planned() } as const
      expect(await fixture.verifications.resend(owner, again)).toMatchObject({ refused: 'too_soon' })
      expect((await store.sendsOf(owner)).map(({ id }) => id)).toEqual([send.id])
    })

    test('a message is kept with its first send, for its own service, newest first', async () => {
      const ids: string[] = []
      for (let i = 0; i < 5; i++) {
        clock.advance(1)
        ids.unshift((await openMessage()).message.id)
      }
      const [newest = ''] = ids
      expect(await store.message('default', newest)).toMatchObject({
        id: newest,
        segments: 2,
        createdAt: clock.now(),
      })
      expect(await store.message('other', newest)).toBeUndefined()
      expect(await store.sendsOf(newest)).toHaveLength(1)
      const first = await store.messages({ service: 'default', limit: 3 })
      expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 3))
      const rest = await store.messages({ service: 'default', limit: 3, cursor: first.nextCursor ?? '' })
      expect(rest).toMatchObject({ nextCursor: null })
      expect(rest.data.map(({ id }) => id)).toEqual(ids.slice(3))
      expect((await store.messages({ service: 'other', limit: 3 })).data).toEqual([])
    })

    test('a send that was never recorded cannot be settled', async () => {
      const { owner } = await open()
      expect(await store.settleSend(held(owner, 'snd_none'), ACCEPTED)).toBe(false)
    })

    test('F17: a send is its own process’s for its lease, and after that another’s', async () => {
      const { owner, send } = await open()
      const sending = sendingOf(owner, send)
      clock.advance(SEND_LEASE_SECONDS - 1)
      expect(await store.retakeSends(10)).toEqual([])
      clock.advance(1)
      expect(await store.retakeSends(10)).toEqual([{ ...sending, fence: 2 }])
      expect(await store.retakeSends(10)).toEqual([])
      clock.advance(SEND_LEASE_SECONDS)
      expect(await store.retakeSends(10)).toEqual([{ ...sending, fence: 3 }])
    })

    test('F21: of 20 that retake at once, each send goes to one', async () => {
      const ids: string[] = []
      for (let i = 0; i < 7; i++) ids.push((await open(`+1415555${1000 + i}`)).send.id)
      ids.push((await openMessage()).send.id)
      clock.advance(SEND_LEASE_SECONDS)
      const taken = (await Promise.all(Array.from({ length: 20 }, () => store.retakeSends(2)))).flat()
      expect(taken.map(({ id }) => id).sort()).toEqual(ids.sort())
    })

    test('F21: the one that was late writes nothing over the one that took over', async () => {
      const { owner, send } = await open()
      clock.advance(SEND_LEASE_SECONDS)
      await store.retakeSends(10)
      expect(await store.settleSend(held(owner, send.id, 1), REFUSED)).toBe(false)
      expect(await store.sendsOf(owner)).toMatchObject([{ status: 'sending' }])
      expect(await store.settleSend(held(owner, send.id, 2), ACCEPTED)).toBe(true)
      expect(await store.settleSend(held(owner, send.id, 1), REFUSED)).toBe(false)
      expect(await store.sendsOf(owner)).toMatchObject([{ status: 'accepted' }])
    })

    test('a send that is renewed stays with its process; one that was lost cannot be renewed', async () => {
      const { owner, send } = await open()
      const { message, send: other } = await openMessage()
      clock.advance(SEND_LEASE_SECONDS - 1)
      await store.renewSends([held(owner, send.id), held(message.id, other.id)])
      clock.advance(SEND_LEASE_SECONDS - 1)
      expect(await store.retakeSends(10)).toEqual([])
      clock.advance(1)
      expect(await store.retakeSends(10)).toHaveLength(2)
      clock.advance(SEND_LEASE_SECONDS - 1)
      await store.renewSends([held(owner, send.id)])
      clock.advance(1)
      expect(await store.retakeSends(10)).toHaveLength(2)
    })

    test('what is settled stays as it is, and is nobody’s to take unless it is watched', async () => {
      const { owner, send } = await open()
      await store.settleSend(held(owner, send.id), ACCEPTED)
      expect(await store.settleSend(held(owner, send.id), REFUSED)).toBe(false)
      expect(await store.sendsOf(owner)).toMatchObject([{ status: 'accepted', error: null }])
      clock.advance(10 * SEND_LEASE_SECONDS)
      expect(await store.retakeSends(10)).toEqual([])
    })

    test('a watch that is over without a word is taken over by one of many, whatever became of the send', async () => {
      for (const outcome of [ACCEPTED, UNKNOWN, REFUSED]) {
        const { message, send } = await openMessage()
        await store.settleSend(held(message.id, send.id), { ...outcome, watchSeconds: 90 })
        const [settled] = await store.sendsOf(message.id)
        clock.advance(89)
        expect(await store.retakeSends(10)).toEqual([])
        clock.advance(1)
        const taken = await Promise.all(Array.from({ length: 20 }, () => store.retakeSends(10)))
        expect(taken.flat()).toEqual([{ ...settled, fence: 2 }])
        clock.advance(SEND_LEASE_SECONDS)
        expect(await store.retakeSends(10)).toEqual([{ ...settled, fence: 3 }])
        await store.releaseSend(held(message.id, send.id, 3))
      }
    })

    test('whoever holds a send ends its watch, and nobody else', async () => {
      const { owner, send } = await open()
      await store.settleSend(held(owner, send.id), { ...ACCEPTED, watchSeconds: 90 })
      clock.advance(90)
      await store.retakeSends(10)
      await store.releaseSend(held(owner, send.id, 1))
      clock.advance(SEND_LEASE_SECONDS)
      expect(await store.retakeSends(10)).toMatchObject([{ id: send.id, fence: 3 }])
      await store.releaseSend(held(owner, send.id, 3))
      clock.advance(10 * SEND_LEASE_SECONDS)
      expect(await store.retakeSends(10)).toEqual([])
      expect(await store.sendsOf(owner)).toMatchObject([{ status: 'accepted', history: [] }])
    })

    test('a renewal makes a watch no shorter, and begins none', async () => {
      const { owner, send } = await open()
      const { message, send: other } = await openMessage()
      await store.settleSend(held(owner, send.id), { ...ACCEPTED, watchSeconds: 90 })
      await store.settleSend(held(message.id, other.id), ACCEPTED)
      await store.renewSends([held(owner, send.id), held(message.id, other.id)])
      clock.advance(89)
      expect(await store.retakeSends(10)).toEqual([])
      clock.advance(1)
      expect(await store.retakeSends(10)).toMatchObject([{ id: send.id }])
      clock.advance(SEND_LEASE_SECONDS - 1)
      await store.renewSends([held(owner, send.id, 2)])
      clock.advance(SEND_LEASE_SECONDS - 1)
      expect(await store.retakeSends(10)).toEqual([])
    })

    test('an answer that was lost may still come, to whoever holds the send by then', async () => {
      const { owner, send } = await open()
      expect(await store.settleSend(held(owner, send.id), { ...UNKNOWN, watchSeconds: 30 })).toBe(true)
      clock.advance(30)
      await store.retakeSends(10)
      expect(await store.settleSend(held(owner, send.id, 1), REFUSED)).toBe(false)
      expect(await store.sendsOf(owner)).toMatchObject([{ status: 'unknown', error: 'unknown' }])
      expect(await store.settleSend(held(owner, send.id, 2), ACCEPTED)).toBe(true)
      expect(await store.settleSend(held(owner, send.id, 2), REFUSED)).toBe(false)
      expect(await store.sendsOf(owner)).toMatchObject([{ status: 'accepted', error: null, ref: 'SM1' }])
    })
  })
}
