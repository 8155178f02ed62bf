import { describe, expect, test } from 'vitest'
import { type AuthWorld, DAY, IDLE_SECONDS, PHONE } from './world.ts'

/** Sessions that are opened with a password, listed and ended. */
export function sessions(world: AuthWorld): void {
  describe('sessions', () => {
    /** Someone with a password, and four sessions of which the first began with the number. */
    const withFour = async () => {
      const { user, session } = await world.someone({ passwordHash: '$1' })
      const opened = [session]
      for (let n = 0; n < 3; n++) {
        world.clock.advance(1)
        opened.push(await world.another(user.id, '$1'))
      }
      return { user, opened }
    }

    test('a password opens a session only while it is the one that was compared', async () => {
      const { clock, store } = world
      const { user } = await world.someone({ passwordHash: '$1' })
      clock.advance(60)
      const session = world.newSession({ amr: ['pwd', 'sms'], agent: 'Safari', address: '2001:db8::1' })
      const opened = await store.openSession(user.id, '$1', session, world.told())
      const { lifeSeconds, idleSeconds, withFactor, ...kept } = session
      expect(opened).toEqual({
        user,
        session: {
          ...kept,
          userId: user.id,
          authAt: clock.now(),
          factorAt: null,
          createdAt: clock.now(),
          usedAt: clock.now(),
          expiresAt: clock.now() + lifeSeconds * 1000,
          idleUntil: clock.now() + idleSeconds * 1000,
        },
      })
      expect(await store.session(session.id)).toEqual(opened)
      const [event] = (await store.events({ limit: 1, userId: user.id })).data
      expect(event).toMatchObject({ type: 'session.started', sessionId: session.id, at: clock.now() })
      await world.recordsNothing(async () => {
        for (const [id, hash] of [
          [user.id, '$2'],
          [user.id, ''],
          ['usr_none', '$1'],
        ] as const) {
          expect(await store.openSession(id, hash, world.newSession(), world.told())).toBeUndefined()
        }
      })
      expect(await world.sessionIds(user.id)).toHaveLength(2)
    })

    test('an account without a password, and one that is shut, open nothing', async () => {
      const { store } = world
      const { user: without } = await world.someone()
      const { user: shut } = await world.someone({ passwordHash: '$1' })
      await store.setStatus(shut.id, 'disabled', world.event('user.disabled'))
      await world.recordsNothing(async () => {
        for (const [id, hash] of [
          [without.id, ''],
          [without.id, 'null'],
          [shut.id, '$1'],
        ] as const) {
          expect(await store.openSession(id, hash, world.newSession(), world.told())).toBeUndefined()
        }
      })
    })

    test('whoever opens with a password while it is changed has no session afterwards', async () => {
      const { store } = world
      const { user } = await world.someone({ passwordHash: '$1' })
      await world.race(40, async (one, at) => {
        if (at !== 17) return one.openSession(user.id, '$1', world.newSession(), world.told())
        const change = { from: '$1', to: '$2', keep: { session: null }, event: world.event('password.reset') }
        return one.setPassword(user.id, change)
      })
      expect(await store.account({ id: user.id })).toMatchObject({ passwordHash: '$2' })
      expect(await store.sessionsOf(user.id)).toEqual([])
    })

    test('whoever opens with a password while the account is shut has no session afterwards', async () => {
      const { store } = world
      const { user } = await world.someone({ passwordHash: '$1' })
      await world.race(40, async (one, at) =>
        at === 17
          ? one.setStatus(user.id, 'disabled', world.event('user.disabled'))
          : one.openSession(user.id, '$1', world.newSession(), world.told()),
      )
      expect(await store.sessionsOf(user.id)).toEqual([])
      await store.setStatus(user.id, 'active', world.event('user.enabled'))
      expect(await store.sessionsOf(user.id)).toEqual([])
    })

    test('live sessions are listed newest first, and only one’s own', async () => {
      const { clock, store } = world
      const { user, opened } = await withFour()
      await world.someone()
      expect(await store.sessionsOf(user.id)).toEqual(opened.toReversed())
      await world.another(user.id, '$1', { idleSeconds: 10 })
      clock.advance(10)
      expect(await store.sessionsOf(user.id)).toEqual(opened.toReversed())
      expect(await store.sessionsOf('usr_none')).toEqual([])
    })

    test('a session lasts until the last millisecond of its idle time, and of its life however it is used', async () => {
      const { clock, store } = world
      const { user } = await world.someone({ passwordHash: '$1' })
      const limits = { lifeSeconds: 100, idleSeconds: 60 }
      const [unused, used] = [
        await world.another(user.id, '$1', limits),
        await world.another(user.id, '$1', limits),
      ]
      clock.advanceMs(59_999)
      expect(await store.session(unused.id)).toBeDefined()
      const usedNow = await store.rotate(world.rotation(used.id, 0, { idleSeconds: 60 }))
      expect(usedNow).toMatchObject({ outcome: 'rotated', session: { idleUntil: used.expiresAt } })
      clock.advanceMs(1)
      expect(await store.session(unused.id)).toBeUndefined()
      clock.advanceMs(39_999)
      expect(await store.session(used.id)).toBeDefined()
      clock.advanceMs(1)
      expect(await store.session(used.id)).toBeUndefined()
      expect(await store.rotate(world.rotation(used.id, 1))).toEqual({ outcome: 'ended' })
    })

    test('F22: a session that was met after its end stays ended when the clock is set back', async () => {
      const { clock, store } = world
      const { user } = await world.someone({ passwordHash: '$1' })
      const limits = { idleSeconds: 60 }
      const looked = await world.another(user.id, '$1', limits)
      const rotated = await world.another(user.id, '$1', limits)
      const ended = await world.another(user.id, '$1', limits)
      clock.advance(60)
      expect(await store.session(looked.id)).toBeUndefined()
      expect(await store.rotate(world.rotation(rotated.id, 0))).toEqual({ outcome: 'ended' })
      expect(await store.endSession(user.id, ended.id, world.event('session.ended'))).toBe(false)
      clock.advance(-3600)
      for (const { id } of [looked, rotated, ended]) {
        expect(await store.session(id)).toBeUndefined()
        expect(await store.rotate(world.rotation(id, 0))).toEqual({ outcome: 'ended' })
      }
      expect(await world.sessionIds(user.id)).toHaveLength(1)
    })

    test('a session is ended once, by its own user, and is told of as that one', async () => {
      const { store } = world
      const { user, opened } = await withFour()
      const { user: stranger } = await world.someone()
      const [first, second] = opened
      const end = (userId: string, id = '') => store.endSession(userId, id, world.event('session.ended'))
      await world.recordsNothing(async () => {
        expect(await end(stranger.id, first?.id)).toBe(false)
        expect(await end(user.id, 'ses_none')).toBe(false)
      })
      expect(await end(user.id, first?.id)).toBe(true)
      await world.recordsNothing(async () => expect(await end(user.id, first?.id)).toBe(false))
      expect(await store.session(first?.id ?? '')).toBeUndefined()
      expect(await store.rotate(world.rotation(first?.id ?? '', 0))).toEqual({ outcome: 'ended' })
      expect(await store.session(second?.id ?? '')).toBeDefined()
      const { data } = await store.events({ limit: 10, type: 'session.ended' })
      expect(data).toMatchObject([{ userId: user.id, sessionId: first?.id }])
    })

    test('of 30 who end one session at once, one has ended it', async () => {
      const { user, session } = await world.someone()
      const ended = await world.race(30, (one) =>
        one.endSession(user.id, session.id, world.event('session.ended')),
      )
      expect(ended.filter(Boolean)).toHaveLength(1)
      expect((await world.typesOf(user.id)).filter((type) => type === 'session.ended')).toHaveLength(1)
    })

    test('all sessions but one are ended, the live ones counted, and told of once', async () => {
      const { clock, store } = world
      const { user, opened } = await withFour()
      const { user: stranger } = await world.someone()
      await world.another(user.id, '$1', { idleSeconds: 1 })
      clock.advance(1)
      const keep = opened[1]?.id ?? ''
      expect(await store.endSessions(user.id, world.event('session.ended'), keep)).toBe(3)
      expect(await world.sessionIds(user.id)).toEqual([keep])
      expect(await world.sessionIds(stranger.id)).toHaveLength(1)
      const told = async () => (await store.events({ limit: 10, type: 'session.ended' })).data
      expect(await told()).toMatchObject([{ userId: user.id, sessionId: null }])
      expect(await store.endSessions(user.id, world.event('session.ended'))).toBe(1)
      expect(await store.sessionsOf(user.id)).toEqual([])
      expect(await told()).toHaveLength(2)
      await world.recordsNothing(async () => {
        expect(await store.endSessions(user.id, world.event('session.ended'))).toBe(0)
      })
    })

    test('a session of a user who is deleted or shut has ended, and opening the account brings none back', async () => {
      const { store } = world
      const { user, opened } = await withFour()
      const id = opened[0]?.id ?? ''
      await store.setStatus(user.id, 'disabled', world.event('user.disabled'))
      expect(await store.session(id)).toBeUndefined()
      expect(await store.sessionsOf(user.id)).toEqual([])
      expect(await store.rotate(world.rotation(id, 0))).toEqual({ outcome: 'ended' })
      await store.setStatus(user.id, 'active', world.event('user.enabled'))
      expect(await store.session(id)).toBeUndefined()
      expect(await store.sessionsOf(user.id)).toEqual([])
      const { session } = await world.enter({ phone: user.phone ?? PHONE })
      await store.deleteUser(user.id, world.event('user.deleted'))
      expect(await store.session(session.id)).toBeUndefined()
    })

    test('sessions past their end are swept, and only those', async () => {
      const { clock, fixture, store } = world
      const { user } = await world.someone({ passwordHash: '$1' })
      await world.another(user.id, '$1', { idleSeconds: 60 })
      await world.another(user.id, '$1', { lifeSeconds: DAY })
      clock.advance(59)
      expect(await fixture.sweep()).toBe(0)
      clock.advance(1)
      expect(await fixture.sweep()).toBe(1)
      clock.advance(DAY - 60)
      expect(await fixture.sweep()).toBe(1)
      expect(await store.sessionsOf(user.id)).toHaveLength(1)
      clock.advance(IDLE_SECONDS - DAY - 1)
      expect(await fixture.sweep()).toBe(0)
    })
  })
}
