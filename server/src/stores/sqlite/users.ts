import type { NewUser, Who } from '../../auth/store.ts'
import type { Account, User, UserStatus } from '../../auth/user.ts'
import { emailKey, packUser, toAccount, toUser } from '../auth-rows.ts'
import type { Row } from '../rows.ts'
import type { SqliteDatabase } from './database.ts'

/** Users in SQLite. Every method is a part of somebody's step. */
export class SqliteUsers {
  readonly #insert
  readonly #byId
  readonly #byPhone
  readonly #byEmail
  readonly #list
  readonly #listStatus
  readonly #setPhone
  readonly #detach
  readonly #update
  readonly #setPassword
  readonly #setStatus
  readonly #delete

  constructor(db: SqliteDatabase) {
    this.#insert = db.prepare(
      `INSERT INTO users (id, email, name, phone, phone_verified_at, status, password_hash, created_at)
       VALUES (:id, :email, :name, :phone, :phone_verified_at, :status, :password_hash, :created_at)`,
    )
    this.#byId = db.prepare('SELECT * FROM users WHERE id = ?')
    // Reads a row also where nobody has the number, so that the time tells less of who has an account.
    this.#byPhone = db.prepare('SELECT * FROM users WHERE phone <= ? ORDER BY phone DESC LIMIT 1')
    this.#byEmail = db.prepare('SELECT * FROM users WHERE email = ?')
    this.#list = db.prepare('SELECT * FROM users WHERE id < ? ORDER BY id DESC LIMIT ?')
    this.#listStatus = db.prepare('SELECT * FROM users WHERE status = ? AND id < ? ORDER BY id DESC LIMIT ?')
    this.#setPhone = db.prepare('UPDATE users SET phone = ?, phone_verified_at = ? WHERE id = ? RETURNING *')
    this.#detach = db.prepare('UPDATE users SET phone = NULL, phone_verified_at = NULL WHERE id = ?')
    this.#update = db.prepare('UPDATE users SET name = ?, email = ? WHERE id = ? RETURNING *')
    this.#setPassword = db.prepare(
      `UPDATE users SET password_hash = :to WHERE id = :id AND status = 'active' AND password_hash IS :from`,
    )
    this.#setStatus = db.prepare('UPDATE users SET status = ? WHERE id = ? RETURNING *')
    this.#delete = db.prepare('DELETE FROM users WHERE id = ?')
  }

  /** Makes a user with a number that nobody has; the e-mail is left out where another has it. */
  insert(user: NewUser, phone: string, now: number): { user: User; emailTaken: boolean } {
    const emailTaken = user.email !== null && this.find({ email: user.email }) !== undefined
    const row = packUser({ ...user, phone, ...(emailTaken ? { email: null } : {}) }, now)
    this.#insert.run(row)
    return { user: toUser(row), emailTaken }
  }

  find(who: Who): Account | undefined {
    const row = this.#row(who)
    return row && toAccount(row)
  }

  list(filter: {
    readonly limit: number
    readonly phone?: string
    readonly email?: string
    readonly status?: UserStatus
    readonly cursor?: string
  }): { data: User[]; nextCursor: string | null } {
    const { phone, email, status, limit, cursor = '~' } = filter
    const matches = (user: User) =>
      user.id < cursor &&
      (email === undefined || user.email === emailKey(email)) &&
      (status === undefined || user.status === status)
    // At most one user has a number, and at most one an e-mail.
    const who = phone !== undefined ? { phone } : email !== undefined ? { email } : undefined
    if (who) {
      const row = this.#row(who)
      return { data: row ? [toUser(row)].filter(matches) : [], nextCursor: null }
    }
    const rows =
      status === undefined
        ? this.#list.all(cursor, limit + 1)
        : this.#listStatus.all(status, cursor, limit + 1)
    const data = rows.slice(0, limit).map(toUser)
    return { data, nextCursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null }
  }

  /** Gives a user a number that was just proven and nobody else has, or their own again. */
  setPhone(id: string, phone: string, now: number): User {
    const row = this.#setPhone.get(phone, now, id)
    if (!row) throw new Error('a user who was found got no number')
    return toUser(row)
  }

  detach(id: string): void {
    this.#detach.run(id)
  }

  /** Changes a user that was found; undefined when the e-mail is another's. */
  update(user: User, change: { readonly name?: string | null; readonly email?: string | null }) {
    const { name, email } = { name: user.name, email: user.email, ...change }
    const having = email === null ? undefined : this.find({ email })
    if (having !== undefined && having.id !== user.id) return undefined
    const row = this.#update.get(name, emailKey(email), user.id)
    return row && toUser(row)
  }

  setPassword(id: string, change: { readonly from: string | null; readonly to: string }): boolean {
    return this.#setPassword.run({ id, from: change.from, to: change.to }).changes === 1
  }

  setStatus(id: string, status: UserStatus): User {
    const row = this.#setStatus.get(status, id)
    if (!row) throw new Error('a user who was found got no status')
    return toUser(row)
  }

  delete(id: string): boolean {
    return this.#delete.run(id).changes === 1
  }

  #row(who: Who): Row | undefined {
    if ('id' in who) return this.#byId.get(who.id)
    if ('email' in who) return this.#byEmail.get(emailKey(who.email))
    const row = this.#byPhone.get(who.phone)
    return row?.['phone'] === who.phone ? row : undefined
  }
}
