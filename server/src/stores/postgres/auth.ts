import type { AuthEvent, EventDraft, EventType } from '../../auth/events.ts'
import type {
  AccountChange,
  AccountChanged,
  AuthStore,
  Entered,
  Entry,
  NewSession,
  Rotated,
  Rotation,
  Ticket,
  TicketKind,
  Told,
  Who,
} from '../../auth/store.ts'
import type { Account, Session, User, UserStatus } from '../../auth/user.ts'
import type { Clock } from '../../primitives/clock.ts'
import type { Batches } from '../batches.ts'
import { emailKey, toAccount, toAuthEvent, toSession, toTicket, toUser } from '../auth-rows.ts'
import { number, type Row, text, textOrNull } from '../rows.ts'
import { packChange, packEntry, packEvent, packSession, packTicket } from './auth-packing.ts'
import { AUTH_SQL, pageOf } from './auth-statements.ts'
import { batched, decideAll, type PostgresDatabase } from './database.ts'
import { packJson } from './json.ts'

/** Users, their sessions and what happened, in Postgres. Each verb is one statement, and the database's clock decides. */
export class PostgresAuth implements AuthStore {
  readonly #db: PostgresDatabase
  readonly #storeClock: Clock
  readonly #clock: Clock | undefined
  readonly #entries: Batches<Entry, Entered>

  /** `storeClock` tells the database's time, and `clock` stands for its own clock, in tests. */
  constructor(db: PostgresDatabase, storeClock: Clock, clock?: Clock) {
    this.#db = db
    this.#storeClock = storeClock
    this.#clock = clock
    this.#entries = batched((all, until) => this.#enterAll(all, until))
  }

  enter(entry: Entry): Promise<Entered> {
    return this.#entries.add(entry)
  }

