import postgres, { type Sql } from 'postgres'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import type { EventType } from '../../src/auth/events.ts'
import type { Entry } from '../../src/auth/store.ts'
import { systemClock } from '../../src/primitives/clock.ts'
import { makeId } from '../../src/primitives/ids.ts'
import { openPostgres } from '../../src/stores/postgres/store.ts'
import type { Store } from '../../src/stores/store.ts'
import type { Draft } from '../../src/verify/store.ts'
import { PURPOSES } from '../../src/verify/verification.ts'
import { draft as draftOn, guessOf, RIGHT, WRONG } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'
import { BY_CHANCE, someRound } from '../helpers/by-chance.ts'
import { breakPostgres } from '../helpers/data/postgres.ts'
import { describeWith, type Fresh, freshPostgres } from '../helpers/services.ts'

const NUMBERS = 24
const ADDRESS = '203.0.113.7'
const ROUNDS = 12
const numberAt = (n: number) => `+1415200${String(1000 + n)}`
const numbers = Array.from({ length: NUMBERS }, (_, n) => numberAt(n))

describeWith('postgres', 'verbs that decide for many at once', () => {
  let fresh: Fresh
  let sql: Sql
  let stores: readonly Store[]
  beforeEach(async () => {
    fresh = await freshPostgres()
    sql = postgres(fresh.url, { max: 2, onnotice: () => {} })
    // Found out sooner, so that those who wait for each other cost little time here.
    await sql.unsafe(`ALTER DATABASE ${new URL(fresh.url).pathname.slice(1)} SET deadlock_timeout = '100ms'`)
    const open = () => openPostgres({ url: fresh.url, poolSize: 4, prepare: true, retentionDays: 30 })
    stores = [await open(), await open(), await open()]
  })
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await sql.end({ timeout: 1 })
    await fresh.drop()
  })

  const draft = (changes: Partial<Draft>) =>
    draftOn(new FakeClock(), { id: makeId('ver_', systemClock.now()), ...changes })
  const storeAt = (n: number) => stores[n % stores.length]!.verifications

  /** Opens one for every number and purpose. */
  async function openAll(): Promise<string[]> {
    const drafts = PURPOSES.flatMap((purpose) => numbers.map((to) => draft({ to, purpose })))
    await Promise.all(drafts.map((one, n) => storeAt(n).open(one)))
    return drafts.map(({ id }) => id)
  }

  /** Guesses wrong at all of them from every store, each time in another order. */
  async function guessAll(ids: readonly string[], rounds = ROUNDS): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const guesses = stores.flatMap(({ verifications }) =>
        shuffled(ids).map((id) => verifications.judge(guessOf(id, WRONG))),
      )
      await Promise.allSettled(guesses)
      await sql`DELETE FROM countersign.guess_budgets`
      await sql`UPDATE countersign.verifications SET guesses = 0, status = 'pending', decided_at = NULL`
    }
  }

  /** Starts for all numbers from every store, each counted on the number and on one of few addresses. */
  async function chargeAll(rounds = ROUNDS): Promise<void> {
    const rule = { name: 'a', limit: 1_000, windowSeconds: 60 }
    for (let round = 0; round < rounds; round++) {
      const starts = stores.flatMap(({ verifications }) =>
        shuffled(numbers).map((to) => {
          const address = `starts:${Math.floor(Math.random() * NUMBERS)}`
          const counters = [`sends:${to}`, address].map((key) => ({ key, rules: [rule] }))
          return verifications.charged!.open(draft({ to }), { counters, endedByApproval: 'a' })
        }),
      )
      await Promise.allSettled(starts)
      await sql`DELETE FROM countersign.counters`
      await sql`DELETE FROM countersign.verifications`
    }
  }

  /** Takes hits on two of few counters from every store, and gives them back while others are taken. */
  async function takeAll(rounds = ROUNDS): Promise<void> {
    const rule = { name: 'a', limit: 1_000, windowSeconds: 60 }
    for (let round = 0; round < rounds; round++) {
      const taken = stores.flatMap(({ counters }) =>
        shuffled(numbers).map(async (key) => {
          const other = numberAt(Math.floor(Math.random() * NUMBERS))
          const wanted = [...new Set([key, other])].map((one) => ({ key: one, rules: [rule] }))
          const hit = await counters.take(wanted)
          if (hit.ok) await counters.give(hit)
        }),
      )
      await Promise.allSettled(taken)
      await sql`DELETE FROM countersign.counters WHERE key = ANY (${numbers.slice(0, NUMBERS / 2)})`
    }
  }

  /** Lets people in by all numbers from every store: to accounts that are there, proven long ago, not there yet, or left. */
  async function enterAll(rounds = ROUNDS): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const entered = stores.flatMap(({ auth }) => shuffled(numbers).map((to) => auth.enter(entryOf(to))))
      await Promise.allSettled(entered)
      await sql`UPDATE countersign.users SET phone_verified_at = 0 WHERE phone = ANY (${numbers.slice(0, 8)})`
      await sql`DELETE FROM countersign.users WHERE phone = ANY (${numbers.slice(8, 16)})`
    }
  }

  /** Lets those that wait for each other wait until the database finds out and counts it. */
  async function waitLong(): Promise<void> {
    await sql`ALTER FUNCTION countersign.open RESET lock_timeout`
    await sql`ALTER FUNCTION countersign.judge RESET lock_timeout`
    await sql`ALTER FUNCTION countersign.take RESET lock_timeout`
    await sql`ALTER FUNCTION countersign.give RESET lock_timeout`
    await sql`ALTER FUNCTION countersign.enter RESET lock_timeout`
  }

  /** How often two transactions of this database have waited for each other. */
  async function deadlocks(): Promise<number> {
    await sql`SELECT pg_stat_clear_snapshot()`
    const [row] = await sql`SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()`
    return Number(row?.['deadlocks'])
  }

  /** Plays rounds until two transactions have waited for each other: a round of how many is luck. */
  async function waitsForEachOther(round: () => Promise<void>): Promise<boolean> {
    return someRound(async () => {
      await round()
      return (await deadlocks()) > 0
    })
  }

  test('batches of guesses from three processes never wait for each other', async () => {
    await waitLong()
    await guessAll(await openAll())
    expect(await deadlocks()).toBe(0)
  })

  test('nor do batches of starts, whatever numbers and addresses they share', async () => {
    await waitLong()
    await chargeAll()
    expect(await deadlocks()).toBe(0)
  })

  test('nor do batches of hits that are taken and given back', async () => {
    await waitLong()
    await takeAll()
    expect(await deadlocks()).toBe(0)
  })

  test('nor do batches of people who come in, new, known, or to start over', async () => {
    await waitLong()
    await enterAll()
    expect(await deadlocks()).toBe(0)
    const [row] = await sql`SELECT count(*)::int AS count FROM countersign.sessions`
    expect(row?.['count']).toBe(stores.length * NUMBERS * ROUNDS)
  })

  test('nor do starts over expired ones and guesses at these', async () => {
    await waitLong()
    const ids = await openAll()
    for (let round = 0; round < ROUNDS; round++) {
      await sql`DELETE FROM countersign.verifications WHERE NOT id = ANY (${ids})`
      await sql`UPDATE countersign.verifications SET status = 'pending', decided_at = NULL, expires_at = 1`
      const all = stores.flatMap(({ verifications }) => [
        ...shuffled(ids).map((id) => verifications.judge(guessOf(id, WRONG))),
        ...shuffled(PURPOSES.flatMap((purpose) => numbers.map((to) => draft({ to, purpose })))).map((one) =>
          verifications.open(one),
        ),
      ])
      await Promise.allSettled(all)
    }
    expect(await deadlocks()).toBe(0)
  })

  test('they would without the locks being taken first: guesses', BY_CHANCE, async () => {
    await waitLong()
    await breakPostgres({ settings: { DATABASE_URL: fresh.url } }, 'judge', [
      [/PERFORM countersign\.hold_guesses\(p_guesses\);/, ''],
    ])
    const ids = await openAll()
    expect(await waitsForEachOther(() => guessAll(ids, 1))).toBe(true)
  })

  test('they would without the locks being taken in one order: starts', BY_CHANCE, async () => {
    await waitLong()
    await breakPostgres({ settings: { DATABASE_URL: fresh.url } }, 'hold', [
      [
        /SELECT DISTINCT key, '\{\}'::bigint\[\], 0 FROM unnest\(p_keys\) AS key ORDER BY key/,
        // Slower from key to key, so that others are at theirs meanwhile.
        "SELECT key, '{}'::bigint[], 0 FROM unnest(p_keys) AS key WHERE pg_sleep(0.001) IS NOT NULL",
      ],
    ])
    expect(await waitsForEachOther(() => chargeAll(1))).toBe(true)
  })

  test(
    'they would without the locks being taken in one order: hits that are given back',
    BY_CHANCE,
    async () => {
      await waitLong()
      await breakPostgres({ settings: { DATABASE_URL: fresh.url } }, 'give', [
        [/ORDER BY c\.key FOR UPDATE/, 'ORDER BY random() FOR UPDATE'],
      ])
      expect(await waitsForEachOther(() => takeAll(1))).toBe(true)
    },
  )

  test('they would if they were let in as they come: people', BY_CHANCE, async () => {
    await waitLong()
    await breakPostgres({ settings: { DATABASE_URL: fresh.url } }, 'enter', [
      [/PERFORM pg_advisory_xact_lock\(number\);/, ''],
      [/ORDER BY o\.id FOR UPDATE/, 'LIMIT 0'],
    ])
    expect(await waitsForEachOther(() => enterAll(1))).toBe(true)
  })

  test('what is refused or found as it stands locks and writes nothing', async () => {
    const counters = [{ key: 'k', rules: [{ name: 'a', limit: 1, windowSeconds: 60 }] }]
    const start = (n: number) =>
      storeAt(0).charged!.open(draft({ to: numberAt(n) }), { counters, endedByApproval: 'none' })
    const marks = () =>
      sql`SELECT xmin::text, xmax::text, ctid::text FROM countersign.counters
        UNION ALL SELECT xmin::text, xmax::text, ctid::text FROM countersign.verifications`
    await start(0)
    const before = await marks()
    expect(await start(0)).toMatchObject({ refused: null, opened: false })
    expect(await start(1)).toMatchObject({ refused: { ok: false } })
    expect(await stores[0]!.counters.take(counters)).toMatchObject({ ok: false })
    expect(await marks()).toEqual(before)
  })

  test('what one of many holds that the database cannot take costs the others nothing', async () => {
    const all = Array.from({ length: 9 }, (_, n) =>
      draft({ to: numberAt(n), ...(n === 4 ? { nonce: 'a\0b' } : {}) }),
    )
    const opened = await Promise.allSettled(all.map((one) => storeAt(0).open(one)))
    expect(opened.map(({ status }) => status === 'fulfilled')).toEqual(all.map((_, n) => n !== 4))
    const [row] = await sql`SELECT count(*)::int AS count FROM countersign.verifications`
    expect(row?.['count']).toBe(8)
  })

  test('a row that somebody outside has locked holds up who wants it, and nobody else', async () => {
    const all = Array.from({ length: 40 }, (_, n) => draft({ to: numberAt(n) }))
    await Promise.all(all.map((one) => storeAt(0).open(one)))
    const [locked, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    onTestFinished(() => release.resolve())
    const holding = sql.begin(async (held) => {
      await held`SELECT 1 FROM countersign.verifications WHERE id = ${all[7]!.id} FOR UPDATE`
      locked.resolve()
      await release.promise
    })
    await locked.promise
    const from = performance.now()
    const judged = all.map(({ id }) =>
      storeAt(0)
        .judge(guessOf(id, RIGHT))
        .then(
          (verdict) => ({ reason: verdict?.reason, ms: performance.now() - from }),
          () => ({ reason: 'refused', ms: performance.now() - from }),
        ),
    )
    const others = await Promise.all(judged.filter((_, n) => n !== 7))
    expect(new Set(others.map(({ reason }) => reason))).toEqual(new Set(['approved']))
    expect(Math.max(...others.map(({ ms }) => ms))).toBeLessThan(2_000)
    expect(await judged[7]).toMatchObject({ reason: 'refused' })
    release.resolve()
    await holding
    expect(await storeAt(0).judge(guessOf(all[7]!.id, RIGHT))).toMatchObject({ reason: 'approved' })
  })

  test('guesses at one verification in one batch are judged one after the other', async () => {
    const one = draft({ to: numberAt(0) })
    await storeAt(0).open(one)
    const wrong = Array.from({ length: 7 }, () => storeAt(0).judge(guessOf(one.id, WRONG)))
    const verdicts = await Promise.all([...wrong, storeAt(0).judge(guessOf(one.id, RIGHT))])
    expect(verdicts.map((verdict) => verdict?.reason)).toEqual([
      ...Array.from({ length: 5 }, () => 'wrong_code'),
      ...Array.from({ length: 3 }, () => 'locked'),
    ])
  })

  test('F3: what comes too late changes nothing, neither opens nor judges', async () => {
    const [one, other] = [draft({ to: numberAt(0) }), draft({ to: numberAt(1) })]
    await storeAt(0).open(one)
    const packed = (id: string) =>
      JSON.stringify([
        {
          n: 1,
          id,
          service: 'default',
          digests: [`\\x${WRONG.toString('hex')}`],
          budget: 20,
          budget_ms: 1000,
          unlimited: [],
        },
      ])
    const judge = (untilMs: number) =>
      sql`SELECT verdict FROM countersign.judge(${packed(one.id)}::text::json, NULL, ${systemClock.now() + untilMs}::text::bigint)`
    await expect(judge(-1)).rejects.toMatchObject({ code: '57014' })
    expect((await storeAt(0).find(one.id))?.guesses).toBe(0)
    expect(await judge(5_000)).toEqual([{ verdict: 'wrong_code' }])
    expect((await storeAt(0).find(one.id))?.guesses).toBe(1)

    const open = (id: string, untilMs: number) =>
      sql`SELECT is_opened FROM countersign.open(${openingOf(id)}::text::json, NULL, ${systemClock.now() + untilMs}::text::bigint)`
    await expect(open('ver_late', -1)).rejects.toMatchObject({ code: '57014' })
    expect(await storeAt(0).find('ver_late')).toBeUndefined()
    expect(await open('ver_early', 5_000)).toEqual([{ is_opened: true }])

    // The caller has two seconds; somebody else has the number's counter for longer.
    const rule = { name: 'a', limit: 10, windowSeconds: 60 }
    const key = `sends:${other.to}`
    await sql`INSERT INTO countersign.counters (key, hits, expires_at) VALUES (${key}, '{}', 0)`
    const [locked, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const holding = sql.begin(async (held) => {
      await held`SELECT 1 FROM countersign.counters WHERE key = ${key} FOR UPDATE`
      locked.resolve()
      await release.promise
    })
    onTestFinished(() => release.resolve())
    await locked.promise
    const charge = { counters: [{ key, rules: [rule] }], endedByApproval: 'none' }
    await expect(storeAt(0).charged!.open(other, charge)).rejects.toMatchObject({ code: 'store_unavailable' })
    release.resolve()
    await holding
    expect(await storeAt(0).find(other.id)).toBeUndefined()
  })
})

