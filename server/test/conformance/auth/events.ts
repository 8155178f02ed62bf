import { describe, expect, test } from 'vitest'
import type { AuthEvent } from '../../../src/auth/events.ts'
import { type AuthWorld, DAY, RETENTION } from './world.ts'

/** What is told of what happened. */
export function events(world: AuthWorld): void {
  describe('events', () => {
    const ids = (page: { data: AuthEvent[] }) => page.data.map(({ id }) => id)

    test('an event is kept as it was told, with the store’s time', async () => {
      const { clock, store } = world
      const { user } = await world.someone()
      clock.advance(5)
      const whole = world.event('login.failed', {
        by: { actor: 'admin', key: 'key_1', address: '2001:db8::1', agent: 'é "x"' },
        data: { reason: 'wrong_password', to: '+1 ··· 71' },
      })
      await store.record({ ...whole, userId: user.id })
      clock.advance(5)
      const bare = world.event('login.failed', { by: { actor: 'anonymous', address: null, agent: null } })
      await store.record({ ...bare, userId: null })
      const at = clock.now()
      expect((await store.events({ limit: 10, type: 'login.failed' })).data).toEqual([
        { ...bare, userId: null, sessionId: null, at },
        { ...whole, userId: user.id, sessionId: null, at: at - 5000 },
      ])
    })

    test('events are listed newest first, a page at a time, by user and type', async () => {
      const { clock, store } = world
      const [{ user: ann }, { user: bob }] = [await world.someone(), await world.someone()]
      const made: { id: string; userId: string | null; type: string }[] = []
      for (let n = 0; n < 12; n++) {
        clock.advance(1)
        const type = n % 2 === 0 ? 'login.failed' : 'user.updated'
        const event = { ...world.event(type), userId: [ann.id, bob.id, null][n % 3] ?? null }
        await store.record(event)
        made.unshift(event)
      }
      const wanted = (of: (event: (typeof made)[number]) => boolean) => made.filter(of).map(({ id }) => id)
      const first = await store.events({ limit: 5 })
      expect(ids(first)).toEqual(wanted(() => true).slice(0, 5))
      const second = await store.events({ limit: 5, cursor: first.nextCursor ?? '' })
      expect(ids(second)).toEqual(wanted(() => true).slice(5, 10))

      const failed = wanted(({ type }) => type === 'login.failed')
      const page = await store.events({ limit: 4, type: 'login.failed' })
      expect(ids(page)).toEqual(failed.slice(0, 4))
      const rest = await store.events({ limit: 4, type: 'login.failed', cursor: page.nextCursor ?? '' })
      expect([ids(rest), rest.nextCursor]).toEqual([failed.slice(4), null])

      const updated = { limit: 10, type: 'user.updated', userId: bob.id } as const
      const ofBob = await store.events(updated)
      expect([ids(ofBob), ofBob.nextCursor]).toEqual([
        wanted(({ type, userId }) => type === 'user.updated' && userId === bob.id),
        null,
      ])
      const cursor = ids(ofBob)[0] ?? ''
      expect(ids(await store.events({ ...updated, cursor }))).toEqual(ids(ofBob).slice(1))
      expect(ids(await store.events({ limit: 4, userId: ann.id }))).toEqual(
        wanted(({ userId }) => userId === ann.id),
      )
      expect(ids(await store.events({ limit: 10, userId: 'usr_none' }))).toEqual([])
    })

    test('events are swept when they are past the retention, and not before', async () => {
      const { clock, fixture, store } = world
      await store.record({ ...world.event('login.failed'), userId: null })
      clock.advance(RETENTION.eventRetentionDays * DAY)
      const later = world.event('login.failed')
      await store.record({ ...later, userId: null })
      expect(await fixture.sweep()).toBe(0)
      clock.advanceMs(1)
      expect(await fixture.sweep()).toBe(1)
      expect(ids(await store.events({ limit: 10 }))).toEqual([later.id])
    })
  })
}
