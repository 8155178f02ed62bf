import { describe, expect, test } from 'vitest'
import type { EventType } from '../../../src/auth/events.ts'
import type { AccountChange, AccountChanged, AuthStore, Ticket } from '../../../src/auth/store.ts'
import type { Account } from '../../../src/auth/user.ts'
import { type AuthWorld, BARE, PROOF_SECONDS } from './world.ts'

const FACTORS = '{"app":"é \\"x\\""}'
const DEVICES = '[{"id":"dev_1"}]'

/** Changes of an account that were decided on what was read of it. */
export function changes(world: AuthWorld): void {
  describe('changes of an account', () => {
    const change = (userId: string, changes: Partial<AccountChange> = {}, store = world.store) =>
      store.changeAccount({ userId, version: 0, events: [], ...changes })
    const putTicket = async (changes: Partial<Ticket> = {}): Promise<Ticket> => {
      const ticket = world.ticket({ kind: 'challenge', ...changes })
      await world.store.putTicket(ticket, 600)
      return ticket
    }
    const aSession = () => world.newSession({ amr: ['pwd', 'otp', 'mfa'], withFactor: true })

    test('all of a change is done in one step, and told', async () => {
      const { clock, store } = world
      const {
        user,
        session: before,
        phone,
      } = await world.someone({ email: 'a@example.com', passwordHash: '$1' })
      clock.advance(60)
      const ticket = await putTicket({ userId: user.id })
      const session = aSession()
      const [enabled, started, device] = [
        world.event('factor.enabled', { data: { factor: 'app' } }),
        world.event('session.started'),
        world.event('device.remembered'),
      ]
      const changed = await change(user.id, {
        passwordHash: '$2',
        secondFactors: FACTORS,
        devices: DEVICES,
        provenPhone: phone,
        ticket,
        session,
        ends: { allBut: null },
        events: [enabled, started, device],
      })
      const account = {
        ...user,
        phoneVerifiedAt: clock.now(),
        passwordHash: '$2',
        secondFactors: FACTORS,
        devices: DEVICES,
        version: 1,
      }
      const { lifeSeconds, idleSeconds, withFactor, ...kept } = session
      const opened = {
        ...kept,
        userId: user.id,
        authAt: clock.now(),
        factorAt: clock.now(),
        createdAt: clock.now(),
        usedAt: clock.now(),
        expiresAt: clock.now() + lifeSeconds * 1000,
        idleUntil: clock.now() + idleSeconds * 1000,
      }
      expect(changed).toEqual({ outcome: 'changed', account, session: opened })
      expect(await store.account({ phone })).toEqual(account)
      const shown = { ...user, phoneVerifiedAt: clock.now(), secondFactors: FACTORS }
      expect(await store.session(session.id)).toEqual({ session: opened, user: shown })
      expect((await store.users({ limit: 1 })).data).toEqual([shown])
      expect(await store.session(before.id)).toBeUndefined()
      expect(await world.sessionIds(user.id)).toEqual([session.id])
      expect(await store.ticket('challenge', ticket.id)).toBeUndefined()
      expect(await store.rotate(world.rotation(session.id, 0))).toMatchObject({
        outcome: 'rotated',
        user: shown,
      })
      const { data } = await store.events({ limit: 3, userId: user.id })
      const recorded = { userId: user.id, sessionId: null, at: clock.now() }
      expect(data).toHaveLength(3)
      expect(data).toEqual(
        expect.arrayContaining([
          { ...enabled, ...recorded },
          { ...started, ...recorded, sessionId: session.id },
          { ...device, ...recorded },
        ]),
      )
    })

    test('what is not given stays; the password, the second factors and the devices make a version', async () => {
      const { clock, store } = world
      const { user, session, phone } = await world.someone({ name: 'Ann', passwordHash: '$1' })
      let account: Account = { ...user, ...BARE, passwordHash: '$1' }
      const steps: [Partial<AccountChange>, Partial<Account>][] = [
        [{}, {}],
        [{ passwordHash: '$2' }, { passwordHash: '$2', version: 1 }],
        [{ secondFactors: FACTORS }, { secondFactors: FACTORS, version: 2 }],
        [{ devices: DEVICES }, { devices: DEVICES, version: 3 }],
        [{}, {}],
        [{ passwordHash: '$3' }, { passwordHash: '$3', version: 4 }],
        [{ secondFactors: null }, { secondFactors: null, version: 5 }],
        [{ devices: '[]' }, { devices: '[]', version: 6 }],
        [{ devices: '[]', secondFactors: null }, { version: 7 }],
      ]
      for (const [given, wanted] of steps) {
        clock.advance(1)
        const { version } = account
        account = { ...account, ...wanted }
        const changed = await change(user.id, { version, ...given })
        expect(changed, JSON.stringify(given)).toEqual({ outcome: 'changed', account, session: null })
        expect(await world.account(user.id)).toEqual(account)
      }
      const proven = { ...account, phoneVerifiedAt: clock.now() }
      const answer = await change(user.id, { version: 7, provenPhone: phone })
      expect(answer).toEqual({ outcome: 'changed', account: proven, session: null })
      const next = aSession()
      expect(await change(user.id, { version: 7, session: next })).toMatchObject({ session: { id: next.id } })
      expect(await change(user.id, { version: 7, ticket: await putTicket() })).toMatchObject({
        outcome: 'changed',
      })
      expect(await world.account(user.id)).toEqual(proven)
      expect(await world.sessionIds(user.id)).toEqual([session.id, next.id].sort())
      expect(await store.account({ id: 'usr_none' })).toBeUndefined()
    })

    test('an account that is not as it was read, is shut, or is gone, is left as it is, and so is the ticket', async () => {
      const { clock, store } = world
      const { user, phone } = await world.someone({ passwordHash: '$1' })
      const { user: shut, phone: phoneOfShut } = await world.someone()
      const { user: gone, phone: phoneOfGone } = await world.someone()
      await store.setStatus(shut.id, 'disabled', world.event('user.disabled'))
      await store.deleteUser(gone.id, world.event('user.deleted'))
      await world.alter(user.id, { devices: DEVICES })
      await world.alter(user.id, { secondFactors: FACTORS })
      const ticket = await putTicket({ userId: user.id })
      const [before, sessions] = [await world.account(user.id), await world.sessionIds(user.id)]
      const ofShut = await world.account(shut.id)
      clock.advance(1)
      const whole = {
        passwordHash: '$2',
        secondFactors: null,
        devices: '[]',
        ticket,
        ends: { allBut: null },
      } as const
      const refused: [string, Partial<AccountChange>][] = [
        [user.id, { version: 0 }],
        [user.id, { version: 1 }],
        [user.id, { version: 3 }],
        [user.id, { version: 2, provenPhone: world.phone() }],
        [user.id, { version: 2, provenPhone: phoneOfGone }],
        [user.id, { version: 1, provenPhone: phone }],
        [shut.id, { version: 1 }],
        [shut.id, { version: 0, provenPhone: phoneOfShut }],
        [gone.id, { version: 0 }],
        ['usr_none', { version: 0 }],
      ]
      await world.recordsNothing(async () => {
        for (const [userId, changes] of refused) {
          const events = [world.event('factor.disabled'), world.event('session.started')]
          const all = { ...whole, session: aSession(), events, ...changes }
          expect(await change(userId, all), JSON.stringify(changes)).toEqual({ outcome: 'conflict' })
          // What is not the account's any more is said of it first.
          const unknown = { ...all, ticket: { kind: 'challenge', id: 'tkt_none' } } as const
          expect(await change(userId, unknown)).toEqual({ outcome: 'conflict' })
        }
        expect(await world.account(user.id)).toEqual(before)
        expect(await world.account(shut.id)).toEqual(ofShut)
        expect(await world.sessionIds(user.id)).toEqual(sessions)
        expect(await store.sessionsOf(gone.id)).toEqual([])
        expect(await store.ticket('challenge', ticket.id)).toEqual(ticket)
      })
      const last = await change(user.id, { ...whole, version: 2, provenPhone: phone })
      expect(last).toMatchObject({ outcome: 'changed', account: { version: 3, passwordHash: '$2' } })
      expect(await store.ticket('challenge', ticket.id)).toBeUndefined()
    })

    test('a number that was lost is proven for nobody’s account', async () => {
      const { clock } = world
      const { user, phone } = await world.someone({ passwordHash: '$1' })
      clock.advance(PROOF_SECONDS + 1)
      const { user: owner } = await world.enter({ phone })
      for (const version of [0, 1]) {
        const lost = await change(user.id, { version, provenPhone: phone, session: aSession() })
        expect(lost).toEqual({ outcome: 'conflict' })
      }
      expect(await world.account(user.id)).toMatchObject({ phone: null, phoneVerifiedAt: null })
      expect(await world.account(owner.id)).toMatchObject({ phone })
    })

    test('A12: a ticket that is not there, was used, is too old or of another kind, changes nothing', async () => {
      const { clock, store } = world
      const { user, phone, session } = await world.someone({ passwordHash: '$1' })
      const [used, late, otherKind] = [
        await putTicket(),
        world.ticket({ kind: 'challenge' }),
        await putTicket({ kind: 'app_setup' }),
      ]
      await store.putTicket(late, 60)
      await store.takeTicket('challenge', used.id)
      clock.advance(60)
      const before = await world.account(user.id)
      const changing = (id: string) => {
        const events = [world.event('factor.passed'), world.event('session.started')]
        const session = aSession()
        const ticket = { kind: 'challenge', id } as const
        const all = { passwordHash: '$2', secondFactors: FACTORS, devices: DEVICES, provenPhone: phone }
        return change(user.id, { ...all, ticket, session, ends: { allBut: null }, events })
      }
      await world.recordsNothing(async () => {
        for (const id of ['tkt_none', used.id, late.id, otherKind.id])
          expect(await changing(id)).toEqual({ outcome: 'used' })
        expect(await world.account(user.id)).toEqual(before)
        expect(await world.sessionIds(user.id)).toEqual([session.id])
      })
      expect(await store.takeTicket('app_setup', otherKind.id)).toEqual(otherKind)
      clock.advance(-59)
      const early = await putTicket()
      expect(await changing(early.id)).toMatchObject({ outcome: 'changed' })
      expect(await change(user.id, { version: 1, ticket: early })).toEqual({ outcome: 'used' })
    })

    test('F22: a ticket that was met after its time stays used up when the clock is set back', async () => {
      const { clock, store } = world
      const { user } = await world.someone()
      const ticket = await putTicket()
      clock.advance(600)
      expect(await change(user.id, { ticket })).toEqual({ outcome: 'used' })
      clock.advance(-3600)
      expect(await change(user.id, { ticket })).toEqual({ outcome: 'used' })
      expect(await store.ticket('challenge', ticket.id)).toBeUndefined()
    })

    test('the sessions that were there end as told, and nobody else’s', async () => {
      const { user, session } = await world.someone({ passwordHash: '$1' })
      const { user: stranger, session: strange } = await world.someone({ passwordHash: '$1' })
      const own = async (count: number) => {
        const ids = [session.id]
        while (ids.length < count) ids.push((await world.another(user.id, '$1')).id)
        return ids
      }
      const [first = '', second = '', third = '', fourth = ''] = await own(4)
      for (const only of [strange.id, 'ses_none']) {
        // One that is to end must be there: somebody may have ended it meanwhile, and then nothing comes after it.
        const ticket = await putTicket()
        const changed = await change(user.id, { ticket, ends: { only }, session: aSession(), devices: '[1]' })
        expect(changed).toEqual({ outcome: 'used' })
        expect(await world.account(user.id)).toMatchObject({ devices: '[]' })
        expect(await world.store.ticket('challenge', ticket.id)).toEqual(ticket)
      }
      const steps: [AccountChange['ends'], string[]][] = [
        [undefined, [first, second, third, fourth]],
        [{ only: second }, [first, third, fourth]],
        [{ allBut: third }, [third]],
        [{ allBut: strange.id }, []],
      ]
      for (const [ends, left] of steps) {
        const changed = await change(user.id, ends === undefined ? {} : { ends })
        expect(changed).toMatchObject({ outcome: 'changed', session: null })
        expect(await world.sessionIds(user.id), JSON.stringify(ends)).toEqual(left.toSorted())
      }
      const [one, another] = [aSession(), aSession()]
      expect(await change(user.id, { session: one, ends: { allBut: null } })).toMatchObject({
        outcome: 'changed',
      })
      expect(await world.sessionIds(user.id)).toEqual([one.id])
      expect(await change(user.id, { session: another, ends: { only: one.id } })).toMatchObject({
        outcome: 'changed',
      })
      expect(await world.sessionIds(user.id)).toEqual([another.id])
      expect(await world.sessionIds(stranger.id)).toEqual([strange.id])
      const types = await world.typesOf(user.id)
      expect(types.filter((type) => type === 'session.ended')).toEqual([])
    })

    test('events are recorded as they were told, the start of a session as of that one', async () => {
      const { clock, store } = world
      const { user } = await world.someone()
      const types: EventType[] = ['backup_code.used', 'session.started', 'factor.passed', 'device.remembered']
      const events = types.map((type, at) => {
        clock.advanceMs(1)
        return world.event(type, { data: { at: String(at) } })
      })
      const session = aSession()
      await change(user.id, { session, events })
      const { data } = await store.events({ limit: 4, userId: user.id })
      const wanted = events.map((event) => ({
        ...event,
        userId: user.id,
        sessionId: event.type === 'session.started' ? session.id : null,
        at: clock.now(),
      }))
      expect(data).toEqual(wanted.toReversed())
    })

    test('of 30 who change one account as it was read, one has changed it', async () => {
      const { user, session } = await world.someone()
      const all = await world.race(30, (store, at) => {
        const events = [world.event('factor.enabled'), world.event('session.started')]
        return change(user.id, { devices: `[${at}]`, session: aSession(), events }, store)
      })
      expect(all.filter(({ outcome }) => outcome === 'conflict')).toHaveLength(29)
      const won = all.findIndex(({ outcome }) => outcome === 'changed')
      const first = all[won]
      expect(await world.account(user.id)).toMatchObject({ devices: `[${won}]`, version: 1 })
      const opened = first?.outcome === 'changed' ? (first.session?.id ?? '') : ''
      expect(await world.sessionIds(user.id)).toEqual([session.id, opened].sort())
      expect(await world.typesOf(user.id)).toEqual([
        'factor.enabled',
        'session.started',
        'session.started',
        'user.created',
      ])
    })

    /** Changes an account, and reads it again for as long as another is quicker. */
    const insist = async (
      store: AuthStore,
      userId: string,
      next: (account: Account) => Partial<AccountChange>,
    ): Promise<AccountChanged> => {
      for (;;) {
        const account = await store.account({ id: userId })
        if (!account) throw new Error('there is no such account')
        const { version } = account
        const changed = await change(userId, { version, ...next(account) }, store)
        if (changed.outcome !== 'conflict') return changed
      }
    }

    test('A12: of 30 who come with one ticket and read again, one has changed the account', async () => {
      const { user, session } = await world.someone()
      const ticket = await putTicket({ userId: user.id })
      const all = await world.race(30, (store, at) =>
        insist(store, user.id, () => {
          const events = [world.event('backup_code.used'), world.event('session.started')]
          return { devices: `[${at}]`, ticket, session: aSession(), events }
        }),
      )
      expect(all.filter(({ outcome }) => outcome === 'used')).toHaveLength(29)
      const won = all.findIndex(({ outcome }) => outcome === 'changed')
      expect(await world.account(user.id)).toMatchObject({ devices: `[${won}]`, version: 1 })
      expect(await world.sessionIds(user.id)).toHaveLength(2)
      expect(await world.sessionIds(user.id)).toContain(session.id)
      const types = await world.typesOf(user.id)
      expect(types.filter((type) => type === 'backup_code.used')).toHaveLength(1)
    })

    test('A12: of 30 who come with one ticket that makes no version, one comes in', async () => {
      const { user } = await world.someone()
      const ticket = await putTicket({ userId: user.id })
      const all = await world.race(30, (store) => change(user.id, { ticket, session: aSession() }, store))
      expect(all.filter(({ outcome }) => outcome === 'changed')).toHaveLength(1)
      expect(all.filter(({ outcome }) => outcome === 'used')).toHaveLength(29)
      expect(await world.sessionIds(user.id)).toHaveLength(2)
    })

    test('of 12 who each add something to what was read, none is lost', async () => {
      const { user } = await world.someone()
      await world.race(12, (store, at) =>
        insist(store, user.id, ({ devices }) => ({
          devices: JSON.stringify([...(JSON.parse(devices) as number[]), at]),
        })),
      )
      const { devices, version } = await world.account(user.id)
      const added = (JSON.parse(devices) as number[]).toSorted((one, other) => one - other)
      expect(added).toEqual(Array.from({ length: 12 }, (_, at) => at))
      expect(version).toBe(12)
    })

    test('whoever comes in by a change while the account is shut has no session afterwards', async () => {
      const { store } = world
      const { user } = await world.someone()
      await world.race<unknown>(40, (one, at) =>
        at === 17
          ? one.setStatus(user.id, 'disabled', world.event('user.disabled'))
          : change(user.id, { session: aSession() }, one),
      )
      await store.setStatus(user.id, 'active', world.event('user.enabled'))
      expect(await store.sessionsOf(user.id)).toEqual([])
    })

    test('whoever comes in by a change while the password is reset has no session afterwards', async () => {
      const { user } = await world.someone({ passwordHash: '$1' })
      const reset = { from: '$1', to: '$2', keep: { session: null }, event: world.event('password.reset') }
      const all = await world.race<unknown>(40, (one, at) =>
        at === 17 ? one.setPassword(user.id, reset) : change(user.id, { session: aSession() }, one),
      )
      expect(all[17]).toBe(true)
      expect(await world.sessionIds(user.id)).toEqual([])
    })

    test('a session that a change ends while it is used stays ended', async () => {
      const { store } = world
      const { user, session } = await world.someone()
      await world.race<unknown>(40, (one, at) =>
        at === 17
          ? change(user.id, { secondFactors: FACTORS, ends: { allBut: null } }, one)
          : one.rotate(world.rotation(session.id, 0)),
      )
      expect(await store.session(session.id)).toBeUndefined()
      expect(await store.sessionsOf(user.id)).toEqual([])
    })
  })
}