  async openSession(
    userId: string,
    passwordHash: string,
    session: NewSession,
    events: Told<'started'>,
  ): Promise<{ readonly user: User; readonly session: Session } | undefined> {
    return held(
      await this.#decide(AUTH_SQL.openSession, {
        user_id: userId,
        password_hash: passwordHash,
        session: packSession(session),
        started: packEvent(events.started),
      }),
    )
  }

  async changeAccount(change: AccountChange): Promise<AccountChanged> {
    const row = await this.#decide(AUTH_SQL.changeAccount, packChange(change))
    const outcome = text(row, 'outcome')
    if (outcome !== 'changed') return { outcome: outcome === 'used' ? 'used' : 'conflict' }
    const account = toAccount(part(row, 'account'))
    return { outcome, account, session: change.session ? toSession(part(row, 'session')) : null }
  }

  async rotate(rotation: Rotation): Promise<Rotated> {
    const row = await this.#decide(AUTH_SQL.rotate, {
      id: rotation.sessionId,
      generation: rotation.generation,
      grace_ms: rotation.graceSeconds * 1000,
      agent: rotation.agent,
      address: rotation.address,
      idle_ms: rotation.idleSeconds * 1000,
      reused: packEvent(rotation.events.reused),
    })
    const outcome = text(row, 'outcome')
    if (outcome === 'ended' || outcome === 'reused') return { outcome }
    return {
      outcome: outcome === 'rotated' ? 'rotated' : 'repeated',
      generation: number(row, 'generation'),
      session: toSession(part(row, 'session')),
      user: toUser(part(row, 'account')),
    }
  }

  async session(id: string): Promise<{ readonly session: Session; readonly user: User } | undefined> {
    // May be asked again when its connection was lost: what it deletes has ended either way.
    const [row] = await this.#db.read(AUTH_SQL.session, [id, this.#now()])
    return row && held(row)
  }

  async sessionsOf(userId: string): Promise<Session[]> {
    return (await this.#db.read(AUTH_SQL.sessionsOf, [userId, this.#now()])).map(toSession)
  }

  async endSession(userId: string, sessionId: string, event: EventDraft): Promise<boolean> {
    const parameters = [userId, sessionId, packJson(packEvent(event)), this.#now()]
    return (await this.#db.query(AUTH_SQL.endSession, parameters)).length === 1
  }

  async endSessions(userId: string, event: EventDraft, except?: string): Promise<number> {
    const ending = { user_id: userId, except, event: packEvent(event) }
    return number(await this.#decide(AUTH_SQL.endSessions, ending), 'ended')
  }

  async account(who: Who): Promise<Account | undefined> {
    const [column, value] =
      'id' in who ? ['id', who.id] : 'phone' in who ? ['phone', who.phone] : ['email', emailKey(who.email)]
    const [row] = await this.#db.read(AUTH_SQL.account[column as 'id' | 'phone' | 'email'], [value])
    return row && toAccount(row)
  }

  async users(filter: {
    readonly limit: number
    readonly phone?: string
    readonly email?: string
    readonly status?: UserStatus
    readonly cursor?: string
  }): Promise<{ data: User[]; nextCursor: string | null }> {
    const { limit, cursor, phone, email, status } = filter
    const rows = await this.#db.read(
      ...pageOf('users', {
        limit,
        cursor,
        where: { phone, email: email === undefined ? undefined : emailKey(email), status },
      }),
    )
    return paged(rows.map(toUser), limit)
  }

  async updateUser(
    userId: string,
    change: { readonly name?: string | null; readonly email?: string | null },
    event: EventDraft,
  ): Promise<User | 'email_taken' | undefined> {
    const row = await this.#decide(AUTH_SQL.updateUser, {
      id: userId,
      has_name: change.name !== undefined,
      name: change.name,
      has_email: change.email !== undefined,
      email: emailKey(change.email ?? null),
      event: packEvent(event),
    })
    return row['outcome'] === 'email_taken' ? 'email_taken' : userOf(row)
  }

  async setPassword(
    userId: string,
    change: {
      readonly from: string | null
      readonly to: string
      readonly keep: { readonly session: string | null } | 'all'
      readonly event?: EventDraft
    },
  ): Promise<boolean> {
    const { from, to, keep, event } = change
    const row = await this.#decide(AUTH_SQL.setPassword, {
      id: userId,
      was: from,
      hash: to,
      keeps_all: keep === 'all',
      keep: keep === 'all' ? null : keep.session,
      event: event && packEvent(event),
    })
    return row['is_set'] === true
  }

  async changePhone(change: {
    readonly userId: string
    readonly phone: string
    readonly keep: string
    readonly undo: Ticket & { readonly ttlSeconds: number; readonly data: { readonly from: string | null } }
    readonly events: Told<'changed' | 'detached'>
  }): Promise<
    { readonly user: User; readonly from: string | null; readonly detached: string | null } | undefined
  > {
    const row = await this.#decide(AUTH_SQL.changePhone, {
      id: change.userId,
      phone: change.phone,
      keep: change.keep,
      undo: packTicket({ ...change.undo, userId: change.userId }, change.undo.ttlSeconds),
      changed: packEvent(change.events.changed),
      detached: packEvent(change.events.detached),
    })
    const user = userOf(row)
    return user && { user, from: textOrNull(row, 'was'), detached: textOrNull(row, 'detached') }
  }

  async restorePhone(
    ticketId: string,
    events: Told<'restored'>,
  ): Promise<{ readonly user: User } | undefined> {
    const ticket = { id: ticketId, restored: packEvent(events.restored) }
    const user = userOf(await this.#decide(AUTH_SQL.restorePhone, ticket))
    return user && { user }
  }

  async setStatus(userId: string, status: UserStatus, event: EventDraft): Promise<User | undefined> {
    return userOf(await this.#decide(AUTH_SQL.setStatus, { id: userId, status, event: packEvent(event) }))
  }

  async deleteUser(userId: string, event: EventDraft): Promise<boolean> {
    const row = await this.#decide(AUTH_SQL.deleteUser, { id: userId, event: packEvent(event) })
    return row['is_deleted'] === true
  }

  async putTicket(ticket: Ticket, ttlSeconds: number): Promise<void> {
    await this.#db.query(AUTH_SQL.putTicket, [packJson(packTicket(ticket, ttlSeconds)), this.#now()])
  }

  async ticket(kind: TicketKind, id: string): Promise<Ticket | undefined> {
    const [row] = await this.#db.read(AUTH_SQL.ticket, [kind, id, this.#now()])
    return row && toTicket(row)
  }

  async takeTicket(kind: TicketKind, id: string): Promise<Ticket | undefined> {
    const [row] = await this.#db.query(AUTH_SQL.takeTicket, [kind, id, this.#now()])
    return row && toTicket(row)
  }

  async record(event: EventDraft & { readonly userId: string | null }): Promise<void> {
    await this.#db.query(AUTH_SQL.record, [packJson(packEvent(event)), event.userId, this.#now()])
  }

  async events(filter: {
    readonly limit: number
    readonly userId?: string
    readonly type?: EventType
    readonly cursor?: string
  }): Promise<{ data: AuthEvent[]; nextCursor: string | null }> {
    const { limit, cursor, userId, type } = filter
    const rows = await this.#db.read(
      ...pageOf('auth_events', { limit, cursor, where: { user_id: userId, type } }),
    )
    return paged(rows.map(toAuthEvent), limit)
  }

  async #enterAll(all: readonly Entry[], until: number): Promise<readonly Entered[]> {
    const when = { until, now: this.#now(), storeClock: this.#storeClock }
    const rows = await decideAll(this.#db, AUTH_SQL.enter, all.map(packEntry), when)
    return all.map((_, at) => {
      const row = rows.get(at)
      if (!row) throw new Error('somebody was neither let in nor refused')
      return enteredOf(row)
    })
  }

  /** Runs a verb that has one answer. */
  async #decide(sql: string, asked: object): Promise<Row> {
    const [row] = await this.#db.query(sql, [packJson(asked), this.#now()])
    if (!row) throw new Error('nothing was decided')
    return row
  }

  #now(): number | null {
    return this.#clock?.now() ?? null
  }
}

function enteredOf(row: Row): Entered {
  const outcome = text(row, 'outcome')
  const user = toUser(part(row, 'account'))
  if (outcome === 'disabled' || outcome === 'second_factor') return { outcome, user }
  return {
    outcome: outcome === 'created' ? 'created' : 'entered',
    user,
    session: toSession(part(row, 'session')),
    detached: textOrNull(row, 'detached'),
    emailTaken: row['is_email_taken'] === true,
  }
}

/** A column that holds a row as JSON. */
function part(row: Row, column: string): Row {
  return row[column] as Row
}

function userOf(row: Row): User | undefined {
  return row['account'] === null ? undefined : toUser(part(row, 'account'))
}

function held(row: Row): { readonly user: User; readonly session: Session } | undefined {
  const user = userOf(row)
  return user && { user, session: toSession(part(row, 'session')) }
}

/** A page of rows of which one more was read than it takes. */
function paged<T extends { readonly id: string }>(
  rows: readonly T[],
  limit: number,
): { data: T[]; nextCursor: string | null } {
  const data = rows.slice(0, limit)
  return { data, nextCursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null }
}
