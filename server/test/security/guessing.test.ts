import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Keys } from '../../src/keys/keys.ts'
import { systemClock } from '../../src/primitives/clock.ts'
import { PURPOSES } from '../../src/verify/verification.ts'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, REDIS, SQLITE } from '../helpers/backends.ts'
import { READ_FIRST } from '../helpers/data/mongo.ts'
import { BY_CHANCE } from '../helpers/by-chance.ts'
import { breakPostgres } from '../helpers/data/postgres.ts'
import { Fleet } from '../helpers/fleet.ts'
import { type Answer, endProcesses, numberOf } from '../helpers/process.ts'
import { wrong } from '../helpers/wire.ts'
import { burst } from './burst.ts'

/** Servers that are broken on purpose are played in the long run; `stores/*-races.test.ts` break stores in each. */
const LONG = process.env['TEST_LONG'] === '1'

const SERVICES = 17
const SETTINGS = {
  RESEND_COOLDOWN_SECONDS: '1',
  SMS_RATE_LIMIT_PER_PHONE: '1000',
  SMS_MAX_PER_PHONE_DAY: '1000',
}

afterAll(endProcesses)

// A Redis counts nothing of this, and `kill.test.ts` and `../flows` guess on SQLite.
describeBackends([POSTGRES, MONGODB, ...inLongRuns(SQLITE, REDIS)], 'three processes on', (backend) => {
  const fleet = Fleet.forTests(backend, { settings: SETTINGS })
  const serviceKeys: string[] = []
  let next = 0

  beforeAll(async () => {
    await fleet().withStorage(async ({ store }) => {
      const keys = new Keys(store.keys, systemClock)
      for (let n = 0; n < SERVICES; n++)
        serviceKeys.push((await keys.create('secret', { service: `s${n}` })).token)
    })
  })

  /** A new verification of a number nobody has used, and its code. */
  const open = (to = numberOf(next++), more: object = {}, key = 'sk') => openOn(fleet(), to, more, key)

  test('R3: of 1,000 wrong checks raced over three processes exactly 5 are judged', async () => {
    const opened = await open()
    expect(await raceWrong(fleet(), opened)).toEqual({ '200 wrong_code': 5, '200 locked': 995 })
    expect(await fleet().server(0).read(opened.id)).toMatchObject({ status: 'locked', checks_left: 0 })
  })

  test('R4: of 1,000 right checks raced over three processes exactly 1 is approved, with the only proof', async () => {
    const answers = await raceRight(fleet(), await open())
    expect(tally(answers)).toEqual({ '200 approved': 1, '200 already_used': 999 })
    expect(answers.filter(({ body }) => body.proof !== undefined)).toHaveLength(1)
  })

  test('R5: 499 wrong and 1 right arriving together: at most 5 judged, at most 1 approved, never locked and approved', async () => {
    // The right one is among the first, in the middle, and anywhere.
    for (const at of [0, 2, 4, 250, Math.floor(Math.random() * 500)]) {
      const opened = await open()
      const { statuses, judged, approved, locked } = await burstOn(fleet(), opened, at)
      expect(statuses).toEqual([200])
      expect(approved).toBeLessThanOrEqual(1)
      expect(judged).toBeLessThanOrEqual(5)
      expect(locked > 0 && approved > 0).toBe(false)
      const { status } = await fleet().server(0).read(opened.id)
      expect(status).toBe(approved === 1 ? 'approved' : 'locked')
    }
  })

  test('R6: the right code after the fifth wrong one is answered exactly as any other sixth check', async () => {
    const { id, code } = await open()
    for (let n = 1; n <= 5; n++) await fleet().server(n).check(id, wrong(code, n))
    const right = await fleet().server(1).check(id, code)
    const other = await fleet().server(1).check(id, wrong(code, 9))
    expect(right.status).toBe(other.status)
    expect(right.text).toBe(other.text)
    expect(Object.keys(right.headers)).toEqual(Object.keys(other.headers))
    expect(right.body).toMatchObject({ valid: false, reason: 'locked' })
  })

  test('R7: resends win no guesses: 4 wrong, resend, 4 wrong, resend… has 5 judged in all', async () => {
    const { id, code } = await open()
    const answers: Answer[] = []
    const resends: number[] = []
    for (let round = 0; round < 4; round++) {
      for (let n = 1; n <= 4; n++) answers.push(await fleet().server(n).check(id, wrong(code, n)))
      await fleet().pass(200)
      resends.push((await fleet().server(round).call('POST', `/v1/verifications/${id}/resend`)).status)
    }
    expect(resends[0]).toBe(200)
    expect(tally(answers)).toEqual({ '200 wrong_code': 5, '200 locked': 11 })
    // A start for the same number is a resend too while the verification is pending, and a new one after it.
    await fleet().pass(600)
    expect((await fleet().server(0).check(id, code)).body.reason).toBe('locked')
  })

  test('R9, A20: 102 verifications of one number over purposes and services share one budget of 20 wrong guesses', async () => {
    const opened = await openAll(fleet(), numberOf(next++), serviceKeys)
    expect(new Set(opened.map(({ id }) => id)).size).toBe(SERVICES * PURPOSES.length)
    const counts = await raceAll(fleet(), opened)
    expect(counts['200 wrong_code']).toBe(20)
    expect(counts['429 wrong_checks_per_phone_day']).toBe(
      opened.length * 5 - 20 - (counts['200 locked'] ?? 0),
    )
    // Spent is spent: not even a right code is judged, in any of them, until the budget opens again.
    const right = await Promise.all(
      opened.map(({ id, code, key }, at) => fleet().server(at).check(id, code, { key })),
    )
    expect(right.filter(({ body }) => body.valid === true)).toEqual([])
  })

  test('R12: a code is right just before its end and expired just after it, on every process', async () => {
    const [first, second] = [await open(), await open()]
    const toEnd = async (id: string, ms: number) => {
      const end = Date.parse((await fleet().server(0).read(id)).expires_at ?? '')
      // A store's clock cannot be stopped, so what is left must outlast the request.
      if (fleet().data.age) await fleet().pass((end - Date.now() + ms * 20) / 1000)
      else await Promise.all(fleet().servers.map((one) => one.freezeClock(end + ms)))
    }
    await toEnd(first.id, -100)
    expect((await fleet().server(1).check(first.id, first.code)).body).toMatchObject({
      valid: true,
      reason: 'approved',
    })
    await toEnd(second.id, 100)
    for (const one of fleet().servers)
      expect((await one.check(second.id, second.code)).body).toMatchObject({
        valid: false,
        reason: 'expired',
      })
    await fleet().pass(0)
  })

  // One machine's file goes by that machine's clock, so there is nothing to agree on.
  if (backend !== SQLITE)
    test('F22: servers whose clocks are ten minutes apart tell and keep the same time, which is the store’s', async () => {
      for (const [n, one] of fleet().servers.entries()) {
        const { id, code } = await open()
        const { created_at = '', expires_at = '', resend_at = '' } = await one.read(id)
        expect(Math.abs(Date.parse(created_at) - Date.now())).toBeLessThan(3_000)
        expect(Date.parse(expires_at) - Date.parse(created_at)).toBe(600_000)
        expect(Date.parse(resend_at) - Date.parse(created_at)).toBe(1_000)
        const { body } = await fleet()
          .server(n + 1)
          .check(id, code)
        expect(body).toMatchObject({ reason: 'approved' })
        const payload = Buffer.from(body.proof?.split('.')[1] ?? '', 'base64url').toString()
        const { iat } = JSON.parse(payload) as { iat: number }
        expect(Math.abs(iat - Date.now() / 1000)).toBeLessThan(3)
      }
    })

  test('A10: of an approval and two cancels at once one ends the verification, and the others say so', async () => {
    const ends = new Set<string>()
    for (let round = 0; round < 40; round++) {
      const { id, code } = await open()
      // Now the one is ahead by some milliseconds, now the others.
      const ahead = (round % 9) - 4
      const check = () => sleep(Math.max(0, ahead)).then(() => fleet().server(round).check(id, code))
      const cancel = (n: number) =>
        sleep(Math.max(0, -ahead)).then(() =>
          fleet().server(n).call('POST', `/v1/verifications/${id}/cancel`),
        )
      const [checked, one, other] = await Promise.all([check(), cancel(round + 1), cancel(round + 2)])
      const { status = '', decided_at } = await fleet().server(round).read(id)
      ends.add(String(status))
      if (status === 'approved') {
        expect(checked.body).toMatchObject({ valid: true })
        for (const late of [one, other])
          expect(late).toMatchObject({ status: 409, body: { code: 'verification_ended' } })
      } else {
        expect(checked.body).toMatchObject({ valid: false, reason: 'canceled' })
        // The second cancel changed nothing, so both are answered alike.
        expect(one).toMatchObject({ status: 200, body: { status: 'canceled', decided_at } })
        expect(other.text).toBe(one.text)
      }
    }
    expect([...ends].sort()).toEqual(['approved', 'canceled'])
  })

  test('A10: of three resends at once one is counted and sent, and the others are told to wait', async () => {
    const { id, to } = await open()
    await fleet().pass(2)
    const answers = await Promise.all(
      fleet().servers.map((one) => one.call('POST', `/v1/verifications/${id}/resend`)),
    )
    expect(tally(answers)).toEqual({ '200 undefined': 1, '429 resend_cooldown': 2 })
    expect(await fleet().server(0).read(id)).toMatchObject({ sends_left: 3 })
    expect(await fleet().sentTo(to)).toBe(2)
    expect(await fleet().data.rowsOf(to)).toEqual({ verifications: 1, sends: 2 })
  })

  test('R13: an approved code is used for ever, on every process, after a restart and after kill -9', async () => {
    const { id, code, to } = await open()
    expect((await fleet().server(0).check(id, code)).body.reason).toBe('approved')
    const usedEverywhere = async () => {
      for (const one of fleet().servers) {
        expect((await one.check(id, code)).body).toMatchObject({ valid: false, reason: 'already_used' })
        const byNumber = await one.call('POST', '/v1/checks', { body: { to, code } })
        expect(byNumber.body).toMatchObject({ valid: false, reason: 'already_used' })
      }
    }
    await usedEverywhere()
    expect(await fleet().server(0).stop()).toMatchObject({ code: 0 })
    await fleet().server(1).kill()
    await fleet().reboot([fleet().server(0), fleet().server(1)])
    await usedEverywhere()
    // All at once, with nobody left to have it in memory.
    await Promise.all(fleet().servers.map((one) => one.kill()))
    await fleet().reboot([fleet().server(0)])
    await usedEverywhere()
  })
})

