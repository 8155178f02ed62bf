import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MongoClient } from 'mongodb'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { describeWith, type Fresh, freshMongo, freshPostgres } from '../helpers/services.ts'
import { countersign, endAll, MAIN, makeFolder, serve } from './cli.ts'

const SK = 'sk_countersign_cli_tests_0123456789'
const SECRETS = {
  SECRET_KEY: 'a secret of these tests',
  API_KEYS: SK,
  DEV_MODE: 'true',
  // A move and its interruptions take their time, and the wait is to be found afterwards.
  RESEND_COOLDOWN_SECONDS: '300',
}
const TO = '+14155552671'
const ROWS = 20_000
const FEW = 500
const CLAIMED = { to: '+14155552672' }
const CLAIM = { 'idempotency-key': 'a-key-of-a-claim' }
const TABLES = [
  'api_keys',
  'claims',
  'counters',
  'guess_budgets',
  'messages',
  'records',
  'sends',
  'verifications',
]

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

describe('a database that is half moved', () => {
  const half = /a move from sqlite data\/countersign\.db into this database has begun and has not ended: give/

  test('is refused by every command that would use it, brought up to date by migrate, told of by doctor', async () => {
    const cwd = makeFolder()
    await countersign(['migrate'], { cwd })
    const env = { ...SECRETS, DATABASE_URL: 'sqlite:half.db' }
    await countersign(['migrate'], { cwd, env })
    const file = new DatabaseSync(join(cwd, 'half.db'))
    file.exec(`CREATE TABLE moves (source TEXT NOT NULL) STRICT;
      INSERT INTO moves VALUES ('sqlite data/countersign.db')`)
    file.close()
    for (const args of [['serve'], ['keys', 'list'], ['send', TO], ['check', 'ver_1', '123456']]) {
      const { code, stderr, stdout } = await countersign(args, { cwd, env })
      expect({ code, stdout }, args.join(' ')).toMatchObject({ code: 1 })
      expect(stderr, args.join(' ')).toMatch(half)
      expect(stderr, args.join(' ')).toContain('half.db')
    }
    expect((await countersign(['doctor'], { cwd, env })).stdout).toMatch(
      /FAIL .*half\.db: a move from sqlite/,
    )
    expect((await countersign(['migrate'], { cwd, env })).code).toBe(0)
    // Nor is it a source: what is missing in it would be missing there.
    const on = await countersign(['move', '--from', 'sqlite:half.db', '--to', 'sqlite:on.db'], { cwd, env })
    expect(on.stderr).toMatch(half)
    const other = ['move', '--from', 'sqlite:other.db', '--to', 'sqlite:half.db']
    await countersign(['migrate'], { cwd, env: { DATABASE_URL: 'sqlite:other.db' } })
    expect((await countersign(other, { cwd, env })).stderr).toBe(
      'sqlite half.db: a move from sqlite data/countersign.db into it has begun: end that, or empty the target first\n',
    )
    const same = await countersign(['move', '--from', 'sqlite:data/countersign.db'], { cwd, env })
    expect(same).toMatchObject({ code: 0, stderr: '' })
    expect((await countersign(['keys', 'list'], { cwd, env })).code).toBe(0)
  })
})

describeWith('postgres', 'move between SQLite and Postgres', () => describeMove('postgres'))
describeWith('mongodb', 'move between SQLite and MongoDB', () => describeMove('mongodb'))

describeWith(['postgres', 'mongodb'], 'move between Postgres and MongoDB', () => {
  test('there and back: every column of every row is as it was', async () => {
    const cwd = makeFolder()
    const databases = [await freshPostgres(), await freshMongo(), await freshPostgres()]
    onTestFinished(async () => {
      for (const { drop } of databases) await drop()
    })
    const server = await serve([], { cwd, env: SECRETS })
    await server.call('/v1/verifications', SK, { to: TO }, { 'idempotency-key': 'a-key-of-a-claim' })
    await server.stop()
    addRows(join(cwd, 'data/countersign.db'), FEW)
    const urls = ['sqlite:data/countersign.db', ...databases.map(({ url }) => url), 'sqlite:back.db']
    for (const [at, to] of urls.slice(1).entries()) {
      const args = ['move', '--from', urls[at] ?? '', '--to', to]
      expect(await countersign(args, { cwd }), to).toMatchObject({ code: 0, stderr: '' })
    }
    expect(dump(join(cwd, 'back.db'))).toEqual(dump(join(cwd, 'data/countersign.db')))
  })
})

type Kind = 'postgres' | 'mongodb'

