import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PasswordHasher } from '../../../src/auth/password-hasher.ts'
import { readConfig } from '../../../src/config.ts'
import { openStorage } from '../../../src/storage.ts'
import { makeFolder, numberOf, ServerProcess, endProcesses } from '../../helpers/process.ts'
import { startVendor } from './vendor.ts'

const LONG = process.env['TEST_LONG'] === '1'
const PAIRS = LONG ? 10_000 : 250
/**
 * Of n known and n unknown numbers that nothing tells apart, the AUC lies around a half with a standard error of
 * √((2n + 1) / 12n²): 0.0041 for 10,000 and 0.0258 for 250. Both bounds are five of them away, which chance reaches once
 * in 600,000 runs.
 */
const BOUND = LONG ? 0.52 : 0.63
/** Numbers from here on have no account. */
const UNKNOWN_FROM = 4_000_000
/** As cheap as it may be: what an account costs besides shows all the more. */
const HASH = { memoryKib: 7_168, passes: 1, atOnce: 2 }

/** One call of a stranger, to be timed; what has to be asked before it is not. */
type Route = {
  readonly path: string
  readonly status: number
  readonly body: (phone: string) => object
  readonly before?: { readonly path: string; readonly body: (phone: string) => object }
  /** Pairs that are asked about at once, where an answer waits for the provider. */
  readonly lanes?: number
}

const ROUTES: readonly Route[] = [
  {
    path: 'login',
    status: 401,
    body: (phone) => ({ identifier: phone, password: 'not the password' }),
  },
  { path: 'password/reset/request', status: 200, body: (phone) => ({ phone }) },
  {
    path: 'password/reset/verify',
    status: 400,
    body: (phone) => ({ phone, code: '0000' }),
    before: { path: 'password/reset/request', body: (phone) => ({ phone }) },
  },
  {
    path: 'register',
    status: 202,
    body: (phone) => ({ phone, password: 'Maroon-Otter-91-lantern' }),
    lanes: 8,
  },
]

describe('R58, R60: nobody learns from the time of an answer who has an account', () => {
  let server: ServerProcess
  let vendor: Awaited<ReturnType<typeof startVendor>>
  let calls = 0

  beforeAll(async () => {
    const database = join(makeFolder(), 'countersign.db')
    await makeAccounts(`sqlite:${database}`, PAIRS * ROUTES.length)
    vendor = await startVendor()
    server = await ServerProcess.start({
      output: 'none',
      settings: {
        ...vendor.settings,
        DEV_MODE: 'false',
        DATABASE_URL: `sqlite:${database}`,
        ARGON2_MEMORY_KIB: String(HASH.memoryKib),
        ARGON2_PASSES: String(HASH.passes),
        // Every call comes from an address of its own.
        TRUSTED_PROXIES: '127.0.0.1',
      },
    })
  }, 300_000)
  afterAll(async () => {
    await vendor.end()
    await endProcesses()
  })

  const ask = (path: string, body: object) => {
    calls += 1
    const address = [10, (calls >> 16) & 255, (calls >> 8) & 255, calls & 255].join('.')
    return server.call('POST', `/api/auth/${path}`, {
      key: 'none',
      body,
      headers: { 'x-forwarded-for': address },
    })
  }

  /** How long an answer about a number takes, in milliseconds. */
  const timeOf = async ({ path, body, status }: Route, phone: string) => {
    const from = performance.now()
    const answer = await ask(path, body(phone))
    const took = performance.now() - from
    if (answer.status !== status) throw new Error(`${path} was answered ${answer.status}: ${answer.text}`)
    return took
  }

  test.each(ROUTES.map((route, at) => ({ ...route, at })))(
    '$path',
    { timeout: LONG ? 3_600_000 : 120_000 },
    async (route) => {
      const times = { known: [] as number[], unknown: [] as number[] }
      const first = route.at * PAIRS
      // What has been compiled by then is not timed.
      for (let n = 0; n < 40; n++)
        await timeOf(route, numberOf(UNKNOWN_FROM * 1.5 + first + n)).catch(() => 0)
      let next = 0
      const lane = async () => {
        for (let n = next++; n < PAIRS; n = next++) {
          const known = ['known', numberOf(first + n)] as const
          const unknown = ['unknown', numberOf(UNKNOWN_FROM + first + n)] as const
          const pair = randomInt(2) === 0 ? [known, unknown] : [unknown, known]
          const { before } = route
          if (before) {
            for (const [, phone] of pair) await ask(before.path, before.body(phone))
            // What that began is over.
            await sleep(route.lanes === undefined ? 2 : 0)
          }
          for (const [who, phone] of pair) times[who].push(await timeOf(route, phone))
        }
      }
      await Promise.all(Array.from({ length: route.lanes ?? 1 }, lane))
      const auc = aucOf(times.known, times.unknown)
      const told = `AUC of ${route.path} over ${PAIRS} pairs: ${auc.toFixed(4)} (medians ${medianOf(times.known)} and ${medianOf(times.unknown)} ms)`
      process.stderr.write(`${told}\n`)
      expect(Math.max(auc, 1 - auc), told).toBeLessThanOrEqual(BOUND)
    },
  )
})

/** Accounts with passwords, for the numbers from the first on. */
async function makeAccounts(url: string, count: number): Promise<void> {
  const config = readConfig({ NODE_ENV: 'test', DATABASE_URL: url, SQLITE_SYNCHRONOUS: 'normal' })
  const { store, close } = await openStorage(config, { log: pino({ enabled: false }) })
  const passwordHash = await new PasswordHasher(HASH).hash('Maroon-Otter-91-lantern')
  const by = { actor: 'user', address: '192.0.2.1', agent: '' } as const
  for (let n = 0; n < count; n++) {
    const event = (type: 'user.created' | 'phone.proven' | 'phone.detached' | 'session.started') =>
      ({ id: `evt_${type}${n}`, type, by, data: {} }) as const
    await store.auth.enter({
      phone: numberOf(n),
      newUser: { id: `usr_${String(n).padStart(44, '0')}`, email: null, name: null, passwordHash },
      session: {
        id: `ses_${String(n).padStart(44, '0')}`,
        amr: ['sms'],
        withFactor: false,
        address: '192.0.2.1',
        agent: '',
        lifeSeconds: 86_400,
        idleSeconds: 86_400,
      },
      proofSeconds: 86_400,
      events: {
        created: event('user.created'),
        entered: event('phone.proven'),
        detached: event('phone.detached'),
        started: event('session.started'),
      },
    })
  }
  await close()
}

/** How often a number of the first list is larger than one of the second; ties count half. By the sum of ranks. */
function aucOf(first: readonly number[], second: readonly number[]): number {
  const all = [...first.map((ms) => ({ ms, of: 1 })), ...second.map((ms) => ({ ms, of: 0 }))]
  all.sort((a, b) => a.ms - b.ms)
  let ranks = 0
  for (let from = 0; from < all.length;) {
    let to = from
    while (to < all.length && all[to]?.ms === all[from]?.ms) to += 1
    for (const { of } of all.slice(from, to)) ranks += of * ((from + 1 + to) / 2)
    from = to
  }
  const n = first.length
  return (ranks - (n * (n + 1)) / 2) / (n * second.length)
}

function medianOf(times: readonly number[]): string {
  return ([...times].sort((a, b) => a - b)[times.length >> 1] ?? 0).toFixed(2)
}
