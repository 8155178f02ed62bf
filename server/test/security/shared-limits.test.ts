import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeId } from '../../src/primitives/ids.ts'
import { PURPOSES } from '../../src/verify/verification.ts'
import {
  describeBackends,
  inLongRuns,
  MONGODB,
  POSTGRES,
  REDIS,
  SHARED,
  SQLITE,
} from '../helpers/backends.ts'
import { READ_FIRST } from '../helpers/data/mongo.ts'
import { BY_CHANCE, someRound } from '../helpers/by-chance.ts'
import { breakPostgres } from '../helpers/data/postgres.ts'
import { GET_THEN_SET } from '../helpers/data/redis.ts'
import { Fleet } from '../helpers/fleet.ts'
import { type Answer, endProcesses, numberOf } from '../helpers/process.ts'
import { wrong } from '../helpers/wire.ts'

/** Servers that are broken on purpose are played in the long run; `stores/*-races.test.ts` break stores in each. */
const LONG = process.env['TEST_LONG'] === '1'

const MINUTE = 60
const HOUR = 3_600
const DAY = 86_400
/** What is noted as the time of an event is when its answer came, so windows are looked at with this much less. */
const SLACK = 2
/** The test is the proxy, and says whom it speaks for. */
const SETTINGS = { MESSAGES_PER_PHONE_HOUR: '5', TRUSTED_PROXIES: '127.0.0.0/8' }

/** How long a broken function waits between reading and writing, for each of a batch. */
const PAUSE_SECONDS = 0.02

/** `limits.test.ts` plays it with 10,000 in every run, on one process. */
const SPRAYED = LONG ? 10_000 : 1_000

afterAll(endProcesses)

const purposeOf = (n: number) => PURPOSES[n % PURPOSES.length]
const from = (address: string) => ({ key: 'pk', headers: { 'x-forwarded-for': address } })

