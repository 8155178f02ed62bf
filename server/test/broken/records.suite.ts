import type { Clock } from '../../src/primitives/clock.ts'
import type { NewRecord, RecordChange, RecordKind, TenantRecord } from '../../src/services/records.ts'
import { inSeconds, toRecord } from '../../src/stores/record-rows.ts'
import type { SqliteDatabase } from '../../src/stores/sqlite/database.ts'
import { SqlitePurge } from '../../src/stores/sqlite/purge.ts'
import { SqliteRecords } from '../../src/stores/sqlite/records.ts'
import { RETENTION } from '../conformance/auth/world.ts'
import { describeRecords } from '../conformance/records.ts'
import { MiswrittenSqlite, type Slip } from './miswritten-sqlite.ts'
import { moment } from './moment.ts'

// Twins of the SQLite store, each with one step made wrong. See `verify-store.suite.ts`.

const SLIPS: Record<string, Slip> = {
  right: ['', ''],
  'name-forgotten': ['VALUES (?1, ?2, ?3, ?4,', 'VALUES (?1, ?2, ?3, nullif(?4, ?4),'],
  'end-forgotten': ['?6, ?6, ?7, ?8)', '?6, ?6, ?7, nullif(?8, ?8))'],
  'due-forgotten': ['?6, ?6, ?7, ?8)', '?6, ?6, nullif(?7, ?7), ?8)'],
  'name-of-any-kind': ['parent = ? AND kind = ? AND name', "parent = ? AND ? > '' AND name"],
  'name-of-any-parent': [
    'FROM records WHERE parent = ? AND kind = ? AND name',
    "FROM records WHERE ? > '' AND kind = ? AND name",
  ],
  // The last one wins, whoever was before (lost update).
  'any-version': ['WHERE id = ?1 AND version = ?2', 'WHERE id = ?1 AND ?2 > 0'],
  'version-stays': ['version = version + 1, updated_at', 'version = version, updated_at'],
  'change-not-timed': ['updated_at = max(created_at, ?4)', 'updated_at = coalesce(updated_at, ?4)'],
  'changed-before-it-was-made': ['updated_at = max(created_at, ?4)', 'updated_at = ?4'],
  // A change that says nothing of when makes it never.
  'due-lost-by-change': ['CASE WHEN ?5 THEN ?6 ELSE due_at END', 'CASE WHEN ?5 THEN ?6 END'],
  'never-done-with': ['THEN ?6 ELSE due_at END', 'THEN coalesce(?6, due_at) ELSE due_at END'],
  'leaves-what-is-below': ['JOIN gone ON r.parent = gone.id', 'JOIN gone ON r.parent = gone.id WHERE 0'],
  'two-levels': [
    'FROM records AS r JOIN gone ON r.parent = gone.id',
    'FROM records AS r WHERE r.parent = ?1',
  ],
  'takes-what-lies-beside': [
    'WHERE id IN (SELECT id FROM gone) RETURNING',
    'WHERE parent IN (SELECT parent FROM records WHERE id IN (SELECT id FROM gone)) RETURNING',
  ],
  'takes-the-parent': [
    'SELECT ?1 UNION SELECT r.id',
    'SELECT ?1 UNION SELECT parent FROM records WHERE id = ?1 UNION SELECT r.id',
  ],
  'oldest-first': ['AND id < ? ORDER BY id DESC', 'AND id < ? ORDER BY id'],
  'lists-any-kind': ['parent = ? AND kind = ? AND id', "parent = ? AND ? > '' AND id"],
  // Shows what is another tenant's (OWASP API1, broken object level authorization).
  'lists-any-parent': ['WHERE parent = ? AND kind = ? AND id', "WHERE ? > '' AND kind = ? AND id"],
  'page-begins-with-the-last': ['AND id < ? ORDER BY id DESC', 'AND id <= ? ORDER BY id DESC'],
  'takes-any-kind': ['WHERE kind = ?1 AND due_at', "WHERE ?1 > '' AND due_at"],
  'takes-too-early': ['due_at <= ?2', 'due_at <= ?2 + 1'],
  'takes-too-late': ['due_at <= ?2', 'due_at < ?2'],
  'takes-the-newest': ['ORDER BY due_at, id LIMIT', 'ORDER BY due_at DESC, id LIMIT'],
  'takes-without-lease': ['SET due_at = ?3 WHERE', 'SET due_at = coalesce(due_at, ?3) WHERE'],
  'takes-for-ever': ['SET due_at = ?3 WHERE', 'SET due_at = nullif(?3, ?3) WHERE'],
  'sweeps-too-early': [
    'FROM records WHERE expires_at <= ? LIMIT',
    'FROM records WHERE expires_at <= ? + 1 LIMIT',
  ],
  'sweeps-all': ['FROM records WHERE expires_at <= ? LIMIT', 'FROM records WHERE ? > 0 LIMIT'],
  'sweeps-none': ['FROM records WHERE expires_at <= ? LIMIT', 'FROM records WHERE ? < 0 LIMIT'],
}

