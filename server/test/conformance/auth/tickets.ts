import { describe, expect, test } from 'vitest'
import type { AuthWorld } from './world.ts'

/** What can be used once. */
export function tickets(world: AuthWorld): void {
  describe('tickets', () => {
    test('a ticket is given back as it was put, once', async () => {
      const { store } = world
      const { user } = await world.someone()
      const data = { email: 'é "x"', name: null, empty: '' }
      for (const ticket of [
        world.ticket({ kind: 'registration', data }),
        world.ticket({ kind: 'reset', userId: user.id, data: {} }),
        world.ticket({ kind: 'phone_undo', userId: user.id, data }),
        world.ticket({ kind: 'challenge', userId: user.id, data }),
        world.ticket({ kind: 'app_setup', userId: user.id, data }),
      ]) {
        await store.putTicket(ticket, 600)
        expect(await store.takeTicket(ticket.kind, ticket.id)).toEqual(ticket)
        expect(await store.takeTicket(ticket.kind, ticket.id)).toBeUndefined()
      }
      expect(await store.takeTicket('reset', 'tkt_none')).toBeUndefined()
    })

    test('A12: of 30 who take one ticket at once, one gets it', async () => {
      const { store } = world
      for (let round = 0; round < 3; round++) {
        const ticket = world.ticket()
        await store.putTicket(ticket, 600)
        const taken = await world.race(30, (one) => one.takeTicket('reset', ticket.id))
        expect(taken.filter((one) => one !== undefined)).toEqual([ticket])
      }
    })

    test('A11: a ticket is of its kind alone, and two of different kinds may have one id', async () => {
      const { store } = world
      const reset = world.ticket({ kind: 'reset', data: { of: 'reset' } })
      await store.putTicket(reset, 600)
      expect(await store.takeTicket('registration', reset.id)).toBeUndefined()
      expect(await store.takeTicket('phone_undo', reset.id)).toBeUndefined()
      const registration = { ...reset, kind: 'registration', data: { of: 'registration' } } as const
      await store.putTicket(registration, 600)
      expect(await store.takeTicket('reset', reset.id)).toEqual(reset)
      expect(await store.takeTicket('reset', reset.id)).toBeUndefined()
      expect(await store.takeTicket('registration', reset.id)).toEqual(registration)
    })

    test('a ticket that is read stays good, and is read in its time and by its kind alone', async () => {
      const { clock, store } = world
      const ticket = world.ticket()
      await store.putTicket(ticket, 60)
      for (let n = 0; n < 2; n++) expect(await store.ticket('reset', ticket.id)).toEqual(ticket)
      expect(await store.ticket('registration', ticket.id)).toBeUndefined()
      expect(await store.ticket('reset', 'tkt_none')).toBeUndefined()
      clock.advanceMs(59_999)
      expect(await store.ticket('reset', ticket.id)).toEqual(ticket)
      clock.advanceMs(1)
      expect(await store.ticket('reset', ticket.id)).toBeUndefined()
    })

    test('a ticket takes the place of one of the same id, with its own time', async () => {
      const { clock, store } = world
      const { user } = await world.someone()
      const first = world.ticket({ data: { n: '1' } })
      const second = { ...first, userId: user.id, data: { n: '2' } }
      await store.putTicket(first, 60)
      clock.advance(59)
      await store.putTicket(second, 60)
      clock.advance(59)
      expect(await store.takeTicket('reset', first.id)).toEqual(second)
      expect(await store.takeTicket('reset', first.id)).toBeUndefined()
    })

    test('F22: a ticket lasts until its last millisecond; met after it, it stays used up', async () => {
      const { clock, store } = world
      const [early, late] = [world.ticket(), world.ticket()]
      for (const ticket of [early, late]) await store.putTicket(ticket, 60)
      clock.advanceMs(59_999)
      expect(await store.takeTicket('reset', early.id)).toEqual(early)
      clock.advanceMs(1)
      expect(await store.takeTicket('reset', late.id)).toBeUndefined()
      clock.advance(-3600)
      expect(await store.takeTicket('reset', late.id)).toBeUndefined()
    })

    test('tickets past their time are swept, and only those', async () => {
      const { clock, fixture, store } = world
      const [short, long] = [world.ticket(), world.ticket()]
      await store.putTicket(short, 60)
      await store.putTicket(long, 61)
      clock.advance(60)
      expect(await fixture.sweep()).toBe(1)
      expect(await store.takeTicket('reset', long.id)).toEqual(long)
    })
  })
}