// One process counts on SQLite in `limits.test.ts` too.
describeBackends([...SHARED, ...inLongRuns(SQLITE)], 'three processes on', (backend) => {
  const fleet = Fleet.forTests(backend, { settings: SETTINGS })

  test('R19: 200 starts for one number at once, over three processes and six purposes, send 1 message', async () => {
    const to = numberOf(0)
    const answers = await raceStarts(fleet(), to)
    expect(tally(answers)).toEqual({ '201': 1, '429 resend_cooldown': 199 })
    expect(await fleet().sentTo(to)).toBe(1)
  })

  test('R19: also right after an approval, when no wait is asked, starts for every purpose at once send 1 message', async () => {
    for (let n = 0; n < 5; n++) {
      const to = numberOf(100 + n)
      const { id = '', preview_code: code = '' } = (await fleet().server(n).start(to)).body
      // On MongoDB processes agree on the time to some milliseconds, and nobody types a code in less.
      await sleep(50)
      expect((await fleet().server(n).check(id, code)).body.valid).toBe(true)
      await raceStarts(fleet(), to)
      expect(await fleet().sentTo(to)).toBe(2)
    }
  })

  test('R19: a day of starts as soon as a refusal says, with cancels and approvals, sends ≤ 5 messages in any 10 min and 10 in the day', async () => {
    const to = numberOf(1)
    const begin = fleet().now()
    const times: number[] = []
    for (let round = 0; fleet().now() < begin + (DAY - MINUTE) * 1000; round++) {
      const answers = await Promise.all(
        fleet().servers.map((one, n) => one.start(to, { purpose: purposeOf(round + n) })),
      )
      const sent = await fleet().sentTo(to)
      while (times.length < sent) times.push(fleet().now())
      const opened = answers.find(({ status }) => status === 201)?.body
      if (opened && round % 3 === 0)
        await fleet().server(round).call('POST', `/v1/verifications/${opened.id}/cancel`)
      if (opened && round % 3 === 1) {
        // An approval asks for no wait.
        await fleet()
          .server(round)
          .check(opened.id ?? '', opened.preview_code ?? '')
        continue
      }
      await fleet().pass(Math.min(...answers.flatMap(({ body }) => body.retry_after ?? [])))
    }
    expect(times).toHaveLength(10)
    expect(mostIn(10 * MINUTE - SLACK, times)).toBeLessThanOrEqual(5)
    await fleet().pass(2 * MINUTE)
    expect((await fleet().server(0).start(to)).status).toBe(201)
  })

  test('R21, A39: at a limit of 5, exactly 5 of 1,000 hits over three processes pass, and at the edge as many as have left', async () => {
    const to = numberOf(2)
    expect(await hit(fleet(), to, 1_000)).toBe(5)
    await fleet().pass(HOUR - 30)
    expect(await hit(fleet(), to, 300)).toBe(0)
    await fleet().pass(30)
    // Three now and two in half an hour, so that the next window has two edges.
    expect(await hit(fleet(), to, 3)).toBe(3)
    await fleet().pass(HOUR / 2)
    expect(await hit(fleet(), to, 300)).toBe(2)
    await fleet().pass(HOUR / 2)
    expect(await hit(fleet(), to, 300)).toBe(3)
    await fleet().pass(HOUR / 2)
    expect(await hit(fleet(), to, 300)).toBe(2)
  })

  test('R8: two days of start, guess, cancel or expire from 1,000 addresses over three processes have ≤ 20 guesses judged in any 24 h', async () => {
    const to = numberOf(3)
    const begin = fleet().now()
    const judgedAt: number[] = []
    let guesses = 0
    const nextAddress = () => `198.51.${Math.floor((guesses % 1_000) / 250)}.${guesses++ % 250}`
    for (let round = 0; fleet().now() < begin + 2 * DAY * 1000; round++) {
      const { body } = await fleet()
        .server(round)
        .start(to, { purpose: purposeOf(round) }, from(nextAddress()))
      const { id, preview_code: code = '' } = body
      if (id !== undefined) {
        const answers = await Promise.all(
          Array.from({ length: 60 }, (_, n) =>
            fleet()
              .server(round + n)
              .check(id, wrong(code, n + 1), from(nextAddress())),
          ),
        )
        for (const { body: found } of answers) if (found.reason === 'wrong_code') judgedAt.push(fleet().now())
        if (round % 2 === 0)
          await fleet()
            .server(round + 1)
            .call('POST', `/v1/verifications/${id}/cancel`)
      }
      await fleet().pass([45, 601, 2 * HOUR, 3 * HOUR][round % 4] ?? 0)
    }
    expect(mostIn(DAY - SLACK, judgedAt)).toBe(20)
    expect(judgedAt.length).toBeGreaterThan(20)
    expect(guesses).toBeGreaterThan(1_000)
  })
})

describeBackends(
  [REDIS, MONGODB, ...inLongRuns(SQLITE, POSTGRES)],
  'R10: one code against thousands of verifications from one /64, three processes on',
  (backend) => {
    const fleet = Fleet.forTests(backend, { settings: SETTINGS })
    const counts: Record<string, number> = {}
    let rest: [number, string][] = []

    const spray = async (n: number, id: string) => {
      const host = n.toString(16)
      const { body } = await fleet()
        .server(n)
        .check(id, '123456', from(`2001:db8:1:2:${host}::${host}`))
      const found = body.reason ?? body.limit ?? String(body.code)
      counts[found] = (counts[found] ?? 0) + 1
    }
    const alarms = async () => {
      const figures = await Promise.all(fleet().servers.map((one) => one.call('GET', '/metrics')))
      return figures.map(({ text }) => /^countersign_wrong_rate_alarm (\d)$/m.exec(text)?.[1])
    }

    test('the alarm of every process rings within 10 s, of fewer guesses than any could judge by alone', async () => {
      rest = [...(await openMany(fleet(), SPRAYED)).entries()]
      expect(await alarms()).toEqual(['0', '0', '0'])
      // In turn, so that every server judges a third: of 20 it would ring by itself.
      for (const next of rest.splice(0, 54)) await spray(...next)
      expect(counts['wrong_code']).toBeLessThan(20 * fleet().servers.length)
      await expect.poll(alarms, { timeout: 10_000, interval: 250 }).toEqual(['1', '1', '1'])
    }, 60_000)

    test('≤ 50 are judged', async () => {
      await Promise.all(
        Array.from({ length: 100 }, async () => {
          for (let next = rest.pop(); next; next = rest.pop()) await spray(...next)
        }),
      )
      const judged = counts['wrong_code'] ?? 0
      expect(judged).toBeGreaterThan(0)
      expect(judged).toBeLessThanOrEqual(50)
      expect(counts).toEqual({ wrong_code: judged, checks_per_address: SPRAYED - judged })
    }, 60_000)

    // What they stop by is the database's, and a Redis beside it changes nothing.
    if (backend !== REDIS)
      test('the alarms stop when the guesses do', async () => {
        await expect.poll(alarms, { timeout: 15_000, interval: 500 }).toEqual(['0', '0', '0'])
      }, 20_000)
  },
)

