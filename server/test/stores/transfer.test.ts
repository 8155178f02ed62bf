import { DatabaseSync } from 'node:sqlite'
import { type Db, MongoClient } from 'mongodb'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SEND_LEASE_SECONDS } from '../../src/messaging/lease.ts'
import type { Store } from '../../src/stores/store.ts'
import { type Progress, type Table, TABLES, transfer } from '../../src/stores/transfer.ts'
import { draft } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'
import { endAll } from '../helpers/scratch.ts'
import { describeWith } from '../helpers/services.ts'
import {
  ACCOUNT,
  fill,
  FIVE,
  GIVEN,
  guess,
  LIFE,
  LIMIT,
  type Made,
  picture,
  planned,
  RIGHT,
  TO,
  worldOn,
} from './transfer-contents.ts'
import { type Kind, makePlace, type Place, rowsOf } from './transfer-places.ts'

/** Users, sessions, tickets and events that a store is filled with. */
const PEOPLE = [5, 6, 3, 18]
/** What tenants keep. */
const RECORDS = 5
const LONG = process.env['TEST_LONG'] === '1'
const PAIRS = new Set(['sqlite postgres', 'postgres mongodb', 'mongodb sqlite', 'mongodb mongodb'])
const KINDS: readonly Kind[] = ['sqlite', 'postgres', 'mongodb']

afterAll(endAll)

for (const from of KINDS) {
  for (const to of KINDS) {
    // Between two of one kind nothing changes its form, but for MongoDB, where all of it does on the way.
    if (from === to && from !== 'mongodb') continue
    // Every kind is read and written in every run; each with each other in a long one.
    if (!LONG && !PAIRS.has(`${from} ${to}`)) continue
    const services = [from, to].filter((kind) => kind !== 'sqlite')
    describeWith(services, `what is moved from ${from} to ${to}`, () => describePair(from, to))
  }
}

