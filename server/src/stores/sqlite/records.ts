import type { Clock } from '../../primitives/clock.ts'
import type {
  NewRecord,
  RecordChange,
  RecordKind,
  RecordPage,
  RecordStore,
  TenantRecord,
} from '../../services/records.ts'
import { inSeconds, RECORD_COLUMNS, recordPage, toRecord } from '../record-rows.ts'
import type { SqliteDatabase } from './database.ts'

/** What tenants keep, in SQLite. */
export class SqliteRecords implements RecordStore {
  readonly #db: SqliteDatabase
  readonly #clock: Clock
  readonly #insert
  readonly #find
  readonly #findNamed
  readonly #change
  readonly #remove
  readonly #list
  readonly #takeDue

  constructor(db: SqliteDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#insert = db.prepare(
      `INSERT INTO records (${RECORD_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6, ?7, ?8)
       ON CONFLICT (parent, kind, name) WHERE name IS NOT NULL DO NOTHING RETURNING *`,
    )
    this.#find = db.prepare('SELECT * FROM records WHERE id = ?')
    this.#findNamed = db.prepare('SELECT * FROM records WHERE parent = ? AND kind = ? AND name = ?')
    this.#change = db.prepare(
      `UPDATE records SET body = ?3, version = version + 1, updated_at = max(created_at, ?4),
         due_at = CASE WHEN ?5 THEN ?6 ELSE due_at END
       WHERE id = ?1 AND version = ?2 RETURNING *`,
    )
    this.#remove = db.prepare(
      `WITH RECURSIVE gone (id) AS (
         SELECT ?1 UNION SELECT r.id FROM records AS r JOIN gone ON r.parent = gone.id
       )
       DELETE FROM records WHERE id IN (SELECT id FROM gone) RETURNING id`,
    )
    this.#list = db.prepare(
      'SELECT * FROM records WHERE parent = ? AND kind = ? AND id < ? ORDER BY id DESC LIMIT ?',
    )
    this.#takeDue = db.prepare(
      `UPDATE records SET due_at = ?3 WHERE id IN (
         SELECT id FROM records WHERE kind = ?1 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?4
       ) RETURNING *`,
    )
  }

  insert(made: NewRecord): Promise<{ record: TenantRecord; isTaken: boolean }> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const { id, kind, parent, name, body } = made
      const due = inSeconds(now, made.dueInSeconds)
      const row = this.#insert.get(id, kind, parent, name, body, now, due, inSeconds(now, made.ttlSeconds))
      if (row) return { record: toRecord(row), isTaken: false }
      return { record: toRecord(this.#findNamed.get(parent, kind, name) ?? {}), isTaken: true }
    })
  }

  find(id: string): Promise<TenantRecord | undefined> {
    return this.#db.read(() => {
      const row = this.#find.get(id)
      return row && toRecord(row)
    })
  }

  findNamed(kind: RecordKind, parent: string, name: string): Promise<TenantRecord | undefined> {
    return this.#db.read(() => {
      const row = this.#findNamed.get(parent, kind, name)
      return row && toRecord(row)
    })
  }

  change(id: string, version: number, change: RecordChange): Promise<TenantRecord | undefined> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const isDue = change.dueInSeconds === undefined ? 0 : 1
      const due = inSeconds(now, change.dueInSeconds)
      const row = this.#change.get(id, version, change.body, now, isDue, due)
      return row && toRecord(row)
    })
  }

  remove(id: string): Promise<boolean> {
    return this.#db.write(() => this.#remove.all(id).some((row) => row['id'] === id))
  }

  list(filter: {
    readonly kind: RecordKind
    readonly parent: string
    readonly limit: number
    readonly cursor?: string
  }): Promise<RecordPage> {
    return this.#db.read(() => {
      const { kind, parent, limit, cursor = '~' } = filter
      return recordPage(this.#list.all(parent, kind, cursor, limit + 1), limit)
    })
  }

  takeDue(kind: RecordKind, leaseSeconds: number, limit: number): Promise<readonly TenantRecord[]> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      return this.#takeDue.all(kind, now, inSeconds(now, leaseSeconds), limit).map(toRecord)
    })
  }
}
