import postgres, { type Sql } from 'postgres'
import { number, type Row } from '../rows.ts'
import {
  type ColumnKind,
  type Place,
  type Table,
  toTransferRow,
  TransferError,
  type TransferRow,
  type TransferStore,
} from '../transfer.ts'
import { movingFrom } from './moves.ts'

const CONNECT_TIMEOUT_SECONDS = 5
/** What `pg_stat_activity` calls a server of ours, and what it calls this. */
const [SERVER, SELF] = ['countersign', 'countersign move']

/** What a column is while it is on its way as JSON, and how it becomes what the table holds. */
const KINDS: Readonly<
  Record<ColumnKind, { type: string; write(name: string): string; read(name: string): string }>
> = {
  text: { type: 'text', write: (name) => name, read: (name) => name },
  number: { type: 'bigint', write: (name) => name, read: (name) => name },
  bytes: {
    type: 'text',
    write: (name) => `decode(${name}, 'hex')`,
    read: (name) => `encode(${name}, 'hex')`,
  },
  hits: {
    type: 'text',
    write: (name) => `string_to_array(${name}, ',')::bigint[]`,
    read: (name) => `array_to_string(${name}, ',')`,
  },
}

/**
 * Opens a database of this version's schema to move rows out of it or into it. Rejects when a server is connected to
 * it; one behind a proxy that pools transactions is not seen.
 */
export async function openPostgresTransfer(url: string): Promise<TransferStore> {
  const sql = postgres(url, {
    max: 1,
    prepare: false,
    fetch_types: false,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    onnotice: () => {},
    connection: { application_name: SELF },
  })
  try {
    const [row] = await sql`
      SELECT count(*) AS n FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = ${SERVER} AND pid <> pg_backend_pid()`
    if (row && number(row, 'n') > 0)
      throw new TransferError(`${number(row, 'n')} connections of servers are open on it: stop the servers`)
    return new PostgresTransfer(sql)
  } catch (error) {
    await sql.end({ timeout: 1 })
    throw error
  }
}

class PostgresTransfer implements TransferStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  async count(table: Table): Promise<number> {
    const [row] = await this.#query(`SELECT count(*) AS n FROM ${nameOf(table)}`)
    return row ? number(row, 'n') : 0
  }

  async read(table: Table, after: Place | undefined, limit: number): Promise<readonly TransferRow[]> {
    const key = table.key.join(', ')
    const where = after === undefined ? '' : `WHERE (${key}) > (${placeholders(table)})`
    const sql = `SELECT ${columnsOf(table)} FROM ${nameOf(table)} ${where} ORDER BY ${key} LIMIT ${limit}`
    return (await this.#query(sql, after ?? [])).map((row) => toTransferRow(table, row))
  }

  async find(table: Table, firsts: readonly string[]): Promise<readonly TransferRow[]> {
    const sql = `SELECT ${columnsOf(table)} FROM ${nameOf(table)}
      WHERE ${table.key[0]} IN (SELECT json_array_elements_text($1::text::json))`
    return (await this.#query(sql, [JSON.stringify(firsts)])).map((row) => toTransferRow(table, row))
  }

  async write(table: Table, rows: readonly TransferRow[]): Promise<void> {
    const columns = Object.entries(table.columns)
    const names = columns.map(([name]) => name)
    await this.#query(
      `INSERT INTO ${nameOf(table)} (${names.join(', ')})
       SELECT ${columns.map(([name, kind]) => KINDS[kind].write(name)).join(', ')}
       FROM json_to_recordset($1::text::json)
         AS moved (${columns.map(([name, kind]) => `${name} ${KINDS[kind].type}`).join(', ')})
       ON CONFLICT (${table.key.join(', ')}) DO UPDATE SET
         ${names.map((name) => `${name} = excluded.${name}`).join(', ')}`,
      [JSON.stringify(rows)],
    )
  }

  async movingFrom(): Promise<string | undefined> {
    return movingFrom((sql) => this.#query(sql))
  }

  async begin(source: string): Promise<void> {
    await this.#query('CREATE TABLE IF NOT EXISTS countersign.moves (source text NOT NULL)')
    await this.#query('INSERT INTO countersign.moves (source) VALUES ($1)', [source])
  }

  async finish(): Promise<void> {
    // The next send comes after the last one that was moved in.
    await this.#query(
      `SELECT setval('countersign.sends_seq', greatest(max(seq), (SELECT last_value FROM countersign.sends_seq)))
       FROM countersign.sends`,
    )
    await this.#query('DROP TABLE countersign.moves')
    await this.#query('ANALYZE')
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 1 })
  }

  async #query(text: string, parameters: readonly (string | number)[] = []): Promise<readonly Row[]> {
    return this.#sql.unsafe(text, [...parameters])
  }
}

function nameOf(table: Table): string {
  return `countersign.${table.name}`
}

function columnsOf(table: Table): string {
  return Object.entries(table.columns)
    .map(([name, kind]) => `${KINDS[kind].read(name)} AS ${name}`)
    .join(', ')
}

function placeholders(table: Table): string {
  return table.key
    .map((name, at) => `$${at + 1}::${table.columns[name] === 'number' ? 'bigint' : 'text'}`)
    .join(', ')
}
