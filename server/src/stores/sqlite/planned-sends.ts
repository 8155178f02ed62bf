import type { PlannedSend } from '../../messaging/store.ts'
import type { SqliteDatabase } from './database.ts'

/** Records sends inside the step that records what they belong to: nothing is sent that is not written down. */
export class SqlitePlannedSends {
  readonly #insert

  constructor(db: SqliteDatabase) {
    this.#insert = db.prepare(
      `INSERT INTO sends (owner, id, provider, channel, status, at) VALUES (?, ?, ?, ?, 'sending', ?)`,
    )
  }

  /** To be called in a unit of work of `SqliteDatabase.write`. */
  insert(owner: string, send: PlannedSend, nowMs: number): void {
    this.#insert.run(owner, send.id, send.provider, send.channel, nowMs)
  }
}
