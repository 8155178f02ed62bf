import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { makeKeyRing } from '../../src/primitives/secrets.ts'
import type { TotpRules } from '../../src/primitives/totp.ts'
import { Entities } from '../../src/services/entities.ts'
import type { FactorDeps, Happened, Owner } from '../../src/services/factor-deps.ts'
import type { RecordStore } from '../../src/services/records.ts'
import { USUAL_SETTINGS } from '../../src/services/service.ts'
import { TotpChallenges } from '../../src/services/totp-challenges.ts'
import { TotpFactors } from '../../src/services/totp-factors.ts'
import { openSqlite } from '../../src/stores/sqlite/store.ts'
import { FakeClock } from '../fake-clock.ts'
import { appCode, USUAL } from '../helpers/totp-apps.ts'

const [OLD_KEY, NEW_KEY] = ['old-key-for-tests-0123456789-abcdef', 'new-key-for-tests-0123456789-abcdef']
const SEED = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const clock = new FakeClock()
const owner: Owner = {
  service: {
    ...USUAL_SETTINGS,
    name: 'Acme',
    id: 'VA0',
    account: 'AC0',
    version: 1,
    createdAt: 0,
    updatedAt: 0,
  },
  identity: 'ff483d1ff591898a9942916050d2ca3f',
}
const draft = { friendlyName: 'Phone', secret: SEED, rules: USUAL, metadata: null }

let records: RecordStore
let told: Happened[]
let isTellingDown: boolean

/** The room on one store, with this `SECRET_KEY` and those before it. */
function room(...[key = OLD_KEY, ...previous]: string[]) {
  const deps: FactorDeps = {
    records,
    entities: new Entities(records, clock),
    clock,
    ring: makeKeyRing(key, previous),
    limiter: async () => ({ giveBack: async () => {} }),
    tell: async (happened) => {
      if (isTellingDown) throw new Error('the store is down')
      told.push(happened)
    },
    wrongCodesPerDay: 20,
  }
  const factors = new TotpFactors(deps)
  const challenges = new TotpChallenges(deps, factors)
  /** Whether a code approves a challenge. */
  const takes = async (factor: string, code: string) => {
    const asked = { factor, code, lifeSeconds: 300, details: null, hiddenDetails: null }
    return (await challenges.create(owner, asked)).challenge.respondedAt !== null
  }
  return { factors, challenges, takes }
}

beforeEach(() => {
  const retention = { retentionDays: 30, eventRetentionDays: 30 }
  const store = openSqlite({ path: ':memory:', synchronous: 'normal', clock, ...retention })
  onTestFinished(() => store.close())
  ;({ records } = store)
  ;[told, isTellingDown] = [[], false]
})

describe('a secret', () => {
  test('is kept sealed, and about its own factor alone', async () => {
    const { factors, takes } = room()
    const { factor, secret } = await factors.create(owner, {
      ...draft,
      secret: 'MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK',
    })
    const other = await factors.create(owner, draft)
    const kept = await records.find(factor.id)
    for (const text of [JSON.stringify(kept), JSON.stringify(await records.find(other.factor.id))]) {
      expect(text).not.toContain(secret)
      expect(text).not.toContain(SEED)
    }
    await factors.change(owner, factor.id, { code: appCode(secret, clock.now(), -1) })
    // Whoever can write to the database puts a secret of their own in the place of another's.
    const stolen = { ...factor, secret: other.factor.secret, isVerified: true }
    const { version } = (await records.find(factor.id)) ?? { version: 0 }
    await records.change(factor.id, version, { body: JSON.stringify(stolen) })
    expect(await takes(factor.id, appCode(SEED, clock.now()))).toBe(false)
  })

  test('outlives the key that sealed it, where a code was taken since', async () => {
    const { factor } = await room(OLD_KEY).factors.create(owner, draft)
    await room(OLD_KEY).factors.change(owner, factor.id, { code: appCode(SEED, clock.now(), -1) })
    const { factors, takes } = room(NEW_KEY, OLD_KEY)
    await expect(factors.create(owner, draft)).rejects.toMatchObject({ reason: 'factor_exists' })
    expect(await room(NEW_KEY).takes(factor.id, appCode(SEED, clock.now()))).toBe(false)
    expect(await takes(factor.id, appCode(SEED, clock.now()))).toBe(true)
    clock.advance(30)
    expect(await room(NEW_KEY).takes(factor.id, appCode(SEED, clock.now()))).toBe(true)
  })
})

