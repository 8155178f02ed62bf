import { afterAll, describe, expect, test } from 'vitest'
import { endProcesses } from '../helpers/process.ts'
import { describeWith } from '../helpers/services.ts'
import { violationsOf } from './checker.ts'
import { FORGETFUL, onBrokenPostgres, READ_THEN_WRITE } from './broken-postgres.ts'
import type { Ground } from './ground.ts'
import { onMongo } from './on-mongo.ts'
import { onPostgres } from './on-postgres.ts'
import { onSqlite } from './on-sqlite.ts'
import { acknowledgedShare, figuresOf, tell } from './report.ts'
import { type Outcome, type Plan, play } from './run.ts'

const LONG = process.env['TEST_LONG'] === '1'
/** In all; `HISTORY_KILLS=10000` plays ten thousand. */
const KILLS = Number(process.env['HISTORY_KILLS'] ?? (LONG ? 2_000 : 18))
/** `HISTORY_SEED` makes the choices of a run that failed again; how they race is the machine's. */
const SEED = Number(process.env['HISTORY_SEED'] ?? Date.now() % 1_000_000)
/**
 * Until every server serves again after a fault: the time within which any call is answered, twice. That it is back
 * within two seconds where nobody else wants the machine is for `security/store-faults-*.test.ts` to show.
 */
const BACK_MS = 6_000
const TIMEOUT_MS = 240_000 + KILLS * 2_000

afterAll(endProcesses)

/** Plays a plan and expects nothing but what the invariants and the servers' survival allow. */
async function playAndJudge(ground: Ground, plan: Plan): Promise<Outcome> {
  try {
    const outcome = await play(ground, plan)
    process.stdout.write(`history: ${figuresOf(outcome)}; seed ${plan.seed}\n`)
    const { evidence, deaths, recoveriesMs, faults } = outcome
    const violations = violationsOf(evidence)
    if (violations.length > 0) expect.fail(tell(violations, evidence, plan.seed))
    expect(deaths, `seed ${plan.seed}`).toEqual([])
    expect(outcome.kills).toBeGreaterThanOrEqual(plan.kills)
    expect(Math.min(...Object.values(faults))).toBeGreaterThanOrEqual(plan.rounds)
    expect(acknowledgedShare(evidence), `seed ${plan.seed}`).toBeGreaterThanOrEqual(0.3)
    const slow = Object.entries(recoveriesMs).filter(([, ms]) => ms > BACK_MS)
    expect(slow, `seed ${plan.seed}: did not serve again in time`).toEqual([])
    return outcome
  } finally {
    await ground.end()
  }
}

describeWith(['own postgres', 'toxiproxy'], 'a history on Postgres', () => {
  test(
    'whatever is cut, slowed, restarted and killed, everything that was told holds',
    { timeout: TIMEOUT_MS },
    async () => {
      const { evidence } = await playAndJudge(await onPostgres(), {
        seed: SEED,
        kills: Math.ceil(KILLS * 0.55),
        // A code lives for 30 s, and some are to end.
        leastMs: 40_000,
        rounds: LONG ? 10 : 1,
        lastFaults: LONG ? 8 : 3,
        clients: { busy: 16, late: 10, keyed: 5, pauseMs: 800 },
      })
      const reasons = new Set(evidence.operations.map(({ answer }) => answer?.reason ?? answer?.problem))
      for (const reached of ['expired', 'locked', 'already_used', 'canceled', 'sends_per_phone'])
        expect([...reasons]).toContain(reached)
      expect([...reasons]).toContain('wrong_checks_per_phone_day')
    },
  )
})

describe('a history on SQLite', () => {
  test(
    'whoever is killed over one file, everything that was told holds',
    { timeout: TIMEOUT_MS },
    async () => {
      await playAndJudge(onSqlite(), {
        seed: SEED,
        kills: Math.ceil(KILLS * 0.35),
        leastMs: 0,
        rounds: 2,
        lastFaults: 1,
        clients: { busy: 12, late: 0, keyed: 4, pauseMs: 600 },
      })
    },
  )
})

if (LONG)
  describeWith(['mongodb', 'toxiproxy'], 'a history on MongoDB', () => {
    test(
      'whatever is cut, slowed and killed, everything that was told holds',
      { timeout: TIMEOUT_MS },
      async () => {
        await playAndJudge(await onMongo(), {
          seed: SEED,
          kills: Math.ceil(KILLS * 0.1),
          leastMs: 0,
          rounds: LONG ? 10 : 1,
          lastFaults: LONG ? 6 : 2,
          clients: { busy: 16, late: 0, keyed: 4, pauseMs: 700 },
        })
      },
    )
  })

if (LONG)
  describeWith('postgres', 'a history on a Postgres that is broken', () => {
    test.each([
      ['guesses are read first and written later', READ_THEN_WRITE, ['I1', 'I2', 'I6']],
      ['ends, limits, keys and what is pending are forgotten', FORGETFUL, ['I3', 'I4', 'I5', 'I7', 'I8']],
    ] as const)('the checker finds that %s', { timeout: TIMEOUT_MS }, async (_what, changes, invariants) => {
      const ground = await onBrokenPostgres(changes)
      try {
        const { evidence } = await play(ground, {
          seed: SEED,
          kills: 0,
          leastMs: 4_000,
          rounds: 0,
          lastFaults: 0,
          clients: { busy: 24, late: 8, keyed: 6, pauseMs: 100 },
          prepare: ground.break,
        })
        const found = new Set(violationsOf(evidence).map(({ invariant }) => invariant))
        expect([...found].sort(), `seed ${SEED}`).toEqual(expect.arrayContaining([...invariants]))
      } finally {
        await ground.end()
      }
    })
  })