if (LONG)
  describe('a limit that is read before it is set shows', () => {
    const breakTake = (fleet: Fleet) =>
      Promise.all([
        breakPostgres(fleet.data, 'hold', [[/ ORDER BY key FOR UPDATE;/, ';']]),
        breakPostgres(fleet.data, 'hit', [
          [/UPDATE countersign\.counters AS c/, `SELECT pg_sleep(${PAUSE_SECONDS}); $&`],
        ]),
      ])
    const LOOKING_FIRST = [
      { broken: POSTGRES, breakWhenUp: breakTake },
      { broken: REDIS, breakage: GET_THEN_SET },
      { broken: MONGODB, breakage: READ_FIRST },
    ]
    for (const { broken, breakWhenUp, ...options } of LOOKING_FIRST) {
      describeBackends([broken], 'on', (backend) => {
        let next = 0
        const fleet = Fleet.forTests(backend, { settings: SETTINGS, ...options })
        beforeAll(() => breakWhenUp?.(fleet()))

        test('R21, A39: more than 5 hits pass', BY_CHANCE, async () => {
          expect(await hit(fleet(), numberOf(next++), 1_000)).toBeGreaterThan(5)
        })

        test('R19: starts for six purposes send more than 1 message', BY_CHANCE, async () => {
          expect(await startAfterApproval(fleet(), numberOf(next++), PURPOSES)).toBeGreaterThan(1)
        })
      })
    }

    describeBackends([REDIS], 'and so does a missing index for one purpose, on', (backend) => {
      let next = 0
      const fleet = Fleet.forTests(backend, { settings: SETTINGS, breakage: GET_THEN_SET })

      test('R19: with it, starts for one purpose send 1 message whatever the limit does', async () => {
        expect(await startAfterApproval(fleet(), numberOf(next++), ['verify'])).toBe(1)
      })

      test('R19: without it they send more', BY_CHANCE, async () => {
        await breakPostgres(fleet().data, 'open', [
          [/ON CONFLICT \(phone, service, purpose\) WHERE status = 'pending' DO NOTHING/, ''],
          [/INSERT INTO countersign\.verifications/, `PERFORM pg_sleep(${PAUSE_SECONDS}); $&`],
          [/$/, '; DROP INDEX countersign.verifications_pending'],
        ])
        const isLost = await someRound(
          async () => (await startAfterApproval(fleet(), numberOf(next++), ['verify'])) > 1,
        )
        expect(isLost).toBe(true)
      })
    })
  })

