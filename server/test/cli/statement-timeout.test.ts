import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { afterAll, afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { inspectStatementTimeout } from '../../src/stores/postgres/inspect.ts'
import { describeWith, type Fresh, freshPostgres, pgbouncerFor } from '../helpers/services.ts'
import { countersign, endAll, makeFolder, serve } from './cli.ts'

const UNPREPARED = { DATABASE_PREPARED_STATEMENTS: 'false' }

afterAll(endAll)

describeWith(['postgres', 'pgbouncer'], 'the statement_timeout of a session', () => {
  let database: Fresh
  /** The database's address for a role of its own, whose name needs quotes. */
  let url: string
  let role: string

  beforeEach(async () => {
    database = await freshPostgres()
    role = `app-${randomBytes(8).toString('hex')}`
    const own = new URL(database.url)
    await run(
      database.url,
      `CREATE ROLE "${role}" LOGIN; GRANT CREATE ON DATABASE ${own.pathname.slice(1)} TO "${role}"`,
    )
    own.username = role
    url = own.href
  })
  afterEach(async () => {
    await database.drop()
    const elsewhere = new URL(database.url)
    elsewhere.pathname = '/postgres'
    await run(elsewhere.href, `DROP ROLE "${role}"`)
  })

  async function pooled(): Promise<string> {
    const pooler = await pgbouncerFor(url)
    onTestFinished(() => pooler.stop())
    return pooler.url
  }

  const doctor = async (more: Record<string, string>) => {
    const { code, stdout } = await countersign(['doctor'], { cwd: makeFolder(), env: more })
    return { code, lines: stdout.split('\n').filter((line) => /statement_timeout|given up/.test(line)) }
  }

  test('behind a proxy doctor says that there is none and what to run; that is enough', async () => {
    const command = `ALTER ROLE "${role}" SET statement_timeout = '2s'`
    const without = await doctor({ ...UNPREPARED, DATABASE_URL: await pooled() })
    expect(without).toEqual({
      code: 0,
      lines: [
        expect.stringMatching(/^note {2}store: statement_timeout is off, .*: run ALTER ROLE .*; connections/),
      ],
    })
    expect(without.lines[0]).toContain(`run ${command}; `)
    // The role may do it itself.
    await run(url, command)
    expect(await doctor({ ...UNPREPARED, DATABASE_URL: await pooled() })).toEqual({
      code: 0,
      lines: ['ok    store: statements are given up after 2 s'],
    })
  })

  test.for([
    ['alone', []],
    ['with workers', ['--workers=2']],
  ] as const)('serve %s warns once, starts all the same, and is silent once it was run', async ([, args]) => {
    const start = async () => {
      const env = {
        ...UNPREPARED,
        DATABASE_URL: await pooled(),
        SECRET_KEY: 'a secret of the time-outs’ tests',
      }
      const server = await serve(args, { cwd: makeFolder(), env: { ...env, SMS_PROVIDER: 'mock' } })
      expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
      await expect.poll(() => server.stdout().includes('"msg":"request"')).toBe(true)
      // The look at the database is over by now, or is not worth waiting for.
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      const { code, stdout, stderr } = await server.stop('SIGTERM')
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      return stdout.split('\n').filter((line) => line.includes('statement_timeout'))
    }
    const warnings = (await start()).map((line) => JSON.parse(line) as { level: number; msg: string })
    expect(warnings).toEqual([
      expect.objectContaining({
        level: 40,
        msg: expect.stringContaining(`run ALTER ROLE "${role}" SET`) as string,
      }),
    ])
    await run(url, `ALTER ROLE "${role}" SET statement_timeout = '2s'`)
    expect(await start()).toEqual([])
  })

  test('up to 2.5 s is in time; a session that asks for its own needs no role', async () => {
    for (const [set, level, told] of [
      ['2500ms', 'ok', 'given up after 2.5 s'],
      ['2501ms', 'note', 'statement_timeout is 2.501 s, so'],
      ['10min', 'note', 'statement_timeout is 600 s, so'],
      ['0', 'note', 'statement_timeout is off, so'],
    ] as const) {
      await run(url, `ALTER ROLE "${role}" SET statement_timeout = '${set}'`)
      const found = await inspectStatementTimeout({ url, prepare: false })
      expect(found).toEqual({ level, detail: expect.stringContaining(told) as string })
    }
    expect(await inspectStatementTimeout({ url, prepare: true })).toEqual({
      level: 'ok',
      detail: 'statements are given up after 2 s',
    })
  })
})

async function run(url: string, text: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await sql.unsafe(text)
  } finally {
    await sql.end()
  }
}
