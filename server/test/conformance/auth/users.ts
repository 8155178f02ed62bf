import { describe, expect, test } from 'vitest'
import type { User } from '../../../src/auth/user.ts'
import { type AuthWorld, BARE, BY } from './world.ts'

/** Accounts: found, listed, changed, shut and deleted. */
export function users(world: AuthWorld): void {
  describe('users', () => {
    const ids = (page: { data: User[] }) => page.data.map(({ id }) => id)

    test('an account is found by id, number and e-mail', async () => {
      const { store } = world
      const { user, phone } = await world.someone({ email: 'ann@example.com', passwordHash: '$1' })
      await world.someone({ email: 'bob@example.com' })
      const account = { ...user, ...BARE, passwordHash: '$1' }
      for (const who of [
        { id: user.id },
        { phone },
        { email: 'ann@example.com' },
        { email: 'ANN@example.com' },
      ])
        expect(await store.account(who), Object.keys(who)[0]).toEqual(account)
      for (const who of [{ id: 'usr_none' }, { phone: '+1' }, { email: 'eve@example.com' }])
        expect(await store.account(who), Object.keys(who)[0]).toBeUndefined()
    })

    test('users are listed newest first, a page at a time, and by what they are', async () => {
      const { clock, store } = world
      const all: string[] = []
      const phones: string[] = []
      for (let n = 0; n < 7; n++) {
        clock.advance(1)
        const { user, phone } = await world.someone({ email: `u${n}@example.com` })
        all.unshift(user.id)
        phones.unshift(phone)
      }
      const first = await store.users({ limit: 3 })
      expect(ids(first)).toEqual(all.slice(0, 3))
      const second = await store.users({ limit: 3, cursor: first.nextCursor ?? '' })
      expect(ids(second)).toEqual(all.slice(3, 6))
      const third = await store.users({ limit: 3, cursor: second.nextCursor ?? '' })
      expect([ids(third), third.nextCursor]).toEqual([all.slice(6), null])
      expect((await store.users({ limit: 7 })).nextCursor).toBeNull()

      const shut = [all[1] ?? '', all[4] ?? '', all[5] ?? '']
      for (const id of shut) await store.setStatus(id, 'disabled', world.event('user.disabled'))
      const page = await store.users({ limit: 2, status: 'disabled' })
      expect(ids(page)).toEqual(shut.slice(0, 2))
      const rest = await store.users({ limit: 2, status: 'disabled', cursor: page.nextCursor ?? '' })
      expect([ids(rest), rest.nextCursor]).toEqual([shut.slice(2), null])
      expect(ids(await store.users({ limit: 10, status: 'active' }))).toHaveLength(4)

      const phone = phones[2] ?? ''
      expect(ids(await store.users({ limit: 10, phone }))).toEqual([all[2]])
      expect(ids(await store.users({ limit: 10, phone, status: 'disabled' }))).toEqual([])
      expect(ids(await store.users({ limit: 10, email: 'U6@example.com' }))).toEqual([all[0]])
      expect(ids(await store.users({ limit: 10, email: 'u6@example.com', phone }))).toEqual([])
      expect(ids(await store.users({ limit: 10, phone, cursor: all[2] ?? '' }))).toEqual([])
      expect(ids(await store.users({ limit: 10, phone: '+1' }))).toEqual([])
    })

    test('a name and an e-mail are changed, each alone or both, and taken away', async () => {
      const { store } = world
      const { user } = await world.someone({ email: 'ann@example.com', name: 'Ann' })
      const update = (change: { name?: string | null; email?: string | null }) =>
        store.updateUser(user.id, change, world.event('user.updated'))
      expect(await update({ name: 'Anne' })).toEqual({ ...user, name: 'Anne' })
      expect(await update({ email: 'Anne@Example.com' })).toMatchObject({
        name: 'Anne',
        email: 'anne@example.com',
      })
      expect(await update({ email: 'anne@example.com', name: null })).toMatchObject({ name: null })
      expect(await update({ email: null })).toEqual({ ...user, name: null, email: null })
      expect(await store.account({ id: user.id })).toMatchObject({ name: null, email: null })
      expect(await store.account({ email: 'ann@example.com' })).toBeUndefined()
      expect((await world.typesOf(user.id)).filter((type) => type === 'user.updated')).toHaveLength(4)
    })

    test('an e-mail that is another’s changes nothing, nor does a change of nobody', async () => {
      const { store } = world
      const { user } = await world.someone({ email: 'ann@example.com', name: 'Ann' })
      await world.someone({ email: 'bob@example.com' })
      await world.recordsNothing(async () => {
        const change = { email: 'BOB@example.com', name: 'Bob' }
        expect(await store.updateUser(user.id, change, world.event('user.updated'))).toBe('email_taken')
        expect(await store.updateUser('usr_none', { name: 'X' }, world.event('user.updated'))).toBeUndefined()
        expect(await store.account({ id: user.id })).toMatchObject(user)
      })
    })

    test('of 50 users who take one e-mail at once, one has it', async () => {
      const { store } = world
      const made: string[] = []
      for (let n = 0; n < 50; n++) made.push((await world.someone({ name: 'n' })).user.id)
      const all = await world.race(50, (one, at) =>
        one.updateUser(made[at] ?? '', { email: 'a@example.com' }, world.event('user.updated')),
      )
      expect(all.filter((answer) => answer === 'email_taken')).toHaveLength(49)
      const having = (await store.users({ limit: 100 })).data.filter(({ email }) => email !== null)
      expect(having).toHaveLength(1)
      expect((await store.events({ limit: 100, type: 'user.updated' })).data).toHaveLength(1)
    })

    test('a password is set in the place of the one that was there, and of no other', async () => {
      const { store } = world
      const { user } = await world.someone()
      const set = (from: string | null, to: string, id = user.id) => {
        const event = world.event('password.set')
        return store.setPassword(id, { from, to, keep: { session: null }, event })
      }
      expect(await set(null, '$1')).toBe(true)
      await world.recordsNothing(async () => {
        expect(await set(null, '$2')).toBe(false)
        expect(await set('$2', '$3')).toBe(false)
        expect(await set(null, '$2', 'usr_none')).toBe(false)
      })
      expect(await set('$1', '$2')).toBe(true)
      expect(await store.account({ id: user.id })).toEqual({
        ...user,
        ...BARE,
        passwordHash: '$2',
        version: 2,
      })
      await store.setStatus(user.id, 'disabled', world.event('user.disabled'))
      await world.recordsNothing(async () => expect(await set('$2', '$3')).toBe(false))
      expect(await store.account({ id: user.id })).toMatchObject({ passwordHash: '$2' })
    })

    test('a new password ends every session but the one that is kept; a new hash ends none', async () => {
      const { store } = world
      const { user, session } = await world.someone({ passwordHash: '$1' })
      const { user: stranger } = await world.someone()
      await world.another(user.id, '$1')
      const event = () => world.event('password.set')
      const refused = { from: '$9', to: '$2', keep: { session: null }, event: event() }
      expect(await store.setPassword(user.id, refused)).toBe(false)
      const rehash = { from: '$1', to: '$2', keep: 'all' } as const
      await world.recordsNothing(async () => {
        expect(await store.setPassword(user.id, rehash)).toBe(true)
      })
      expect(await world.sessionIds(user.id)).toHaveLength(2)
      const keepOne = { from: '$2', to: '$3', keep: { session: session.id }, event: event() }
      expect(await store.setPassword(user.id, keepOne)).toBe(true)
      expect(await world.sessionIds(user.id)).toEqual([session.id])
      const keepNone = { from: '$3', to: '$4', keep: { session: null }, event: event() }
      expect(await store.setPassword(user.id, keepNone)).toBe(true)
      expect(await world.sessionIds(user.id)).toEqual([])
      expect(await world.sessionIds(stranger.id)).toHaveLength(1)
    })

    test('of 100 who set a password in the place of one, one has', async () => {
      const { store } = world
      const { user } = await world.someone()
      for (const from of [null, '$1'] as const) {
        const hash = (await store.account({ id: user.id }))?.passwordHash ?? null
        const all = await world.race(100, (one, at) => {
          const event = world.event('password.set')
          const to = `${from ?? '$0'}.${at}`
          return one.setPassword(user.id, { from: hash, to, keep: { session: null }, event })
        })
        expect(all.filter(Boolean)).toHaveLength(1)
        const winner = `${from ?? '$0'}.${all.indexOf(true)}`
        expect(await store.account({ id: user.id })).toMatchObject({ passwordHash: winner })
      }
      expect((await world.typesOf(user.id)).filter((type) => type === 'password.set')).toHaveLength(2)
    })

    test('an account is shut and opened; what changes nothing is not told of', async () => {
      const { store } = world
      const { user } = await world.someone()
      const { user: stranger } = await world.someone()
      const shut = { ...user, status: 'disabled' }
      expect(await store.setStatus(user.id, 'disabled', world.event('user.disabled'))).toEqual(shut)
      expect(await world.sessionIds(stranger.id)).toHaveLength(1)
      await world.recordsNothing(async () => {
        expect(await store.setStatus(user.id, 'disabled', world.event('user.disabled'))).toEqual(shut)
        expect(await store.setStatus('usr_none', 'active', world.event('user.enabled'))).toBeUndefined()
      })
      expect(await store.setStatus(user.id, 'active', world.event('user.enabled'))).toEqual(user)
      expect(await world.typesOf(user.id)).toEqual([
        'session.started',
        'user.created',
        'user.disabled',
        'user.enabled',
      ])
    })

    test('a deleted user is gone with sessions and tickets, and the log keeps no address, agent or data', async () => {
      const { store } = world
      const newUser = { email: 'ann@example.com', passwordHash: '$1' }
      const { user, session, phone } = await world.someone(newUser)
      const { user: stranger } = await world.someone()
      const own = world.ticket({ userId: user.id })
      const strange = world.ticket({ userId: stranger.id })
      for (const ticket of [own, strange]) await store.putTicket(ticket, 600)
      const data = { reason: 'wrong_password' }
      for (const userId of [user.id, stranger.id, null])
        await store.record({ ...world.event('login.failed', { data }), userId })

      const by = { actor: 'admin', key: 'key_1', address: '192.0.2.9', agent: 'curl' } as const
      world.clock.advance(1)
      const event = world.event('user.deleted', { by, data: { by: 'request' } })
      expect(await store.deleteUser(user.id, event)).toBe(true)
      for (const who of [{ id: user.id }, { phone }, { email: 'ann@example.com' }])
        expect(await store.account(who)).toBeUndefined()
      expect(await store.session(session.id)).toBeUndefined()
      expect(await store.rotate(world.rotation(session.id, 0))).toEqual({ outcome: 'ended' })
      expect(await store.takeTicket('reset', own.id)).toBeUndefined()
      expect(await store.takeTicket('reset', strange.id)).toEqual(strange)

      const [deleted, ...before] = (await store.events({ limit: 10, userId: user.id })).data
      expect(deleted).toMatchObject({ type: 'user.deleted', by, data: { by: 'request' } })
      expect(before.map(({ type }) => type).sort()).toEqual([
        'login.failed',
        'session.started',
        'user.created',
      ])
      for (const one of before) {
        expect(one.by).toEqual({ actor: 'user', address: null, agent: null })
        expect(one.data).toEqual({})
      }
      const failed = (await store.events({ limit: 10, type: 'login.failed' })).data
      const others = failed.filter(({ userId }) => userId !== user.id)
      expect(others).toHaveLength(2)
      for (const one of others) expect(one).toMatchObject({ by: BY, data })
      await world.recordsNothing(async () => {
        expect(await store.deleteUser(user.id, world.event('user.deleted'))).toBe(false)
      })
      expect((await world.enter({ phone, newUser: world.newUser(newUser) })).user).toMatchObject({
        email: 'ann@example.com',
        phone,
      })
    })
  })
}