describeBackends([SQLITE], 'by a clock that is moved as one likes, on', (backend) => {
  const fleet = Fleet.forTests(backend, { settings: SETTINGS })

  test('R19: a day of starts, resends and cancels every 30 s sends ≤ 5 messages in any 10 min and ≤ 10 in the day', async () => {
    const to = numberOf(1)
    const times: number[] = []
    for (let second = 0; second < DAY - MINUTE; second += 30) {
      const answers = await Promise.all(
        fleet().servers.map((one) => one.start(to, { purpose: purposeOf(second / 30) })),
      )
      for (const { status } of answers) if (status < 300) times.push(fleet().now())
      const opened = answers.find(({ status }) => status === 201)?.body.id
      if (opened !== undefined && second % 60 === 0) {
        await fleet().server(second).call('POST', `/v1/verifications/${opened}/cancel`)
      }
      await fleet().pass(30)
    }
    expect(times).toHaveLength(await fleet().sentTo(to))
    expect(times.length).toBeGreaterThanOrEqual(5)
    expect(times.length).toBeLessThanOrEqual(10)
    expect(mostIn(10 * MINUTE - SLACK, times)).toBeLessThanOrEqual(5)
  })

  test('R21: at a limit of 5, exactly 5 of 1,000 hits over three processes pass, and none more across an edge', async () => {
    const to = numberOf(2)
    // Late in the hour by the clock on the wall, so that a fixed window would soon begin anew.
    const nextHour = Math.ceil(fleet().now() / (HOUR * 1000)) * HOUR * 1000
    const freeze = (atMs: number) => Promise.all(fleet().servers.map((one) => one.freezeClock(atMs)))
    await freeze(nextHour - 10_000)
    expect(await hit(fleet(), to, 1_000)).toBe(5)
    await freeze(nextHour + 10_000)
    expect(await hit(fleet(), to, 300)).toBe(0)
    await freeze(nextHour + HOUR * 1000 - 10_001)
    expect(await hit(fleet(), to, 300)).toBe(0)
    await freeze(nextHour + HOUR * 1000 - 10_000)
    expect(await hit(fleet(), to, 300)).toBe(5)
    await fleet().pass(0)
  })
})

/** 200 starts for a number at once, for these purposes in turn. */
function raceStarts(fleet: Fleet, to: string, purposes: readonly string[] = PURPOSES): Promise<Answer[]> {
  return Promise.all(
    Array.from({ length: 200 }, (_, n) =>
      fleet.server(n).start(to, { purpose: purposes[n % purposes.length] }),
    ),
  )
}

/** How often each answer came. */
function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, body } of answers) {
    const word = [status, body.limit ?? body.code].filter(Boolean).join(' ')
    counts[word] = (counts[word] ?? 0) + 1
  }
  return counts
}

/** How many messages 200 starts at once send to a number that has just been approved, so that no wait is asked. */
async function startAfterApproval(fleet: Fleet, to: string, purposes: readonly string[]): Promise<number> {
  const { id = '', preview_code: code = '' } = (await fleet.server(0).start(to)).body
  expect((await fleet.server(0).check(id, code)).body.valid).toBe(true)
  await raceStarts(fleet, to, purposes)
  return (await fleet.sentTo(to)) - 1
}

/** How many of so many hits at once pass the limit of a number's messages. */
async function hit(fleet: Fleet, to: string, count: number): Promise<number> {
  const answers = await Promise.all(
    Array.from({ length: count }, (_, n) =>
      fleet.server(n).call('POST', '/v1/messages', { body: { to, body: 'hello' } }),
    ),
  )
  const { '202': passed = 0, ...refused } = tally(answers)
  expect(refused).toEqual(passed === count ? {} : { '429 messages_per_phone': count - passed })
  return passed
}

/** The most of these times that lie in any window so long. */
function mostIn(windowSeconds: number, times: readonly number[]): number {
  return Math.max(
    ...times.map((first) => times.filter((at) => at >= first && at < first + windowSeconds * 1000).length),
  )
}

/** Opens verifications of a number each, straight in the store; nobody knows their codes. */
function openMany(fleet: Fleet, count: number): Promise<string[]> {
  return fleet.withStorage(async ({ store, clock }) => {
    const ids: string[] = []
    const open = async () => {
      const id = makeId('ver_', clock.now())
      const place = ids.push(id)
      await store.verifications.open({
        id,
        service: 'default',
        to: numberOf(10_000 + place),
        country: 'US',
        channel: 'sms',
        purpose: 'verify',
        locale: null,
        status: 'pending',
        keyId: 'k',
        digest: randomBytes(32),
        codeLength: 6,
        guessesMax: 5,
        sendsMax: 5,
        ttlSeconds: 600,
        cooldownSeconds: 30,
        nonce: null,
        metadata: null,
        terms: null,
        decision: 'allow',
      })
    }
    while (ids.length < count) await Promise.all(Array.from({ length: 100 }, open))
    return ids
  })
}
