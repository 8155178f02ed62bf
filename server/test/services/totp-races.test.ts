import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { makeTenants } from '../../src/make-tenants.ts'
import { makeKeyRing } from '../../src/primitives/secrets.ts'
import type { Owner } from '../../src/services/factor-deps.ts'
import { FactorRefusal } from '../../src/services/factor-refusal.ts'
import { USUAL_SETTINGS } from '../../src/services/service.ts'
import { makeSid } from '../../src/services/sids.ts'
import type { Totp } from '../../src/services/totp.ts'
import { openStorage, type Storage } from '../../src/storage.ts'
import { type Data, describeBackends, MONGODB, POSTGRES, SQLITE } from '../helpers/backends.ts'
import { endProcesses } from '../helpers/process.ts'
import { appCode, USUAL, wrongCode } from '../helpers/totp-apps.ts'

const SECRET_KEY = 'only-for-tests-0123456789-abcdefghijkl'
const SEED = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const AT_ONCE = 100
/** Few enough that none is refused for being one too many. */
const CHALLENGES = 45

afterAll(endProcesses)

describeBackends(
  [SQLITE, POSTGRES, MONGODB],
  'an authenticator app, by three processes at once over',
  (backend) => {
    let data: Data
    let storages: readonly Storage[]
    let apps: readonly Totp[]
    let owner: Owner

    beforeAll(async () => {
      data = await backend.fresh()
      const config = readConfig({ ...data.settings, SECRET_KEY, WRONG_APP_CODES_PER_ACCOUNT_DAY: '20' })
      const log = pino({ enabled: false })
      const open = () => openStorage(config, { log })
      // The first makes the schema.
      storages = [await open(), await open(), await open()]
      const ring = makeKeyRing(SECRET_KEY)
      apps = storages.map(({ store: { records }, counters, clock }) => {
        return makeTenants({ config, records, counters, ring, clock, log, onDue: () => {} }).totp
      })
    })
    afterAll(async () => {
      await Promise.all(storages.map((storage) => storage.close()))
      await data.drop()
    })

    const now = () => storages[0]?.clock.now() ?? 0
    const app = (n: number): Totp => apps[n % apps.length] ?? never()

    beforeEach(async () => {
      const at = now()
      const service = { ...USUAL_SETTINGS, name: 'Acme', id: makeSid('VA', at), account: 'AC0' }
      owner = {
        service: { ...service, version: 1, createdAt: at, updatedAt: at },
        identity: 'ff483d1ff591898a9942916050d2ca3f',
      }
      // A code that is taken here must not be a neighbour's that ends meanwhile.
      const left = 30_000 - (at % 30_000)
      if (left < 5_000) await new Promise((resolve) => setTimeout(resolve, left))
    })
    afterEach(() => app(0).factors.removeEntity(owner))

    const draft = { friendlyName: 'Phone', secret: SEED, rules: USUAL, metadata: null }
    const verified = async (): Promise<string> => {
      const { factor } = await app(0).factors.create(owner, draft)
      const done = await app(0).factors.change(owner, factor.id, { code: appCode(SEED, now(), -1) })
      expect(done.factor.isVerified).toBe(true)
      return factor.id
    }
    const challenge = (factor: string) => ({ factor, lifeSeconds: 300, details: null, hiddenDetails: null })

    test('one code, 100 times for one challenge: one is approved', async () => {
      const factor = await verified()
      const { challenge: made } = await app(0).challenges.create(owner, challenge(factor))
      const code = appCode(SEED, now())
      const outcomes = await atOnce(AT_ONCE, (n) =>
        app(n)
          .challenges.answer(owner, made.id, { code })
          .then(({ challenge: { respondedAt } }) => (respondedAt === null ? 'wrong' : 'approved')),
      )
      expect(count(outcomes, 'approved')).toBe(1)
      expect(count(outcomes, 'wrong')).toBeLessThan(5)
      const after = await app(1).challenges.mustFind(owner, made.id)
      expect(after.challenge.respondedAt).not.toBeNull()
    })

    test('one code for 45 challenges at once: one is approved', async () => {
      const factor = await verified()
      const code = appCode(SEED, now())
      const outcomes = await atOnce(CHALLENGES, (n) =>
        app(n)
          .challenges.create(owner, { ...challenge(factor), code })
          .then(({ challenge: { respondedAt } }) => (respondedAt === null ? 'wrong' : 'approved')),
      )
      expect(count(outcomes, 'approved')).toBe(1)
    })

    test('100 wrong codes at once for one challenge: five are judged', async () => {
      const factor = await verified()
      const { challenge: made } = await app(0).challenges.create(owner, challenge(factor))
      const code = wrongCode(SEED, now())
      const outcomes = await atOnce(AT_ONCE, (n) =>
        app(n)
          .challenges.answer(owner, made.id, { code })
          .then(() => 'judged'),
      )
      expect(count(outcomes, 'judged')).toBe(5)
      expect(count(outcomes, 'challenge_tries_spent')).toBe(AT_ONCE - 5)
    })

    test('wrong codes at once for many challenges: as many are judged as a day has', async () => {
      const factor = await verified()
      const code = wrongCode(SEED, now())
      const outcomes = await atOnce(CHALLENGES, (n) =>
        app(n)
          .challenges.create(owner, { ...challenge(factor), code })
          .then(() => 'judged'),
      )
      expect(count(outcomes, 'judged')).toBe(20)
    })

    test('100 wrong first codes at once: five are judged, and then none, be it right', async () => {
      const { factor } = await app(0).factors.create(owner, draft)
      const code = wrongCode(SEED, now())
      const outcomes = await atOnce(AT_ONCE, (n) =>
        app(n)
          .factors.change(owner, factor.id, { code })
          .then(() => 'judged'),
      )
      expect(count(outcomes, 'judged')).toBe(5)
      const right = app(1).factors.change(owner, factor.id, { code: appCode(SEED, now()) })
      await expect(right).rejects.toMatchObject({ reason: 'factor_tries_spent' })
    })

    test('a right first code 100 times at once: one verifies, and no challenge takes it', async () => {
      const { factor } = await app(0).factors.create(owner, draft)
      const code = appCode(SEED, now())
      const outcomes = await atOnce(AT_ONCE, (n) =>
        app(n)
          .factors.change(owner, factor.id, { code })
          .then((done) => (done.factor.isVerified ? 'verified' : 'wrong')),
      )
      expect(count(outcomes, 'verified')).toBe(1)
      const { challenge: again } = await app(2).challenges.create(owner, { ...challenge(factor.id), code })
      expect(again.respondedAt).toBeNull()
    })

    test('one secret 20 times at once: one factor has it', async () => {
      const outcomes = await atOnce(20, (n) =>
        app(n)
          .factors.create(owner, draft)
          .then(() => 'made'),
      )
      expect(count(outcomes, 'made')).toBe(1)
      expect(count(outcomes, 'factor_exists')).toBe(19)
    })
  },
)

/** Makes so many calls at once; what each came to, or why it was refused. */
function atOnce(times: number, call: (n: number) => Promise<string>): Promise<string[]> {
  return Promise.all(
    Array.from({ length: times }, (_, n) =>
      call(n).catch((error: unknown) => {
        if (error instanceof FactorRefusal) return error.reason
        if (error instanceof Error && 'code' in error && error.code === 'rate_limited') return error.code
        throw error
      }),
    ),
  )
}

function count(outcomes: readonly string[], wanted: string): number {
  return outcomes.filter((outcome) => outcome === wanted).length
}

function never(): never {
  throw new Error('there is none')
}
