import { DatabaseSync } from 'node:sqlite'
import { number } from '../rows.ts'
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

const BUSY_TIMEOUT_MS = 1_000
const SQLITE_BUSY = 5

/**
 * Opens a file of this version's schema to move rows out of it or into it. Nobody else has it open until it is closed;
 * rejects when somebody has.
 */
export function openSqliteTransfer(path: string): TransferStore {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    // In this mode the first look at the file takes a lock that no other connection, idle or not, leaves room for.
    db.exec('PRAGMA locking_mode = EXCLUSIVE')
    db.exec('BEGIN IMMEDIATE; COMMIT')
  } catch (error) {
    db.close()
    const isBusy = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
    throw isBusy ? new TransferError('it is in use: stop the server on it') : error
  }
  return new SqliteTransfer(db)
}

class SqliteTransfer implements TransferStore {
  readonly #db: DatabaseSync

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  async count(table: Table): Promise<number> {
    return number(this.#db.prepare(`SELECT count(*) AS n FROM ${table.name}`).get() ?? {}, 'n')
  }

  async read(table: Table, after: Place | undefined, limit: number): Promise<readonly TransferRow[]> {
    const key = table.key.join(', ')
    const where = after === undefined ? '' : `WHERE (${key}) > (${after.map(() => '?').join(', ')})`
    const sql = `SELECT ${columnsOf(table)} FROM ${table.name} ${where} ORDER BY ${key} LIMIT ${limit}`
    return this.#db
      .prepare(sql)
      .all(...(after ?? []))
      .map((row) => toTransferRow(table, row))
  }

  async find(table: Table, firsts: readonly string[]): Promise<readonly TransferRow[]> {
    const sql = `SELECT ${columnsOf(table)} FROM ${table.name}
      WHERE ${table.key[0]} IN (SELECT value FROM json_each(?))`
    return this.#db
      .prepare(sql)
      .all(JSON.stringify(firsts))
      .map((row) => toTransferRow(table, row))
  }

  async write(table: Table, rows: readonly TransferRow[]): Promise<void> {
    const columns = Object.keys(table.columns)
    const insert = this.#db.prepare(
      `INSERT INTO ${table.name} (${columns.join(', ')})
       VALUES (${Object.values(table.columns).map(readable).join(', ')})
       ON CONFLICT (${table.key.join(', ')}) DO UPDATE SET
         ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`,
    )
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      for (const row of rows) insert.run(...columns.map((column) => row[column] ?? null))
      this.#db.exec('COMMIT')
    } catch (error) {
      this.#db.exec('ROLLBACK')
      throw error
    }
  }

  async movingFrom(): Promise<string | undefined> {
    return movingFrom(this.#db)
  }

  async begin(source: string): Promise<void> {
    this.#db.exec('CREATE TABLE IF NOT EXISTS moves (source TEXT NOT NULL) STRICT')
    this.#db.prepare('INSERT INTO moves (source) VALUES (?)').run(source)
  }

  async finish(): Promise<void> {
    this.#db.exec('DROP TABLE moves')
  }

  async close(): Promise<void> {
    this.#db.close()
  }
}

function columnsOf(table: Table): string {
  return Object.entries(table.columns)
    .map(([column, kind]) => (kind === 'bytes' ? `lower(hex(${column})) AS ${column}` : column))
    .join(', ')
}

function readable(kind: ColumnKind): string {
  return kind === 'bytes' ? 'unhex(?)' : '?'
}
