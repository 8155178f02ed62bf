import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Db, MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { AccountChange, AccountChanged } from '../../src/auth/store.ts'
import type { Account } from '../../src/auth/user.ts'
import { openMongo } from '../../src/stores/mongo/store.ts'
import type { Store } from '../../src/stores/store.ts'
import type { AuthWorld } from '../conformance/auth/world.ts'
import { FakeClock } from '../fake-clock.ts'
import { BY_CHANCE, someRound } from '../helpers/by-chance.ts'
import { describeWith, type Fresh, freshMongo } from '../helpers/services.ts'
import { AuthProcesses, startRacer } from './mongo-auth-processes.ts'
import type { AuthCall, How } from './mongo-auth-racer.ts'
import { commandTo, LossyWire } from './mongo-lossy-wire.ts'
import { worldOn } from './transfer-contents.ts'

const ROUNDS = 20

describeWith('mongodb', 'changes of accounts that were read before', () => {
  let database: Fresh
  let store: Store
  let world: AuthWorld
  let client: MongoClient
  let db: Db

  beforeAll(async () => {
    database = await freshMongo()
    client = await new MongoClient(database.url).connect()
    db = client.db()
    store = await openMongo({ url: database.url, retentionDays: 30 })
    world = worldOn(store, new FakeClock(store.clock.now()))
  }, 60_000)
  afterAll(async () => {
    await store.close()
    await client.close()
    await database.drop()
  })

  /** A change of an account as it was read, which opens a session with a second factor. */
  const changeOf = (account: Account, changes: Partial<AccountChange> = {}): AccountChange => ({
    userId: account.id,
    version: account.version,
    session: world.newSession({ amr: ['pwd', 'otp', 'mfa'], withFactor: true }),
    events: [world.event('factor.passed'), world.event('session.started')],
    ...changes,
  })
  const devices = (n: number) => JSON.stringify([{ name: `device ${n}` }])
  const someone = async () =>
    world.account((await world.someone({ passwordHash: 'old', email: null })).user.id)
  /** A challenge of this account, by which it can be changed once. */
  const challenge = async ({ id: userId }: Account, id = world.id('tkt_')) => {
    const ticket = world.ticket({ id, kind: 'challenge', userId })
    await store.auth.putTicket(ticket, 600)
    return ticket
  }
  const tickets = (userId: string) => db.collection('tickets').find({ user_id: userId }).toArray()
  /** How many have passed, as the log tells it. */
  const passedOf = async (userId: string) =>
    (await world.typesOf(userId)).filter((type) => type === 'factor.passed').length

  describe('by three processes', () => {
    let processes: AuthProcesses
    beforeAll(async () => {
      processes = await AuthProcesses.start(database.url)
    }, 60_000)
    afterAll(() => processes.end())

    const race = (count: number, change: (at: number) => AccountChange, how: How = {}) =>
      processes.race<AccountChanged>(count, (at) => ({ verb: 'changeAs', args: [change(at), how] }))
    const made = (all: readonly AccountChanged[]) => all.filter(({ outcome }) => outcome === 'changed').length

    /** Makes 30 changes of what was read of an account once; resolves with how many were made. */
    async function changeOnce(how: How = {}): Promise<number> {
      const account = await someone()
      const all = await race(30, (at) => changeOf(account, { devices: devices(at) }), how)
      const after = await world.account(account.id)
      if (how.twin) return made(all)
      expect(all.filter(({ outcome }) => outcome === 'conflict')).toHaveLength(29)
      expect(all).toContainEqual(expect.objectContaining({ outcome: 'changed', account: after }))
      expect(after).toEqual({ ...account, devices: after.devices, version: account.version + 1 })
      expect(await world.sessionIds(account.id)).toHaveLength(2)
      expect(await passedOf(account.id)).toBe(1)
      return made(all)
    }

    test('of 30 of one version one is made', async () => {
      for (let round = 0; round < ROUNDS; round++) expect(await changeOnce()).toBe(1)
    })

    test(
      'of 30 of one version several are made by a twin that looks before it changes',
      BY_CHANCE,
      async () => {
        const how = { twin: 'readThenWrite' } as const
        expect(await someRound(async () => (await changeOnce(how)) > 1)).toBe(true)
      },
    )

    /**
     * Makes 30 changes with one challenge, each anew for as long as others are quicker; resolves with how many were made.
     * Half of them leave the version as it is.
     */
    async function passOnce(how: How = {}): Promise<number> {
      const account = await someone()
      const ticket = await challenge(account)
      const other = (at: number) => (at % 2 === 0 ? {} : { devices: devices(at) })
      const change = (at: number) => changeOf(account, { ticket, ...other(at) })
      const all = await race(30, change, { ...how, isAnew: true })
      if (how.twin) return made(all)
      expect(all.filter(({ outcome }) => outcome === 'used')).toHaveLength(29)
      expect(await world.sessionIds(account.id)).toHaveLength(2)
      expect(await tickets(account.id)).toEqual([])
      expect(await passedOf(account.id)).toBe(1)
      return made(all)
    }

    test('of 30 with one challenge one is made, however often each is decided anew', async () => {
      for (let round = 0; round < ROUNDS; round++) expect(await passOnce()).toBe(1)
    })

    test(
      'of 30 with one challenge several are made by a twin that takes it afterwards',
      BY_CHANCE,
      async () => {
        const how = { twin: 'ticketAfterwards' } as const
        expect(await someRound(async () => (await passOnce(how)) > 1)).toBe(true)
      },
    )

    test('each of 12 that are decided anew is made once, whatever else goes on in the account', async () => {
      const { user, session: used } = await world.someone()
      const account = await world.account(user.id)
      let generation = 0
      let isDone = false
      const use = async () => {
        while (!isDone) {
          const rotated = await store.auth.rotate(world.rotation(used.id, generation))
          expect(rotated).toMatchObject({ outcome: 'rotated', generation: ++generation })
          await sleep(10)
        }
      }
      // The session that stays is used all the while, and no use of it is lost.
      const ends = { allBut: used.id }
      const racing = race(12, (at) => changeOf(account, { devices: devices(at), ends }), { isAnew: true })
      const [all] = await Promise.all([racing.finally(() => (isDone = true)), use()])
      const versions = all.map((one) => (one.outcome === 'changed' ? one.account.version : 0))
      expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n + 1))
      const last = all.find((one) => one.outcome === 'changed' && one.account.version === 12)
      const opened = last?.outcome === 'changed' ? last.session?.id : ''
      expect(await world.sessionIds(user.id)).toEqual([used.id, opened].toSorted())
    })

    /** What else may happen to an account, which always comes to something and leaves neither session nor device. */
    const others: Readonly<Record<string, (account: Account) => AuthCall | Promise<AuthCall>>> = {
      'is shut': ({ id }) => ({ verb: 'setStatus', args: [id, 'disabled', world.event('user.disabled')] }),
      'is deleted': ({ id }) => ({ verb: 'deleteUser', args: [id, world.event('user.deleted')] }),
      'gets another password': ({ id }) => {
        const set = { from: 'old', to: 'new', keep: { session: null }, event: world.event('password.set') }
        return { verb: 'setPassword', args: [id, set] }
      },
      'gets another number': async ({ id }) => ({
        verb: 'changePhone',
        args: [await world.change(id, world.phone(), '')],
      }),
    }

    test.each(Object.entries(others))(
      'one that %s meanwhile is changed before that or not at all, and no challenge is lost',
      async (name, other) => {
        for (let round = 0; round < ROUNDS; round++) {
          const account = await someone()
          const all = await Promise.all(Array.from({ length: 12 }, () => challenge(account)))
          const meanwhile = await other(account)
          const changed = await processes.race<AccountChanged>(13, (at) => {
            const ticket = all[at > 6 ? at - 1 : at]
            const more = at % 3 === 0 ? { devices: devices(at) } : {}
            const change = changeOf(account, { ...more, ...(ticket ? { ticket } : {}) })
            return at === 6 ? meanwhile : { verb: 'changeAccount', args: [change] }
          })
          expect(await world.sessionIds(account.id)).toEqual([])
          if (name === 'is deleted') {
            expect(await tickets(account.id)).toEqual([])
            continue
          }
          expect(changed.map(({ outcome }) => outcome)).not.toContain('used')
          const kept = (await tickets(account.id)).filter(({ kind }) => kind === 'challenge')
          expect(kept).toHaveLength(12 - made(changed))
          expect(await passedOf(account.id)).toBe(made(changed))
          expect(await world.account(account.id)).toMatchObject({ devices: '[]' })
        }
      },
    )
  })

  describe('between two steps', () => {
    const TAKES = commandTo('findAndModify', 'tickets')
    const CHANGES = commandTo('findAndModify', 'users')

    const wired = async () => {
      const wire = await LossyWire.start(database.url)
      onTestFinished(() => wire.close())
      return wire
    }

    // The answers are kept back too: who is killed then has done what it does not know of.
    test.each([
      ['has taken its challenge', TAKES, 'answer', 0],
      ['is about to change the account', CHANGES, 'request', 0],
      ['has changed the account', CHANGES, 'answer', 1],
    ] as const)('a process that is killed when it %s leaves all of it or nothing', async (...fault) => {
      const [, command, what, made] = fault
      const { user, session } = await world.someone({ passwordHash: 'old' })
      const account = await world.account(user.id)
      const ticket = await challenge(account)
      const change = changeOf(account, {
        ticket,
        passwordHash: 'new',
        devices: devices(1),
        provenPhone: user.phone ?? '',
        ends: { allBut: null },
      })
      const wire = await wired()
      const child = await startRacer(wire.url)
      const held = wire.hold(command, what)
      child.send({ calls: [{ verb: 'changeAccount', args: [change] }] })
      await held
      child.kill('SIGKILL')
      await once(child, 'exit')

      const { phoneVerifiedAt } = account
      const left = made === 1 ? { passwordHash: 'new', devices: devices(1), version: 1 } : {}
      const after = await world.account(user.id)
      expect(after).toEqual({ ...account, ...left, phoneVerifiedAt: after.phoneVerifiedAt })
      if (made === 0) expect(after.phoneVerifiedAt).toBe(phoneVerifiedAt)
      expect(await world.sessionIds(user.id)).toEqual([made === 1 ? change.session?.id : session.id])
      expect(await passedOf(user.id)).toBe(made)
      // The challenge is gone either way: whoever comes with it begins anew, and may.
      const again = changeOf(after, { ticket })
      expect(await store.auth.changeAccount(again)).toEqual({ outcome: 'used' })
      const anew = changeOf(after, { ticket: await challenge(after) })
      expect(await store.auth.changeAccount(anew)).toMatchObject({ outcome: 'changed' })
    })

    /** Changes an account while something else happens between taking the challenge and changing it. */
    const changeAround = async (account: Account, id: string, work: () => Promise<unknown>) => {
      const wire = await wired()
      const slow = await openMongo({ url: wire.url, retentionDays: 30 })
      const held = wire.hold(CHANGES, 'request')
      const changing = slow.auth.changeAccount(changeOf(account, { ticket: { kind: 'challenge', id } }))
      const letThrough = await held
      await work()
      letThrough()
      const changed = await changing
      await slow.close()
      return changed
    }
    const setPassword = (id: string) =>
      store.auth.setPassword(id, { from: 'old', to: 'new', keep: { session: null } })

    test('a challenge that was taken for nothing is put back with the time it had left', async () => {
      const account = await someone()
      const { id } = await challenge(account)
      const before = await tickets(account.id)
      const changed = await changeAround(account, id, () => setPassword(account.id))
      expect(changed).toEqual({ outcome: 'conflict' })
      expect(await tickets(account.id)).toEqual(before)
      expect(await world.sessionIds(account.id)).toEqual([])
    })

    test('it is not put over one that was put meanwhile', async () => {
      const account = await someone()
      const { id } = await challenge(account)
      const later = world.ticket({ id, kind: 'challenge', data: { later: 'yes' } })
      const changed = await changeAround(account, id, async () => {
        await setPassword(account.id)
        await store.auth.putTicket(later, 600)
      })
      expect(changed).toEqual({ outcome: 'conflict' })
      expect(await store.auth.takeTicket('challenge', id)).toEqual(later)
    })

    test('it is not put back for a user who is gone', async () => {
      const account = await someone()
      const { id } = await challenge(account)
      const deletion = () => store.auth.deleteUser(account.id, world.event('user.deleted'))
      expect(await changeAround(account, id, deletion)).toEqual({ outcome: 'conflict' })
      expect(await tickets(account.id)).toEqual([])
    })

    test('a use of the session that stays is not undone', async () => {
      const { user, session } = await world.someone()
      const account = await world.account(user.id)
      const wire = await wired()
      const slow = await openMongo({ url: wire.url, retentionDays: 30 })
      const held = wire.hold(CHANGES, 'request')
      const changing = slow.auth.changeAccount(changeOf(account, { ends: { allBut: session.id } }))
      const letThrough = await held
      expect(await store.auth.rotate(world.rotation(session.id, 0))).toMatchObject({ generation: 1 })
      letThrough()
      const changed = await changing
      await slow.close()
      expect(changed).toMatchObject({ outcome: 'changed' })
      expect(await store.auth.rotate(world.rotation(session.id, 1))).toMatchObject({ generation: 2 })
    })
  })
})
