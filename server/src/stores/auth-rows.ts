import { EVENT_TYPES, type AuthEvent, type EventDraft } from '../auth/events.ts'
import type { NewSession, NewUser, Ticket, TicketKind } from '../auth/store.ts'
import type { Account, Amr, Session, User, UserStatus } from '../auth/user.ts'
import { number, numberOrNull, oneOf, type Row, text, textOrNull } from './rows.ts'

const USER_STATUSES: readonly UserStatus[] = ['active', 'disabled']
const AMRS: readonly Amr[] = ['sms', 'pwd', 'otp', 'mfa']
const TICKET_KINDS: readonly TicketKind[] = [
  'registration',
  'reset',
  'phone_undo',
  'challenge',
  'app_setup',
  'recovery',
]
const ACTORS: readonly AuthEvent['by']['actor'][] = ['user', 'admin', 'anonymous']

/** What the devices of an account are when there are none. */
export const NO_DEVICES = '[]'

/** An e-mail as it is kept and looked up. Databases differ in what they make of letters beyond ASCII, so none is asked. */
export function emailKey(email: string): string
export function emailKey(email: string | null): string | null
export function emailKey(email: string | null): string | null {
  return email === null ? null : email.toLowerCase()
}

/** Reads a user. */
export function toUser(row: Row): User {
  return {
    id: text(row, 'id'),
    email: textOrNull(row, 'email'),
    name: textOrNull(row, 'name'),
    phone: textOrNull(row, 'phone'),
    phoneVerifiedAt: numberOrNull(row, 'phone_verified_at'),
    status: oneOf(row, 'status', USER_STATUSES),
    createdAt: number(row, 'created_at'),
    secondFactors: textOrNull(row, 'second_factors'),
  }
}

/** Reads a user with what nobody is shown. */
export function toAccount(row: Row): Account {
  return {
    ...toUser(row),
    passwordHash: textOrNull(row, 'password_hash'),
    devices: text(row, 'devices'),
    version: number(row, 'version'),
  }
}

export { userOf } from '../auth/user.ts'

/** Writes a user who has just proven a number. */
export function packUser(user: NewUser & { readonly phone: string }, nowMs: number) {
  return {
    id: user.id,
    email: emailKey(user.email),
    name: user.name,
    phone: user.phone,
    phone_verified_at: nowMs,
    status: 'active',
    password_hash: user.passwordHash,
    second_factors: null,
    devices: NO_DEVICES,
    version: 0,
    created_at: nowMs,
  }
}

/** Reads a session. */
export function toSession(row: Row): Session {
  return {
    id: text(row, 'id'),
    userId: text(row, 'user_id'),
    amr: text(row, 'amr')
      .split(',')
      .map((amr) => oneOf({ amr }, 'amr', AMRS)),
    authAt: number(row, 'auth_at'),
    factorAt: numberOrNull(row, 'factor_at'),
    createdAt: number(row, 'created_at'),
    usedAt: number(row, 'used_at'),
    address: text(row, 'address'),
    agent: text(row, 'agent'),
    expiresAt: number(row, 'expires_at'),
    idleUntil: number(row, 'idle_until'),
  }
}

/** Writes a session that begins now, with the first token of its family. */
export function packSession(session: NewSession, userId: string, nowMs: number) {
  const expiresAt = nowMs + session.lifeSeconds * 1000
  return {
    id: session.id,
    user_id: userId,
    amr: session.amr.join(','),
    auth_at: nowMs,
    factor_at: session.withFactor ? nowMs : null,
    created_at: nowMs,
    used_at: nowMs,
    address: session.address,
    agent: session.agent,
    generation: 0,
    rotated_at: null,
    expires_at: expiresAt,
    idle_until: idleUntil(nowMs, session.idleSeconds, expiresAt),
  }
}

/** When a session that is used now ends without another use. Never after its whole life, so one column tells its end. */
export function idleUntil(nowMs: number, idleSeconds: number, expiresAtMs: number): number {
  return Math.min(nowMs + idleSeconds * 1000, expiresAtMs)
}

/** Reads a ticket. */
export function toTicket(row: Row): Ticket {
  return {
    id: text(row, 'id'),
    kind: oneOf(row, 'kind', TICKET_KINDS),
    userId: textOrNull(row, 'user_id'),
    data: JSON.parse(text(row, 'data')) as Ticket['data'],
  }
}

/** Writes a ticket. */
export function packTicket(ticket: Ticket, ttlSeconds: number, nowMs: number) {
  return {
    id: ticket.id,
    kind: ticket.kind,
    user_id: ticket.userId,
    data: JSON.stringify(ticket.data),
    created_at: nowMs,
    expires_at: nowMs + ttlSeconds * 1000,
  }
}

/**
 * Whether a ticket leads back to the number that there was. One that was made for an earlier number does not: it lies
 * under that number's id, where it would take the place of the right one.
 */
export function leadsBack({ data }: Pick<Ticket, 'data'>, before: string | null, after: string): boolean {
  return before !== null && before !== after && data['from'] === before
}

/** Reads an event. */
export function toAuthEvent(row: Row): AuthEvent {
  const key = textOrNull(row, 'key_id')
  return {
    id: text(row, 'id'),
    type: oneOf(row, 'type', EVENT_TYPES),
    userId: textOrNull(row, 'user_id'),
    sessionId: textOrNull(row, 'session_id'),
    by: {
      actor: oneOf(row, 'actor', ACTORS),
      ...(key === null ? {} : { key }),
      address: textOrNull(row, 'address'),
      agent: textOrNull(row, 'agent'),
    },
    data: JSON.parse(text(row, 'data')) as AuthEvent['data'],
    at: number(row, 'at'),
  }
}

/** Whom an event is about, as far as only the store knows. An event names a session when it is about that one alone. */
export type About = { readonly userId: string | null; readonly sessionId?: string }

/** Writes an event. */
export function packEvent({ id, type, by, data }: EventDraft, about: About, nowMs: number) {
  return {
    id,
    type,
    user_id: about.userId,
    session_id: about.sessionId ?? null,
    actor: by.actor,
    key_id: by.key ?? null,
    address: by.address,
    agent: by.agent,
    data: JSON.stringify(data),
    at: nowMs,
  }
}
