/** What the functions of auth-functions.ts take, as it goes into their JSON. */
import type { EventDraft } from '../../auth/events.ts'
import type { AccountChange, Entry, NewSession, Ticket } from '../../auth/store.ts'
import { emailKey } from '../auth-rows.ts'

/** Packs one of many entries. */
export function packEntry(entry: Entry, at: number) {
  const { phone, proofSeconds, startsOver = false, newUser, session, events } = entry
  return {
    n: at + 1,
    phone,
    proof_ms: proofSeconds * 1000,
    starts_over: startsOver,
    id: newUser.id,
    email: emailKey(newUser.email),
    name: newUser.name,
    password_hash: newUser.passwordHash,
    session: packSession(session),
    created: packEvent(events.created),
    entered: packEvent(events.entered),
    detached: packEvent(events.detached),
    started: packEvent(events.started),
  }
}

/** Packs a change of an account. What is not given is left out, and comes there as NULL. */
export function packChange(change: AccountChange) {
  const { ticket, ends, session } = change
  return {
    id: change.userId,
    version: change.version,
    password_hash: change.passwordHash,
    has_factors: change.secondFactors !== undefined,
    second_factors: change.secondFactors,
    devices: change.devices,
    proven_phone: change.provenPhone,
    ticket: ticket && { kind: ticket.kind, id: ticket.id },
    ends: ends && 'only' in ends ? ends.only : undefined,
    ends_all: ends !== undefined && 'allBut' in ends,
    keep: ends && 'allBut' in ends ? ends.allBut : undefined,
    session: session && packSession(session),
    events: change.events.map(packEvent),
  }
}

/** Packs a session that is about to be opened. */
export function packSession(session: NewSession) {
  return {
    id: session.id,
    amr: session.amr.join(),
    with_factor: session.withFactor,
    address: session.address,
    agent: session.agent,
    life_ms: session.lifeSeconds * 1000,
    idle_ms: session.idleSeconds * 1000,
  }
}

/** Packs an event. */
export function packEvent({ id, type, by, data }: EventDraft) {
  return {
    id,
    type,
    actor: by.actor,
    key_id: by.key,
    address: by.address,
    agent: by.agent,
    data: JSON.stringify(data),
  }
}

/** Packs a ticket. */
export function packTicket(ticket: Ticket, ttlSeconds: number) {
  return {
    kind: ticket.kind,
    id: ticket.id,
    user_id: ticket.userId,
    data: JSON.stringify(ticket.data),
    ttl_ms: ttlSeconds * 1000,
  }
}