if (LONG)
  describeBackends([POSTGRES], 'a judge that reads before it writes shows, on', (backend) => {
    // Once for each guess of a batch.
    const PAUSE = 'PERFORM pg_sleep(0.02);'
    let next = 0
    const fleet = Fleet.forTests(backend, { settings: SETTINGS })
    beforeAll(async () => {
      // Each of the two locks in turn; the other one is then as it was.
      await breakPostgres(fleet().data, 'judge', [
        [/PERFORM countersign\.hold_guesses\(p_guesses\);/, ''],
        [/(FROM countersign\.guess_budgets WHERE phone = v\.phone) FOR UPDATE/g, '$1'],
        [/UPDATE countersign\.guess_budgets/, `${PAUSE} $&`],
      ])
    })

    test(
      'R9: without a lock on the budget, more than 20 guesses at a number are judged',
      BY_CHANCE,
      async () => {
        const counts = await raceAll(fleet(), await openAll(fleet(), numberOf(next++), ['sk']))
        expect(counts['200 wrong_code']).toBeGreaterThan(20)
      },
    )

    describe('without a lock on the verification', () => {
      beforeAll(() =>
        breakPostgres(fleet().data, 'judge', [
          [/(FROM countersign\.verifications WHERE id = g\.id.*) FOR UPDATE/, '$1'],
          [/UPDATE countersign\.verifications\s+SET guesses/, `${PAUSE} $&`],
        ]),
      )

      test('R3: more than 5 wrong guesses are judged', BY_CHANCE, async () => {
        const counts = await raceWrong(fleet(), await openOn(fleet(), numberOf(next++)))
        expect(counts['200 wrong_code']).toBeGreaterThan(5)
      })

      test('R4: more than 1 right guess is approved', BY_CHANCE, async () => {
        const counts = tally(await raceRight(fleet(), await openOn(fleet(), numberOf(next++))))
        expect(counts['200 approved']).toBeGreaterThan(1)
      })

      test('R5: more than 5 guesses that arrive together are judged', BY_CHANCE, async () => {
        const { id, code } = await openOn(fleet(), numberOf(next++))
        const { judged } = await burstOn(fleet(), { id, code }, 250)
        expect(judged).toBeGreaterThan(5)
      })
    })
  })