/** What a server may expect of a store that was moved. */
function describePair(from: Kind, to: Kind): void {
  let clock: FakeClock
  let source: Place
  let target: Place
  let made: Made
  let before: Awaited<ReturnType<typeof picture>>
  let store: Store

  beforeEach(async () => {
    clock = new FakeClock()
    ;[source, target] = [await makePlace(from), await makePlace(to)]
    const origin = await source.open(clock)
    made = await fill(origin, clock)
    before = await picture(origin, made)
    await origin.close()
    await moved(source, target)
    store = await target.open(clock)
  })
  afterEach(async () => {
    await store.close()
    await source.drop()
    await target.drop()
  })

  const remaining = async (phone: string) =>
    (await store.verifications.budget(phone, { name: 'b', limit: 4, windowSeconds: 86_400 })).remaining

  test('every row is there, and is the same after it was moved back', async () => {
    expect(await store.sweep()).toBe(0)
    expect(await picture(store, made)).toEqual(before)
    await store.close()
    const rows = await rowsOf(source)
    // A guess that was right leaves an empty budget in MongoDB.
    const budgets = from === 'mongodb' ? 5 : 4
    expect(Object.values(rows).map((all) => all.length)).toEqual([
      2,
      12,
      5,
      14,
      2,
      budgets,
      2,
      4,
      ...PEOPLE,
      RECORDS,
    ])
    expect(await rowsOf(target)).toEqual(rows)
    const back = await makePlace(from)
    await moved(target, back)
    expect(await rowsOf(back)).toEqual(rows)
    await back.drop()
  })

  test('guesses go on where they were: counts, budgets, ends', async () => {
    expect(await remaining(TO.guessed)).toBe(2)
    expect(await guess(store, made.ids.guessed)).toBe('wrong_code')
    expect(await store.verifications.find(made.ids.guessed)).toMatchObject({ guesses: 3, guessesMax: 5 })
    expect(await remaining(TO.guessed)).toBe(1)
    expect(await guess(store, made.ids.guessed, RIGHT)).toBe('approved')
    expect(await guess(store, made.ids.spent, RIGHT)).toBe('budget_spent')
    expect(await guess(store, made.ids.locked, RIGHT)).toBe('locked')
    expect(await guess(store, made.ids.approved, RIGHT)).toBe('already_used')
    expect(await guess(store, made.ids.over, RIGHT)).toBe('expired')
    expect([await guess(store, made.ids.late), await guess(store, made.ids.late)]).toEqual([
      'wrong_code',
      'wrong_code',
    ])
    expect(await guess(store, made.ids.late, RIGHT)).toBe('locked')
    clock.advance(86_400)
    expect(await remaining(TO.spent)).toBe(4)
  })

  test('what is pending is the only one of its kind, and what has ended is in nobody’s way', async () => {
    const open = (phone: string) => store.verifications.open(draft(clock, { to: phone }))
    expect(await open(TO.late)).toMatchObject({ opened: false, verification: { id: made.ids.late } })
    for (const fate of ['over', 'locked', 'approved', 'canceled', 'blocked'] as const)
      expect(await open(TO[fate]), fate).toMatchObject({ opened: true })
  })

  test('sends that are left over go to the next process, once, and nothing that is settled', async () => {
    clock.advance(SEND_LEASE_SECONDS)
    const retaken = await store.messaging.retakeSends(20)
    expect(retaken.map(({ id, fence }) => ({ id, fence })).toSorted(byId)).toEqual(
      made.left.map((id) => ({ id, fence: 2 })).toSorted(byId),
    )
    expect(await store.messaging.retakeSends(20)).toEqual([])
    const [mine] = retaken
    if (!mine) throw new Error('nothing was retaken')
    const outcome = {
      status: 'accepted',
      error: null,
      ref: 'SM2',
      vendorCode: null,
      price: null,
      watchSeconds: null,
    } as const
    expect(await store.messaging.settleSend({ ...mine, fence: 1 }, outcome)).toBe(false)
    expect(await store.messaging.settleSend(mine, outcome)).toBe(true)
  })

  test('receipts go on where they were: ranks, watches, and those that wait', async () => {
    const { ref, lost, early } = made.told
    const { messaging } = store
    expect(await messaging.tell('twilio', { ref, progress: 'delivered' })).toMatchObject({ state: 'old' })
    expect(await messaging.tell('twilio', { ref, progress: 'read' })).toMatchObject({
      state: 'news',
      send: { history: [{ status: 'sent' }, { status: 'delivered' }, { status: 'read' }] },
    })
    const settled = { status: 'unknown', error: 'unknown', ref: null, vendorCode: null, price: null } as const
    const held = { owner: made.ids.sent, id: early, fence: 1 }
    expect(await messaging.settleSend(held, { ...settled, watchSeconds: null })).toBe(true)
    expect(await messaging.tellWaiting(10)).toMatchObject([
      { id: early, status: 'undelivered', ref: 'SMearly', vendorCode: '30007', price: { amount: '0.0083' } },
    ])
    clock.advance(3600)
    expect((await messaging.retakeSends(20)).map(({ id }) => id)).toContain(lost)
    expect(await messaging.tell('twilio', { ref: 'SMlost', send: lost, progress: 'sent' })).toMatchObject({
      state: 'news',
      send: { id: lost, ref: 'SMlost', error: null },
    })
  })

  test('a new send comes after those that were moved, and is moved on after them', async () => {
    const again = { channel: 'sms', cooldownSeconds: 30, send: planned() } as const
    clock.advance(60)
    expect((await store.verifications.resend(made.ids.late, again)).refused).toBeNull()
    clock.advance(60)
    expect((await store.verifications.resend(made.ids.late, again)).refused).toBe('no_sends_left')
    await store.messaging.recordSend(made.ids.sent, planned())
    const told = await picture(store, made)
    await store.close()
    const on = await makePlace(from)
    await moved(target, on)
    store = await on.open(clock)
    expect(await picture(store, made)).toEqual(told)
    await store.close()
    await on.drop()
  })

  test('limits have forgotten nothing', async () => {
    const take = async () => (await store.counters.take([FIVE, GIVEN])).ok
    expect([await take(), await take()]).toEqual([true, false])
    expect((await store.counters.take([FIVE])).ok).toBe(true)
    expect((await store.counters.take([FIVE])).ok).toBe(false)
    clock.advance(3_600)
    expect(await take()).toBe(true)
  })

  test('claims stand where they stood', async () => {
    const claim = (key: string, fingerprint = 'f') => store.verifications.claim(key, fingerprint, LIFE)
    expect(await claim('answered')).toEqual({ state: 'done', answer: '{"id":1}' })
    expect(await claim('answered', 'g')).toEqual({ state: 'conflict' })
    expect(await claim('opened')).toEqual({ state: 'opened', verificationId: made.ids.tied })
    await store.verifications.releaseClaim('opened', { unlessOpened: true })
    expect(await claim('opened')).toEqual({ state: 'opened', verificationId: made.ids.tied })
    expect(await claim('busy')).toEqual({ state: 'busy' })
    expect(await claim('left')).toEqual({ state: 'mine' })
    clock.advance(LIFE.keepSeconds)
    expect(await claim('opened')).toEqual({ state: 'mine' })
    clock.advance(LIFE.leaseSeconds)
    // Nothing was opened in its second life.
    expect(await claim('opened')).toEqual({ state: 'mine' })
  })

  test('sign-ins go on where they were: tokens, passwords, numbers, tickets', async () => {
    const { ann, bob, cee, dan, fay, ticket } = made.people
    const world = worldOn(store, clock)
    const { auth } = store
    const again = world.rotation(ann.session, 0, { graceSeconds: 60 })
    expect(await auth.rotate(again)).toMatchObject({ outcome: 'repeated', generation: 1 })
    expect(await auth.rotate(world.rotation(ann.session, 1))).toMatchObject({ generation: 2 })
    expect(await auth.rotate(world.rotation(ann.session, 0))).toEqual({ outcome: 'reused' })
    expect(await world.sessionIds(ann.id)).toEqual([ann.byPassword])
    await world.another(ann.id, '$argon2id$1')
    const taken = { email: 'ann@example.com' }
    expect(await auth.updateUser(cee.id, taken, world.event('user.updated'))).toBe('email_taken')
    expect(await auth.enter(world.entry({ phone: bob.phone }))).toMatchObject({ outcome: 'disabled' })
    expect(await auth.enter(world.entry({ phone: fay.phone }))).toMatchObject({ outcome: 'second_factor' })
    const change = { userId: fay.id, secondFactors: null, events: [] }
    expect(await auth.changeAccount({ ...change, version: 0 })).toEqual({ outcome: 'conflict' })
    expect(await auth.changeAccount({ ...change, version: 1 })).toMatchObject({ account: { version: 2 } })
    expect(await auth.takeTicket('registration', ticket)).toMatchObject({ data: { email: 'é', name: null } })
    expect(await auth.takeTicket('reset', ticket)).toMatchObject({ userId: ann.id, data: {} })
    expect(await auth.account({ id: dan.id })).toMatchObject({ phone: null })
    expect(await auth.restorePhone(cee.undo, world.told())).toMatchObject({ user: { phone: cee.from } })
    expect(await auth.deleteUser(ann.id, world.event('user.deleted'))).toBe(true)
    expect(await auth.sessionsOf(ann.id)).toEqual([])
  })

  test('what tenants keep goes on where it was: names, versions, what is due, and what belongs to what', async () => {
    const { records } = store
    const { service, limit, bucket, event, challenge } = made.kept
    const again = { id: `RK${'f'.repeat(32)}`, kind: 'rate_limit', body: '{}', name: LIMIT } as const
    expect(await records.insert({ ...again, parent: service })).toMatchObject({
      isTaken: true,
      record: { id: limit },
    })
    expect(await records.insert({ ...again, parent: ACCOUNT })).toMatchObject({ isTaken: false })
    expect(await records.change(bucket, 1, { body: '{}' })).toBeUndefined()
    expect(await records.change(bucket, 2, { body: '{}' })).toMatchObject({ version: 3 })
    expect(await records.takeDue('event', 15, 5)).toEqual([])
    clock.advance(60)
    expect(await records.takeDue('event', 15, 5)).toMatchObject([{ id: event }])
    expect(await records.remove(service)).toBe(true)
    for (const id of [service, limit, bucket, event, challenge])
      expect(await records.find(id)).toBeUndefined()
    expect(await records.find(again.id)).toBeDefined()
  })

  test('sweep deletes in its time what was moved', async () => {
    clock.advance(31 * 86_400)
    await store.sweep()
    await store.close()
    const rows = await rowsOf(target)
    expect(Object.values(rows).map((all) => all.length)).toEqual([
      2,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      5,
      0,
      0,
      0,
      RECORDS - 1,
    ])
  })
}

