import { describe, expect, test } from 'vitest'
import { type AuthWorld, BARE, DAY, PROOF_SECONDS } from './world.ts'

/** Changes of a number, and taking them back. */
export function phones(world: AuthWorld): void {
  describe('numbers', () => {
    /** Someone who has changed their number once, with the ticket to take that back. */
    const changed = async () => {
      const { clock, store } = world
      const { user, session, phone: from } = await world.someone({ passwordHash: '$1' })
      clock.advance(60)
      const to = world.phone()
      const change = await world.change(user.id, to, session.id)
      expect(await store.changePhone(change)).toBeDefined()
      clock.advance(60)
      return { user, session, from, to, undo: change.undo.id }
    }
    const restore = (ticketId: string, store = world.store) => store.restorePhone(ticketId, world.told())
    const phoneOf = async (id: string) => (await world.store.account({ id }))?.phone

    test('a proven number is given to a user, and ends the other sessions', async () => {
      const { clock, store } = world
      const { user, session, phone: from } = await world.someone({ passwordHash: '$1' })
      const { user: stranger } = await world.someone()
      await world.another(user.id, '$1')
      clock.advance(60)
      const phone = world.phone()
      const after = { ...user, phone, phoneVerifiedAt: clock.now() }
      const change = await world.change(user.id, phone, session.id)
      expect(await store.changePhone(change)).toEqual({ user: after, from, detached: null })
      expect(await store.account({ phone })).toEqual({ ...after, ...BARE, passwordHash: '$1', version: 1 })
      expect(await store.account({ phone: from })).toBeUndefined()
      expect(await world.sessionIds(user.id)).toEqual([session.id])
      expect(await world.sessionIds(stranger.id)).toHaveLength(1)
      const { data } = await store.events({ limit: 10, type: 'phone.changed' })
      expect(data).toMatchObject([{ userId: user.id, sessionId: null }])
    })

    test('it is taken from whoever had it, also when that account is shut, and they keep everything else', async () => {
      const { store } = world
      const { user, session } = await world.someone()
      const { user: had, session: kept, phone } = await world.someone({ passwordHash: '$1' })
      const change = await world.change(user.id, phone, session.id)
      expect(await store.changePhone(change)).toMatchObject({ user: { phone }, detached: had.id })
      const left = { ...had, ...BARE, phone: null, phoneVerifiedAt: null, passwordHash: '$1', version: 1 }
      expect(await store.account({ id: had.id })).toEqual(left)
      expect(await world.sessionIds(had.id)).toEqual([kept.id])
      expect((await world.typesOf(had.id)).filter((type) => type === 'phone.detached')).toHaveLength(1)

      const { user: shut, phone: third } = await world.someone()
      await store.setStatus(shut.id, 'disabled', world.event('user.disabled'))
      const again = await world.change(user.id, third, session.id)
      expect(await store.changePhone(again)).toMatchObject({ user: { phone: third }, detached: shut.id })
      expect(await phoneOf(shut.id)).toBeNull()
    })

    test('one’s own number is proven again, and there is nothing to take back', async () => {
      const { clock, store } = world
      const { user, session, phone } = await world.someone()
      clock.advance(60)
      const change = await world.change(user.id, phone, session.id)
      const answer = await store.changePhone(change)
      expect(answer).toMatchObject({
        user: { phone, phoneVerifiedAt: clock.now() },
        from: phone,
        detached: null,
      })
      expect(await restore(change.undo.id)).toBeUndefined()
      expect(await world.sessionIds(user.id)).toEqual([session.id])
    })

    test('whoever had none has nothing to take back', async () => {
      const { clock, store } = world
      const { user, phone } = await world.someone({ passwordHash: '$1' })
      clock.advance(PROOF_SECONDS + 1)
      await world.enter({ phone })
      const session = await world.another(user.id, '$1')
      const change = await world.change(user.id, world.phone(), session.id)
      expect(await store.changePhone(change)).toMatchObject({ from: null, detached: null })
      expect(await restore(change.undo.id)).toBeUndefined()
      expect(await world.sessionIds(user.id)).toEqual([session.id])
    })

    test('a user who is shut or gone gets no number, and nobody loses theirs', async () => {
      const { store } = world
      const { user, session, phone: from } = await world.someone()
      const { user: had, phone } = await world.someone()
      await store.setStatus(user.id, 'disabled', world.event('user.disabled'))
      await world.recordsNothing(async () => {
        for (const id of [user.id, 'usr_none']) {
          const change = await world.change(id, phone, session.id)
          expect(await store.changePhone(change)).toBeUndefined()
          expect(await restore(change.undo.id)).toBeUndefined()
        }
      })
      expect([await phoneOf(user.id), await phoneOf(had.id)]).toEqual([from, phone])
    })

    test('of 20 users who prove one number at once, one has it at the end and the others have none', async () => {
      const { store } = world
      const made: { id: string; session: string }[] = []
      for (let n = 0; n < 20; n++) {
        const { user, session } = await world.someone()
        made.push({ id: user.id, session: session.id })
      }
      const phone = world.phone()
      const all = await world.race(20, async (one, at) => {
        const { id, session } = made[at] ?? { id: '', session: '' }
        return one.changePhone(await world.change(id, phone, session))
      })
      const detached = all.map((answer) => answer?.detached).filter((id) => typeof id === 'string')
      expect(new Set(detached).size).toBe(19)
      const { data } = await store.users({ limit: 100 })
      expect(data.filter((user) => user.phone === phone)).toHaveLength(1)
      expect(data.filter((user) => user.phone === null).map(({ id }) => id)).toEqual(
        expect.arrayContaining(detached),
      )
      expect((await store.events({ limit: 100, type: 'phone.detached' })).data).toHaveLength(19)
    })

    test('of 20 changes of one’s own number at once, the way back is to the number from before them', async () => {
      const { store } = world
      const { user, session, phone: from } = await world.someone()
      const changes: Awaited<ReturnType<typeof world.change>>[] = []
      for (let n = 0; n < 20; n++) changes.push(await world.change(user.id, world.phone(), session.id))
      const all = await world.race(20, (one, at) => one.changePhone(changes[at]!))
      expect(all.filter((answer) => answer?.from === from)).toHaveLength(1)
      const undo = changes[0]?.undo.id ?? ''
      expect(await restore(undo)).toMatchObject({ user: { phone: from } })
      expect(await store.account({ phone: from })).toMatchObject({ id: user.id })
    })

    test('the number from before is put back, proven anew, and every session ends', async () => {
      const { clock, store } = world
      const { user, from, to, undo } = await changed()
      const restored = { ...user, phone: from, phoneVerifiedAt: clock.now() }
      expect(await restore(undo)).toEqual({ user: restored })
      expect(await store.account({ phone: from })).toMatchObject(restored)
      expect(await store.account({ phone: to })).toBeUndefined()
      expect(await store.sessionsOf(user.id)).toEqual([])
      const { data } = await store.events({ limit: 10, type: 'phone.restored' })
      expect(data).toMatchObject([{ userId: user.id, sessionId: null }])
      await world.recordsNothing(async () => expect(await restore(undo)).toBeUndefined())
    })

    test('of 30 who take one change back at once, one does', async () => {
      const { store } = world
      const { user, from, undo } = await changed()
      const all = await world.race(30, (one) => restore(undo, one))
      expect(all.filter((answer) => answer !== undefined)).toHaveLength(1)
      expect(await phoneOf(user.id)).toBe(from)
      expect((await store.events({ limit: 100, type: 'phone.restored' })).data).toHaveLength(1)
    })

    test('a number that somebody else has by now is not put back, then or later', async () => {
      const { store } = world
      const { user, session, from, to, undo } = await changed()
      const { user: owner } = await world.enter({ phone: from })
      await world.recordsNothing(async () => {
        expect(await restore(undo)).toBeUndefined()
        expect([await phoneOf(user.id), await phoneOf(owner.id)]).toEqual([to, from])
        expect(await world.sessionIds(user.id)).toEqual([session.id])
      })
      await store.deleteUser(owner.id, world.event('user.deleted'))
      expect(await restore(undo)).toBeUndefined()
      expect(await phoneOf(user.id)).toBe(to)
    })

    test('a change that was taken back takes those after it with it, and leaves those before', async () => {
      const { clock, store } = world
      const { user, session, from, to, undo } = await changed()
      // Whoever has stolen an account moves it twice, so as to have a way back of their own.
      const away = await world.change(user.id, world.phone(), session.id)
      await store.changePhone(away)
      clock.advance(60)
      expect(await store.ticket('phone_undo', undo)).toMatchObject({ userId: user.id, data: { from } })
      expect(await restore(undo)).toMatchObject({ user: { phone: from } })
      expect(await store.ticket('phone_undo', undo)).toBeUndefined()
      expect(await restore(away.undo.id)).toBeUndefined()
      expect(await phoneOf(user.id)).toBe(from)

      const { session: own } = await world.enter({ phone: from })
      const first = await world.change(user.id, to, own.id)
      await store.changePhone(first)
      clock.advance(60)
      const second = await world.change(user.id, world.phone(), own.id)
      await store.changePhone(second)
      clock.advance(60)
      expect(await restore(second.undo.id)).toMatchObject({ user: { phone: to } })
      expect(await restore(first.undo.id)).toMatchObject({ user: { phone: from } })
    })

    test('a change is taken back within its time, and not with a ticket of another kind', async () => {
      const { clock, store } = world
      const { user, to, undo } = await changed()
      const data = { from: '+14155550000' }
      const other = world.ticket({ kind: 'reset', userId: user.id, data })
      await store.putTicket(other, 600)
      expect(await restore(other.id)).toBeUndefined()
      expect(await store.takeTicket('reset', other.id)).toEqual(other)
      clock.advance(7 * DAY - 60)
      expect(await restore(undo)).toBeUndefined()
      expect(await restore('tkt_none')).toBeUndefined()
      clock.advance(-DAY)
      expect(await restore(undo)).toBeUndefined()
      expect(await phoneOf(user.id)).toBe(to)
    })

    test('a shut account gets its number back and stays shut; a deleted one stays deleted', async () => {
      const { store } = world
      const one = await changed()
      await store.setStatus(one.user.id, 'disabled', world.event('user.disabled'))
      expect(await restore(one.undo)).toMatchObject({ user: { phone: one.from, status: 'disabled' } })
      const another = await changed()
      await store.deleteUser(another.user.id, world.event('user.deleted'))
      await world.recordsNothing(async () => expect(await restore(another.undo)).toBeUndefined())
      expect(await store.account({ phone: another.from })).toBeUndefined()
    })

    test('while a change is taken back and others enter with the number from before, one has it', async () => {
      const { store } = world
      const { user, from, to, undo } = await changed()
      const all = await world.race(40, async (one, at) =>
        at === 17 ? await restore(undo, one) : await one.enter(world.entry({ phone: from })),
      )
      const { data } = await store.users({ limit: 100 })
      const having = data.filter((each) => each.phone === from)
      expect(having).toHaveLength(1)
      const isRestored = all[17] !== undefined
      expect([having[0]?.id === user.id, await phoneOf(user.id)]).toEqual([
        isRestored,
        isRestored ? from : to,
      ])
      expect(data).toHaveLength(isRestored ? 1 : 2)
    })
  })
}
