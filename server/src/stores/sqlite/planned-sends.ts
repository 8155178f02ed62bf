import { SEND_LEASE_SECONDS } from '../../messaging/lease.ts'
import type { PlannedSend } from '../../messaging/store.ts'
import type { SqliteDatabase } from './database.ts'

/** Records sends inside the step that records what they belong to: nothing is sent that is not written down. */
export class SqlitePlannedSends {
  readonly #insert

  constructor(db: SqliteDatabase) {
    this.#insert = db.prepare(
      `INSERT INTO sends (owner, seq, id, provider, channel, sender, country, cause, price, currency, status, at,
         lease_until)
       VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM sends WHERE owner = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
         'sending', ?10, ?11)`,
    )
  }

  /** To be called in a unit of work of `SqliteDatabase.write`. */
  insert(owner: string, send: PlannedSend, nowMs: number): void {
    this.#insert.run(
      owner,
      send.id,
      send.provider,
      send.channel,
      send.sender,
      send.country,
      send.cause,
      send.price?.amount ?? null,
      send.price?.currency ?? null,
      nowMs,
      nowMs + SEND_LEASE_SECONDS * 1000,
    )
  }
}
