import type { AuthEvent, EventDraft, EventType } from '../../auth/events.ts'
import { type About, packEvent, toAuthEvent } from '../auth-rows.ts'
import type { SqliteDatabase } from './database.ts'

/** What happened to users, in SQLite. Every method is a part of somebody's step. */
export class SqliteAuthEvents {
  readonly #insert
  readonly #blank
  readonly #list
  readonly #listUser
  readonly #listType
  readonly #listBoth

  constructor(db: SqliteDatabase) {
    this.#insert = db.prepare(
      `INSERT INTO auth_events (id, type, user_id, session_id, actor, key_id, address, agent, data, at)
       VALUES (:id, :type, :user_id, :session_id, :actor, :key_id, :address, :agent, :data, :at)`,
    )
    this.#blank = db.prepare(
      `UPDATE auth_events SET address = NULL, agent = NULL, data = '{}' WHERE user_id = ?`,
    )
    const list = (where: string) =>
      db.prepare(`SELECT * FROM auth_events WHERE ${where} id < ? ORDER BY id DESC LIMIT ?`)
    this.#list = list('')
    this.#listUser = list('user_id = ? AND')
    this.#listType = list('type = ? AND')
    // The plus keeps it from the index over types: a user has few events, a type has many.
    this.#listBoth = list('user_id = ? AND +type = ? AND')
  }

  record(draft: EventDraft, about: About, now: number): void {
    this.#insert.run(packEvent(draft, about, now))
  }

  /** Takes away what is personal from all that was recorded of a user. */
  blank(userId: string): void {
    this.#blank.run(userId)
  }

  list(filter: {
    readonly limit: number
    readonly userId?: string
    readonly type?: EventType
    readonly cursor?: string
  }): { data: AuthEvent[]; nextCursor: string | null } {
    const { userId, type, limit } = filter
    const page = [filter.cursor ?? '~', limit + 1] as const
    const rows =
      userId === undefined
        ? type === undefined
          ? this.#list.all(...page)
          : this.#listType.all(type, ...page)
        : type === undefined
          ? this.#listUser.all(userId, ...page)
          : this.#listBoth.all(userId, type, ...page)
    const data = rows.slice(0, limit).map(toAuthEvent)
    return { data, nextCursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null }
  }
}