for (const kind of KINDS) {
  describeWith(kind === 'sqlite' ? [] : [kind], `a half-moved ${kind}`, () => {
    test('is opened by nobody; its schema is still brought up to date; once it is whole it opens', async () => {
      const [place, source, clock] = [await makePlace(kind), await makePlace('sqlite'), new FakeClock()]
      await place.migrate()
      await source.migrate()
      const half = await place.rows()
      await half.begin('sqlite a.db')
      await half.close()
      const opening = place.open(clock)
      await expect(opening).rejects.toThrow(
        'a move from sqlite a.db into this database has begun and has not ended: give the same `countersign move` again to finish it, or empty the database',
      )
      await place.migrate()
      await expect(moved(source, place, { name: 'sqlite b.db' })).rejects.toThrow(
        'a move from sqlite a.db into it',
      )
      await moved(source, place, { name: 'sqlite a.db' })
      await (await place.open(clock)).close()
      await place.drop()
    })
  })
}

describe('what belongs to nothing', () => {
  test('stays behind: the retention has deleted its verification, and was killed before it came to the send', async () => {
    const [source, target, clock] = [await makePlace('sqlite'), await makePlace('sqlite'), new FakeClock()]
    const store = await source.open(clock)
    const { ids } = await fill(store, clock)
    await store.close()
    const file = new DatabaseSync(source.url)
    file.prepare('DELETE FROM verifications WHERE id = ?').run(ids.sent)
    file.close()
    expect(await moved(source, target)).toMatchObject({ ownerless: 3 })
    const rows = await rowsOf(target)
    expect(rows['sends']?.length).toBe(11)
  })
})

