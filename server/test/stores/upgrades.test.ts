import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { MongoClient } from 'mongodb'
import postgres from 'postgres'
import { expect, onTestFinished, test } from 'vitest'
import { mongoSchema, openMongo } from '../../src/stores/mongo/store.ts'
import { openPostgres, postgresSchema } from '../../src/stores/postgres/store.ts'
import { openSqlite, sqliteSchema } from '../../src/stores/sqlite/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { RETENTION } from '../conformance/auth/world.ts'
import { planned } from '../conformance/planned.ts'
import { draft, guessOf, RIGHT } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'
import { makeTempDir } from '../helpers/server.ts'
import { describeWith, freshMongo, freshPostgres } from '../helpers/services.ts'

// What a server of an earlier version has left, on the schema as that version made it.

const TO = '+14155552671'
const clock = new FakeClock()
const ID = `ver_${clock.now().toString(16).padStart(12, '0')}${'a'.repeat(32)}`
const BUDGET = { name: 'wrong_checks_per_phone_day', limit: 20, windowSeconds: 86_400 }
const FIVE = { key: 'sends:five', rules: [{ name: 'five', limit: 5, windowSeconds: 3_600 }] }
const TERMS = { friendlyName: 'Acme', amount: '€39.99', payee: 'Shop' }
const LATER = clock.now() + 600_000

/** One row of each table that matters, but for what each database writes in its own way. */
const ROWS = {
  api_keys: {
    id: 'key_1',
    service: 'default',
    kind: 'secret',
    hash: 'aa',
    hint: 'sk_0',
    origins: '[]',
    created_at: 1,
  },
  verifications: {
    id: ID,
    service: 'default',
    phone: TO,
    country: 'US',
    channel: 'sms',
    purpose: 'verify',
    status: 'pending',
    key_id: 'k1',
    code_length: 6,
    guesses: 1,
    guesses_max: 5,
    sends: 1,
    sends_max: 5,
    created_at: clock.now(),
    expires_at: LATER,
    resend_at: clock.now() + 30_000,
    metadata: '{"a":"b"}',
    decision: 'allow',
  },
  sends: {
    owner: ID,
    seq: 1,
    id: 'snd_1',
    provider: 'twilio',
    channel: 'sms',
    status: 'accepted',
    ref: 'SM1',
    at: 1,
  },
  users: {
    id: 'usr_1',
    phone: TO,
    phone_verified_at: 1,
    status: 'active',
    devices: '[]',
    version: 3,
    created_at: 1,
  },
} as const

/** Expects that all of it is there and works, and what is new besides. */
async function expectWhole(store: Store): Promise<void> {
  const { verifications } = store
  expect(await store.keys.findByHash('aa')).toMatchObject({ id: 'key_1' })
  expect(await store.auth.account({ id: 'usr_1' })).toMatchObject({ phone: TO, version: 3 })
  expect(await store.counters.peek([FIVE])).toMatchObject([{ remaining: 4 }])
  expect(await verifications.budget(TO, BUDGET)).toMatchObject({ remaining: 19 })
  const found = await verifications.find(ID)
  expect(found).toMatchObject({ status: 'pending', guesses: 1, metadata: { a: 'b' }, terms: null })
  expect(await verifications.open(draft(clock))).toEqual({ opened: false, verification: found })
  expect(await verifications.judge(guessOf(ID, RIGHT))).toMatchObject({
    reason: 'approved',
    verification: { guesses: 2, terms: null },
  })
  const asked = { services: ['default'], limit: 9 }
  expect((await store.attempts.list(asked)).data).toMatchObject([
    { send: { id: 'snd_1' }, isConverted: true },
  ])

  const { verification } = await verifications.open(draft(clock, { terms: TERMS, send: planned() }))
  expect((await verifications.find(verification.id))?.terms).toEqual(TERMS)
  const made = { id: `VA${'0'.repeat(32)}`, kind: 'service', parent: 'AC', name: null, body: '{}' } as const
  const { record } = await store.records.insert(made)
  expect(await store.records.find(made.id)).toEqual(record)
}

const schemaOf = (name: string) => readFileSync(join(import.meta.dirname, 'schemas', name), 'utf8')

test('a SQLite file of schema 5 is brought up, and works with all that it holds', async () => {
  const path = join(makeTempDir(), 'old.db')
  const db = new DatabaseSync(path)
  db.exec(`${schemaOf('sqlite-5.sql')}; PRAGMA user_version = 5`)
  const insert = (table: string, row: Readonly<Record<string, SQLInputValue>>) =>
    db
      .prepare(
        `INSERT INTO ${table} (${Object.keys(row).join()}) VALUES (${Object.keys(row).fill('?').join()})`,
      )
      .run(...Object.values(row))
  for (const [table, row] of Object.entries(ROWS))
    insert(table, table === 'verifications' ? { ...row, digest: RIGHT } : row)
  const hits = { hits: String(clock.now()), expires_at: LATER }
  insert('guess_budgets', { phone: TO, ...hits })
  insert('counters', { key: FIVE.key, ...hits })
  db.close()
  expect(sqliteSchema(path)).toEqual({ current: 5, known: 6 })
  const store = openSqlite({ path, synchronous: 'normal', ...RETENTION, clock })
  onTestFinished(() => store.close())
  await expectWhole(store)
  expect(sqliteSchema(path)).toEqual({ current: 6, known: 6 })
})