/** A move into a database and back, killed on the way, and what a server finds there. */
function describeMove(kind: Kind): void {
  let cwd: string
  let database: Fresh
  let started: { readonly id: string; readonly preview_code?: string }
  let claimed: { readonly id: string }
  let left: { readonly id: string }
  let key: string

  /** A file as a server leaves it, and many more rows. */
  beforeAll(async () => {
    cwd = makeFolder()
    database = await (kind === 'postgres' ? freshPostgres() : freshMongo())
    key = (await countersign(['keys', 'create'], { cwd })).stdout.trim()
    const server = await serve([], { cwd, env: SECRETS })
    started = (await server.call('/v1/verifications', SK, { to: TO, metadata: { note: 'é "x"\n' } })).body
    const wrong = started.preview_code === '000000' ? '000001' : '000000'
    await server.call(`/v1/verifications/${started.id}/check`, SK, { code: wrong })
    claimed = (await server.call('/v1/verifications', SK, CLAIMED, CLAIM)).body
    await server.call('/v1/messages', SK, { to: '+14155552673', body: 'Hello' })
    await server.call('/v1/messages', SK, { to: '+14155552674', body: 'Hello' })
    left = (await server.call('/v1/verifications', SK, { to: '+14155552675' })).body
    await server.stop()
    const path = join(cwd, 'data/countersign.db')
    addRows(path, ROWS)
    leave(path, left.id)
  })
  afterAll(() => database.drop())

  test('kill -9 in the middle, and the same command again: everything is there, once', async () => {
    const args = ['move', '--from', 'sqlite:data/countersign.db']
    const env = { DATABASE_URL: database.url }
    const killed = await killedAt(/^verifications: \d+ of/m, args, { cwd, env })
    expect(killed).not.toContain('done:')
    const half = await countOf(kind, database.url, 'verifications')
    expect(half).toBeGreaterThan(0)
    expect(half).toBeLessThan(ROWS)
    const refused = await countersign(['serve'], { cwd, env: { ...SECRETS, ...env } })
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.stderr).toMatch(
      /^Countersign cannot start: DATABASE_URL: \w+ \S+ cannot be used: a move from sqlite data\/countersign\.db into/,
    )
    // It is not waited for, as a database is that is not there yet.
    expect(refused.stdout).not.toContain('trying again')

    const { code, stdout, stderr } = await countersign(args, { cwd, env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^verifications: \d{5} of 20003 rows, \d+ a second$/m)
    expect(stdout).toMatch(/^verifications: 20003 of 20003 rows, \d+ a second$/m)
    expect(stdout).toMatch(/^done: \d+ rows in \d+\.\d s; every count agrees, \d+ rows were compared$/m)
    const file = new DatabaseSync(join(cwd, 'data/countersign.db'))
    for (const table of TABLES) {
      const row = file.prepare(`SELECT count(*) AS n FROM ${table}`).get()
      expect(await countOf(kind, database.url, table), table).toBe(row?.['n'])
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
    if (kind === 'postgres') {
      // While it runs, nobody moves anything under it.
      const busy = await countersign(['move', '--from', database.url, '--to', 'sqlite:other.db'], { cwd })
      expect(busy.stderr).toMatch(/connections of servers are open on it: stop the servers\n$/)
    }

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
    const asked = await server.call('/v1/verifications', SK, CLAIMED, CLAIM)
    expect(asked.body.id).toBe(claimed.id)
    expect((await server.call('/v1/messages', SK)).body.data).toHaveLength(2)
    // What a process left when it died is sent by this one.
    await expect
      .poll(async () => (await server.call(`/v1/verifications/${left.id}`, SK)).body, { timeout: 8_000 })
      .toMatchObject({ status: 'pending', sends: [{ status: 'accepted' }] })
  })
}

/** Many rows like those that a server has written. */
function addRows(path: string, rows: number): void {
  const db = new DatabaseSync(path)
  db.exec('BEGIN')
  const insert = {
    verification: db.prepare(
      `INSERT INTO verifications SELECT 'ver_0' || ?1, service, '+1416' || (2000000 + ?1), country, channel, purpose,
         locale, 'approved', key_id, randomblob(32), code_length, guesses, guesses_max, sends, sends_max, created_at,
         expires_at, resend_at, created_at, 'nonce', metadata, decision, '{"amount":"€' || ?1 || '"}'
       FROM verifications WHERE status = 'pending' LIMIT 1`,
    ),
    send: db.prepare(
      `INSERT INTO sends (owner, seq, id, provider, channel, status, at, price, currency)
       VALUES ('ver_0' || ?1, 1, 'snd_' || ?1, 'twilio', 'sms', 'accepted', ?1, '0.0079', 'USD')`,
    ),
    record: db.prepare(
      `INSERT INTO records (id, kind, parent, name, body, version, created_at, updated_at, due_at)
       VALUES ('RK' || ?1, 'rate_limit', 'VA1', 'é' || ?1, '{"a":1}', 2, ?1, ?1 + 1, iif(?1 % 8 = 2, ?1, NULL))`,
    ),
    counter: db.prepare(`INSERT INTO counters VALUES ('sends:' || ?1, ?2, 99999999999999)`),
  }
  for (let n = 0; n < rows; n++) {
    insert.verification.run(n)
    if (n % 4 === 0) insert.send.run(n)
    if (n % 4 === 2) insert.record.run(n)
    if (n % 4 === 1) insert.counter.run(n, n % 3 === 0 ? '' : '1795242432314,1795242432300')
  }
  db.exec('COMMIT')
  db.close()
}

/** A send as a process leaves it that dies while it sends. */
function leave(path: string, owner: string): void {
  const db = new DatabaseSync(path)
  db.prepare(
    `UPDATE sends SET status = 'sending', ref = NULL, price = NULL, currency = NULL, lease_until = 1 WHERE owner = ?`,
  ).run(owner)
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

async function countOf(kind: Kind, url: string, table: string): Promise<number> {
  if (kind === 'mongodb') return countDocuments(url, table)
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    const [row] = await sql.unsafe(`SELECT count(*)::int AS n FROM countersign.${table}`)
    return (row as unknown as { n: number }).n
  } finally {
    await sql.end()
  }
}

/** Sends lie in the documents of what they belong to. */
async function countDocuments(url: string, table: string): Promise<number> {
  const client = await new MongoClient(url).connect()
  try {
    const db = client.db()
    if (table !== 'sends') return await db.collection(table).countDocuments()
    let sends = 0
    for (const owners of ['verifications', 'messages'])
      for await (const owner of db.collection(owners).find()) sends += owner['send_log'].length
    return sends
  } finally {
    await client.close()
  }
}