/** A twin with the database in its own hands. */
class Twin extends SqliteRecords {
  protected readonly db: SqliteDatabase
  protected readonly clock: Clock

  constructor(db: SqliteDatabase, clock: Clock) {
    super(db, clock)
    this.db = db
    this.clock = clock
  }
}

/** Looks whether a name is free, waits, and tells that it has it (MySQL's INSERT IGNORE, without a look at the count). */
class LookThenInsert extends Twin {
  override async insert(made: NewRecord) {
    const { kind, parent, name } = made
    const taken = name === null ? undefined : await this.findNamed(kind, parent, name)
    await moment()
    if (taken) return { record: taken, isTaken: true }
    const { record } = await super.insert(made)
    return { record, isTaken: false }
  }
}

/** Looks at the version, waits, and changes whatever is there then. */
class LookThenChange extends Twin {
  override async change(
    id: string,
    version: number,
    change: RecordChange,
  ): Promise<TenantRecord | undefined> {
    const found = await this.find(id)
    if (found?.version !== version) return undefined
    await moment()
    const now = this.clock.now()
    const { body, dueInSeconds } = change
    const row = this.db
      .prepare(
        `UPDATE records SET body = ?, version = version + 1, updated_at = max(created_at, ?),
           due_at = CASE WHEN ? THEN ? ELSE due_at END WHERE id = ? RETURNING *`,
      )
      .get(body, now, dueInSeconds === undefined ? 0 : 1, inSeconds(now, dueInSeconds), id)
    return row && toRecord(row)
  }
}

/** Writes what it was told to, also where it is gone by then. */
class WritesBack extends Twin {
  override async change(
    id: string,
    version: number,
    change: RecordChange,
  ): Promise<TenantRecord | undefined> {
    const changed = await super.change(id, version, change)
    await moment()
    if (changed && !(await this.find(id))) await super.insert(changed)
    return changed
  }
}

/** Tells everybody that it was he who removed it. */
class AlwaysRemoved extends Twin {
  override async remove(id: string): Promise<boolean> {
    const found = await this.find(id)
    await moment()
    await super.remove(id)
    return found !== undefined
  }
}

/** Reads what is due, waits, and takes what it had read, as in a queue without locks. */
class LookThenTake extends Twin {
  override async takeDue(kind: RecordKind, leaseSeconds: number, limit: number) {
    const now = this.clock.now()
    const due = this.db
      .prepare('SELECT id FROM records WHERE kind = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?')
      .all(kind, now, limit)
    await moment()
    const take = this.db.prepare('UPDATE records SET due_at = ? WHERE id = ? RETURNING *')
    return due.flatMap(({ id }) => take.all(now + leaseSeconds * 1_000, id ?? null).map(toRecord))
  }
}

const TWINS: Record<string, typeof SqliteRecords> = {
  'look-then-insert': LookThenInsert,
  'look-then-change': LookThenChange,
  'writes-back': WritesBack,
  'always-removed': AlwaysRemoved,
  'look-then-take': LookThenTake,
}

function describeTwin(name: string, slip?: Slip): void {
  const Records = TWINS[name] ?? SqliteRecords
  describeRecords(name, async (clock) => {
    const db = new MiswrittenSqlite(slip)
    const records = new Records(db, clock)
    const purge = new SqlitePurge(db, clock, RETENTION)
    return { records, other: records, sweep: () => purge.sweep(), close: async () => db.close() }
  })
}

for (const [name, slip] of Object.entries(SLIPS)) describeTwin(name, slip)
for (const name of Object.keys(TWINS)) describeTwin(name)
