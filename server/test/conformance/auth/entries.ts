import { describe, expect, test } from 'vitest'
import { type AuthWorld, BARE, DAY, IDLE_SECONDS, LIFE_SECONDS, PHONE, PROOF_SECONDS } from './world.ts'

/** Who comes in with a number that was just proven. */
export function entries(world: AuthWorld): void {
  describe('entries', () => {
    test('a new number makes a user with all that was given, and a session', async () => {
      const { clock, store } = world
      const newUser = world.newUser({ email: 'ann@example.com', name: 'Ann É', passwordHash: '$argon2id$1' })
      const session = world.newSession({ amr: ['sms', 'pwd'], agent: 'Firefox "é"' })
      const entered = await world.enter({ newUser, session })
      const user = {
        id: newUser.id,
        email: 'ann@example.com',
        name: 'Ann É',
        phone: PHONE,
        phoneVerifiedAt: clock.now(),
        status: 'active',
        createdAt: clock.now(),
        secondFactors: null,
      }
      const { lifeSeconds, idleSeconds, withFactor, ...kept } = session
      const opened = {
        ...kept,
        userId: newUser.id,
        authAt: clock.now(),
        factorAt: null,
        createdAt: clock.now(),
        usedAt: clock.now(),
        expiresAt: clock.now() + lifeSeconds * 1000,
        idleUntil: clock.now() + idleSeconds * 1000,
      }
      expect(entered).toEqual({
        outcome: 'created',
        user,
        session: opened,
        detached: null,
        emailTaken: false,
      })
      expect(await store.account({ id: newUser.id })).toEqual({
        ...user,
        ...BARE,
        passwordHash: '$argon2id$1',
      })
      expect(await store.session(session.id)).toEqual({ session: opened, user })
    })

    test('an entry records who was made and what was started, of whom and which session', async () => {
      const { user, session } = await world.enter()
      const about = (await world.allEvents()).map(({ type, userId, sessionId }) => [type, userId, sessionId])
      expect(about.sort()).toEqual([
        ['session.started', user.id, session.id],
        ['user.created', user.id, null],
      ])
    })

    test('whoever has the number comes in again, and the proof is renewed', async () => {
      const { clock, store } = world
      const first = await world.enter({ newUser: world.newUser({ name: 'Ann' }) })
      clock.advance(PROOF_SECONDS)
      const again = await world.enter({ newUser: world.newUser({ name: 'Eve', email: 'eve@example.com' }) })
      const user = { ...first.user, phoneVerifiedAt: clock.now() }
      expect(again).toMatchObject({ outcome: 'entered', user, detached: null, emailTaken: false })
      expect(await store.account({ phone: PHONE })).toMatchObject(user)
      expect(await store.account({ email: 'eve@example.com' })).toBeUndefined()
      clock.advance(PROOF_SECONDS)
      expect(await world.enter()).toMatchObject({ outcome: 'entered' })
      expect(await world.typesOf(user.id)).toEqual([
        'phone.proven',
        'phone.proven',
        'session.started',
        'session.started',
        'session.started',
        'user.created',
      ])
    })

    test('a number proven too long ago goes to a new user, and the old one keeps everything else', async () => {
      const { clock, store } = world
      const newUser = world.newUser({ email: 'ann@example.com', passwordHash: '$1' })
      const old = await world.enter({ newUser, session: world.newSession({ lifeSeconds: 400 * DAY }) })
      clock.advance(IDLE_SECONDS - 1)
      await store.rotate(world.rotation(old.session.id, 0, { idleSeconds: 300 * DAY }))
      clock.advance(PROOF_SECONDS - IDLE_SECONDS + 1)
      clock.advanceMs(1)
      const entered = await world.enter()
      expect(entered).toMatchObject({ outcome: 'created', detached: old.user.id, emailTaken: false })
      expect(entered.user.id).not.toBe(old.user.id)
      const left = { ...old.user, phone: null, phoneVerifiedAt: null }
      expect(await store.account({ id: old.user.id })).toEqual({
        ...left,
        ...BARE,
        passwordHash: '$1',
        version: 1,
      })
      expect(await store.session(old.session.id)).toMatchObject({ user: left })
      expect((await store.account({ phone: PHONE }))?.id).toBe(entered.user.id)
      expect(await world.typesOf(old.user.id)).toEqual(['phone.detached', 'session.started', 'user.created'])
      expect(await world.typesOf(entered.user.id)).toEqual(['session.started', 'user.created'])
    })

    test('an account that is shut is not entered, and nothing changes', async () => {
      const { clock, store } = world
      const { user } = await world.enter()
      await store.setStatus(user.id, 'disabled', world.event('user.disabled'))
      clock.advance(60)
      await world.recordsNothing(async () => {
        const shut = { ...user, status: 'disabled' }
        expect(await store.enter(world.entry())).toEqual({ outcome: 'disabled', user: shut })
        expect(await store.account({ phone: PHONE })).toMatchObject(shut)
        expect((await store.users({ limit: 10 })).data).toHaveLength(1)
        expect(await store.sessionsOf(user.id)).toEqual([])
      })
    })

    test('the number of a shut account too is another’s once its proof is too old', async () => {
      const { clock, store } = world
      const { user } = await world.enter()
      await store.setStatus(user.id, 'disabled', world.event('user.disabled'))
      clock.advance(PROOF_SECONDS + 1)
      expect(await world.enter()).toMatchObject({ outcome: 'created', detached: user.id })
      expect(await store.account({ id: user.id })).toMatchObject({ phone: null, status: 'disabled' })
    })

    test('an e-mail that is another’s is left out of a new account, however it is written', async () => {
      const { store } = world
      const { user } = await world.someone({ email: 'Ann@Example.com' })
      expect(user.email).toBe('ann@example.com')
      const phone = world.phone()
      const second = await world.enter({ phone, newUser: world.newUser({ email: 'ANN@example.com' }) })
      expect(second).toMatchObject({ outcome: 'created', emailTaken: true, user: { email: null } })
      expect((await store.account({ email: 'aNN@example.com' }))?.id).toBe(user.id)
    })

    test('of 200 who enter with one new number at once, one makes the account and all come into it', async () => {
      const all = await world.race(200, (store) => store.enter(world.entry()))
      const made = all.filter(({ outcome }) => outcome === 'created')
      expect(made).toHaveLength(1)
      expect(all.filter(({ outcome }) => outcome === 'entered')).toHaveLength(199)
      expect(new Set(all.map(({ user }) => user.id)).size).toBe(1)
      expect((await world.store.users({ limit: 10 })).data).toHaveLength(1)
      const userId = made[0]?.user.id ?? ''
      expect(await world.sessionIds(userId)).toHaveLength(200)
      const types = await world.typesOf(userId)
      expect(types.filter((type) => type === 'user.created')).toHaveLength(1)
      expect(types.filter((type) => type === 'phone.proven')).toHaveLength(199)
      expect(types.filter((type) => type === 'session.started')).toHaveLength(200)
    })

    test('of 50 who enter with a number proven too long ago, one takes it and all come into one account', async () => {
      const { clock, store } = world
      const { user } = await world.enter()
      clock.advance(PROOF_SECONDS + 1)
      const all = await world.race(50, (one) => one.enter(world.entry()))
      expect(all.filter((entered) => 'detached' in entered && entered.detached === user.id)).toHaveLength(1)
      const ids = new Set(all.map((entered) => entered.user.id))
      expect(ids.size).toBe(1)
      expect(ids.has(user.id)).toBe(false)
      expect((await store.users({ limit: 10 })).data).toHaveLength(2)
    })

    test('of 50 new users with one e-mail, one gets it', async () => {
      const phones = Array.from({ length: 50 }, () => world.phone())
      const all = await world.race(50, (store, at) => {
        const newUser = world.newUser({ email: 'ann@example.com' })
        return store.enter(world.entry({ phone: phones[at] ?? '', newUser }))
      })
      expect(all.every(({ outcome }) => outcome === 'created')).toBe(true)
      const lucky = all.filter(({ user }) => user.email !== null)
      expect(lucky).toHaveLength(1)
      expect(all.filter((entered) => 'emailTaken' in entered && entered.emailTaken)).toHaveLength(49)
      expect((await world.store.account({ email: 'ann@example.com' }))?.id).toBe(lucky[0]?.user.id)
    })

    test('whoever enters while the account is shut has no session afterwards', async () => {
      const { store } = world
      const { user } = await world.enter()
      await world.race<unknown>(40, (one, at) =>
        at === 17
          ? one.setStatus(user.id, 'disabled', world.event('user.disabled'))
          : one.enter(world.entry()),
      )
      expect(await store.sessionsOf(user.id)).toEqual([])
      expect(await store.account({ id: user.id })).toMatchObject({ status: 'disabled', phone: PHONE })
    })

    test('whoever enters while the account is deleted is in the old one, which is gone, or in a new one', async () => {
      const { store } = world
      const { user, session } = await world.enter()
      const all = await world.race<unknown>(40, (one, at) =>
        at === 17
          ? one.deleteUser(user.id, world.event('user.deleted'))
          : one.enter(world.entry()).then((entered) => entered.user.id),
      )
      const others = new Set(all.filter((one) => typeof one === 'string' && one !== user.id))
      expect(others.size).toBeLessThanOrEqual(1)
      expect(await store.sessionsOf(user.id)).toEqual([])
      expect(await store.session(session.id)).toBeUndefined()
      expect(await store.account({ id: user.id })).toBeUndefined()
      expect((await store.account({ phone: PHONE }))?.id).toBe([...others][0])
    })

    test('a session’s idle time is never longer than its life', async () => {
      const { session } = await world.enter({ session: world.newSession({ idleSeconds: LIFE_SECONDS + 1 }) })
      expect(session.idleUntil).toBe(session.expiresAt)
    })
  })
}
