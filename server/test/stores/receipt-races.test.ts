import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Progress } from '../../src/messaging/provider.ts'
import { sendRanks } from '../../src/messaging/send-ranks.ts'
import type { Send, SendOutcome, Told } from '../../src/messaging/store.ts'
import { openMongo } from '../../src/stores/mongo/store.ts'
import { openPostgres } from '../../src/stores/postgres/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { planned } from '../conformance/planned.ts'
import { draft } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'
import { BY_CHANCE, someRound } from '../helpers/by-chance.ts'
import { breakPostgres } from '../helpers/data/postgres.ts'
import { describeWith, type Fresh, freshMongo, freshPostgres } from '../helpers/services.ts'

/** Stores that know nothing of each other, as those of so many processes. */
const STORES = 4
const ROUNDS = 15
const WORDS: readonly Progress[] = ['read', 'sent', 'delivered', 'undelivered', 'queued']
const LOST: SendOutcome = {
  status: 'unknown',
  error: 'unknown',
  ref: null,
  vendorCode: null,
  price: null,
  watchSeconds: 90,
}

const KINDS = {
  postgres: {
    fresh: freshPostgres,
    open: (url: string, clock: FakeClock) =>
      openPostgres({ url, poolSize: 4, prepare: true, retentionDays: 30, clock }),
  },
  mongodb: {
    fresh: freshMongo,
    open: (url: string, clock: FakeClock) => openMongo({ url, retentionDays: 30, clock }),
  },
}

for (const kind of ['postgres', 'mongodb'] as const) {
  describeWith(kind, `receipts that several processes hear at once, on ${kind}`, () => {
    let database: Fresh
    let clock: FakeClock
    let stores: Store[]
    let numbers = 0

    beforeEach(async () => {
      clock = new FakeClock()
      database = await KINDS[kind].fresh()
      stores = []
      for (let n = 0; n < STORES; n++) stores.push(await KINDS[kind].open(database.url, clock))
    })
    afterEach(async () => {
      await Promise.all(stores.map((store) => store.close()))
      await database.drop()
    })

    const storeOf = (n: number): Store => {
      const store = stores[n % STORES]
      if (!store) throw new Error('there is no store')
      return store
    }
    /** A send whose answer was lost, and what each store is told of it at once: everything, one or several times. */
    const round = async (words: readonly Progress[]) => {
      const send = planned()
      const to = `+1415555${1000 + ++numbers}`
      const { verification } = await storeOf(0).verifications.open(draft(clock, { to, send }))
      const { id: owner } = verification
      await storeOf(0).messaging.settleSend({ owner, id: send.id, fence: 1 }, LOST)
      const ref = `SM${send.id}`
      const telling = words.map((progress, n) =>
        storeOf(n).messaging.tell('twilio', { ref, send: send.id, progress }),
      )
      const told = await Promise.all(telling)
      const [kept] = await storeOf(0).messaging.sendsOf(owner)
      if (!kept) throw new Error('no such send')
      return { told, kept }
    }
    const newsIn = (told: readonly Told[]) => told.filter(({ state }) => state === 'news').length

    test('are news once, whoever hears them', async () => {
      for (const progress of ['sent', 'undelivered', 'delivered'] as const) {
        const { told, kept } = await round(Array.from({ length: 40 }, () => progress))
        expect(newsIn(told)).toBe(1)
        expect(told.filter(({ state }) => state === 'old')).toHaveLength(39)
        expect(kept.history).toHaveLength(1)
      }
    })

    test('take a send to the most that was told, by steps that each was news of, and lose none', async () => {
      for (let at = 0; at < ROUNDS; at++) {
        const { told, kept } = await round(wordsOf(at))
        expect(told.some(({ state }) => state === 'waiting')).toBe(false)
        expect(kept.status).toBe(wordsOf(at).includes('read') ? 'read' : 'delivered')
        expect(newsIn(told)).toBe(kept.history.length)
        const ranks = kept.history.map(({ status }) => sendRanks[status])
        expect(ranks).toEqual([...new Set(ranks)].sort((one, other) => one - other))
      }
      clock.advance(3600)
      expect(await storeOf(0).messaging.retakeSends(10)).toEqual([])
    })

    test('wait once, and are joined to their send by one', async () => {
      const { verification } = await storeOf(0).verifications.open(draft(clock, { send: planned() }))
      const { id: owner } = verification
      const early = { ref: 'SMearly', progress: 'delivered' } as const
      const told = Array.from({ length: 40 }, (_, n) => storeOf(n).messaging.tell('twilio', early))
      expect(new Set((await Promise.all(told)).map(({ state }) => state))).toEqual(new Set(['waiting']))
      const [send] = await storeOf(0).messaging.sendsOf(owner)
      const answer = { ...LOST, status: 'accepted', error: null, ref: 'SMearly' } as const
      await storeOf(0).messaging.settleSend({ owner, id: send?.id ?? '', fence: 1 }, answer)
      const joined = Array.from({ length: 12 }, (_, n) => storeOf(n).messaging.tellWaiting(10))
      expect((await Promise.all(joined)).flat()).toMatchObject([{ id: send?.id, status: 'delivered' }])
    })

    test('and approvals: one of many is true, and gives one guess back', async () => {
      const budget = { name: 'wrong', limit: 20, windowSeconds: 86_400 }
      const { verification } = await storeOf(0).verifications.open(draft(clock))
      const { id, to } = verification
      const guess = { id, service: 'default', digests: [Buffer.alloc(32, 8)], budget, unlimited: [] }
      for (let n = 0; n < 3; n++) await storeOf(n).verifications.judge(guess)
      const all = Array.from({ length: 40 }, (_, n) => storeOf(n).verifications.approve(id))
      expect((await Promise.all(all)).filter(({ approved }) => approved)).toHaveLength(1)
      expect(await storeOf(0).verifications.budget(to, budget)).toMatchObject({ remaining: 18 })
    })

    if (kind === 'postgres')
      describe('a twin that', () => {
        test(
          'looks for a lost send only once loses what others tell of it meanwhile',
          BY_CHANCE,
          async () => {
            await breakPostgres({ settings: { DATABASE_URL: database.url } }, 'send_of', [
              [/IN 1\.\.2/, 'IN 1..1'],
              [/EXIT WHEN FOUND OR p_send IS NULL;/, '$& PERFORM pg_sleep(0.005);'],
            ])
            const isLost = await someRound(async (at) => {
              const { told } = await round(wordsOf(at))
              return told.some(({ state }) => state === 'waiting')
            })
            expect(isLost).toBe(true)
          },
        )

        test('does not look again how far a send is takes it back', BY_CHANCE, async () => {
          await breakPostgres({ settings: { DATABASE_URL: database.url } }, 'tell', [
            [/ AND o\.status = ANY \(r\.before\)/, ''],
          ])
          const isLost = await someRound(async (at) => {
            const { told, kept } = await round(wordsOf(at))
            return newsIn(told) > kept.history.length || isTakenBack(kept)
          })
          expect(isLost).toBe(true)
        })
      })
  })
}

/** What is told in a round: of one word for each store nothing is decided together, of more there is. */
function wordsOf(round: number): readonly Progress[] {
  const count = round % 2 === 0 ? STORES : 20
  return Array.from({ length: count }, (_, n) => WORDS[(n + round) % WORDS.length] ?? 'read')
}

/** Whether a send was further once than it was later. */
function isTakenBack({ history }: Send): boolean {
  return history.some(({ status }, at) => {
    const before = history[at - 1]
    return before !== undefined && sendRanks[status] <= sendRanks[before.status]
  })
}
