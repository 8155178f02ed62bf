import type { Ticket, TicketKind } from '../../auth/store.ts'
import { packTicket, toTicket } from '../auth-rows.ts'
import { number } from '../rows.ts'
import type { SqliteDatabase } from './database.ts'

/** What can be used once, in SQLite. Every method is a part of somebody's step. */
export class SqliteTickets {
  readonly #put
  readonly #take
  readonly #get
  readonly #deleteOf
  readonly #deleteSince

  constructor(db: SqliteDatabase) {
    this.#put = db.prepare(
      `INSERT INTO tickets (id, kind, user_id, data, created_at, expires_at)
       VALUES (:id, :kind, :user_id, :data, :created_at, :expires_at)
       ON CONFLICT (id, kind) DO UPDATE SET user_id = excluded.user_id, data = excluded.data,
         created_at = excluded.created_at, expires_at = excluded.expires_at`,
    )
    this.#take = db.prepare('DELETE FROM tickets WHERE kind = ? AND id = ? RETURNING *')
    this.#get = db.prepare('SELECT * FROM tickets WHERE kind = ? AND id = ? AND expires_at > ?')
    this.#deleteOf = db.prepare('DELETE FROM tickets WHERE user_id = ?')
    this.#deleteSince = db.prepare('DELETE FROM tickets WHERE user_id = ? AND kind = ? AND created_at >= ?')
  }

  put(ticket: Ticket, ttlSeconds: number, now: number): void {
    this.#put.run(packTicket(ticket, ttlSeconds, now))
  }

  /** Uses a ticket up, also one that is too old: a clock set back does not make it good again. */
  take(kind: TicketKind, id: string, now: number): (Ticket & { readonly createdAt: number }) | undefined {
    const row = this.#take.get(kind, id)
    if (!row || number(row, 'expires_at') <= now) return undefined
    return { ...toTicket(row), createdAt: number(row, 'created_at') }
  }

  get(kind: TicketKind, id: string, now: number): Ticket | undefined {
    const row = this.#get.get(kind, id, now)
    return row && toTicket(row)
  }

  deleteOf(userId: string): void {
    this.#deleteOf.run(userId)
  }

  /** Deletes a user's tickets of a kind that were put at a time or later. */
  deleteSince(userId: string, kind: TicketKind, since: number): void {
    this.#deleteSince.run(userId, kind, since)
  }
}
