import { type Db, MongoClient } from 'mongodb'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { migrateMongo, mongoSchema, openMongo } from '../../src/stores/mongo/store.ts'
import type { Store } from '../../src/stores/store.ts'
import type { Draft } from '../../src/verify/store.ts'
import { planned } from '../conformance/planned.ts'
import { draft } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'
import { describeWith, type Fresh, freshMongo } from '../helpers/services.ts'
import { BUDGET, RIGHT, WRONG } from './mongo-races.ts'

const PHONE = '+14155552671'
const FIVE = { key: 'b', rules: [{ name: 'five', limit: 5, windowSeconds: 3600 }] }
const ALSO = { key: 'a', rules: [{ name: 'also', limit: 5, windowSeconds: 3600 }] }

describeWith('mongodb', 'what MongoDB keeps', () => {
  let database: Fresh
  let client: MongoClient
  let db: Db
  let clock: FakeClock
  let store: Store

  beforeEach(async () => {
    database = await freshMongo()
    client = await new MongoClient(database.url).connect()
    db = client.db()
    clock = new FakeClock()
    store = await openMongo({ url: database.url, retentionDays: 30, clock })
  })
  afterEach(async () => {
    await store.close()
    await client.close()
    await database.drop()
  })

  const open = async (changes: Partial<Draft> = {}) =>
    (await store.verifications.open(draft(clock, changes))).verification
  const guess = async (id: string, digest = WRONG) =>
    (
      await store.verifications.judge({
        id,
        service: 'default',
        digests: [digest],
        budget: BUDGET,
        unlimited: [],
      })
    )?.reason
  const remaining = async () => (await store.verifications.budget(PHONE, BUDGET)).remaining

  test('A11: no two triples of service, number and purpose share a slot, and none is an id', async () => {
    const parts = ['a', 'b', 'a|b', '["a"]', 'a","b', '', '\\', 'ver_1']
    const ids = new Set<string>()
    for (const service of parts) {
      for (const to of parts) {
        ids.add((await open({ service, to })).id)
        ids.add((await open({ service, to, purpose: 'login' })).id)
      }
    }
    expect(ids.size).toBe(parts.length * parts.length * 2)
  })

  test('R12: TTL indexes lie over all that has an end, and nothing waits for them', async () => {
    const verify = ['verifications', 'messages', 'counters', 'guess_budgets', 'claims', 'receipts', 'tallies']
    for (const name of [...verify, 'tickets', 'auth_events', 'phone_locks', 'records']) {
      const indexes = await db.collection(name).indexes()
      const expiry = indexes.find(({ key }) => 'purge_at' in key)
      expect(expiry, name).toMatchObject({ key: { purge_at: 1 }, expireAfterSeconds: 0 })
    }
    expect(await db.collection('verifications').indexes()).toContainEqual(
      expect.objectContaining({ key: { slot: 1 }, unique: true }),
    )
    for (const key of [{ phone_slot: 1 }, { email_slot: 1 }]) {
      expect(await db.collection('users').indexes()).toContainEqual(
        expect.objectContaining({ key, unique: true }),
      )
    }
    for (const key of [{ 'send_log.ref': 1 }, { 'send_log.lost': 1 }]) {
      expect(await db.collection('verifications').indexes()).toContainEqual(
        expect.objectContaining({ key, sparse: true }),
      )
    }
  })

  test('sweep deletes what is past its retention, and only that', async () => {
    const old = await open()
    await store.messaging.openMessage(
      {
        id: `msg_${old.id.slice(4)}`,
        service: 'default',
        to: PHONE,
        channel: 'sms',
        template: null,
        segments: 1,
      },
      planned(),
    )
    await guess(old.id)
    await store.counters.take([FIVE])
    await store.verifications.claim('k', 'f', { leaseSeconds: 30, keepSeconds: 60 })
    expect(await store.sweep()).toBe(0)
    clock.advance(61)
    expect(await store.sweep()).toBe(1)
    clock.advance(29 * 86_400)
    const kept = await open()
    await store.counters.take([FIVE])
    expect(await store.sweep()).toBe(1)
    clock.advance(86_400)
    expect(await store.sweep()).toBe(3)
    expect(await store.verifications.find(old.id)).toBeUndefined()
    expect(await store.verifications.find(kept.id)).toMatchObject({ status: 'expired' })
  })

  test('documents purge themselves no earlier than they may be needed', async () => {
    const { id, createdAt } = await open()
    await guess(id)
    await store.counters.take([FIVE])
    const purgeAt = async (name: string) =>
      Number((await db.collection<{ purge_at: Date }>(name).findOne())?.purge_at)
    expect(await purgeAt('verifications')).toBe(createdAt + 30 * 86_400_000)
    expect(await purgeAt('guess_budgets')).toBe(clock.now() + 86_400_000)
    expect(await purgeAt('counters')).toBe(clock.now() + 3_600_000)
  })

  describe('the schema', () => {
    type Meta = { _id: string; version?: number; until?: number; owner?: string }

    test('an older binary refuses a newer schema and leaves it alone; looking at it does not', async () => {
      await db.collection<Meta>('meta').updateOne({ _id: 'schema' }, { $set: { version: 99 } })
      await expect(openMongo({ url: database.url, retentionDays: 30, clock })).rejects.toThrow(
        'the database has schema 99, made by a newer version; this one knows 2',
      )
      expect(await mongoSchema(database.url)).toEqual({ current: 99, known: 2 })
      expect(await db.collection<Meta>('meta').findOne({ _id: 'lock' })).toBeNull()
    })

    test('looking at an empty database makes nothing', async () => {
      const empty = await freshMongo()
      expect(await mongoSchema(empty.url)).toEqual({ current: 0, known: 2 })
      const other = await new MongoClient(empty.url).connect()
      expect(await other.db().listCollections().toArray()).toEqual([])
      await other.close()
      await empty.drop()
    })

    test('ten that migrate at once all succeed, and one whose process died is finished by the next', async () => {
      const empty = await freshMongo()
      const all = await Promise.all(Array.from({ length: 10 }, () => migrateMongo(empty.url)))
      expect(all.every(({ to }) => to === 2)).toBe(true)
      expect(await migrateMongo(empty.url)).toEqual({ from: 2, to: 2 })
      const meta = client.db(new URL(empty.url).pathname.slice(1)).collection<Meta>('meta')
      expect(await meta.countDocuments()).toBe(1)
      // It had made its indexes and held the lock, and its lease has run out.
      await meta.deleteOne({ _id: 'schema' })
      await meta.insertOne({ _id: 'lock', owner: 'dead', until: Date.now() - 1 })
      expect(await migrateMongo(empty.url)).toEqual({ from: 0, to: 2 })
      await empty.drop()
    })
  })

  // A process dies between two steps: what a dead one leaves behind is made by hand. Its hits are spent, and that is all.
  describe('who dies between two steps', () => {
    type Log = { _id: string; hits: number[]; held: number[]; purge_at: Date }
    type Kept = { _id: string; slot: string; status: string }

    /** A place in the number's budget that nobody gives back. */
    const reserve = (n: number) => {
      const hit = clock.now() + n / 1024
      return db.collection<Log>('guess_budgets').updateOne(
        { _id: PHONE },
        {
          $push: { hits: { $each: [hit], $sort: -1 }, held: hit },
          $set: { purge_at: new Date(clock.now() + 86_400_000) },
        },
        { upsert: true },
      )
    }

    test('after reserving has spent one of the budget, for a day, and no guess', async () => {
      const { id } = await open()
      await reserve(1)
      expect(await remaining()).toBe(19)
      expect(await guess(id)).toBe('wrong_code')
      expect(await remaining()).toBe(18)
      expect(await store.verifications.find(id)).toMatchObject({ guesses: 1 })
    })

    test('after reserving the last place lets nobody be judged, and the others know it in time', async () => {
      const { id } = await open()
      for (let n = 1; n <= 20; n++) await reserve(n)
      const from = performance.now()
      expect(await guess(id, RIGHT)).toBe('budget_spent')
      expect(performance.now() - from).toBeLessThan(1_500)
      clock.advance(4)
      const later = performance.now()
      expect(await guess(id, RIGHT)).toBe('budget_spent')
      expect(performance.now() - later).toBeLessThan(800)
      expect(await store.verifications.find(id)).toMatchObject({ status: 'pending', guesses: 0 })
      clock.advance(86_400)
      expect(await guess((await open()).id, RIGHT)).toBe('approved')
    })

    test('after the last wrong guess leaves a verification that is locked, and a slot that is free', async () => {
      const { id } = await open()
      for (let i = 0; i < 4; i++) await guess(id)
      await db
        .collection<Kept>('verifications')
        .updateOne({ _id: id }, { $inc: { guesses: 1, guesses_left: -1 }, $set: { guessed_at: clock.now() } })
      expect(await store.verifications.find(id)).toMatchObject({
        status: 'locked',
        guesses: 5,
        decidedAt: clock.now(),
      })
      clock.advance(61)
      const again = { channel: 'sms', cooldownSeconds: 60 } as const
      expect((await store.verifications.resend(id, again)).refused).toBe('ended')
      expect((await store.verifications.cancel(id)).canceled).toBe(false)
      expect((await store.verifications.situation('default', PHONE, 'verify')).current).toMatchObject({
        status: 'locked',
      })
      const second = await store.verifications.open(draft(clock))
      expect(second.opened).toBe(true)
      expect(await guess(id, RIGHT)).toBe('locked')
      expect(await db.collection<Kept>('verifications').findOne({ _id: id })).toMatchObject({
        status: 'locked',
        slot: id,
      })
    })

    test('between two counters has spent a hit of the first', async () => {
      const hit = clock.now() + 0.5
      await db
        .collection<Log>('counters')
        .insertOne({ _id: 'a', hits: [hit], held: [hit], purge_at: new Date(clock.now() + 3_600_000) })
      for (let i = 0; i < 4; i++) expect((await store.counters.take([ALSO, FIVE])).ok).toBe(true)
      const refused = await store.counters.take([ALSO, FIVE])
      expect(refused).toMatchObject({ ok: false, rule: { name: 'also' } })
      expect((await store.counters.peek([FIVE]))[0]?.remaining).toBe(1)
    })
  })
})