describeWith('postgres', 'of Postgres', () => {
  /** A database of schema 1. */
  const makeOld = async () => {
    const { url, drop } = await freshPostgres()
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    onTestFinished(async () => {
      await sql.end()
      await drop()
    })
    await sql.unsafe(`
      CREATE SCHEMA countersign;
      CREATE TABLE countersign.schema_version (version int NOT NULL);
      INSERT INTO countersign.schema_version VALUES (1);
      ${schemaOf('postgres-1.sql')}`)
    return { url, sql }
  }
  const open = (url: string) => openPostgres({ url, poolSize: 2, prepare: true, ...RETENTION, clock })

  test('a database of schema 1 is brought up, and works with all that it holds', async () => {
    const { url, sql } = await makeOld()
    for (const [table, row] of Object.entries(ROWS)) {
      const whole: Record<string, unknown> = table === 'verifications' ? { ...row, digest: RIGHT } : row
      await sql`INSERT INTO ${sql(`countersign.${table}`)} ${sql(whole)}`
    }
    const hits = `'{${clock.now()}}', ${LATER}`
    await sql.unsafe(`INSERT INTO countersign.guess_budgets VALUES ('${TO}', ${hits})`)
    await sql.unsafe(`INSERT INTO countersign.counters VALUES ('${FIVE.key}', ${hits})`)
    expect(await postgresSchema(url)).toEqual({ current: 1, known: 2 })
    const store = await open(url)
    onTestFinished(() => store.close())
    await expectWhole(store)
    expect(await postgresSchema(url)).toEqual({ current: 2, known: 2 })
  })

  test('a server of the version before goes on while it is brought up: what it does not say is nothing', async () => {
    const { url, sql } = await makeOld()
    const asked = JSON.stringify([
      {
        n: 1,
        ...ROWS.verifications,
        digest: `\\x${RIGHT.toString('hex')}`,
        ttl_ms: 600_000,
        cooldown_ms: 30_000,
        lease_ms: 15_000,
        keys: [],
        sizes: [],
        lives: [],
        places: [],
        limits: [],
        windows: [],
        waits: 0,
      },
    ])
    // As that version asks: by the columns that it knows.
    const openOld = () =>
      sql`SELECT is_opened, current FROM countersign.open(${asked}::text::json, ${clock.now()}::bigint, ${LATER}::bigint)`
    const store = await open(url)
    onTestFinished(() => store.close())
    expect(await openOld()).toMatchObject([{ is_opened: true }])
    expect(await openOld()).toMatchObject([{ is_opened: false, current: { id: ID } }])
    expect(await store.verifications.find(ID)).toMatchObject({ status: 'pending', terms: null })
    expect(await store.verifications.judge(guessOf(ID, RIGHT))).toMatchObject({ reason: 'approved' })
  })
})

describeWith('mongodb', 'of MongoDB', () => {
  test('a database of schema 1 is brought up, and works with all that it holds', async () => {
    const { url, drop } = await freshMongo()
    const client = await new MongoClient(url).connect()
    const db = client.db()
    onTestFinished(async () => {
      await client.close()
      await drop()
    })
    const first = await openMongo({ url, ...RETENTION, clock })
    const { id } = (await first.verifications.open(draft(clock, { send: planned() }))).verification
    await first.close()
    // What schema 1 did not have.
    await db.collection('records').drop()
    await db.collection<{ _id: string }>('verifications').updateOne({ _id: id }, { $unset: { terms: '' } })
    await db.collection<{ _id: string }>('meta').updateOne({ _id: 'schema' }, { $set: { version: 1 } })

    expect(await mongoSchema(url)).toEqual({ current: 1, known: 2 })
    const store = await openMongo({ url, ...RETENTION, clock })
    onTestFinished(() => store.close())
    expect(await mongoSchema(url)).toEqual({ current: 2, known: 2 })
    expect(await store.verifications.judge(guessOf(id, RIGHT))).toMatchObject({
      reason: 'approved',
      verification: { terms: null },
    })
    const made = { kind: 'service', parent: 'AC', name: 'a', body: '{}' } as const
    const insert = (last: string) => store.records.insert({ ...made, id: `VA${'0'.repeat(31)}${last}` })
    const all = await Promise.all(['1', '2', '3'].map(insert))
    expect(all.filter(({ isTaken }) => !isTaken)).toHaveLength(1)
  })
})
