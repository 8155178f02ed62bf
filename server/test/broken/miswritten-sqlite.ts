import { SqliteDatabase } from '../../src/stores/sqlite/database.ts'
import { migrate } from '../../src/stores/sqlite/migrations.ts'

/** A passage of the store's SQL, with one space where it has any, and what stands there instead. */
export type Slip = readonly [right: string, wrong: string]

const NONE: Slip = ['', '']

/** A database in memory on which the SQLite store is right, but for one slip in its SQL. */
export class MiswrittenSqlite extends SqliteDatabase {
  readonly #slip: Slip

  constructor(slip = NONE) {
    super(':memory:', 'normal')
    this.#slip = slip
    migrate(this)
  }

  override prepare(sql: string): ReturnType<SqliteDatabase['prepare']> {
    const [right, wrong] = this.#slip
    return super.prepare(sql.replace(/\s+/g, ' ').replace(right, wrong))
  }
}
