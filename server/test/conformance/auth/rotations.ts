import { describe, expect, test } from 'vitest'
import { type AuthWorld, GRACE_SECONDS, IDLE_SECONDS } from './world.ts'

/** Uses of refresh tokens. */
export function rotations(world: AuthWorld): void {
  describe('rotations', () => {
    /** Asserts that a session is gone because an old token came, and that this was told of once. */
    const hasEndedAsReused = async (userId: string, sessionId: string) => {
      expect(await world.store.session(sessionId)).toBeUndefined()
      expect(await world.store.sessionsOf(userId)).toEqual([])
      const { data } = await world.store.events({ limit: 10, type: 'session.reused' })
      expect(data).toMatchObject([{ userId, sessionId, by: { address: '192.0.2.7' } }])
      const newest = world.rotation(sessionId, 1)
      await world.recordsNothing(async () =>
        expect(await world.store.rotate(newest)).toEqual({ outcome: 'ended' }),
      )
    }

    test('each use gives the next generation, and renews the idle time but not the life', async () => {
      const { clock, store } = world
      const { user, session } = await world.someone()
      for (let generation = 0; generation < 5; generation++) {
        clock.advance(IDLE_SECONDS / 2)
        const used = {
          ...session,
          usedAt: clock.now(),
          address: `192.0.2.${generation}`,
          idleUntil: Math.min(clock.now() + IDLE_SECONDS * 1000, session.expiresAt),
        }
        const rotation = world.rotation(session.id, generation, { address: used.address })
        const rotated = { outcome: 'rotated', generation: generation + 1, session: used, user }
        expect(await store.rotate(rotation)).toEqual(rotated)
        expect(await store.session(session.id)).toEqual({ session: used, user })
      }
      expect(await world.typesOf(user.id)).toEqual(['session.started', 'user.created'])
    })

    test('the token before comes again within the grace, as often as it likes, and gives the same child', async () => {
      const { clock, store } = world
      const { session, user } = await world.someone()
      clock.advance(60)
      const first = await store.rotate(world.rotation(session.id, 0))
      for (const ms of [0, 5_000, GRACE_SECONDS * 1000 - 5_001]) {
        clock.advanceMs(ms)
        const again = await store.rotate(world.rotation(session.id, 0))
        expect(again).toEqual({ ...first, outcome: 'repeated' })
      }
      expect(await store.rotate(world.rotation(session.id, 1))).toMatchObject({ generation: 2 })
      expect(await world.typesOf(user.id)).toEqual(['session.started', 'user.created'])
    })

    test('the token before that comes after the grace ends the session', async () => {
      const { clock, store } = world
      const { user, session } = await world.someone()
      await store.rotate(world.rotation(session.id, 0))
      clock.advance(GRACE_SECONDS)
      expect(await store.rotate(world.rotation(session.id, 0))).toEqual({ outcome: 'reused' })
      await hasEndedAsReused(user.id, session.id)
    })

    test('the token before that another agent brings ends the session, also within the grace', async () => {
      const { store } = world
      const { user, session } = await world.someone()
      await store.rotate(world.rotation(session.id, 0))
      expect(await store.rotate(world.rotation(session.id, 0, { agent: 'curl' }))).toEqual({
        outcome: 'reused',
      })
      await hasEndedAsReused(user.id, session.id)
    })

    test('the agent that counts is the one that the session began with', async () => {
      const { store } = world
      const { session } = await world.someone()
      const updated = await store.rotate(world.rotation(session.id, 0, { agent: 'Firefox 2' }))
      expect(updated).toMatchObject({ outcome: 'rotated', session: { agent: 'Firefox' } })
      expect(await store.rotate(world.rotation(session.id, 0))).toMatchObject({ outcome: 'repeated' })
      const again = await store.rotate(world.rotation(session.id, 0, { agent: 'Firefox 2' }))
      expect(again).toEqual({ outcome: 'reused' })
    })

    test('a token whose child was used ends the session, also within the grace', async () => {
      const { store } = world
      const { user, session } = await world.someone()
      await store.rotate(world.rotation(session.id, 0))
      await store.rotate(world.rotation(session.id, 1))
      expect(await store.rotate(world.rotation(session.id, 0))).toEqual({ outcome: 'reused' })
      await hasEndedAsReused(user.id, session.id)
    })

    test('without a grace nothing comes again', async () => {
      const { store } = world
      const { session } = await world.someone()
      await store.rotate(world.rotation(session.id, 0))
      const again = await store.rotate(world.rotation(session.id, 0, { graceSeconds: 0 }))
      expect(again).toEqual({ outcome: 'reused' })
    })

    test('F22: a clock that is set back makes the grace no longer', async () => {
      const { clock, store } = world
      const { user, session } = await world.someone()
      await store.rotate(world.rotation(session.id, 0))
      clock.advance(-3600)
      expect(await store.rotate(world.rotation(session.id, 0))).toEqual({ outcome: 'reused' })
      await hasEndedAsReused(user.id, session.id)
    })

    test('a generation that was never given and a session that never was come to nothing, and change nothing', async () => {
      const { clock, store } = world
      const { user, session } = await world.someone()
      clock.advance(1)
      await world.recordsNothing(async () => {
        for (const generation of [1, 2, 1_000_000])
          expect(await store.rotate(world.rotation(session.id, generation))).toEqual({ outcome: 'ended' })
        expect(await store.rotate(world.rotation('ses_none', 0))).toEqual({ outcome: 'ended' })
      })
      expect(await store.session(session.id)).toEqual({ session, user })
      expect(await store.rotate(world.rotation(session.id, 0))).toMatchObject({ generation: 1 })
    })

    test('of 100 who use one token at once, one is first and all get the same child', async () => {
      const { session } = await world.someone()
      for (let generation = 0; generation < 3; generation++) {
        const all = await world.race(100, (store) => store.rotate(world.rotation(session.id, generation)))
        expect(all.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(1)
        expect(all.filter(({ outcome }) => outcome === 'repeated')).toHaveLength(99)
        const children = new Set(all.map((rotated) => ('generation' in rotated ? rotated.generation : -1)))
        expect([...children]).toEqual([generation + 1])
      }
    })

    test('of 100 who use one token at once without a grace, one goes on, and the second ends the session', async () => {
      const { user, session } = await world.someone()
      const all = await world.race(100, (store) =>
        store.rotate(world.rotation(session.id, 0, { graceSeconds: 0 })),
      )
      const count = (wanted: string) => all.filter(({ outcome }) => outcome === wanted).length
      expect([count('rotated'), count('reused'), count('ended')]).toEqual([1, 1, 98])
      await hasEndedAsReused(user.id, session.id)
    })

    test('a session that is ended while it is used stays ended', async () => {
      const { store } = world
      const { user, session } = await world.someone()
      await world.race(40, async (one, at) =>
        at === 17
          ? one.endSession(user.id, session.id, world.event('session.ended'))
          : one.rotate(world.rotation(session.id, 0)),
      )
      expect(await store.session(session.id)).toBeUndefined()
      expect(await store.sessionsOf(user.id)).toEqual([])
    })
  })
}
