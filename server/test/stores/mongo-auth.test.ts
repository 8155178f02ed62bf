import { type Db, MongoClient } from 'mongodb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Rotated } from '../../src/auth/store.ts'
import { openMongo } from '../../src/stores/mongo/store.ts'
import { openMongoTransfer } from '../../src/stores/mongo/transfer.ts'
import type { UserDocument } from '../../src/stores/mongo/user-documents.ts'
import type { Store } from '../../src/stores/store.ts'
import { TABLES } from '../../src/stores/transfer.ts'
import { type AuthWorld, type CameIn, PHONE } from '../conformance/auth/world.ts'
import { FakeClock } from '../fake-clock.ts'
import { describeWith, type Fresh, freshMongo } from '../helpers/services.ts'
import { AuthProcesses } from './mongo-auth-processes.ts'
import { worldOn } from './transfer-contents.ts'

describeWith('mongodb', 'three processes that sign people in on one MongoDB', () => {
  let database: Fresh
  let store: Store
  let processes: AuthProcesses
  let world: AuthWorld

  beforeAll(async () => {
    database = await freshMongo()
    processes = await AuthProcesses.start(database.url)
    store = await openMongo({ url: database.url, retentionDays: 30 })
    world = worldOn(store, new FakeClock(store.clock.now()))
  }, 60_000)
  afterAll(async () => {
    await processes.end()
    await store.close()
    await database.drop()
  })

  test('of 100 who use one refresh token at once, one is first and all get the same child', async () => {
    const { session, user } = await world.someone()
    for (let generation = 0; generation < 3; generation++) {
      const all = await processes.race<Rotated>(100, () => ({
        verb: 'rotate',
        args: [world.rotation(session.id, generation, { graceSeconds: 60 })],
      }))
      expect(all.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(1)
      expect(all.filter(({ outcome }) => outcome === 'repeated')).toHaveLength(99)
      expect(new Set(all.map((one) => 'generation' in one && one.generation))).toEqual(
        new Set([generation + 1]),
      )
    }
    expect(await world.sessionIds(user.id)).toEqual([session.id])
  })

  test('A12: of 30 who take one ticket at once, one gets it', async () => {
    for (let round = 0; round < 5; round++) {
      const ticket = world.ticket()
      await store.auth.putTicket(ticket, 600)
      const all = await processes.race(30, () => ({ verb: 'takeTicket', args: ['reset', ticket.id] }))
      expect(all.filter((taken) => taken !== 'nothing')).toEqual([ticket])
    }
  })

  test('of 50 who enter with one new number at once, one makes the account, and the log tells of each', async () => {
    for (let round = 0; round < 3; round++) {
      const phone = world.phone()
      const all = await processes.race<CameIn>(50, () => ({
        verb: 'enter',
        args: [world.entry({ phone })],
      }))
      expect(all.filter(({ outcome }) => outcome === 'created')).toHaveLength(1)
      expect(all.filter(({ outcome }) => outcome === 'entered')).toHaveLength(49)
      const userId = all[0]?.user.id ?? ''
      expect(new Set(all.map(({ user }) => user.id)).size).toBe(1)
      expect(await world.sessionIds(userId)).toEqual(all.map(({ session }) => session.id).toSorted())
      const types = await world.typesOf(userId)
      expect(types.filter((type) => type === 'session.started')).toHaveLength(50)
      expect(types.filter((type) => type === 'user.created')).toHaveLength(1)
    }
  })

  test('of 12 whose number was proven too long ago, one takes it from there, and that one has made the new account', async () => {
    const phone = world.phone()
    const { user } = await world.enter({ phone })
    const all = await processes.race<CameIn>(12, () => ({
      verb: 'enter',
      args: [world.entry({ phone, proofSeconds: -60 })],
    }))
    // With a proof that is always too old each takes it from the one before.
    expect(all.every(({ outcome }) => outcome === 'created')).toBe(true)
    expect(new Set(all.map(({ detached }) => detached)).size).toBe(12)
    expect(await world.typesOf(user.id)).toContain('phone.detached')
    expect((await store.auth.events({ limit: 100, type: 'phone.detached' })).data).toHaveLength(12)
  })
})

// A process dies between two steps: what a dead one leaves behind is made by hand.
describeWith('mongodb', 'what a process leaves that dies while it signs somebody in', () => {
  let database: Fresh
  let client: MongoClient
  let db: Db
  let store: Store
  let world: AuthWorld

  beforeEach(async () => {
    database = await freshMongo()
    client = await new MongoClient(database.url).connect()
    db = client.db()
    const clock = new FakeClock()
    store = await openMongo({ url: database.url, retentionDays: 30, clock })
    world = worldOn(store, clock)
  })
  afterEach(async () => {
    await store.close()
    await client.close()
    await database.drop()
  })

  const users = () => db.collection<UserDocument>('users')
  const leftIn = async (id: string) => {
    const user = await users().findOne({ _id: id })
    return [user?.pending_events.length, user?.pending_tickets.length]
  }
  /** Has the events and tickets of a user wait in it again, as before they were moved. */
  const unmove = async (id: string) => {
    const [events, tickets] = [db.collection('auth_events'), db.collection('tickets')]
    const kept = await events.find({ user_id: id }).toArray()
    const put = await tickets.find({ user_id: id }).toArray()
    const pending = kept.map(({ _id, purge_at: _at, user_id: _user, ...event }) => ({ id: _id, ...event }))
    await users().updateOne({ _id: id }, {
      $set: { pending_events: pending, pending_tickets: put },
    } as unknown as { $set: Partial<UserDocument> })
    await events.deleteMany({ user_id: id })
    await tickets.deleteMany({ user_id: id })
  }
  const changed = async () => {
    const { user, session, phone: from } = await world.someone()
    world.clock.advance(60)
    const change = await world.change(user.id, world.phone(), session.id)
    await store.auth.changePhone(change)
    world.clock.advance(60)
    return { user, from, undo: change.undo.id }
  }

  test('nothing is left of what went well', async () => {
    const { user } = await changed()
    expect(await leftIn(user.id)).toEqual([0, 0])
  })

  test.each(['of one', 'of all'])(
    'events that were not moved are read all the same: those %s',
    async (whose) => {
      const { user } = await world.someone()
      await unmove(user.id)
      const of = whose === 'of one' ? { userId: user.id } : {}
      const { data } = await store.auth.events({ limit: 10, ...of })
      expect(data.map(({ type, userId }) => [type, userId]).toSorted()).toEqual([
        ['session.started', user.id],
        ['user.created', user.id],
      ])
      expect(await leftIn(user.id)).toEqual([0, 0])
    },
  )

  test('an event that was moved and not taken out is there once, and stays blank', async () => {
    const { user } = await world.someone()
    const event = await db.collection('auth_events').findOne({ user_id: user.id })
    await unmove(user.id)
    if (event) await db.collection('auth_events').insertOne({ ...event, address: null })
    const { data } = await store.auth.events({ limit: 10, userId: user.id })
    expect(data).toHaveLength(2)
    expect(data.find(({ id }) => id === String(event?._id))?.by.address).toBeNull()
  })

  test('the sweep moves what nobody asks for', async () => {
    const { user } = await changed()
    await unmove(user.id)
    expect(await leftIn(user.id)).toEqual([3, 1])
    await store.sweep()
    expect(await leftIn(user.id)).toEqual([0, 0])
    expect(await db.collection('auth_events').countDocuments({ user_id: user.id })).toBe(3)
    expect(await db.collection('tickets').countDocuments({ user_id: user.id })).toBe(1)
  })

  test('a move takes it along', async () => {
    const { user } = await changed()
    await unmove(user.id)
    const rows = await openMongoTransfer(database.url, { retentionDays: 30 })
    const table = (name: string) => TABLES.find((one) => one.name === name)!
    expect([await rows.count(table('auth_events')), await rows.count(table('tickets'))]).toEqual([3, 1])
    await rows.close()
  })

  test('a change of a number has a way back though its ticket was not moved', async () => {
    const { user, from, undo } = await changed()
    await unmove(user.id)
    expect(await store.auth.restorePhone(undo, world.told())).toMatchObject({
      user: { id: user.id, phone: from },
    })
  })

  test('a change that was taken back has no way back again, though the tickets are still there', async () => {
    const { user, undo } = await changed()
    const tickets = await db.collection('tickets').find({}).toArray()
    const later = { ...tickets[0], created_at: Number(tickets[0]?.['created_at']) + 1 }
    expect(await store.auth.restorePhone(undo, world.told())).toBeDefined()
    for (const ticket of [...tickets, later] as typeof tickets) {
      await db.collection('tickets').replaceOne({ _id: ticket._id }, { ...ticket }, { upsert: true })
      expect(await store.auth.restorePhone(undo, world.told())).toBeUndefined()
    }
    expect((await world.typesOf(user.id)).filter((type) => type === 'phone.restored')).toHaveLength(1)
  })

  test('a number that was taken and not given is nobody’s, and whoever proves it has it', async () => {
    const { user, phone } = await world.someone()
    await users().updateOne(
      { _id: user.id },
      { $set: { phone: null, phone_verified_at: null, phone_slot: user.id } },
    )
    expect(await store.auth.account({ phone })).toBeUndefined()
    expect(await world.enter({ phone })).toMatchObject({ outcome: 'created', detached: null })
  })

  test('a number that a dead process was giving waits for seconds, and no longer', async () => {
    const locks = db.collection<{ _id: string; owner: string; until: number; purge_at: Date }>('phone_locks')
    const until = world.clock.now() + 5_000
    await locks.insertOne({ _id: PHONE, owner: 'dead', until, purge_at: new Date(until) })
    await expect(world.enter()).rejects.toMatchObject({ code: 'store_unavailable' })
    world.clock.advance(5)
    expect(await world.enter()).toMatchObject({ outcome: 'created' })
    expect(await locks.countDocuments({})).toBe(0)
  })

  describe('a user who was deleted and not tidied up', () => {
    const deleted = async () => {
      const { user, session, phone } = await world.someone({ email: 'ann@example.com', passwordHash: '$1' })
      await store.auth.putTicket(world.ticket({ userId: user.id }), 600)
      await unmove(user.id)
      // The step that decides, and none after it.
      await users().updateOne(
        { _id: user.id },
        {
          $set: {
            status: 'deleted',
            email: null,
            phone: null,
            email_slot: user.id,
            phone_slot: user.id,
            session_log: [],
            pending_tickets: [],
          },
        },
      )
      return { user, session, phone }
    }

    test('is gone for everybody', async () => {
      const { user, session, phone } = await deleted()
      for (const who of [{ id: user.id }, { phone }, { email: 'ann@example.com' }])
        expect(await store.auth.account(who)).toBeUndefined()
      expect(await store.auth.session(session.id)).toBeUndefined()
      expect((await store.auth.users({ limit: 10 })).data).toEqual([])
      expect(await store.auth.deleteUser(user.id, world.event('user.deleted'))).toBe(false)
      expect(await store.auth.setStatus(user.id, 'active', world.event('user.enabled'))).toBeUndefined()
      const update = world.event('user.updated')
      expect(await store.auth.updateUser(user.id, { name: 'X' }, update)).toBeUndefined()
      const set = { from: '$1', to: '$2', keep: { session: null } } as const
      expect(await store.auth.setPassword(user.id, set)).toBe(false)
      expect(await store.auth.openSession(user.id, '$1', world.newSession(), world.told())).toBeUndefined()
      const change = { userId: user.id, version: 0, session: world.newSession(), events: [] }
      expect(await store.auth.changeAccount(change)).toEqual({ outcome: 'conflict' })
      expect(await world.enter({ phone })).toMatchObject({ outcome: 'created' })
    })

    test.each(['the sweep', 'who reads events'])('is tidied up by %s', async (who) => {
      const { user } = await deleted()
      if (who === 'the sweep') await store.sweep()
      const { data } = await store.auth.events({ limit: 10 })
      expect(data).toHaveLength(2)
      for (const { by } of data) expect(by).toMatchObject({ address: null, agent: null })
      expect(await users().findOne({ _id: user.id })).toBeNull()
      expect(await db.collection('tickets').countDocuments({})).toBe(0)
    })
  })

  test('a user has 200 sessions at most, and the least recently used goes', async () => {
    const { user, session: first } = await world.someone({ passwordHash: '$1' })
    const second = await world.another(user.id, '$1')
    world.clock.advance(1)
    expect(await store.auth.rotate(world.rotation(first.id, 0))).toMatchObject({ outcome: 'rotated' })
    for (let n = 0; n < 199; n++) await world.another(user.id, '$1')
    const kept = await world.sessionIds(user.id)
    expect(kept).toHaveLength(200)
    expect([kept.includes(first.id), kept.includes(second.id)]).toEqual([true, false])
  })
})
