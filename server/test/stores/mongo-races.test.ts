import { type Db, MongoClient } from 'mongodb'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openMongo } from '../../src/stores/mongo/store.ts'
import type { Store } from '../../src/stores/store.ts'
import type { Guess, Verdict } from '../../src/verify/store.ts'
import { draft } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'
import { BY_CHANCE, someRound } from '../helpers/by-chance.ts'
import { describeWith, type Fresh, freshMongo } from '../helpers/services.ts'
import { BUDGET, race, type Racer, RIGHT, WRONG } from './mongo-races.ts'
import { TWINS } from './mongo-twins.ts'

type Judge = (guess: Guess) => Promise<Verdict | undefined>

/** Stores that know nothing of each other, as those of so many processes. */
const STORES = 6
const PURPOSES = ['verify', 'login', 'signup', 'reset', 'phone_change', 'second_factor'] as const
const PHONE = '+14155552671'
/** Each round has a number of its own. */
const numberOf = (round: number) => `+1415555${4000 + (round % 6000)}`

describeWith('mongodb', 'races of stores on one MongoDB, and twins that lose them', () => {
  let database: Fresh
  let client: MongoClient
  let db: Db
  let clock: FakeClock
  let stores: Store[]

  beforeEach(async () => {
    database = await freshMongo()
    client = await new MongoClient(database.url).connect()
    db = client.db()
    clock = new FakeClock()
    stores = await Promise.all(
      Array.from({ length: STORES }, () => openMongo({ url: database.url, retentionDays: 30, clock })),
    )
  })
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await client.close()
    await database.drop()
  })

  const open = async (changes: Parameters<typeof draft>[1] = {}) => {
    const opened = await stores[0]?.verifications.open(draft(clock, changes))
    return opened?.verification.id ?? ''
  }
  /** The same stores, with this way to judge. */
  const withJudge = (judge: Judge): Racer[] =>
    stores.map(({ verifications, counters }) => ({
      counters,
      verifications: {
        judge,
        open: (one) => verifications.open(one),
        claim: (...all) => verifications.claim(...all),
      },
    }))

  describe('R3: wrong guesses at one verification', () => {
    test('are judged five times', async () => {
      expect(await race(stores, 'wrong', await open(), 50)).toEqual({ wrong_code: 5, locked: 295 })
    })

    test('are judged more often by a twin that reads before it writes', BY_CHANCE, async () => {
      const racers = withJudge(TWINS.readThenWrite(db))
      const isLost = await someRound(async (round) => {
        const { wrong_code: judged = 0 } = await race(
          racers,
          'wrong',
          await open({ to: numberOf(round) }),
          50,
        )
        return judged > 5
      })
      expect(isLost).toBe(true)
    })
  })

  describe('R8, R9: wrong guesses at all the verifications of a number', () => {
    const openAll = async (to = PHONE) =>
      (await Promise.all(PURPOSES.map((purpose) => open({ to, purpose })))).join()

    test('are judged twenty times, and the budget says so', async () => {
      const counts = await race(stores, 'spread', await openAll(), 60)
      expect(counts['wrong_code']).toBe(20)
      expect(await stores[0]?.verifications.budget(PHONE, BUDGET)).toMatchObject({ remaining: 0 })
    })

    test('are judged more often by a twin that charges the budget afterwards', BY_CHANCE, async () => {
      const racers = withJudge(TWINS.chargeAfterwards(db))
      const isLost = await someRound(async (round) => {
        const { wrong_code: judged = 0 } = await race(racers, 'spread', await openAll(numberOf(round)), 60)
        return judged > 20
      })
      expect(isLost).toBe(true)
    })

    test('whatever is refused or right gives its place back, round after round', async () => {
      for (let round = 0; round < 10; round++) {
        expect(await race(stores, 'right', await open(), 10)).toEqual({ approved: 1, already_used: 59 })
      }
      expect(await stores[0]?.verifications.budget(PHONE, BUDGET)).toMatchObject({ remaining: 20 })
    })

    test('an honest guess gets through a flood at another verification of its number', async () => {
      const flooded = await open()
      const honest = await open({ purpose: 'login' })
      const flood = race(stores, 'wrong', flooded, 50)
      expect(await race(stores.slice(0, 1), 'right', honest, 1)).toEqual({ approved: 1 })
      expect(await flood).toEqual({ wrong_code: 5, locked: 295 })
    })
  })

  describe('R5: the right code after five wrong ones of the same burst', () => {
    /** Whether a burst of 60 guesses, the last of which is right, gets in. */
    const burst = async (judge: Judge, id: string) => {
      const guesses = Array.from({ length: 60 }, (_, n) => (n === 59 ? RIGHT : WRONG))
      const all = await Promise.all(
        guesses.map((digest) =>
          judge({ id, service: 'default', digests: [digest], budget: BUDGET, unlimited: [] }),
        ),
      )
      return all.some((verdict) => verdict?.reason === 'approved')
    }

    test('comes too late', async () => {
      for (let round = 0; round < 3; round++) {
        const to = `+1415555${3000 + round}`
        expect(await burst((guess) => stores[0]!.verifications.judge(guess), await open({ to }))).toBe(false)
      }
    })

    test('overtakes them in a twin that tries what is right first', BY_CHANCE, async () => {
      const judge = TWINS.rightFirst(db)
      expect(await someRound(async (round) => burst(judge, await open({ to: numberOf(round) })))).toBe(true)
    })
  })

  describe('R19: opens for one number, service and purpose', () => {
    test('come to one verification', async () => {
      expect(await race(stores, 'open', PHONE, 30)).toEqual({ opened: 1, found: 179 })
    })

    test('come to several where the index over slots is not unique', BY_CHANCE, async () => {
      await db.collection('verifications').dropIndex('slot_1')
      const isLost = await someRound(async (round) => {
        const { opened = 0 } = await race(stores, 'open', numberOf(round), 30)
        return opened > 1
      })
      expect(isLost).toBe(true)
    })
  })

  describe('R21: takes', () => {
    test('pass as often as the limit says, and one that is refused stays on no counter', async () => {
      expect(await race(stores, 'takeBoth', '', 40)).toEqual({ taken: 2, two: 238 })
      expect(await race(stores, 'take', '', 40)).toEqual({ taken: 3, five: 237 })
    })

    test('that are given back all at once leave what others took', async () => {
      const counter = { key: 'g', rules: [{ name: 'many', limit: 100, windowSeconds: 60 }] }
      const taken = await Promise.all(
        stores.flatMap(({ counters }) => Array.from({ length: 10 }, () => counters.take([counter]))),
      )
      await Promise.all(
        taken.map(async (one, n) => (one.ok && n % 2 === 0 ? stores[n % STORES]?.counters.give(one) : null)),
      )
      // All were made in the same millisecond, by a clock that stands still.
      expect((await stores[0]?.counters.peek([counter]))?.[0]?.remaining).toBe(70)
    })
  })

  test('R41: claims whose process died are taken over once, and not when they were answered meanwhile', async () => {
    const [first] = stores
    for (let round = 0; round < 5; round++) {
      const key = `k${round}`
      await first?.verifications.claim(key, 'f', { leaseSeconds: 30, keepSeconds: 86_400 })
      clock.advance(31)
      expect(await race(stores, 'claim', key, 10)).toEqual({ mine: 1, busy: 59 })
      await first?.verifications.settleClaim(key, '1')
      expect(await race(stores, 'claim', key, 5)).toEqual({ done: 30 })
    }
  })

  test('F19: a key that was released does not lead to what was opened under it before', async () => {
    const [store] = stores
    const life = { leaseSeconds: 30, keepSeconds: 86_400 }
    await store?.verifications.claim('k', 'f', life)
    await open({ claimKey: 'k' })
    await store?.verifications.releaseClaim('k', { unlessOpened: false })
    clock.advance(1)
    await store?.verifications.claim('k', 'f', life)
    clock.advance(31)
    expect(await store?.verifications.claim('k', 'f', life)).toEqual({ state: 'mine' })
  })
})