if (LONG)
  describeBackends([MONGODB], 'a judge that reads before it writes shows, on', (backend) => {
    let next = 0
    const fleet = Fleet.forTests(backend, { settings: SETTINGS, breakage: READ_FIRST })

    test('R3: more than 5 wrong guesses are judged', BY_CHANCE, async () => {
      const counts = await raceWrong(fleet(), await openOn(fleet(), numberOf(next++)))
      expect(counts['200 wrong_code']).toBeGreaterThan(5)
    })

    test('R4: more than 1 right guess is approved', BY_CHANCE, async () => {
      const counts = tally(await raceRight(fleet(), await openOn(fleet(), numberOf(next++))))
      expect(counts['200 approved']).toBeGreaterThan(1)
    })

    test('R9: more than 20 guesses at a number are judged', BY_CHANCE, async () => {
      const counts = await raceAll(fleet(), await openAll(fleet(), numberOf(next++), ['sk']))
      expect(counts['200 wrong_code']).toBeGreaterThan(20)
    })
  })

type Opened = { readonly id: string; readonly code: string; readonly to: string }

async function openOn(fleet: Fleet, to: string, more: object = {}, key = 'sk'): Promise<Opened> {
  const { status, body, text } = await fleet.server(Number(to.slice(-4))).start(to, more, { key })
  expect(status, text).toBe(201)
  const { id = '', preview_code: code = '' } = body
  expect(code).toMatch(/^\d{6}$/)
  return { id, code, to }
}

