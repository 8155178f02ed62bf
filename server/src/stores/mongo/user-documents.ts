import type { Collection, Document } from 'mongodb'
import type { EventDraft } from '../../auth/events.ts'
import type { NewSession, NewUser } from '../../auth/store.ts'
import type { Account, Session, User, UserStatus } from '../../auth/user.ts'
import type { TicketDocument } from './ticket-documents.ts'
import { packEvent, packSession, packUser, toAccount, toSession, toUser } from '../auth-rows.ts'

/** A session as it is kept, inside its user. */
export type SessionDocument = Omit<ReturnType<typeof packSession>, 'user_id' | 'rotated_at'> & {
  rotated_at: number | null
}

/** What a change of a user leaves there, to be moved to where it is kept. */
export type Left = Pick<UserDocument, 'pending_events' | 'pending_tickets'>

/** An event as it waits inside the user it is about. */
export type PendingEvent = Omit<ReturnType<typeof packEvent>, 'user_id'>

/**
 * A user as it is kept. Everything that is decided about a user together is inside: sessions, so that whoever changes a
 * password ends them in the same step, and the events of a change until they have been moved to where they are kept.
 */
export type UserDocument = {
  _id: string
  email: string | null
  name: string | null
  phone: string | null
  phone_verified_at: number | null
  /** `deleted`: it is gone for everybody, and what it has left elsewhere is being tidied up. */
  status: UserStatus | 'deleted'
  password_hash: string | null
  /** JSON, as `devices`: neither is read here. */
  second_factors: string | null
  devices: string
  /** Whoever decides on what was read of a user changes it only if this is still the same. */
  version: number
  created_at: number
  /**
   * The number, or where there is none its own id, as with `email_slot`. Unique indexes over both keep a number and an
   * e-mail at one user; those that pass over absent values are not in every server.
   */
  phone_slot: string
  email_slot: string
  /** The least recently used goes when there are too many, so that a document stays small. */
  session_log: SessionDocument[]
  pending_events: PendingEvent[]
  /** The way back from a change of the number, until it has been moved to the other tickets. */
  pending_tickets: TicketDocument[]
  /** When changes of the number were made that have been taken back: no ticket of that time does anything. */
  undone: Undone[]
}

/** A time, its beginning with it and its end not. */
export type Undone = { from: number; until: number }

/** A user whose sessions nobody asked for. */
export type UserAlone = Omit<UserDocument, keyof typeof USER_ALONE>

/** As many sessions may one user have. */
const SESSIONS_MAX = 200

/** Matches whoever has not been deleted. */
export const LIVING: { status: { $in: UserStatus[] } } = { status: { $in: ['active', 'disabled'] } }

/** Goes with every change that those should know of who decided on the user as it was. */
export const NEXT_VERSION = { $inc: { version: 1 } } as const

/** What is not read of a user whose sessions nobody asked for. */
export const USER_ALONE = { session_log: 0, pending_events: 0, pending_tickets: 0, undone: 0 } as const

/** Who has collections: a database of the driver, or ours. */
export type Collections = { collection<T extends Document>(name: string): Collection<T> }

export function usersOf(db: Collections): Collection<UserDocument> {
  return db.collection('users')
}

/** The document of a user who has just proven a number. */
export function newUserDocument(user: NewUser & { readonly phone: string }, nowMs: number): UserDocument {
  const { id, ...columns } = packUser(user, nowMs)
  return {
    _id: id,
    ...columns,
    status: 'active',
    ...slots(id, columns),
    session_log: [],
    pending_events: [],
    pending_tickets: [],
    undone: [],
  }
}

/** What the unique indexes lie over. */
export function slots(id: string, { phone, email }: { phone: string | null; email: string | null }) {
  return { phone_slot: phone ?? id, email_slot: email ?? id }
}

/** A session that begins now. */
export function newSessionDocument(session: NewSession, nowMs: number): SessionDocument {
  const { user_id: _, ...columns } = packSession(session, '', nowMs)
  return columns
}

/** Puts a session among a user's. */
export function withSession(session: SessionDocument) {
  return { session_log: { $each: [session], $sort: { used_at: 1 as const }, $slice: -SESSIONS_MAX } }
}

/** Ends every session of a user but one. */
export function withoutSessions(keep: string | null) {
  return { $pull: { session_log: { id: { $ne: keep ?? '' } } } }
}

/** An event that is recorded with a change of its user; about one session alone, or about none. */
export function newEvent(draft: EventDraft, nowMs: number, sessionId?: string): PendingEvent {
  const about = { userId: null, ...(sessionId === undefined ? {} : { sessionId }) }
  const { user_id: _, ...event } = packEvent(draft, about, nowMs)
  return event
}

export function readUser({ _id, ...columns }: UserAlone): User {
  return toUser({ ...columns, id: _id })
}

export function readAccount({ _id, ...columns }: UserAlone): Account {
  return toAccount({ ...columns, id: _id })
}

export function readSession(userId: string, session: SessionDocument): Session {
  return toSession({ ...session, user_id: userId })
}
