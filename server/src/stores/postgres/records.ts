import type { Clock } from '../../primitives/clock.ts'
import type {
  NewRecord,
  RecordChange,
  RecordKind,
  RecordPage,
  RecordStore,
  TenantRecord,
} from '../../services/records.ts'
import { RECORD_COLUMNS, recordPage, toRecord } from '../record-rows.ts'
import type { PostgresDatabase } from './database.ts'

/** The statement's own time, unless a test says another, is its last parameter. */
const NOW = (at: number) => `coalesce($${at}::bigint, countersign.now_ms())`

const SQL = {
  // Whoever has the name is locked until this ends, so that one that is about to be deleted is not told.
  insert: `
    INSERT INTO countersign.records AS r (${RECORD_COLUMNS})
    SELECT $1, $2, $3, $4, $5, 1, t, t, t + $6::bigint, t + $7::bigint FROM (SELECT ${NOW(8)} AS t) AS clock
    ON CONFLICT (parent, kind, name) WHERE name IS NOT NULL DO UPDATE SET version = r.version
    RETURNING *`,
  find: `SELECT * FROM countersign.records WHERE id = $1`,
  findNamed: `SELECT * FROM countersign.records WHERE parent = $1 AND kind = $2 AND name = $3`,
  change: `
    UPDATE countersign.records SET body = $3, version = version + 1, updated_at = greatest(created_at, ${NOW(6)}),
      due_at = CASE WHEN $4::boolean THEN ${NOW(6)} + $5::bigint ELSE due_at END
    WHERE id = $1 AND version = $2 RETURNING *`,
  remove: `
    WITH RECURSIVE gone (id) AS (
      SELECT $1::text UNION SELECT r.id FROM countersign.records AS r JOIN gone ON r.parent = gone.id
    )
    DELETE FROM countersign.records AS r USING gone WHERE r.id = gone.id RETURNING r.id`,
  list: `SELECT * FROM countersign.records WHERE parent = $1 AND kind = $2 ORDER BY id DESC LIMIT $3`,
  listAfter: `
    SELECT * FROM countersign.records WHERE parent = $1 AND kind = $2 AND id < $4 ORDER BY id DESC LIMIT $3`,
  takeDue: `
    UPDATE countersign.records SET due_at = ${NOW(4)} + $2::bigint WHERE id IN (
      SELECT id FROM countersign.records WHERE kind = $1 AND due_at <= ${NOW(4)}
      ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
    ) RETURNING *`,
}

/** What tenants keep, in Postgres. */
export class PostgresRecords implements RecordStore {
  readonly #db: PostgresDatabase
  readonly #clock: Clock | undefined

  /** `clock` stands for the database's own, in tests. */
  constructor(db: PostgresDatabase, clock?: Clock) {
    this.#db = db
    this.#clock = clock
  }

  async insert(made: NewRecord): Promise<{ record: TenantRecord; isTaken: boolean }> {
    const { id, kind, parent, name, body } = made
    const times = [milliseconds(made.dueInSeconds), milliseconds(made.ttlSeconds), this.#now()]
    const [row] = await this.#db.query(SQL.insert, [id, kind, parent, name, body, ...times])
    if (!row) throw new Error('the record was not inserted')
    const record = toRecord(row)
    return { record, isTaken: record.id !== id }
  }

  async find(id: string): Promise<TenantRecord | undefined> {
    const [row] = await this.#db.read(SQL.find, [id])
    return row && toRecord(row)
  }

  async findNamed(kind: RecordKind, parent: string, name: string): Promise<TenantRecord | undefined> {
    const [row] = await this.#db.read(SQL.findNamed, [parent, kind, name])
    return row && toRecord(row)
  }

  async change(id: string, version: number, change: RecordChange): Promise<TenantRecord | undefined> {
    const due = [change.dueInSeconds !== undefined, milliseconds(change.dueInSeconds)]
    const [row] = await this.#db.query(SQL.change, [id, version, change.body, ...due, this.#now()])
    return row && toRecord(row)
  }

  async remove(id: string): Promise<boolean> {
    return (await this.#db.query(SQL.remove, [id])).some((row) => row['id'] === id)
  }

  async list(filter: {
    readonly kind: RecordKind
    readonly parent: string
    readonly limit: number
    readonly cursor?: string
  }): Promise<RecordPage> {
    const { kind, parent, limit, cursor } = filter
    const page = [parent, kind, limit + 1]
    const rows = await (cursor === undefined
      ? this.#db.read(SQL.list, page)
      : this.#db.read(SQL.listAfter, [...page, cursor]))
    return recordPage(rows, limit)
  }

  async takeDue(kind: RecordKind, leaseSeconds: number, limit: number): Promise<readonly TenantRecord[]> {
    const rows = await this.#db.query(SQL.takeDue, [kind, leaseSeconds * 1_000, limit, this.#now()])
    return rows.map(toRecord)
  }

  #now(): number | null {
    return this.#clock?.now() ?? null
  }
}

function milliseconds(seconds: number | null | undefined): number | null {
  return seconds === undefined || seconds === null ? null : seconds * 1_000
}