/** What 1,000 wrong guesses at once are answered. */
async function raceWrong(fleet: Fleet, { id, code }: Opened): Promise<Record<string, number>> {
  return tally(
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => fleet.server(n).check(id, wrong(code, n + 1)))),
  )
}

/** What 1,000 right guesses at once are answered. */
function raceRight(fleet: Fleet, { id, code }: Opened): Promise<Answer[]> {
  return Promise.all(Array.from({ length: 1_000 }, (_, n) => fleet.server(n).check(id, code)))
}

/** Sends 499 wrong guesses and, at this place among them, the right one, so that all arrive together. */
async function burstOn(fleet: Fleet, { id, code }: Pick<Opened, 'id' | 'code'>, at: number) {
  const answers = await burst(
    Array.from({ length: 500 }, (_, n) => ({
      server: fleet.server(n),
      path: `/v1/verifications/${id}/check`,
      body: { code: n === at ? code : wrong(code, n + 1) },
    })),
  )
  const of = (reason: string) => answers.filter((answer) => answer.reason === reason).length
  const [approved, locked] = [of('approved'), of('locked')]
  const statuses = [...new Set(answers.map(({ status }) => status))]
  return { statuses, approved, locked, judged: approved + of('wrong_code') }
}

type OpenedFor = Opened & { readonly key: string }

/** Opens a verification of this number for every purpose with every one of these keys. */
async function openAll(fleet: Fleet, to: string, keys: readonly string[]): Promise<OpenedFor[]> {
  const opened: OpenedFor[] = []
  for (const key of keys) {
    for (const purpose of PURPOSES) {
      await fleet.pass(2)
      opened.push({ ...(await openOn(fleet, to, { purpose }, key)), key })
    }
  }
  return opened
}

/** What five wrong guesses at each of these verifications are answered, all at once. */
async function raceAll(fleet: Fleet, opened: readonly OpenedFor[]): Promise<Record<string, number>> {
  const answers = await Promise.all(
    opened.flatMap(({ id, code, key }, at) =>
      [1, 2, 3, 4, 5].map((n) => fleet.server(at + n).check(id, wrong(code, n), { key })),
    ),
  )
  return tally(answers)
}

/** How often each answer came. */
function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, body } of answers) {
    const word = `${status} ${body.reason ?? body.limit ?? body.code}`
    counts[word] = (counts[word] ?? 0) + 1
  }
  return counts
}
