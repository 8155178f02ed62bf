import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { describeWith, type Fresh, freshPostgres } from '../helpers/services.ts'
import { countersign, endAll, MAIN, makeFolder, serve } from './cli.ts'

const SK = 'sk_countersign_cli_tests_0123456789'
const SECRETS = { SECRET_KEY: 'a secret of these tests', API_KEYS: SK, DEV_MODE: 'true' }
const TO = '+14155552671'
const ROWS = 20_000
const TABLES = ['api_keys', 'claims', 'counters', 'guess_budgets', 'messages', 'sends', 'verifications']

afterAll(endAll)

describe('move', () => {
  test('refuses what is no database, and says which of the two it is', async () => {
    const cwd = makeFolder()
    await countersign(['migrate'], { cwd })
    const told = async (...args: string[]) => (await countersign(['move', ...args], { cwd })).stderr
    const source = 'sqlite:data/countersign.db'
    expect(await told('--from', 'sqlite:nowhere.db', '--to', 'sqlite:new.db')).toBe(
      'sqlite nowhere.db: there is no database of Countersign in it\n',
    )
    expect(await told('--from', 'mysql://db/x')).toMatch(/^--from names mysql:\/\//)
    expect(await told('--from', source, '--to', 'postgres://db')).toMatch(/^--to must have the form/)
    expect(await told('--from', source)).toBe('--from and --to are both sqlite data/countersign.db\n')
    const down = await told('--from', source, '--to', 'postgres://me:CANARY@127.0.0.1:1/x')
    expect(down).toMatch(/^DATABASE_URL: postgres 127\.0\.0\.1:1\/x cannot be used: connect ECONNREFUSED/)
    expect(down).not.toContain('CANARY')
  })

  test('between SQLite files: refuses one in use, and a target that holds anything', async () => {
    const cwd = makeFolder()
    const args = ['move', '--from', 'sqlite:data/countersign.db', '--to', 'sqlite:new.db']
    const server = await serve([], { cwd, env: SECRETS })
    await server.call('/v1/verifications', SK, { to: TO })
    expect(await countersign(args, { cwd })).toMatchObject({
      code: 1,
      stderr: 'sqlite data/countersign.db: it is in use: stop the server on it\n',
    })
    await server.stop()
    expect(await countersign(args, { cwd })).toMatchObject({ code: 0, stderr: '' })
    expect(dump(join(cwd, 'new.db'))).toEqual(dump(join(cwd, 'data/countersign.db')))
    expect((await countersign(args, { cwd })).stderr).toBe(
      'sqlite new.db: it holds 1 rows in verifications already: a move needs an empty database\n',
    )
  })
})

describeWith('postgres', 'move between SQLite and Postgres', () => {
  let cwd: string
  let database: Fresh
  let started: { readonly id: string; readonly preview_code?: string }
  let key: string

  /** A file as a server leaves it, and many more rows. */
  beforeAll(async () => {
    cwd = makeFolder()
    database = await freshPostgres()
    key = (await countersign(['keys', 'create'], { cwd })).stdout.trim()
    const server = await serve([], { cwd, env: SECRETS })
    started = (await server.call('/v1/verifications', SK, { to: TO, metadata: { note: 'é "x"\n' } })).body
    const wrong = started.preview_code === '000000' ? '000001' : '000000'
    await server.call(`/v1/verifications/${started.id}/check`, SK, { code: wrong })
    await server.call(
      '/v1/verifications',
      SK,
      { to: '+14155552672' },
      { 'idempotency-key': 'a-key-of-a-claim' },
    )
    await server.call('/v1/messages', SK, { to: '+14155552673', body: 'Hello' })
    await server.stop()
    addRows(join(cwd, 'data/countersign.db'))
  })
  afterAll(() => database.drop())

  test('kill -9 in the middle, and the same command again: everything is there, once', async () => {
    const args = ['move', '--from', 'sqlite:data/countersign.db']
    const env = { DATABASE_URL: database.url }
    const killed = await killedAt(/^verifications: 10000 of/m, args, { cwd, env })
    expect(killed).not.toContain('done:')
    const half = await countOf(database.url, 'verifications')
    expect(half).toBeGreaterThan(0)
    expect(half).toBeLessThan(ROWS)

    const { code, stdout, stderr } = await countersign(args, { cwd, env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^verifications: 20000 of 20002 rows, \d+ a second$/m)
    expect(stdout).toMatch(/^verifications: 20002 of 20002 rows, \d+ a second$/m)
    expect(stdout).toMatch(/^done: \d+ rows in \d+\.\d s; every count agrees, \d+ rows were compared$/m)
    const file = new DatabaseSync(join(cwd, 'data/countersign.db'))
    for (const table of TABLES) {
      const row = file.prepare(`SELECT count(*) AS n FROM ${table}`).get()
      expect(await countOf(database.url, table), table).toBe(row?.['n'])
    }
    file.close()
    // A second time it would be written over what servers have changed since.
    expect((await countersign(args, { cwd, env })).stderr).toMatch(
      /holds \d+ rows .* a move needs an empty database\n$/,
    )
  })

  test('and back: every column of every row is as it was', async () => {
    const args = ['move', '--from', database.url, '--to', 'sqlite:back.db']
    const { code, stdout, stderr } = await countersign(args, { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).not.toContain(new URL(database.url).password || 'CANARY')
    const [there, back] = [dump(join(cwd, 'data/countersign.db')), dump(join(cwd, 'back.db'))]
    for (const table of TABLES) expect(back[table], table).toEqual(there[table])
  })

  test('a server on the target approves what was pending, knows the keys, and has forgotten no limit', async () => {
    const server = await serve([], { cwd: makeFolder(), env: { ...SECRETS, DATABASE_URL: database.url } })
    onTestFinished(() => void server.stop())
    // While it runs, nobody moves anything under it.
    const busy = await countersign(['move', '--from', database.url, '--to', 'sqlite:other.db'], { cwd })
    expect(busy.stderr).toMatch(/connections of servers are open on it: stop the servers\n$/)

    expect((await server.call('/v1/verifications', key)).status).toBe(200)
    expect((await server.call('/v1/verifications', SK, { to: TO })).status).toBe(429)
    const wrong = started.preview_code === '000000' ? '000001' : '000000'
    const path = `/v1/verifications/${started.id}/check`
    // One of the five was given before the move.
    expect((await server.call(path, SK, { code: wrong })).body.checks_left).toBe(3)
    const { body } = await server.call(path, SK, { code: started.preview_code })
    expect(body).toMatchObject({ valid: true, reason: 'approved' })
    // A new send comes after those that were moved in.
    const again = await server.call('/v1/verifications', SK, { to: '+14155552679' })
    expect(again.status).toBe(201)
  })
})

/** Many rows like those that a server has written. */
function addRows(path: string): void {
  const db = new DatabaseSync(path)
  db.exec('BEGIN')
  const insert = {
    verification: db.prepare(
      `INSERT INTO verifications SELECT 'ver_0' || ?1, service, '+1416' || (2000000 + ?1), country, channel, purpose,
         locale, 'approved', key_id, randomblob(32), code_length, guesses, guesses_max, sends, sends_max, created_at,
         expires_at, resend_at, created_at, 'nonce', metadata, decision
       FROM verifications WHERE status = 'pending' LIMIT 1`,
    ),
    send: db.prepare(
      `INSERT INTO sends (owner, seq, id, provider, channel, status, at, price, currency)
       VALUES ('ver_0' || ?1, 1, 'snd_' || ?1, 'twilio', 'sms', 'accepted', ?1, '0.0079', 'USD')`,
    ),
    counter: db.prepare(`INSERT INTO counters VALUES ('sends:' || ?1, ?2, 99999999999999)`),
  }
  for (let n = 0; n < ROWS; n++) {
    insert.verification.run(n)
    if (n % 4 === 0) insert.send.run(n)
    if (n % 4 === 1) insert.counter.run(n, n % 3 === 0 ? '' : '1795242432314,1795242432300')
  }
  db.exec('COMMIT')
  db.close()
}

/** Every row of every table, as text. */
function dump(path: string): Record<string, string[]> {
  const db = new DatabaseSync(path)
  const rowsOf = (table: string) =>
    db
      .prepare(`SELECT * FROM ${table} ORDER BY 1, 2`)
      .all()
      .map((row) =>
        JSON.stringify(row, (_, value: unknown) =>
          value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
        ),
      )
  const all = Object.fromEntries(TABLES.map((table) => [table, rowsOf(table)]))
  db.close()
  return all
}

/** Runs a command until it has printed this, kills it then, and gives what it had printed. */
function killedAt(
  printed: RegExp,
  args: readonly string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd,
      env: { PATH: process.env['PATH'] ?? '', HOME: cwd, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (part: string) => {
        text += part
        if (printed.test(text)) child.kill('SIGKILL')
      })
    }
    child.once('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve(text)
      else reject(new Error(`it ended with ${code}: ${text}`))
    })
  })
}

async function countOf(url: string, table: string): Promise<number> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    const [row] = await sql.unsafe(`SELECT count(*)::int AS n FROM countersign.${table}`)
    return (row as unknown as { n: number }).n
  } finally {
    await sql.end()
  }
}
