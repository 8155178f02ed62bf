import { SEND_LEASE_SECONDS } from '../../messaging/lease.ts'
import type { HeldSend, PlannedSend, RetakenSend, Send, SendOutcome } from '../../messaging/store.ts'
import { toRetaken, toSend } from '../rows.ts'

/** A send as it is kept, inside what it belongs to. */
export type SendDocument = {
  id: string
  provider: string
  channel: Send['channel']
  status: Send['status']
  error: Send['error']
  vendor_code: string | null
  ref: string | null
  at: number
  delivered_at: number | null
  price: string | null
  currency: string | null
  /** Whose turn it is at the send, and until when; null once it is settled. */
  fence: number
  lease_until: number | null
  /** What a move has brought along that nobody here needs, for the next one: its number, and the last lease it had. */
  moved?: { seq: number; lease_until: number | null }
}

/** What sends belong to: a verification or a message. */
export type Owner = { _id: string; send_log: SendDocument[] }

/** When a lease that is taken now runs out. */
export function leaseFrom(nowMs: number): number {
  return nowMs + SEND_LEASE_SECONDS * 1000
}

/** A send that is about to be made. */
export function newSend(send: PlannedSend, nowMs: number): SendDocument {
  return {
    id: send.id,
    provider: send.provider,
    channel: send.channel,
    status: 'sending',
    error: null,
    vendor_code: null,
    ref: null,
    at: nowMs,
    delivered_at: null,
    price: null,
    currency: null,
    fence: 1,
    lease_until: leaseFrom(nowMs),
  }
}

/** Matches the owner of a send that is under way, if it is still this turn. */
export function holding({ owner, id, fence }: HeldSend) {
  return { _id: owner, send_log: { $elemMatch: { id, fence, status: 'sending' as const } } }
}

/** Of an owner's sends the one that a change is about: what the change calls `send_log.$[send]`. */
export function only(id: string) {
  return { arrayFilters: [{ 'send.id': id }] }
}

/** What an outcome changes in a send. */
export function settled(outcome: SendOutcome) {
  return {
    'send_log.$[send].status': outcome.status,
    'send_log.$[send].error': outcome.error,
    'send_log.$[send].vendor_code': outcome.vendorCode,
    'send_log.$[send].ref': outcome.ref,
    'send_log.$[send].price': outcome.price?.amount ?? null,
    'send_log.$[send].currency': outcome.price?.currency ?? null,
    'send_log.$[send].lease_until': null,
  }
}

/** Reads a send. */
export function readSend(owner: string, send: SendDocument): Send {
  return toSend({ ...send, owner })
}

/** Reads a send that was taken over from its last holder. */
export function readRetaken(owner: string, send: SendDocument): RetakenSend {
  return toRetaken({ ...send, owner, fence: send.fence + 1 })
}
