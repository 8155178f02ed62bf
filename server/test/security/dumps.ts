import { existsSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Binary, BSON, MongoClient } from 'mongodb'
import postgres from 'postgres'

/** A row or a document, and where it lay. Binary values are buffers; MongoDB's `_id` is `id`. */
export type Row = { readonly table: string; readonly columns: Readonly<Record<string, unknown>> }

/** A whole database, as somebody carries it away. */
export type Dump = {
  readonly rows: readonly Row[]
  /** All of it as it lies in files or goes over the wire, and every binary value by itself. */
  readonly bytes: Buffer
}

/** The database at an address of `DATABASE_URL`, without the server. */
export type Database = {
  /** Every row of every table. */
  dump(): Promise<Dump>
  /** Writes the second factors of a user over, as somebody does who has got to write. */
  writeFactors(userId: string, factors: string): Promise<void>
  close(): Promise<void>
}

/** A text of a row, and where it lies there: `users.second_factors.app.secret`. */
export type Text = { readonly at: string; readonly text: string }

/** Every text of a row. Lists, documents and JSON are taken apart, into their texts and numbers. */
export function textsOf({ table, columns }: Row): Text[] {
  return textsIn(columns, table)
}

function textsIn(value: unknown, at: string): Text[] {
  if (Buffer.isBuffer(value) || value === null || value === undefined) return []
  if (Array.isArray(value)) return value.flatMap((item) => textsIn(item, at))
  if (typeof value === 'object')
    return Object.entries(value).flatMap(([name, item]) => textsIn(item, `${at}.${name}`))
  const text = String(value)
  return /^[{[]/.test(text) ? textsIn(JSON.parse(text), at) : [{ at, text }]
}

/** Opens the database that a server was given. */
export function openDatabase(url: string): Database {
  if (url.startsWith('sqlite:')) return sqlite(url.slice('sqlite:'.length))
  return url.startsWith('postgres') ? onPostgres(url) : onMongo(url)
}

function sqlite(path: string): Database {
  const db = new DatabaseSync(path)
  return {
    dump: () => {
      const tables = db.prepare(`SELECT name FROM sqlite_master WHERE type = 'table'`).all()
      const rows = tables.flatMap(({ name }) =>
        db
          .prepare(`SELECT * FROM "${String(name)}"`)
          .all()
          .map((columns) => ({ table: String(name), columns: withBuffers(columns) })),
      )
      const files = [path, `${path}-wal`].filter((file) => existsSync(file)).map((file) => readFileSync(file))
      return Promise.resolve(dumpOf(rows, files))
    },
    writeFactors: (userId, factors) => {
      db.prepare('UPDATE users SET second_factors = ? WHERE id = ?').run(factors, userId)
      return Promise.resolve()
    },
    close: () => Promise.resolve(db.close()),
  }
}

function onPostgres(url: string): Database {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  return {
    dump: async () => {
      const tables = await sql`SELECT schemaname || '.' || tablename AS name FROM pg_tables
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`
      const rows: Row[] = []
      const files: Buffer[] = []
      for (const { name } of tables) {
        const table = String(name)
        // What `pg_dump` writes.
        const lines: AsyncIterable<Buffer> = await sql.unsafe(`COPY ${table} TO STDOUT`).readable()
        for await (const line of lines) files.push(line)
        const found = await sql.unsafe(`SELECT * FROM ${table}`)
        for (const columns of found) rows.push({ table, columns })
      }
      return dumpOf(rows, files)
    },
    writeFactors: async (userId, factors) => {
      await sql`UPDATE countersign.users SET second_factors = ${factors} WHERE id = ${userId}`
    },
    close: () => sql.end({ timeout: 1 }),
  }
}

function onMongo(url: string): Database {
  const client = new MongoClient(url)
  const db = client.db()
  return {
    dump: async () => {
      const rows: Row[] = []
      const files: Buffer[] = []
      for (const { collectionName: table } of await db.collections()) {
        for (const document of await db.collection(table).find().toArray()) {
          // What `mongodump` writes.
          files.push(Buffer.from(BSON.serialize(document)))
          const { _id: id, ...columns } = withBuffers(document)
          rows.push({ table, columns: { id, ...columns } })
        }
      }
      return dumpOf(rows, files)
    },
    writeFactors: async (userId, factors) => {
      const users = db.collection<{ _id: string; second_factors: string }>('users')
      await users.updateOne({ _id: userId }, { $set: { second_factors: factors } })
    },
    close: () => client.close(),
  }
}

function dumpOf(rows: readonly Row[], files: readonly Buffer[]): Dump {
  // A file may part a value over its pages.
  const values = rows.flatMap((row) => [...textsOf(row).map(({ text }) => `${text}\n`), ...buffersOf(row)])
  return { rows, bytes: Buffer.concat([...files, ...values.map((value) => Buffer.from(value))]) }
}

function buffersOf({ columns }: Row): Buffer[] {
  return Object.values(columns).filter((value) => Buffer.isBuffer(value))
}

function withBuffers(columns: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(columns).map(([name, value]) => {
      if (value instanceof Uint8Array) return [name, Buffer.from(value)]
      return [name, value instanceof Binary ? Buffer.from(value.buffer) : value]
    }),
  )
}
