import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { CountersignError } from '../../src/primitives/errors.ts'
import { MongoDatabase } from '../../src/stores/mongo/database.ts'
import { mongoSchema, openMongo } from '../../src/stores/mongo/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { draft } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'
import { describeWith, type Fresh, freshMongo, type Proxy, toxiproxy } from '../helpers/services.ts'
import { LossyWire } from './mongo-lossy-wire.ts'
import { BUDGET, RIGHT, WRONG } from './mongo-races.ts'

/** The longest that a call may take to reject, and that it may take to work again once the server is back. */
const REJECTS_MS = 2_500
const RECOVERS_MS = 2_000

const COUNTER = { key: 'a', rules: [{ name: 'many', limit: 100, windowSeconds: 60 }] }

describeWith('mongodb', 'F4: a client that looks for its server no more', () => {
  test('is connected anew within a few seconds, without a restart', { timeout: 20_000 }, async () => {
    const database = await freshMongo()
    const clients = new Set<MongoClient>()
    const connect = vi.spyOn(MongoClient.prototype, 'connect').mockImplementation(function (
      this: MongoClient,
    ) {
      clients.add(this)
      connect.mockRestore()
      return this.connect()
    })
    const db = await MongoDatabase.open(database.url)
    // Closed behind its back, a client answers nothing and does nothing about it: the driver says so.
    for (const client of clients) await client.close()
    await expect(db.ping(1)).rejects.toBeInstanceOf(CountersignError)
    await expect
      .poll(() => db.ping(2).then(() => 'answers', String), { timeout: 10_000, interval: 250 })
      .toBe('answers')
    await db.close()
    await database.drop()
  })
})

describeWith(['mongodb', 'toxiproxy'], 'F1, R30: a MongoDB that fails', () => {
  let database: Fresh
  let proxy: Proxy
  let store: Store

  beforeEach(async () => {
    database = await freshMongo()
    proxy = await toxiproxy(database.url)
    store = await openMongo({ url: proxy.url, retentionDays: 30 })
  })
  afterEach(async () => {
    await proxy.restore()
    await store.close()
    await proxy.remove()
    await database.drop()
  })

  const now = () => new FakeClock(store.clock.now())
  const judge = (id: string, digest: Buffer) =>
    store.verifications.judge({ id, service: 'default', digests: [digest], budget: BUDGET, unlimited: [] })

  const calls = (): (() => Promise<unknown>)[] => [
    () => store.verifications.open(draft(now())),
    () => store.verifications.situation('default', '+14155552671', 'verify'),
    () => judge('ver_1', RIGHT),
    () => store.verifications.cancel('ver_1'),
    () => store.verifications.claim('k', 'f', { leaseSeconds: 30, keepSeconds: 60 }),
    () => store.verifications.list({ service: 'default', limit: 10 }),
    () => store.messaging.sendsOf('ver_1'),
    () => store.messaging.retakeSends(10),
    () => store.counters.take([COUNTER]),
    () => store.counters.peek([COUNTER]),
    () => store.keys.findByHash('h'),
    () => store.ping(),
  ]

  async function expectAllRejected(): Promise<void> {
    await Promise.all(
      calls().map(async (call) => {
        const from = performance.now()
        const error = await call().then(
          () => undefined,
          (reason: unknown) => reason,
        )
        expect(error).toBeInstanceOf(CountersignError)
        expect(error).toMatchObject({ code: 'store_unavailable', help: { retryAfterSeconds: 1 } })
        expect(performance.now() - from).toBeLessThan(REJECTS_MS)
      }),
    )
  }

  async function expectBack(): Promise<void> {
    const from = performance.now()
    const isBack = () =>
      store.ping().then(
        () => true,
        () => false,
      )
    while (!(await isBack())) await sleep(20)
    expect(performance.now() - from).toBeLessThan(RECOVERS_MS)
  }

  test('down, every call rejects in time; back, it works without a restart', async () => {
    await proxy.cut()
    for (let round = 0; round < 2; round++) await expectAllRejected()
    await proxy.restore()
    await expectBack()
    expect((await store.counters.take([COUNTER])).ok).toBe(true)
  }, 30_000)

  test('silent, every call rejects in time; when it speaks again, it works without a restart', async () => {
    await proxy.blackhole()
    await expectAllRejected()
    await proxy.restore()
    await expectBack()
  }, 30_000)

  // The commands of a check, each lost on the way there or on the way back, one at a time.
  test.each([
    ['find', 'request'],
    ['find', 'answer'],
    ['update', 'request'],
    ['update', 'answer'],
    ['findAndModify', 'request'],
    ['findAndModify', 'answer'],
  ] as const)(
    'R4, R8: a check that loses the %s’s %s is counted at most once, and approves at most once',
    async (command, what) => {
      const wire = await LossyWire.start(database.url)
      const lossy = await openMongo({ url: wire.url, retentionDays: 30 })
      const judge = async (id: string, digest: Buffer, loses: boolean) => {
        if (loses) wire.lose(command, what)
        const guess = { id, service: 'default', digests: [digest], budget: BUDGET, unlimited: [] }
        return lossy.verifications.judge(guess).then(
          (verdict) => verdict?.reason,
          (error: unknown) => (error as CountersignError).code,
        )
      }
      const { verification: wrong } = await lossy.verifications.open(draft(now()))
      const { verification: right } = await lossy.verifications.open(draft(now(), { purpose: 'login' }))
      const answers = [
        await judge(wrong.id, WRONG, true),
        await judge(right.id, RIGHT, true),
        await judge(right.id, RIGHT, false),
      ]
      expect(wire.lost).toBe(2)
      const counted = (await lossy.verifications.find(wrong.id))?.guesses ?? 0
      const { remaining } = await lossy.verifications.budget('+14155552671', BUDGET)
      await lossy.close()
      await wire.close()
      // A read is asked again by the driver; a write is not, on a server that cannot tell that it has had it before.
      const isRead = command === 'find'
      const isDecided = command === 'findAndModify' && what === 'answer'
      expect(answers).toEqual(
        isRead
          ? ['wrong_code', 'approved', 'already_used']
          : ['store_unavailable', 'store_unavailable', isDecided ? 'already_used' : 'approved'],
      )
      expect(counted).toBe(isRead || isDecided ? 1 : 0)
      // What nobody is sure of is spent.
      expect(20 - remaining).toBeGreaterThanOrEqual(counted)
      expect(20 - remaining).toBeLessThanOrEqual(2)
    },
  )

  test('not there at the start, or asked for with a URL that is none, it names host and reason and no password', async () => {
    const url = 'mongodb://user:hunter2@127.0.0.1:1/db'
    const open = openMongo({ url, retentionDays: 30 })
    await expect(open).rejects.toThrow(/^MongoDB at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED/)
    await expect(mongoSchema('mongodb://user:hun/ter2@127.0.0.1:x/db')).rejects.toThrow(
      /^The MongoDB URL must have the form mongodb:/,
    )
  })
})
