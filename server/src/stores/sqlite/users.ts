import type { AccountChange, NewUser, Who } from '../../auth/store.ts'
import type { Account, User, UserStatus } from '../../auth/user.ts'
import { emailKey, NO_DEVICES, packUser, toAccount, toUser } from '../auth-rows.ts'
import type { Row } from '../rows.ts'
import type { SqliteDatabase } from './database.ts'

/** What goes with a change of a number or of the status. */
const FORGET = `devices = '${NO_DEVICES}', version = version + 1`

/** Users in SQLite. Every method is a part of somebody's step. */
export class SqliteUsers {
  readonly #insert
  readonly #byId
  readonly #byPhone
  readonly #byEmail
  readonly #list
  readonly #listStatus
  readonly #proveAgain
  readonly #setPhone
  readonly #detach
  readonly #update
  readonly #setPassword
  readonly #change
  readonly #setStatus
  readonly #delete

  constructor(db: SqliteDatabase) {
    this.#insert = db.prepare(
      `INSERT INTO users (id, email, name, phone, phone_verified_at, status, password_hash, second_factors,
         devices, version, created_at)
       VALUES (:id, :email, :name, :phone, :phone_verified_at, :status, :password_hash, :second_factors,
         :devices, :version, :created_at)`,
    )
    this.#byId = db.prepare('SELECT * FROM users WHERE id = ?')
    // Reads a row also where nobody has the number, so that the time tells less of who has an account.
    this.#byPhone = db.prepare('SELECT * FROM users WHERE phone <= ? ORDER BY phone DESC LIMIT 1')
    this.#byEmail = db.prepare('SELECT * FROM users WHERE email = ?')
    this.#list = db.prepare('SELECT * FROM users WHERE id < ? ORDER BY id DESC LIMIT ?')
    this.#listStatus = db.prepare('SELECT * FROM users WHERE status = ? AND id < ? ORDER BY id DESC LIMIT ?')
    this.#proveAgain = db.prepare('UPDATE users SET phone_verified_at = ? WHERE id = ? RETURNING *')
    this.#setPhone = db.prepare(
      `UPDATE users SET phone = ?, phone_verified_at = ?, ${FORGET} WHERE id = ? RETURNING *`,
    )
    this.#detach = db.prepare(
      `UPDATE users SET phone = NULL, phone_verified_at = NULL, ${FORGET} WHERE id = ?`,
    )
    this.#update = db.prepare('UPDATE users SET name = ?, email = ? WHERE id = ? RETURNING *')
    this.#setPassword = db.prepare(
      `UPDATE users SET password_hash = :to, devices = coalesce(:devices, devices), version = version + 1
       WHERE id = :id AND status = 'active' AND password_hash IS :from`,
    )
    this.#change = db.prepare(
      `UPDATE users SET password_hash = :password_hash, second_factors = :second_factors, devices = :devices,
         phone_verified_at = :phone_verified_at, version = :version
       WHERE id = :id RETURNING *`,
    )
    this.#setStatus = db.prepare(`UPDATE users SET status = ?, ${FORGET} WHERE id = ? RETURNING *`)
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

  /** Renews the proof of the number that a user has. */
  proveAgain(id: string, now: number): User {
    const row = this.#proveAgain.get(now, id)
    if (!row) throw new Error('a user who was found proved no number')
    return toUser(row)
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

  setPassword(
    id: string,
    change: { readonly from: string | null; readonly to: string; readonly keepsDevices: boolean },
  ): boolean {
    const { from, to, keepsDevices } = change
    const devices = keepsDevices ? null : NO_DEVICES
    return this.#setPassword.run({ id, from, to, devices }).changes === 1
  }

  /** Changes an account that was found to be what the change was decided on. */
  change(account: Account, change: AccountChange, now: number): Account {
    const { passwordHash, secondFactors, devices, provenPhone } = change
    const isNewVersion = passwordHash !== undefined || secondFactors !== undefined || devices !== undefined
    const row = this.#change.get({
      id: account.id,
      password_hash: passwordHash ?? account.passwordHash,
      second_factors: secondFactors === undefined ? account.secondFactors : secondFactors,
      devices: devices ?? account.devices,
      phone_verified_at: provenPhone === undefined ? account.phoneVerifiedAt : now,
      version: account.version + (isNewVersion ? 1 : 0),
    })
    if (!row) throw new Error('an account that was found was not changed')
    return toAccount(row)
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
