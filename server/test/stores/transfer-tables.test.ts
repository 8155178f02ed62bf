import { DatabaseSync } from 'node:sqlite'
import { MongoClient } from 'mongodb'
import postgres from 'postgres'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { type ColumnKind, type Table, TABLES } from '../../src/stores/transfer.ts'
import { FakeClock } from '../fake-clock.ts'
import { endAll } from '../helpers/scratch.ts'
import { describeWith } from '../helpers/services.ts'
import { fill } from './transfer-contents.ts'
import { makePlace } from './transfer-places.ts'

/**
 * What a move leaves where it is. Whoever adds a table puts it into `TABLES`, or says here why nobody misses it: tallies
 * are worth ten seconds, leases are the work of processes that have stopped, the version is that of the schema itself.
 */
const NOT_MOVED = {
  sqlite: ['tallies'],
  postgres: ['leases', 'schema_version', 'tallies'],
  mongodb: ['meta', 'phone_locks', 'tallies'],
}

/** What MongoDB keeps besides the columns: made from them, or worth nothing once its process has stopped. */
const DERIVED: Readonly<Record<string, readonly string[]>> = {
  verifications: ['claim_key', 'guessed_at', 'guesses_left', 'purge_at', 'send_log', 'sends_left', 'slot'],
  messages: ['purge_at', 'send_log'],
  sends: ['lost'],
  receipts: ['purge_at'],
  counters: ['held', 'purge_at'],
  guess_budgets: ['held', 'purge_at'],
  claims: ['made_at', 'purge_at'],
  api_keys: [],
  users: ['email_slot', 'pending_events', 'pending_tickets', 'phone_slot', 'session_log', 'undone'],
  tickets: ['purge_at'],
  auth_events: ['purge_at'],
  records: ['purge_at', 'slot'],
}
/** Columns that MongoDB keeps elsewhere: in `purge_at`, or as the place of a send in its owner. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  counters: ['expires_at'],
  guess_budgets: ['expires_at'],
  receipts: ['expires_at'],
  sends: ['owner', 'seq'],
  sessions: ['user_id'],
}

afterAll(endAll)

/** A schema as a database tells it: tables, their columns with their types, and their keys. */
type Schema = Readonly<
  Record<string, { readonly columns: Record<string, string>; readonly key: readonly string[] }>
>

/** The schema that `TABLES` says, in the types of a database. */
function expected(types: Readonly<Record<ColumnKind, string>>): Schema {
  const told = ({ columns, key }: Table) => ({
    columns: Object.fromEntries(Object.entries(columns).map(([name, kind]) => [name, types[kind]])),
    key,
  })
  return Object.fromEntries(TABLES.map((table) => [table.name, told(table)]))
}

describe('what a move takes along', () => {
  test('is every column of every table of SQLite', async () => {
    const place = await makePlace('sqlite')
    await place.migrate()
    const db = new DatabaseSync(place.url)
    onTestFinished(() => db.close())
    const rows = db
      .prepare(
        `SELECT t.name AS "table", c.name, c.type, c.pk FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid`,
      )
      .all() as unknown as Columns
    expect(schemaOf(rows, NOT_MOVED.sqlite)).toEqual(
      expected({ text: 'TEXT', number: 'INTEGER', bytes: 'BLOB', hits: 'TEXT' }),
    )
  })
})

describeWith('postgres', 'what a move takes along', () => {
  test('is every column of every table of Postgres', async () => {
    const place = await makePlace('postgres')
    await place.migrate()
    const sql = postgres(place.url, { max: 1, onnotice: () => {} })
    onTestFinished(async () => {
      await sql.end()
      await place.drop()
    })
    const rows = (await sql`
      SELECT c.table_name AS table, c.column_name AS name,
        CASE c.data_type WHEN 'ARRAY' THEN c.udt_name WHEN 'integer' THEN 'bigint' ELSE c.data_type END AS type,
        coalesce((SELECT k.ordinal_position FROM information_schema.key_column_usage AS k
          WHERE k.table_schema = c.table_schema AND k.table_name = c.table_name AND k.column_name = c.column_name
            AND k.constraint_name = c.table_name || '_pkey'), 0)::int AS pk
      FROM information_schema.columns AS c JOIN information_schema.tables AS t USING (table_schema, table_name)
      WHERE t.table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
      ORDER BY 1, c.ordinal_position`) as unknown as Columns
    expect(schemaOf(rows, NOT_MOVED.postgres)).toEqual(
      expected({ text: 'text', number: 'bigint', bytes: 'bytea', hits: '_int8' }),
    )
  })
})

describeWith('mongodb', 'what a move takes along', () => {
  test('is every field that the verbs of a server write to MongoDB', async () => {
    const place = await makePlace('mongodb')
    const client = await new MongoClient(place.url).connect()
    onTestFinished(async () => {
      await client.close()
      await place.drop()
    })
    const clock = new FakeClock()
    const store = await place.open(clock)
    await fill(store, clock)
    await store.tallies.add({ judged: 1, wrong: 1 }, 10)
    await store.ping()
    await store.close()

    const names = (await client.db().listCollections().toArray()).map(({ name }) => name)
    const fields = new Map<string, Set<string>>()
    for (const name of names.filter((one) => !NOT_MOVED.mongodb.includes(one))) {
      for (const { _id, ...document } of await client.db().collection(name).find().toArray()) {
        add(name, Object.keys(document))
        for (const send of (document['send_log'] ?? []) as object[]) add('sends', Object.keys(send))
        for (const session of (document['session_log'] ?? []) as object[]) {
          const { id: _id, ...columns } = session as Record<string, unknown>
          add('sessions', Object.keys(columns))
        }
      }
    }
    function add(name: string, found: readonly string[]): void {
      fields.set(name, new Set([...(fields.get(name) ?? []), ...found]))
    }
    const kept = Object.fromEntries([...fields].map(([name, found]) => [name, [...found].toSorted()]))
    const own = ({ name, key, columns }: Table) => {
      const elsewhere = new Set([...(key.length === 1 ? key : []), ...(ELSEWHERE[name] ?? [])])
      const inside = Object.keys(columns).filter((column) => !elsewhere.has(column))
      return [...inside, ...(DERIVED[name] ?? [])].toSorted()
    }
    expect(kept).toEqual(Object.fromEntries(TABLES.map((table) => [table.name, own(table)])))
  })
})

type Columns = readonly { table: string; name: string; type: string; pk: number }[]

function schemaOf(rows: Columns, notMoved: readonly string[]): Schema {
  const names = [...new Set(rows.map(({ table }) => table))]
  expect(names).toEqual(expect.arrayContaining([...notMoved]))
  const left = new Set(notMoved)
  const moved = names.filter((name) => !left.has(name))
  return Object.fromEntries(
    moved.map((name) => {
      const own = rows.filter(({ table }) => table === name)
      const key = own.filter(({ pk }) => pk > 0).toSorted((one, other) => one.pk - other.pk)
      return [
        name,
        {
          columns: Object.fromEntries(own.map((column) => [column.name, column.type])),
          key: key.map((column) => column.name),
        },
      ]
    }),
  )
}