describeWith('mongodb', 'moving out of and into MongoDB', () => {
  let clock: FakeClock
  let mongo: Place
  let file: Place
  let client: MongoClient
  let db: Db

  beforeEach(async () => {
    clock = new FakeClock()
    ;[mongo, file] = [await makePlace('mongodb'), await makePlace('sqlite')]
    client = await new MongoClient(mongo.url).connect()
    db = client.db()
  })
  afterEach(async () => {
    await client.close()
    await mongo.drop()
  })

  /** Fills a place, all of which is past its end by the clock of a server. */
  const filled = async (place: Place) => {
    const store = await place.open(clock)
    const made = await fill(store, clock)
    await store.close()
    return made
  }
  /** What a server with TTL indexes does by itself once a minute: mongo-java-server has none. */
  const expire = async () => {
    let deleted = 0
    for (const { name } of await db.listCollections().toArray()) {
      if (!(await hasExpiry(name))) continue
      const past = { purge_at: { $lte: new Date() } }
      deleted += (await db.collection(name).deleteMany(past)).deletedCount
    }
    return deleted
  }
  const hasExpiry = async (name: string) =>
    (await db.collection(name).indexes()).some((index) => 'expireAfterSeconds' in index)

  test.each(['into', 'out of'])('the server deletes nothing while rows are moved %s it', async (way) => {
    const [source, target] = way === 'into' ? [file, mongo] : [mongo, file]
    await filled(source)
    const { rows } = await moved(source, target, { afterEachPage: expire })
    expect(rows).toBe(way === 'into' ? 77 + RECORDS : 78 + RECORDS)
    // And then again.
    for (const name of [
      'verifications',
      'messages',
      'counters',
      'guess_budgets',
      'claims',
      'receipts',
      'tallies',
      'tickets',
      'auth_events',
      'records',
    ])
      expect(await hasExpiry(name), name).toBe(true)
    // Of what tenants keep one has an end.
    expect(await expire()).toBe(way === 'into' ? 51 : 52)
  })

  test('a database that is refused, or whose move was cut off, is as safe as before', async () => {
    await filled(mongo)
    await filled(file)
    await expect(moved(file, mongo)).rejects.toThrow('holds 2 rows in api_keys already')
    expect(await hasExpiry('counters')).toBe(true)
    // A move out of it that was killed: whoever uses it next has the expiry again.
    const rows = await mongo.rows()
    await rows.read(tableOf('api_keys'), undefined, 1)
    expect(await hasExpiry('counters')).toBe(false)
    await (await mongo.open(clock)).close()
    expect(await hasExpiry('counters')).toBe(true)
    await rows.close()
  })

  test('what is half moved into it expires only when it is whole', async () => {
    await filled(file)
    const broken = new Error('cut off')
    const cut = ({ table }: Progress) => {
      if (table === 'sends') throw broken
    }
    await expect(moved(file, mongo, { tell: cut })).rejects.toThrow(broken)
    expect(await hasExpiry('verifications')).toBe(false)
    await mongo.migrate()
    expect(await hasExpiry('verifications')).toBe(false)
    await moved(file, mongo)
    expect(await hasExpiry('verifications')).toBe(true)
    expect(await rowsOf(mongo)).toEqual(await rowsOf(file))
  })

  test('what a process left when it died in MongoDB counts as spent, and locked is locked', async () => {
    type Log = { _id: string; held: number[] }
    const { ids } = await filled(mongo)
    const dead = clock.now() + 0.25
    await db
      .collection<Log>('guess_budgets')
      .updateOne({ _id: TO.guessed }, { $push: { hits: { $each: [dead], $sort: -1 }, held: dead } })
    await db
      .collection<Log>('verifications')
      .updateOne({ _id: ids.guessed }, { $set: { guesses: 5, guesses_left: 0, guessed_at: clock.now() } })
    await moved(mongo, file)
    const store = await file.open(clock)
    const budget = { name: 'b', limit: 4, windowSeconds: 86_400 }
    expect((await store.verifications.budget(TO.guessed, budget)).remaining).toBe(1)
    expect(await store.verifications.find(ids.guessed)).toMatchObject({
      status: 'locked',
      guesses: 5,
      decidedAt: clock.now(),
    })
    expect(await guess(store, ids.guessed, RIGHT)).toBe('locked')
    await store.close()
  })

  test('sends of one owner come in two pages, and again after a move was cut off, and are there once', async () => {
    const { ids } = await filled(file)
    await moved(file, mongo)
    const rows = await mongo.rows()
    const sends = tableOf('sends')
    const three = await rows.find(sends, [ids.sent])
    expect(three.map(({ seq }) => seq)).toEqual([1, 2, 3])
    const [one, two, third] = three.map((row) => ({ ...row, error: 'throttled' }))
    if (!one || !two || !third) throw new Error('there are not three')
    await rows.write(sends, [third])
    await rows.write(sends, [one, two])
    await rows.write(sends, [one])
    expect(await rows.find(sends, [ids.sent])).toEqual([one, two, third])
    expect(await rows.count(sends)).toBe(14)
    await rows.close()
  })

  test('an error does not repeat what a document holds', async () => {
    await filled(file)
    await mongo.migrate()
    const { ids } = await filled(mongo)
    const rows = await mongo.rows()
    const table = tableOf('verifications')
    const [row] = await rows.find(table, [ids.guessed])
    const twin = { ...row, id: 'ver_twin' }
    const failing = rows.write(table, [twin])
    await expect(failing).rejects.toThrow(/^MongoBulkWriteError/)
    await failing.catch((error: Error) => expect(error.message).not.toContain(TO.guessed))
    await rows.close()
  })
})

const byId = (one: { id: string }, other: { id: string }) => one.id.localeCompare(other.id)

function tableOf(name: string): Table {
  const table = TABLES.find((one) => one.name === name)
  if (!table) throw new Error(`there is no table ${name}`)
  return table
}

/** Moves everything from one place to another. */
async function moved(
  from: Place,
  to: Place,
  options: {
    readonly name?: string
    readonly tell?: (progress: Progress) => void
    readonly afterEachPage?: () => Promise<unknown>
  } = {},
) {
  const { name = 'sqlite a.db', tell = () => {}, afterEachPage } = options
  await to.migrate()
  const source = await from.rows()
  const read = source.read.bind(source)
  source.read = async (...wanted) => {
    const page = await read(...wanted)
    await afterEachPage?.()
    return page
  }
  try {
    const target = await to.rows()
    try {
      return await transfer(source, target, { from: name, tell })
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}
