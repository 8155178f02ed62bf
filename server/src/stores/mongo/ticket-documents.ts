import type { Ticket } from '../../auth/store.ts'
import { packTicket } from '../auth-rows.ts'
import { idOf } from './transfer-documents.ts'

/** A ticket as it is kept. */
export type TicketDocument = ReturnType<typeof packTicket> & { _id: string; purge_at: Date }

/** The document of a ticket that is put now. */
export function newTicketDocument(ticket: Ticket, ttlSeconds: number, nowMs: number): TicketDocument {
  const row = packTicket(ticket, ttlSeconds, nowMs)
  return { _id: ticketKey(ticket), ...row, purge_at: new Date(row.expires_at) }
}

/** Two tickets of different kinds may have one id. */
export function ticketKey({ id, kind }: Pick<Ticket, 'id' | 'kind'>): string {
  return idOf([id, kind])
}
