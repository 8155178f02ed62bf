import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SEND_LEASE_SECONDS } from '../../src/messaging/lease.ts'
import type { Progress, Receipt } from '../../src/messaging/provider.ts'
import { sendRanks, statusOf } from '../../src/messaging/send-ranks.ts'
import type { MessagingStore, PlannedSend, Send, SendOutcome } from '../../src/messaging/store.ts'
import { makeId } from '../../src/primitives/ids.ts'
import type { VerifyStore } from '../../src/verify/store.ts'
import { FakeClock } from '../fake-clock.ts'
import { ACCEPTED, REFUSED, UNKNOWN } from './messaging-store.ts'
import { planned } from './planned.ts'
import { draft } from './verify-store.ts'

/** A fresh, empty store on this clock. */
export type ReceiptsFixture = {
  messaging: MessagingStore
  verifications: VerifyStore
  sweep(): Promise<number>
  close(): Promise<void>
}

/** How long a receipt waits for its send. */
const WAIT_SECONDS = 600

/** What every messaging store makes of receipts, in whatever order and however often they come. */
export function describeReceipts(name: string, make: (clock: FakeClock) => Promise<ReceiptsFixture>): void {
  describe(`receipts: ${name}`, () => {
    let clock: FakeClock
    let fixture: ReceiptsFixture
    let store: MessagingStore
    let opened = 0

    /** A verification with a send that is on its way. */
    const sending = async (changes: Partial<PlannedSend> = {}) => {
      const send = planned(changes)
      const to = `+1415555${1000 + ++opened}`
      const { verification } = await fixture.verifications.open(draft(clock, { to, send }))
      return { owner: verification.id, id: send.id, fence: 1 }
    }
    /** One that is settled. */
    const settled = async (changes: Partial<SendOutcome> = {}, send: Partial<PlannedSend> = {}) => {
      const held = await sending(send)
      await store.settleSend(held, { ...ACCEPTED, ref: `SM${held.id}`, ...changes })
      return { ...held, ref: `SM${held.id}` }
    }
    const tell = (ref: string, progress: Progress, more: Partial<Receipt> = {}) =>
      store.tell('twilio', { ref, progress, ...more })
    const sendOf = async (owner: string): Promise<Send> => {
      const [send] = await store.sendsOf(owner)
      if (!send) throw new Error('no such send')
      return send
    }

    beforeEach(async () => {
      clock = new FakeClock()
      fixture = await make(clock)
      store = fixture.messaging
    })
    afterEach(() => fixture.close())

    test('in any order and each more than once, a send ends at the most that was told, and never goes back', async () => {
      for (const order of ordersOf<Progress>(['queued', 'sent', 'undelivered', 'delivered', 'read'])) {
        const { owner, ref } = await settled()
        const history: Send['history'][number][] = []
        for (const progress of [...order, ...order]) {
          clock.advanceMs(1)
          const status = statusOf[progress]
          const isNews = sendRanks[status] > sendRanks[history.at(-1)?.status ?? 'accepted']
          if (isNews) history.push({ status, at: clock.now() })
          expect(await tell(ref, progress)).toMatchObject({
            state: isNews ? 'news' : 'old',
            send: { owner, status: history.at(-1)?.status ?? 'accepted', history },
          })
        }
        expect(await sendOf(owner)).toMatchObject({ status: 'read', history })
      }
    })

    test('of 50 that tell the same at once, one has news', async () => {
      for (const progress of ['sent', 'undelivered', 'delivered'] as const) {
        const { owner, ref } = await settled()
        const all = await Promise.all(Array.from({ length: 50 }, () => tell(ref, progress)))
        expect(all.filter(({ state }) => state === 'news')).toHaveLength(1)
        expect(all.filter(({ state }) => state === 'old')).toHaveLength(49)
        expect((await sendOf(owner)).history).toHaveLength(1)
      }
    })

    test('of all kinds at once none is lost and none undone', async () => {
      const words: readonly Progress[] = ['delivered', 'sent', 'read', 'undelivered', 'queued']
      for (let round = 0; round < 10; round++) {
        const { owner, ref } = await settled({ ref: null, status: 'unknown' })
        const told = Array.from({ length: 25 }, (_, at) => words[(at + round) % words.length] ?? 'read')
        const id = (await sendOf(owner)).id
        const all = await Promise.all(told.map((progress) => tell(ref, progress, { send: id })))
        const { status, history } = await sendOf(owner)
        expect(status).toBe('read')
        expect(all.filter(({ state }) => state === 'news')).toHaveLength(history.length)
        const ranks = history.map((step) => sendRanks[step.status])
        expect(ranks).toEqual([...new Set(ranks)].sort((one, other) => one - other))
      }
    })

    test('a message’s send is told of like a verification’s', async () => {
      const send = planned()
      const id = makeId('msg_', clock.now())
      const message = { id, service: 'default', to: '+14155552671', channel: 'sms', segments: 1 } as const
      await store.openMessage({ ...message, template: null }, send)
      await store.settleSend({ owner: id, id: send.id, fence: 1 }, ACCEPTED)
      expect(await tell('SM1', 'delivered')).toMatchObject({ state: 'news', send: { owner: id } })
      expect(await sendOf(id)).toMatchObject({ status: 'delivered', deliveredAt: clock.now() })
    })

    test('of several sends of one owner the right one is told', async () => {
      const { owner, ref } = await settled()
      const second = planned({ cause: 'resend' })
      await store.recordSend(owner, second)
      await store.settleSend({ owner, id: second.id, fence: 1 }, { ...ACCEPTED, ref: 'SMsecond' })
      await tell('SMsecond', 'sent')
      await tell(ref, 'undelivered', { why: 'blocked' })
      expect(await store.sendsOf(owner)).toMatchObject([
        { status: 'undelivered', error: 'blocked', history: [{ status: 'undelivered' }] },
        { status: 'sent', error: null, history: [{ status: 'sent' }] },
      ])
    })

    test('where a vendor has one id for several messages, its word is of the last one', async () => {
      const first = await settled({ ref: 'VE1' })
      clock.advance(1)
      const second = await settled({ ref: 'VE1' })
      expect(await tell('VE1', 'sent')).toMatchObject({ state: 'news', send: { id: second.id } })
      const third = planned({ cause: 'resend' })
      await store.recordSend(second.owner, third)
      await store.settleSend({ owner: second.owner, id: third.id, fence: 1 }, { ...ACCEPTED, ref: 'VE1' })
      expect(await tell('VE1', 'sent')).toMatchObject({ state: 'news', send: { id: third.id } })
      expect(await sendOf(first.owner)).toMatchObject({ status: 'accepted' })
    })

    test('one that comes before the answer waits, and is joined to its send when that is there', async () => {
      const send = await sending()
      const early = { ref: 'SMearly', progress: 'delivered', at: clock.now() + 500 } as const
      expect(await store.tell('twilio', early)).toEqual({ state: 'waiting' })
      expect(await store.tellWaiting(10)).toEqual([])
      clock.advance(2)
      await store.settleSend(send, { ...ACCEPTED, ref: 'SMearly', watchSeconds: 90 })
      expect(await sendOf(send.owner)).toMatchObject({ status: 'accepted', history: [] })
      const all = await Promise.all(Array.from({ length: 20 }, () => store.tellWaiting(10)))
      expect(all.flat()).toEqual([await sendOf(send.owner)])
      expect(await sendOf(send.owner)).toMatchObject({ status: 'delivered', deliveredAt: early.at })
      clock.advance(90)
      expect(await store.retakeSends(10)).toEqual([])
    })

    test('all that is said while it waits is kept, once', async () => {
      const why = { why: 'blocked', code: '30007', price: { amount: '0.0083', currency: 'USD' } } as const
      const send = await sending()
      for (let i = 0; i < 50; i++) {
        await tell('SMearly', 'undelivered', why)
        await store.tell('sns', { ref: 'SMearly', progress: 'undelivered' })
        await tell('SMearly', 'sent')
      }
      await store.settleSend(send, { ...ACCEPTED, ref: 'SMearly' })
      const news = await store.tellWaiting(10)
      expect(news.at(-1)).toEqual(await sendOf(send.owner))
      expect(await sendOf(send.owner)).toMatchObject({
        status: 'undelivered',
        error: 'blocked',
        vendorCode: '30007',
        price: why.price,
      })
      // The other provider's is left, which found nothing.
      clock.advance(WAIT_SECONDS)
      expect(await fixture.sweep()).toBe(1)
    })

    test('one waits for ten minutes, and is gone then, swept or not', async () => {
      const first = await sending()
      const second = await sending()
      await tell('SMfirst', 'delivered')
      clock.advance(1)
      await tell('SMsecond', 'delivered')
      await store.settleSend(first, { ...ACCEPTED, ref: 'SMfirst' })
      clock.advance(WAIT_SECONDS - 1)
      expect(await store.tellWaiting(10)).toEqual([])
      expect(await fixture.sweep()).toBe(1)
      await store.settleSend(second, { ...ACCEPTED, ref: 'SMsecond' })
      expect(await store.tellWaiting(10)).toMatchObject([{ id: second.id }])
      expect(await sendOf(first.owner)).toMatchObject({ status: 'accepted' })
    })

    test('one that waits for nothing holds up none behind it', async () => {
      const send = await sending()
      await tell('SMnone', 'delivered')
      clock.advance(1)
      await tell('SMearly', 'delivered')
      await store.settleSend(send, { ...ACCEPTED, ref: 'SMearly' })
      clock.advance(1)
      expect(await store.tellWaiting(1)).toEqual([])
      clock.advance(1)
      expect(await store.tellWaiting(1)).toMatchObject([{ id: send.id }])
    })

    test('a send whose answer was lost is found by our own id, and is known by the vendor’s from then on', async () => {
      for (const outcome of [UNKNOWN, REFUSED]) {
        const { owner, id, ref } = await settled(outcome)
        expect(await tell(ref, 'sent')).toEqual({ state: 'waiting' })
        expect(await tell(ref, 'sent', { send: id })).toMatchObject({
          state: 'news',
          send: { id, status: 'sent', ref, error: null, vendorCode: null },
        })
        expect(await tell(ref, 'delivered')).toMatchObject({ state: 'news' })
        expect(await sendOf(owner)).toMatchObject({ status: 'delivered', ref })
      }
    })

    test('by our own id one waits for a send on its way, and does not meet one whose answer is known', async () => {
      const send = await sending()
      expect(await tell('SMlost', 'sent', { send: send.id })).toEqual({ state: 'waiting' })
      expect(await sendOf(send.owner)).toMatchObject({ status: 'sending', ref: null, history: [] })
      await store.settleSend(send, UNKNOWN)
      expect(await store.tellWaiting(10)).toMatchObject([{ id: send.id, status: 'sent', ref: 'SMlost' }])
      const { owner, id } = await settled()
      expect(await tell('SMother', 'delivered', { send: id })).toEqual({ state: 'waiting' })
      expect(await sendOf(owner)).toMatchObject({ status: 'accepted' })
    })

    test('another provider’s receipt is of no send of this one', async () => {
      const known = await settled()
      const lost = await settled(UNKNOWN)
      const receipt = { ref: known.ref, progress: 'delivered' } as const
      expect(await store.tell('sns', receipt)).toEqual({ state: 'waiting' })
      expect(await store.tell('sns', { ref: 'x', send: lost.id, progress: 'sent' })).toEqual({
        state: 'waiting',
      })
      expect(await store.tellWaiting(10)).toEqual([])
      expect(await sendOf(known.owner)).toMatchObject({ status: 'accepted' })
      expect(await sendOf(lost.owner)).toMatchObject({ status: 'unknown' })
    })

    test('delivered and read end a watch; what comes before does not', async () => {
      for (const [progress, isWatched] of [
        ['sent', true],
        ['delivered', false],
        ['read', false],
      ] as const) {
        const { id, owner, ref } = await settled({ watchSeconds: 90 })
        await tell(ref, progress)
        clock.advance(90)
        expect(await store.retakeSends(10)).toMatchObject(isWatched ? [{ id, status: progress }] : [])
        await store.releaseSend({ owner, id, fence: 2 })
      }
    })

    test('undelivered makes a send that is watched due at once, and no other', async () => {
      const watched = await settled({ watchSeconds: 90 })
      const unwatched = await settled()
      clock.advance(1)
      for (const { ref } of [watched, unwatched]) await tell(ref, 'undelivered', { why: 'unavailable' })
      expect(await store.retakeSends(10)).toMatchObject([
        { id: watched.id, status: 'undelivered', error: 'unavailable', fence: 2 },
      ])
      // Told again, it is not due again.
      await tell(watched.ref, 'undelivered', { price: { amount: '0.0075', currency: 'USD' } })
      clock.advance(SEND_LEASE_SECONDS - 1)
      expect(await store.retakeSends(10)).toEqual([])
    })

    test('why it was not delivered is kept until it is delivered all the same', async () => {
      const { owner, ref } = await settled()
      await tell(ref, 'undelivered', { why: 'opted_out', code: '21610' })
      expect(await sendOf(owner)).toMatchObject({
        error: 'opted_out',
        vendorCode: '21610',
        deliveredAt: null,
      })
      await tell(ref, 'delivered', { why: 'blocked', code: '1' })
      expect(await sendOf(owner)).toMatchObject({ error: null, vendorCode: null })
    })

    test('it was delivered when the vendor says, but not before it was sent and not in the future', async () => {
      const from = clock.now()
      for (const [at, delivered] of [
        [from - 5_000, from],
        [from + 5_000, from + 5_000],
        [from + 15_000, from + 10_000],
        [undefined, from + 10_000],
      ]) {
        clock.advanceMs(from - clock.now())
        const { owner, ref } = await settled()
        clock.advance(10)
        await tell(ref, 'delivered', at === undefined ? {} : { at })
        expect(await sendOf(owner)).toMatchObject({
          deliveredAt: delivered,
          history: [{ status: 'delivered', at: delivered }],
        })
        await tell(ref, 'read')
        expect(await sendOf(owner)).toMatchObject({ status: 'read', deliveredAt: delivered })
      }
      const { owner, ref } = await settled()
      await tell(ref, 'sent')
      expect(await sendOf(owner)).toMatchObject({ deliveredAt: null })
    })

    test('its vendor’s ids are known, of whatever owner, and those of other providers are not', async () => {
      const [one, other] = [await settled(), await settled()]
      expect(await store.knownRefs('twilio', [one.ref, 'SMnobody', other.ref])).toEqual(
        new Set([one.ref, other.ref]),
      )
      expect(await store.knownRefs('somebody', [one.ref])).toEqual(new Set())
      expect(await store.knownRefs('twilio', [])).toEqual(new Set())
    })

    test('its history never runs backwards, whatever the vendor’s clock says', async () => {
      const from = clock.now()
      const { owner, ref } = await settled()
      clock.advance(10)
      await tell(ref, 'sent', { at: from + 9_000 })
      await tell(ref, 'delivered', { at: from + 4_000 })
      expect((await sendOf(owner)).history).toEqual([
        { status: 'sent', at: from + 9_000 },
        { status: 'delivered', at: from + 9_000 },
      ])
    })

    test('a price is the vendor’s last word, also when nothing else is new', async () => {
      const [planned, told, late] = ['0.0100', '0.0079', '0.0075'].map((amount) => ({
        amount,
        currency: 'USD',
      }))
      const { owner, ref } = await settled({ price: null }, { price: planned ?? null })
      await tell(ref, 'sent')
      expect(await sendOf(owner)).toMatchObject({ price: planned })
      await tell(ref, 'delivered', told ? { price: told } : {})
      expect(await sendOf(owner)).toMatchObject({ price: told })
      const again = await tell(ref, 'delivered', late ? { price: late } : {})
      expect(again).toEqual({ state: 'old', send: await sendOf(owner) })
      expect(await sendOf(owner)).toMatchObject({ status: 'delivered', price: late })
      expect((await sendOf(owner)).history).toHaveLength(2)
    })
  })
}

/** Every order of these. */
function ordersOf<T>(all: readonly T[]): T[][] {
  if (all.length === 0) return [[]]
  return all.flatMap((first, at) =>
    ordersOf(all.filter((_, other) => other !== at)).map((rest) => [first, ...rest]),
  )
}
