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
import type { Retention } from '../store.ts'
import { AuthChanges } from './auth-changes.ts'
import { AuthEntries } from './auth-entries.ts'
import { AuthEvents } from './auth-events.ts'
import { AuthLeftovers } from './auth-leftovers.ts'
import { AuthPhones } from './auth-phones.ts'
import { AuthSessions } from './auth-sessions.ts'
import { AuthTickets } from './auth-tickets.ts'
import { AuthUsers } from './auth-users.ts'
import type { MongoDatabase } from './database.ts'
import { PhoneLocks } from './phone-locks.ts'
import { PhoneOwners } from './phone-owners.ts'
import { UserChanges } from './user-changes.ts'

type Page<T> = { data: T[]; nextCursor: string | null }

/** Users, their sessions and what happened, in MongoDB. */
export class MongoAuth implements AuthStore {
  readonly #tickets: AuthTickets
  readonly #events: AuthEvents
  readonly #entries: AuthEntries
  readonly #phones: AuthPhones
  readonly #sessions: AuthSessions
  readonly #users: AuthUsers
  readonly #changes: AuthChanges

  constructor(db: MongoDatabase, clock: Clock, retention: Retention) {
    const leftovers = new AuthLeftovers(db, retention)
    const changes = new UserChanges(db, leftovers)
    this.#tickets = new AuthTickets(db, clock, leftovers)
    this.#events = new AuthEvents(db, clock, leftovers)
    const numbers = {
      changes,
      owners: new PhoneOwners(db, clock, changes),
      locks: new PhoneLocks(db, clock),
    }
    this.#entries = new AuthEntries(db, clock, numbers)
    this.#phones = new AuthPhones(db, clock, { ...numbers, leftovers })
    this.#sessions = new AuthSessions(db, clock, changes)
    this.#users = new AuthUsers(db, clock, changes, leftovers)
    this.#changes = new AuthChanges(db, clock, changes, this.#tickets)
  }

  enter(entry: Entry): Promise<Entered> {
    return this.#entries.enter(entry)
  }

  openSession(
    userId: string,
    passwordHash: string,
    session: NewSession,
    events: Told<'started'>,
  ): Promise<{ readonly user: User; readonly session: Session } | undefined> {
    return this.#sessions.open(userId, passwordHash, session, events)
  }

  changeAccount(change: AccountChange): Promise<AccountChanged> {
    return this.#changes.change(change)
  }

  rotate(rotation: Rotation): Promise<Rotated> {
    return this.#sessions.rotate(rotation)
  }

  session(id: string): Promise<{ readonly session: Session; readonly user: User } | undefined> {
    return this.#sessions.find(id)
  }

  sessionsOf(userId: string): Promise<Session[]> {
    return this.#sessions.of(userId)
  }

  endSession(userId: string, sessionId: string, event: EventDraft): Promise<boolean> {
    return this.#sessions.end(userId, sessionId, event)
  }

  endSessions(userId: string, event: EventDraft, except?: string): Promise<number> {
    return this.#sessions.endAll(userId, event, except)
  }

  account(who: Who): Promise<Account | undefined> {
    return this.#users.find(who)
  }

  users(filter: Parameters<AuthStore['users']>[0]): Promise<Page<User>> {
    return this.#users.list(filter)
  }

  updateUser(
    userId: string,
    change: { readonly name?: string | null; readonly email?: string | null },
    event: EventDraft,
  ): Promise<User | 'email_taken' | undefined> {
    return this.#users.update(userId, change, event)
  }

  setPassword(userId: string, change: Parameters<AuthStore['setPassword']>[1]): Promise<boolean> {
    return this.#users.setPassword(userId, change)
  }

  changePhone(change: Parameters<AuthStore['changePhone']>[0]): ReturnType<AuthStore['changePhone']> {
    return this.#phones.change(change)
  }

  restorePhone(ticketId: string, events: Told<'restored'>): Promise<{ readonly user: User } | undefined> {
    return this.#phones.restore(ticketId, events)
  }

  setStatus(userId: string, status: UserStatus, event: EventDraft): Promise<User | undefined> {
    return this.#users.setStatus(userId, status, event)
  }

  deleteUser(userId: string, event: EventDraft): Promise<boolean> {
    return this.#users.delete(userId, event)
  }

  putTicket(ticket: Ticket, ttlSeconds: number): Promise<void> {
    return this.#tickets.put(ticket, ttlSeconds)
  }

  ticket(kind: TicketKind, id: string): Promise<Ticket | undefined> {
    return this.#tickets.find(kind, id)
  }

  takeTicket(kind: TicketKind, id: string): Promise<Ticket | undefined> {
    return this.#tickets.take(kind, id)
  }

  record(event: EventDraft & { readonly userId: string | null }): Promise<void> {
    return this.#events.record(event)
  }

  events(filter: Parameters<AuthStore['events']>[0]): Promise<Page<AuthEvent>> {
    return this.#events.list(filter)
  }
}