describe('other rules', () => {
  const rules = (periodSeconds: number): TotpRules => ({ ...USUAL, periodSeconds })
  test.each([
    [20, 60],
    [60, 20],
    [30, 45],
    [45, 30],
  ])('from %i s to %i s leave taken what was taken, and no more', async (before, after) => {
    const { factors, takes } = room()
    const { factor } = await factors.create(owner, { ...draft, rules: rules(before) })
    await factors.change(owner, factor.id, { code: appCode(SEED, clock.now(), 0, rules(before)) })
    const changed = await factors.change(owner, factor.id, { rules: { periodSeconds: after } })
    const taken = changed.factor.lastStep ?? 0
    const until = (Math.floor(clock.now() / 1_000 / before) + 1) * before
    // The last step that is as good as taken begins before the old one ends, and the next does not.
    expect(taken * after).toBeLessThan(until)
    expect((taken + 1) * after).toBeGreaterThanOrEqual(until)
    expect(await takes(factor.id, appCode(SEED, clock.now(), 0, rules(after)))).toBe(false)
    clock.advance(2 * after)
    expect(await takes(factor.id, appCode(SEED, clock.now(), 0, rules(after)))).toBe(true)
  })
})

describe('what is told', () => {
  const types = () => told.map(({ type }) => type)

  test('is what happened, once each', async () => {
    const { factors, takes } = room()
    const { factor } = await factors.create(owner, draft)
    await factors.change(owner, factor.id, { code: '000000' })
    await factors.change(owner, factor.id, { friendlyName: 'Tablet' })
    expect(types()).toEqual(['factor.created'])
    await factors.change(owner, factor.id, { code: appCode(SEED, clock.now()) })
    clock.advance(30)
    await takes(factor.id, '000000')
    await takes(factor.id, appCode(SEED, clock.now()))
    await factors.remove(owner, factor.id)
    expect(types()).toEqual(['factor.created', 'factor.verified', 'challenge.approved', 'factor.deleted'])
    expect(told.at(2)).toEqual({
      account: 'AC0',
      service: 'VA0',
      type: 'challenge.approved',
      identity: owner.identity,
      factor: { id: factor.id, friendlyName: 'Tablet' },
      challenge: expect.stringMatching(/^YC/) as string,
    })
  })

  test('is written down before the call is answered, and before anything is deleted', async () => {
    const { factors, challenges } = room()
    const { factor } = await factors.create(owner, draft)
    const code = (later: number) => appCode(SEED, clock.now(), later)
    isTellingDown = true
    const asked = { factor: factor.id, lifeSeconds: 300, details: null, hiddenDetails: null }
    for (const call of [
      () => factors.create(owner, { ...draft, secret: 'MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK' }),
      () => factors.change(owner, factor.id, { code: code(-1) }),
      () => challenges.create(owner, { ...asked, code: code(0) }),
      async () => {
        const { challenge } = await challenges.create(owner, asked)
        return challenges.answer(owner, challenge.id, { code: code(1) })
      },
      () => factors.remove(owner, factor.id),
      () => factors.removeEntity(owner),
    ]) {
      await expect(call()).rejects.toThrow('the store is down')
    }
    expect(await records.find(factor.id)).toBeDefined()
  })

  test('is of every factor that an entity takes with it', async () => {
    const { factors } = room()
    const { factor: one } = await factors.create(owner, draft)
    const { factor: two } = await factors.create(owner, {
      ...draft,
      secret: 'MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK',
    })
    await factors.removeEntity(owner)
    const deleted = told.filter(({ type }) => type === 'factor.deleted').map(({ factor }) => factor.id)
    expect(deleted.toSorted()).toEqual([one.id, two.id].toSorted())
    expect(await records.find(one.id)).toBeUndefined()
  })
})
