import { describe, expect, test } from 'vitest'
import type { AuthStore } from '../../../src/auth/store.ts'
import type { Account } from '../../../src/auth/user.ts'
import { type AuthWorld, BARE, DAY, PROOF_SECONDS } from './world.ts'

const FACTORS = '{"app":1}'
const DEVICES = '[{"id":"dev_1"}]'

/** Accounts that want a second factor, and whoever takes a number from them. */
export function secondFactors(world: AuthWorld): void {
  describe('second factors', () => {
    /** Someone with a password, a device and a second factor. */
    const withFactor = async () => {
      const made = await world.someone({ passwordHash: '$1' })
      const { account } = await world.alter(made.user.id, { secondFactors: FACTORS, devices: DEVICES })
      return { ...made, account, user: { ...made.user, secondFactors: FACTORS } }
    }

    test('an account with a second factor is not entered with its number, and nothing changes', async () => {
      const { clock, store } = world
      const { user, account, phone, session } = await withFactor()
      clock.advance(60)
      await world.recordsNothing(async () => {
        expect(await store.enter(world.entry({ phone }))).toEqual({ outcome: 'second_factor', user })
        expect(await world.account(user.id)).toEqual(account)
        expect(await world.sessionIds(user.id)).toEqual([session.id])
        expect((await store.users({ limit: 10 })).data).toHaveLength(1)
      })
      await world.alter(user.id, { secondFactors: null })
      expect(await world.enter({ phone })).toMatchObject({
        outcome: 'entered',
        user: { id: user.id, secondFactors: null },
      })
    })

    test('an account with a second factor that is shut is said to be shut', async () => {
      const { store } = world
      const { user, phone } = await withFactor()
      await store.setStatus(user.id, 'disabled', world.event('user.disabled'))
      const shut = { ...user, status: 'disabled' }
      expect(await store.enter(world.entry({ phone }))).toEqual({ outcome: 'disabled', user: shut })
    })

    test('a number proven too long ago is another’s, also where there is a second factor, which stays', async () => {
      const { clock } = world
      const { user, account, phone } = await withFactor()
      clock.advance(PROOF_SECONDS + 1)
      const entered = await world.enter({ phone })
      expect(entered).toMatchObject({
        outcome: 'created',
        detached: user.id,
        user: { secondFactors: null },
      })
      const left = { ...account, phone: null, phoneVerifiedAt: null, devices: '[]', version: 2 }
      expect(await world.account(user.id)).toEqual(left)
      expect(await world.account(entered.user.id)).toEqual({ ...entered.user, ...BARE })
    })

    test('a password alone opens no session where there is a second factor', async () => {
      const { store } = world
      const { user, session } = await withFactor()
      await world.recordsNothing(async () => {
        const next = world.newSession({ withFactor: true })
        expect(await store.openSession(user.id, '$1', next, world.told())).toBeUndefined()
        expect(await world.sessionIds(user.id)).toEqual([session.id])
      })
      await world.alter(user.id, { secondFactors: null })
      await world.another(user.id, '$1')
      expect(await world.sessionIds(user.id)).toHaveLength(2)
    })

    test('whoever starts over gets a new account, whatever the one is that has the number', async () => {
      const { clock, store } = world
      const makers: Record<string, () => Promise<{ account: Account; sessions: string[] }>> = {
        fresh: async () => {
          const { user, session } = await world.someone({ name: 'Ann', passwordHash: '$1' })
          const { account } = await world.alter(user.id, { devices: DEVICES })
          return { account, sessions: [session.id] }
        },
        'with a second factor': async () => {
          const { account, session } = await withFactor()
          return { account, sessions: [session.id] }
        },
        shut: async () => {
          const { user } = await withFactor()
          await store.setStatus(user.id, 'disabled', world.event('user.disabled'))
          return { account: await world.account(user.id), sessions: [] }
        },
        'proven too long ago': async () => {
          const { account } = await withFactor()
          clock.advance(PROOF_SECONDS + 1)
          return { account, sessions: [] }
        },
      }
      for (const [name, make] of Object.entries(makers)) {
        const { account, sessions } = await make()
        const phone = account.phone ?? ''
        const before = await world.typesOf(account.id)
        const newUser = world.newUser({ name: 'Eve' })
        const entered = await world.enter({ phone, newUser, startsOver: true })
        const user = {
          id: newUser.id,
          name: 'Eve',
          phone,
          phoneVerifiedAt: clock.now(),
          secondFactors: null,
        }
        expect(entered, name).toMatchObject({ outcome: 'created', user, detached: account.id })
        const { version } = account
        const left = { ...account, phone: null, phoneVerifiedAt: null, devices: '[]', version: version + 1 }
        expect(await world.account(account.id), name).toEqual(left)
        expect(await world.sessionIds(account.id), name).toEqual(sessions)
        expect(await store.account({ phone }), name).toEqual({ ...entered.user, ...BARE })
        expect(await world.typesOf(account.id)).toEqual([...before, 'phone.detached'].sort())
        expect(await world.typesOf(newUser.id)).toEqual(['session.started', 'user.created'])
      }
    })

    test('whoever starts over with a number that nobody has takes it from nobody', async () => {
      const phone = world.phone()
      expect(await world.enter({ phone, startsOver: true })).toMatchObject({
        outcome: 'created',
        detached: null,
      })
      expect(await world.enter({ phone, startsOver: false })).toMatchObject({
        outcome: 'entered',
        detached: null,
      })
    })

    test('of 12 who start over at once, each takes the number from the one before', async () => {
      const { store } = world
      const { user, phone } = await withFactor()
      const all = await world.race(12, (one) => one.enter(world.entry({ phone, startsOver: true })))
      expect(all.every(({ outcome }) => outcome === 'created')).toBe(true)
      const detached = all.map((entered) => ('detached' in entered ? entered.detached : null))
      expect(new Set(detached).size).toBe(12)
      expect(detached).toContain(user.id)
      const { data } = await store.users({ limit: 20 })
      expect(data).toHaveLength(13)
      expect(data.filter((each) => each.phone === phone)).toHaveLength(1)
      expect((await store.events({ limit: 20, type: 'phone.detached' })).data).toHaveLength(12)
    })

    test('whoever enters with the number while a second factor is set up has no session afterwards', async () => {
      const { user, phone } = await world.someone()
      const all = await world.race<unknown>(40, (one, at) =>
        at === 17 ? enable(one, user.id) : one.enter(world.entry({ phone })),
      )
      expect(all[17]).toMatchObject({ outcome: 'changed' })
      expect(await world.sessionIds(user.id)).toEqual([])
      expect(await world.account(user.id)).toMatchObject({ secondFactors: FACTORS, version: 1 })
    })

    test('whoever opens with the password while a second factor is set up has no session afterwards', async () => {
      const { user } = await world.someone({ passwordHash: '$1' })
      const all = await world.race<unknown>(40, (one, at) =>
        at === 17
          ? enable(one, user.id)
          : one.openSession(user.id, '$1', world.newSession({ amr: ['pwd'] }), world.told()),
      )
      expect(all[17]).toMatchObject({ outcome: 'changed' })
      expect(await world.sessionIds(user.id)).toEqual([])
    })

    /** Sets a second factor up, which ends every session. */
    const enable = (store: AuthStore, userId: string) =>
      store.changeAccount({ userId, version: 0, secondFactors: FACTORS, ends: { allBut: null }, events: [] })

    test('a session tells when a second factor was shown in it, however it was opened and used', async () => {
      const { clock, store } = world
      const { user, phone, session: plain } = await world.someone({ passwordHash: '$1' })
      expect(plain.factorAt).toBeNull()
      clock.advance(1)
      const made = [plain]
      const newSession = () => world.newSession({ withFactor: true })
      made.unshift((await world.enter({ phone, session: newSession() })).session)
      clock.advance(1)
      made.unshift(await world.another(user.id, '$1', { withFactor: true }))
      clock.advance(1)
      made.unshift(await world.another(user.id, '$1'))
      for (const withFactor of [true, false]) {
        clock.advance(1)
        const { session } = await world.alter(user.id, { session: world.newSession({ withFactor }) })
        if (session) made.unshift(session)
      }
      const hasFactor = [false, true, false, true, true, false]
      expect(made.map(({ factorAt }) => factorAt)).toEqual(
        made.map(({ createdAt }, at) => (hasFactor[at] === true ? createdAt : null)),
      )
      expect(await store.sessionsOf(user.id)).toEqual(made)
      clock.advance(DAY)
      for (const { id, factorAt } of made) {
        expect(await store.rotate(world.rotation(id, 0))).toMatchObject({ session: { factorAt } })
        expect(await store.session(id)).toMatchObject({ session: { factorAt } })
      }
    })
  })
}
