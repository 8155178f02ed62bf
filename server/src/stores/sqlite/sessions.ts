import type { NewSession, Rotation } from '../../auth/store.ts'
import type { Session } from '../../auth/user.ts'
import { idleUntil, packSession, toSession } from '../auth-rows.ts'
import { number, type Row } from '../rows.ts'
import type { SqliteDatabase } from './database.ts'

/** Sessions in SQLite. Every method is a part of somebody's step. */
export class SqliteSessions {
  readonly #insert
  readonly #find
  readonly #ofUser
  readonly #rotate
  readonly #end
  readonly #endAll
  readonly #retire

  constructor(db: SqliteDatabase) {
    this.#insert = db.prepare(
      `INSERT INTO sessions (id, user_id, amr, auth_at, factor_at, created_at, used_at, address, agent,
         generation, rotated_at, expires_at, idle_until)
       VALUES (:id, :user_id, :amr, :auth_at, :factor_at, :created_at, :used_at, :address, :agent,
         :generation, :rotated_at, :expires_at, :idle_until)`,
    )
    this.#find = db.prepare('SELECT * FROM sessions WHERE id = ?')
    this.#ofUser = db.prepare('SELECT * FROM sessions WHERE user_id = ? AND idle_until > ? ORDER BY id DESC')
    this.#rotate = db.prepare(
      `UPDATE sessions SET generation = generation + 1, rotated_at = :now, used_at = :now, address = :address,
         idle_until = :idle_until
       WHERE id = :id RETURNING *`,
    )
    this.#end = db.prepare('DELETE FROM sessions WHERE id = ? AND user_id = ? RETURNING idle_until')
    this.#endAll = db.prepare('DELETE FROM sessions WHERE user_id = ? AND id <> ? RETURNING idle_until')
    this.#retire = db.prepare('DELETE FROM sessions WHERE id = ? AND idle_until <= ?')
  }

  open(session: NewSession, userId: string, now: number): Session {
    const row = packSession(session, userId, now)
    this.#insert.run(row)
    return toSession(row)
  }

  /** The row of a session, also of one that has ended and was not swept yet. */
  find(id: string): Row | undefined {
    return this.#find.get(id)
  }

  /** Whether a user has this session, and it has not ended. */
  isLive(id: string, userId: string, now: number): boolean {
    const row = this.#find.get(id)
    return row?.['user_id'] === userId && number(row, 'idle_until') > now
  }

  /** The live ones, the newest first. */
  ofUser(userId: string, now: number): Session[] {
    return this.#ofUser.all(userId, now).map(toSession)
  }

  /** Gives a session its next generation. */
  rotate(row: Row, { sessionId, address, idleSeconds }: Rotation, now: number): Row {
    const until = idleUntil(now, idleSeconds, number(row, 'expires_at'))
    const rotated = this.#rotate.get({ id: sessionId, now, address, idle_until: until })
    if (!rotated) throw new Error('a session that was found was not rotated')
    return rotated
  }

  /** Ends a session of a user; false when it was over already. */
  end(id: string, userId: string, now: number): boolean {
    const row = this.#end.get(id, userId)
    return row !== undefined && number(row, 'idle_until') > now
  }

  /** Ends every session of a user but one; tells how many were live. */
  endAll(userId: string, except: string | null, now: number): number {
    const ended = this.#endAll.all(userId, except ?? '')
    return ended.filter((row) => number(row, 'idle_until') > now).length
  }

  /** Takes away one that was met after its end, so that a clock set back does not bring it to life again. */
  retire(id: string, now: number): void {
    this.#retire.run(id, now)
  }
}
