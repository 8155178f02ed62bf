import type { AuthEvent, EventDraft } from '../../auth/events.ts'
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
import { leadsBack, toSession, userOf } from '../auth-rows.ts'
import { decideRotation } from '../rotations.ts'
import { number, text } from '../rows.ts'
import { SqliteAuthEvents } from './auth-events.ts'
import type { SqliteDatabase } from './database.ts'
import { SqliteSessions } from './sessions.ts'
import { SqliteTickets } from './tickets.ts'
import { SqliteUsers } from './users.ts'

/** Users, sessions and what happened, in SQLite. */
export class SqliteAuth implements AuthStore {
  readonly #db: SqliteDatabase
  readonly #clock: Clock
  readonly #users: SqliteUsers
  readonly #sessions: SqliteSessions
  readonly #tickets: SqliteTickets
  readonly #events: SqliteAuthEvents

  constructor(db: SqliteDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#users = new SqliteUsers(db)
    this.#sessions = new SqliteSessions(db)
    this.#tickets = new SqliteTickets(db)
    this.#events = new SqliteAuthEvents(db)
  }

  enter(entry: Entry): Promise<Entered> {
    const { phone, newUser, session, proofSeconds, startsOver = false, events } = entry
    return this.#write((now) => {
      const holder = this.#users.find({ phone })
      const isStale = holder !== undefined && now - (holder.phoneVerifiedAt ?? 0) > proofSeconds * 1000
      if (holder && !isStale && !startsOver) {
        if (holder.status === 'disabled') return { outcome: 'disabled', user: userOf(holder) }
        if (holder.secondFactors !== null) return { outcome: 'second_factor', user: userOf(holder) }
        const user = this.#users.proveAgain(holder.id, now)
        this.#events.record(events.entered, { userId: user.id }, now)
        const opened = this.#open(user, session, events.started, now)
        return { outcome: 'entered', user, session: opened, detached: null, emailTaken: false }
      }
      if (holder) this.#detach(holder.id, events.detached, now)
      const { user, emailTaken } = this.#users.insert(newUser, phone, now)
      this.#events.record(events.created, { userId: user.id }, now)
      const opened = this.#open(user, session, events.started, now)
      return { outcome: 'created', user, session: opened, detached: holder?.id ?? null, emailTaken }
    })
  }

  openSession(
    userId: string,
    passwordHash: string,
    session: NewSession,
    events: Told<'started'>,
  ): Promise<{ readonly user: User; readonly session: Session } | undefined> {
    return this.#write((now) => {
      const account = this.#active(userId)
      if (account?.passwordHash !== passwordHash || account.secondFactors !== null) return undefined
      const user = userOf(account)
      return { user, session: this.#open(user, session, events.started, now) }
    })
  }

  changeAccount(change: AccountChange): Promise<AccountChanged> {
    const { userId, version, provenPhone, ticket, session, ends, events } = change
    return this.#write((now) => {
      const before = this.#active(userId)
      const isSame =
        before?.version === version && (provenPhone === undefined || before.phone === provenPhone)
      if (!before || !isSame) return { outcome: 'conflict' }
      if (ends && 'only' in ends && !this.#sessions.isLive(ends.only, userId, now)) return { outcome: 'used' }
      if (ticket && !this.#tickets.take(ticket.kind, ticket.id, now)) return { outcome: 'used' }
      const account = this.#users.change(before, change, now)
      if (ends && 'only' in ends) this.#sessions.end(ends.only, userId, now)
      else if (ends) this.#sessions.endAll(userId, ends.allBut, now)
      const opened = session ? this.#sessions.open(session, userId, now) : null
      for (const event of events) {
        const isOfSession = opened !== null && event.type === 'session.started'
        this.#events.record(event, { userId, ...(isOfSession ? { sessionId: opened.id } : {}) }, now)
      }
      return { outcome: 'changed', account, session: opened }
    })
  }

  rotate(rotation: Rotation): Promise<Rotated> {
    return this.#write((now) => {
      const row = this.#sessions.find(rotation.sessionId)
      const account = row && this.#active(text(row, 'user_id'))
      if (!account) return { outcome: 'ended' }
      const outcome = decideRotation(row, rotation, now)
      if (outcome === 'ended') {
        this.#sessions.retire(rotation.sessionId, now)
        return { outcome }
      }
      if (outcome === 'reused') {
        this.#sessions.end(rotation.sessionId, account.id, now)
        const about = { userId: account.id, sessionId: rotation.sessionId }
        this.#events.record(rotation.events.reused, about, now)
        return { outcome }
      }
      const used = outcome === 'rotated' ? this.#sessions.rotate(row, rotation, now) : row
      const generation = number(used, 'generation')
      return { outcome, generation, session: toSession(used), user: userOf(account) }
    })
  }

  async session(id: string): Promise<{ readonly session: Session; readonly user: User } | undefined> {
    const now = this.#clock.now()
    const found = await this.#db.read(() => {
      const row = this.#sessions.find(id)
      const account = row && this.#active(text(row, 'user_id'))
      return account && { session: toSession(row), user: userOf(account) }
    })
    if (!found || found.session.idleUntil > now) return found
    await this.#db.write(() => this.#sessions.retire(id, now))
    return undefined
  }

  sessionsOf(userId: string): Promise<Session[]> {
    return this.#db.read(() => this.#sessions.ofUser(userId, this.#clock.now()))
  }

  endSession(userId: string, sessionId: string, event: EventDraft): Promise<boolean> {
    return this.#write((now) => {
      const isEnded = this.#sessions.end(sessionId, userId, now)
      if (isEnded) this.#events.record(event, { userId, sessionId }, now)
      return isEnded
    })
  }

  endSessions(userId: string, event: EventDraft, except?: string): Promise<number> {
    return this.#write((now) => {
      const ended = this.#sessions.endAll(userId, except ?? null, now)
      if (ended > 0) this.#events.record(event, { userId }, now)
      return ended
    })
  }

  account(who: Who): Promise<Account | undefined> {
    return this.#db.read(() => this.#users.find(who))
  }

  users(filter: {
    readonly limit: number
    readonly phone?: string
    readonly email?: string
    readonly status?: UserStatus
    readonly cursor?: string
  }): Promise<{ data: User[]; nextCursor: string | null }> {
    return this.#db.read(() => this.#users.list(filter))
  }

  updateUser(
    userId: string,
    change: { readonly name?: string | null; readonly email?: string | null },
    event: EventDraft,
  ): Promise<User | 'email_taken' | undefined> {
    return this.#write((now) => {
      const account = this.#users.find({ id: userId })
      if (!account) return undefined
      const user = this.#users.update(account, change)
      if (!user) return 'email_taken'
      this.#events.record(event, { userId }, now)
      return user
    })
  }

  setPassword(
    userId: string,
    change: {
      readonly from: string | null
      readonly to: string
      readonly keep: { readonly session: string | null } | 'all'
      readonly event?: EventDraft
    },
  ): Promise<boolean> {
    return this.#write((now) => {
      const keepsDevices = change.keep === 'all'
      if (!this.#users.setPassword(userId, { ...change, keepsDevices })) return false
      if (change.keep !== 'all') this.#sessions.endAll(userId, change.keep.session, now)
      if (change.event) this.#events.record(change.event, { userId }, now)
      return true
    })
  }

  changePhone(change: {
    readonly userId: string
    readonly phone: string
    readonly keep: string
    readonly undo: Ticket & { readonly ttlSeconds: number }
    readonly events: Told<'changed' | 'detached'>
  }): Promise<
    { readonly user: User; readonly from: string | null; readonly detached: string | null } | undefined
  > {
    return this.#write((now) => {
      const { userId, phone, events } = change
      const before = this.#active(userId)
      if (!before) return undefined
      const holder = this.#users.find({ phone })
      const detached = holder && holder.id !== userId ? holder.id : null
      if (detached !== null) this.#detach(detached, events.detached, now)
      const user = this.#users.setPhone(userId, phone, now)
      this.#sessions.endAll(userId, change.keep, now)
      const { ttlSeconds, ...undo } = change.undo
      if (leadsBack(undo, before.phone, phone)) this.#tickets.put({ ...undo, userId }, ttlSeconds, now)
      this.#events.record(events.changed, { userId }, now)
      return { user, from: before.phone, detached }
    })
  }

  restorePhone(ticketId: string, events: Told<'restored'>): Promise<{ readonly user: User } | undefined> {
    return this.#write((now) => {
      const ticket = this.#tickets.take('phone_undo', ticketId, now)
      const account = ticket && this.#users.find({ id: ticket.userId ?? '' })
      if (!account) return undefined
      const { id: userId } = account
      const phone = text(ticket.data, 'from')
      const holder = this.#users.find({ phone })
      if (holder && holder.id !== userId) return undefined
      // Whoever has changed it again would take it back in turn.
      this.#tickets.deleteSince(userId, 'phone_undo', ticket.createdAt)
      const user = this.#users.setPhone(userId, phone, now)
      this.#sessions.endAll(userId, null, now)
      this.#events.record(events.restored, { userId }, now)
      return { user }
    })
  }

  setStatus(userId: string, status: UserStatus, event: EventDraft): Promise<User | undefined> {
    return this.#write((now) => {
      const account = this.#users.find({ id: userId })
      if (!account || account.status === status) return account && userOf(account)
      const user = this.#users.setStatus(userId, status)
      if (status === 'disabled') this.#sessions.endAll(userId, null, now)
      this.#events.record(event, { userId }, now)
      return user
    })
  }

  deleteUser(userId: string, event: EventDraft): Promise<boolean> {
    return this.#write((now) => {
      if (!this.#users.delete(userId)) return false
      this.#sessions.endAll(userId, null, now)
      this.#tickets.deleteOf(userId)
      this.#events.blank(userId)
      this.#events.record(event, { userId }, now)
      return true
    })
  }

  putTicket(ticket: Ticket, ttlSeconds: number): Promise<void> {
    return this.#write((now) => this.#tickets.put(ticket, ttlSeconds, now))
  }

  ticket(kind: TicketKind, id: string): Promise<Ticket | undefined> {
    return this.#db.read(() => this.#tickets.get(kind, id, this.#clock.now()))
  }

  takeTicket(kind: TicketKind, id: string): Promise<Ticket | undefined> {
    return this.#write((now) => {
      const taken = this.#tickets.take(kind, id, now)
      if (!taken) return undefined
      const { createdAt, ...ticket } = taken
      return ticket
    })
  }

  record(event: EventDraft & { readonly userId: string | null }): Promise<void> {
    return this.#write((now) => this.#events.record(event, { userId: event.userId }, now))
  }

  events(
    filter: Parameters<AuthStore['events']>[0],
  ): Promise<{ data: AuthEvent[]; nextCursor: string | null }> {
    return this.#db.read(() => this.#events.list(filter))
  }

  /** A step that knows what time it is. */
  #write<T>(step: (now: number) => T): Promise<T> {
    return this.#db.write(() => step(this.#clock.now()))
  }

  #active(id: string): Account | undefined {
    const account = this.#users.find({ id })
    return account?.status === 'active' ? account : undefined
  }

  #open(user: User, session: NewSession, started: EventDraft, now: number): Session {
    const opened = this.#sessions.open(session, user.id, now)
    this.#events.record(started, { userId: user.id, sessionId: session.id }, now)
    return opened
  }

  #detach(userId: string, event: EventDraft, now: number): void {
    this.#users.detach(userId)
    this.#events.record(event, { userId }, now)
  }
}