/** Somebody who has proven a number, and now and then has none of the account that has it. */
function entryOf(phone: string): Entry {
  const id = (prefix: string) => makeId(prefix, systemClock.now())
  const by = { actor: 'user', address: ADDRESS, agent: '' } as const
  const event = (type: EventType) => ({ id: id('evt_'), type, by, data: {} })
  return {
    phone,
    newUser: { id: id('usr_'), email: null, name: null, passwordHash: null },
    session: {
      id: id('ses_'),
      amr: ['sms'],
      withFactor: false,
      address: ADDRESS,
      agent: '',
      lifeSeconds: 3600,
      idleSeconds: 600,
    },
    proofSeconds: 86_400,
    startsOver: Math.random() < 0.2,
    events: {
      created: event('user.created'),
      entered: event('phone.proven'),
      detached: event('phone.detached'),
      started: event('session.started'),
    },
  }
}

/** What the function is given that opens one verification with no send and no limits. */
function openingOf(id: string): string {
  const figures = { code_length: 6, guesses_max: 5, sends_max: 5, ttl_ms: 600_000, cooldown_ms: 0, waits: 0 }
  const texts = { service: 'default', phone: numberAt(9), country: 'US', channel: 'sms', purpose: 'verify' }
  const none = { keys: [], sizes: [], lives: [], places: [], limits: [], windows: [] }
  const rest = { status: 'pending', key_id: 'k1', digest: '\\x00', decision: 'allow' }
  return JSON.stringify([{ n: 1, id, ...texts, ...figures, ...none, ...rest }])
}

function shuffled<T>(all: readonly T[]): T[] {
  return all
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}
