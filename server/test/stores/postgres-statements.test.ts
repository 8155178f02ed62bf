import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, type Call, endProcesses, numberOf, ServerProcess } from '../helpers/process.ts'
import { describeWith, type Fresh, freshPostgres, freshRedis } from '../helpers/services.ts'
import type { WireTokens } from '../helpers/people.ts'
import { wrong } from '../helpers/wire.ts'

/** Enough that nothing else which happens meanwhile could make up for a statement more or less. */
const TIMES = 40
const IP = '203.0.113.7'

afterAll(endProcesses)

describeWith(['postgres', 'redis'], 'what a request costs the database, as counted there', () => {
  let database: Fresh
  let counting: Fresh
  let sql: Sql
  let server: ServerProcess
  let withRedis: ServerProcess
  let numbers = 0
  beforeAll(async () => {
    ;[database, counting] = await Promise.all([freshPostgres(), freshRedis()])
    sql = postgres(database.url, { max: 1, onnotice: () => {} })
    await sql`CREATE EXTENSION pg_stat_statements`
    const settings = {
      DATABASE_URL: database.url,
      PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '1000',
      PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '1000',
    }
    server = await ServerProcess.start({ settings })
    withRedis = await ServerProcess.start({ settings: { ...settings, REDIS_URL: counting.url } })
  })
  afterAll(async () => {
    await Promise.all([server.kill(), withRedis.kill()])
    await sql.end()
    await Promise.all([database.drop(), counting.drop()])
  })

  /** How often each statement has been run in this database. */
  async function calls(): Promise<Map<string, number>> {
    const rows = await sql`
      SELECT query, sum(calls)::int AS calls FROM pg_stat_statements
      WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND query NOT LIKE '%pg_stat_statements%'
      GROUP BY query`
    return new Map(rows.map(({ query, calls }) => [String(query).replace(/\s+/g, ' ').trim(), Number(calls)]))
  }

  /** How many statements one request is, when it is made so many times; what runs besides is left out. */
  async function costOf(work: (n: number) => Promise<Answer>): Promise<number> {
    const before = await calls()
    const statuses = new Set<number>()
    for (let n = 0; n < TIMES; n++) statuses.add((await work(n)).status)
    // A refusal could be cheap.
    expect([...statuses].every((status) => status < 300)).toBe(true)
    let statements = 0
    for (const [query, count] of await calls()) {
      statements += Math.round((count - (before.get(query) ?? 0)) / TIMES)
    }
    return statements
  }

  /** As many verifications as are checked in one go. */
  async function open(): Promise<readonly { id: string; code: string }[]> {
    const answers = Array.from({ length: TIMES }, () => server.start(numberOf(numbers++)))
    return (await Promise.all(answers)).map(({ body }) => ({
      id: body.id ?? '',
      code: body.preview_code ?? '',
    }))
  }

  const starts: readonly [string, number, () => Promise<Answer>][] = [
    ['with a secret key', 2, () => server.start(numberOf(numbers++))],
    ['that names an address', 2, () => server.start(numberOf(numbers++), { ip: IP })],
    ['with a publishable key', 2, () => server.start(numberOf(numbers++), {}, { key: 'pk' })],
    ['that counts in Redis', 3, () => withRedis.start(numberOf(numbers++), { ip: IP })],
    ['with an Idempotency-Key', 4, () => startOnce()],
  ]
  const startOnce = () => {
    const to = numberOf(numbers++)
    return server.start(to, {}, { headers: { 'idempotency-key': to } })
  }

  test.each(starts)('a start %s costs at most %i statements', async (_name, most, start) => {
    expect(await costOf(start)).toBeLessThanOrEqual(most)
  })

  // A publishable key has limits, which are two: a right guess is given back.
  const checks: readonly [string, number, () => ServerProcess, Call['key']][] = [
    ['with a secret key', 1, () => server, 'sk'],
    ['with a publishable key', 3, () => server, 'pk'],
    ['with a publishable key that counts in Redis', 1, () => withRedis, 'pk'],
  ]

  test.each(checks)(
    'a check %s costs at most %i statements, right or wrong',
    async (_name, most, on, key) => {
      const opened = await open()
      const check = (isRight: boolean) =>
        costOf((n) => {
          const { id = '', code = '' } = opened[n] ?? {}
          return on().check(id, isRight ? code : wrong(code), { key: key ?? 'sk' })
        })
      expect(await check(false)).toBeLessThanOrEqual(most)
      expect(await check(true)).toBeLessThanOrEqual(most)
      // What has ended is no dearer.
      expect(await check(true)).toBeLessThanOrEqual(most)
    },
  )

  test('a sign-in costs 7 statements, a refresh and a look at oneself 2 each', async () => {
    const phones = Array.from({ length: TIMES }, () => numberOf(numbers++))
    const codes: string[] = []
    const held: { access: string; refresh: string }[] = []
    const post = (path: string, body: object) =>
      server.call('POST', `/api/auth/${path}`, { body, key: 'none' })
    const request = async (n: number) => {
      const answer = await post('otp/request', { phone: phones[n] })
      codes[n] = answer.body.preview_code ?? ''
      return answer
    }
    const verify = async (n: number) => {
      const answer = await post('verify-otp', { phone: phones[n], otp: codes[n] })
      const tokens = JSON.parse(answer.text) as WireTokens
      held[n] = { access: tokens.access_token, refresh: tokens.refresh_token }
      return answer
    }
    const me = (n: number) => {
      const headers = { authorization: `Bearer ${held[n]?.access}` }
      return server.call('GET', '/api/auth/me', { headers, key: 'none' })
    }
    expect(await costOf(request)).toBe(2)
    expect(await costOf(verify)).toBe(5)
    expect(await costOf(me)).toBe(2)
    expect(await costOf((n) => post('refresh', { refresh_token: held[n]?.refresh }))).toBe(2)
  })
})
