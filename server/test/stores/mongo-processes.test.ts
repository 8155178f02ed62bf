import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openMongo } from '../../src/stores/mongo/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { draft } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'
import { describeWith, type Fresh, freshMongo } from '../helpers/services.ts'
import { BUDGET, type CallName, sum } from './mongo-races.ts'

const RACER = join(import.meta.dirname, 'mongo-racer.ts')

describeWith('mongodb', 'three processes on one MongoDB', () => {
  let database: Fresh
  let store: Store
  let children: ChildProcess[]

  beforeAll(async () => {
    database = await freshMongo()
    children = Array.from({ length: 3 }, () => fork(RACER, [database.url], { execArgv: [] }))
    // All three find an empty database and bring its schema up to date.
    await Promise.all(children.map((child) => once(child, 'message')))
    store = await openMongo({ url: database.url, retentionDays: 30 })
  }, 60_000)
  afterAll(async () => {
    await Promise.all(
      children.map(async (child) => {
        child.send('end')
        await once(child, 'exit')
      }),
    )
    await store.close()
    await database.drop()
  })

  /** Lets each process make so many calls at the same time as the others. */
  async function race(name: CallName, argument: string, each: number): Promise<Record<string, number>> {
    const answers = children.map((child) => once(child, 'message'))
    for (const child of children) child.send({ name, argument, each })
    const all = (await Promise.all(answers)) as [{ counts?: Record<string, number>; error?: string }][]
    return sum(all.map(([{ counts, error }]) => counts ?? { [error ?? '']: 1 }))
  }
  const open = async (to: string, purpose: 'login' | 'verify' | 'reset' | 'signup' = 'verify') => {
    const { verification } = await store.verifications.open(
      draft(new FakeClock(store.clock.now()), { to, purpose }),
    )
    return verification.id
  }

  test('R3: of 300 wrong guesses exactly 5 are judged', async () => {
    expect(await race('wrong', await open('+14155550001'), 100)).toEqual({ wrong_code: 5, locked: 295 })
  })

  test('R4: of 300 right guesses exactly one approves', async () => {
    const id = await open('+14155550002')
    expect(await race('right', id, 100)).toEqual({ approved: 1, already_used: 299 })
    expect(await store.verifications.budget('+14155550002', BUDGET)).toMatchObject({ remaining: 20 })
  })

  test('R8, R9: of 240 wrong guesses at four verifications of a number exactly 20 are judged', async () => {
    const to = '+14155550003'
    const ids = await Promise.all(
      (['login', 'verify', 'reset', 'signup'] as const).map((purpose) => open(to, purpose)),
    )
    expect(await race('spread', ids.join(), 80)).toEqual({ wrong_code: 20, locked: 220 })
    const fresh = await open(to)
    expect(await race('wrong', fresh, 10)).toEqual({ budget_spent: 30 })
    expect(await store.verifications.find(fresh)).toMatchObject({ status: 'pending', guesses: 0 })
  })

  test('R19: of 150 opens for one number one opens', async () => {
    expect(await race('open', '+14155550004', 50)).toEqual({ opened: 1, found: 149 })
  })

  test('R21: of 600 hits at a limit of 5 exactly 5 pass, and none of a take that is refused stays', async () => {
    expect(await race('takeBoth', '', 100)).toEqual({ taken: 2, two: 298 })
    expect(await race('take', '', 100)).toEqual({ taken: 3, five: 297 })
  })

  test('R41: of 300 claims one is mine', async () => {
    expect(await race('claim', 'k', 100)).toEqual({ mine: 1, busy: 299 })
  })

  test('processes agree on the time, whatever their own clocks say', async () => {
    expect(Math.abs(store.clock.now() - Date.now())).toBeLessThan(50)
  })
})
