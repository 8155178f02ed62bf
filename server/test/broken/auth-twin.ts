import type { AccountChange, AccountChanged, Entered, Entry, NewSession, Told } from '../../src/auth/store.ts'
import type { Account, User } from '../../src/auth/user.ts'
import type { Clock } from '../../src/primitives/clock.ts'
import { leadsBack } from '../../src/stores/auth-rows.ts'
import { SqliteAuthEvents } from '../../src/stores/sqlite/auth-events.ts'
import { SqliteAuth } from '../../src/stores/sqlite/auth.ts'
import type { SqliteDatabase } from '../../src/stores/sqlite/database.ts'
import { SqliteSessions } from '../../src/stores/sqlite/sessions.ts'
import { SqliteTickets } from '../../src/stores/sqlite/tickets.ts'
import { SqliteUsers } from '../../src/stores/sqlite/users.ts'

/** What a verb is called with. */
export type Arguments<
  Verb extends 'openSession' | 'changePhone' | 'setPassword' | 'updateUser' | 'setStatus',
> = Parameters<SqliteAuth[Verb]>

/** The SQLite store, with what it is made of in the hands of who breaks it. */
export class AuthTwin extends SqliteAuth {
  readonly db: SqliteDatabase
  readonly clock: Clock
  readonly parts: {
    readonly users: SqliteUsers
    readonly sessions: SqliteSessions
    readonly tickets: SqliteTickets
    readonly events: SqliteAuthEvents
  }

  constructor(db: SqliteDatabase, clock: Clock) {
    super(db, clock)
    this.db = db
    this.clock = clock
    this.parts = {
      users: new SqliteUsers(db),
      sessions: new SqliteSessions(db),
      tickets: new SqliteTickets(db),
      events: new SqliteAuthEvents(db),
    }
  }

  run(sql: string, ...values: (string | number | null)[]): void {
    this.db.prepare(sql).run(...values)
  }

  open(user: User, session: NewSession, events: Told<'started'>) {
    const now = this.clock.now()
    const opened = this.parts.sessions.open(session, user.id, now)
    this.parts.events.record(events.started, { userId: user.id, sessionId: session.id }, now)
    return { user, session: opened }
  }

  /** Enters an account as it was looked at. */
  letIn({ id }: { readonly id: string }, entry: Entry): Promise<Entered> {
    return this.db.write(() => {
      const now = this.clock.now()
      const user = this.parts.users.proveAgain(id, now)
      this.parts.events.record(entry.events.entered, { userId: id }, now)
      const { session } = this.open(user, entry.session, entry.events)
      return { outcome: 'entered', user, session, detached: null, emailTaken: false }
    })
  }

  /** Changes an account as it was looked at. */
  alter(change: AccountChange, before: Account): Promise<AccountChanged> {
    return this.db.write(() => {
      const { userId, ticket, session, ends } = change
      const now = this.clock.now()
      if (ticket) this.parts.tickets.take(ticket.kind, ticket.id, now)
      const account = this.parts.users.change(before, change, now)
      if (ends && 'only' in ends) this.parts.sessions.end(ends.only, userId, now)
      else if (ends) this.parts.sessions.endAll(userId, ends.allBut, now)
      const opened = session ? this.parts.sessions.open(session, userId, now) : null
      for (const event of change.events) {
        const isOfSession = opened !== null && event.type === 'session.started'
        this.parts.events.record(event, { userId, ...(isOfSession ? { sessionId: opened.id } : {}) }, now)
      }
      return { outcome: 'changed', account, session: opened }
    })
  }

  /** Changes a number as it was looked at. */
  change(change: Arguments<'changePhone'>[0], before: Account, holder: Account | undefined) {
    const { userId, phone, events, undo } = change
    const now = this.clock.now()
    if (holder) this.parts.users.detach(holder.id)
    if (holder) this.parts.events.record(events.detached, { userId: holder.id }, now)
    const user = this.parts.users.setPhone(userId, phone, now)
    this.parts.sessions.endAll(userId, change.keep, now)
    if (leadsBack(undo, before.phone, phone)) this.parts.tickets.put(undo, undo.ttlSeconds, now)
    this.parts.events.record(events.changed, { userId }, now)
    return { user, from: before.phone, detached: holder?.id ?? null }
  }
}
