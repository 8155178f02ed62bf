import type { Collection, Filter } from 'mongodb'
import { SEND_LEASE_SECONDS } from '../../messaging/lease.ts'
import type { HeldSend, PlannedSend, RetakenSend, Send, SendOutcome } from '../../messaging/store.ts'
import { toRetaken, toSend } from '../rows.ts'
import type { MongoDatabase } from './database.ts'

/** A send as it is kept, inside what it belongs to. */
export type SendDocument = {
  id: string
  provider: string
  channel: Send['channel']
  sender: string | null
  country: string
  cause: Send['cause']
  status: Send['status']
  error: Send['error']
  vendor_code: string | null
  /** Absent until it is told, as `lost` is elsewhere: the indexes over them hold no others. */
  ref?: string | null
  /** Its own id, while the vendor's answer is one that a receipt may put right. */
  lost?: string
  at: number
  delivered_at: number | null
  price: string | null
  currency: string | null
  /** What receipts changed, as `rows.ts` reads it. */
  history: string | null
  /** Whose turn it is at the send, and until when something must be done about it; null: nothing. */
  fence: number
  lease_until: number | null
  /** What a move has brought along that nobody here needs, for the next one: its number. */
  moved?: { seq: number }
}

/** What sends belong to: a verification or a message. */
export type Owner = { _id: string; send_log: SendDocument[] }

/** Where what sends belong to lies. */
export function ownersOf(
  db: MongoDatabase,
): readonly [verifications: Collection<Owner>, messages: Collection<Owner>] {
  return [db.collection<Owner>('verifications'), db.collection<Owner>('messages')]
}

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
    sender: send.sender,
    country: send.country,
    cause: send.cause,
    status: 'sending',
    error: null,
    vendor_code: null,
    at: nowMs,
    delivered_at: null,
    price: send.price?.amount ?? null,
    currency: send.price?.currency ?? null,
    history: null,
    fence: 1,
    lease_until: leaseFrom(nowMs),
  }
}

/** Matches the owner of a send, if it is still this turn and the send is so. */
export function holding<T extends Filter<SendDocument>>({ owner, id, fence }: HeldSend, state: T) {
  return { _id: owner, send_log: { $elemMatch: { id, fence, ...state } } }
}

/** Of an owner's sends the one that a change is about: what the change calls `send_log.$[send]`. */
export function only(id: string) {
  return { arrayFilters: [{ 'send.id': id }] }
}

/** An update that changes this of the send that `only` names, and takes that away. */
export function changing(change: Partial<SendDocument>, without: readonly (keyof SendDocument)[] = []) {
  const place = (field: string) => `send_log.$[send].${field}`
  const set = Object.fromEntries(Object.entries(change).map(([field, value]) => [place(field), value]))
  const unset = Object.fromEntries(without.map((field) => [place(field), '' as const]))
  return { $set: set, ...(without.length === 0 ? {} : { $unset: unset }) }
}

/** What an outcome changes in a send. */
export function settled(id: string, outcome: SendOutcome, nowMs: number) {
  const { status, price, ref, watchSeconds } = outcome
  const isLost = status !== 'accepted'
  const change: Partial<SendDocument> = {
    status,
    error: outcome.error,
    vendor_code: outcome.vendorCode,
    lease_until: watchSeconds === null ? null : nowMs + watchSeconds * 1000,
    ...(ref === null ? {} : { ref }),
    ...(price === null ? {} : { price: price.amount, currency: price.currency }),
    ...(isLost ? { lost: id } : {}),
  }
  return changing(change, isLost ? [] : ['lost'])
}

/** Reads a send. */
export function readSend(owner: string, send: SendDocument): Send {
  return toSend({ ...send, owner })
}

/** Reads a send that was taken over. */
export function readRetaken(owner: string, send: SendDocument): RetakenSend {
  return toRetaken({ ...send, owner })
}
