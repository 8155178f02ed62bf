import type { Binary } from 'mongodb'
import type { Channel } from '../../messaging/provider.ts'
import type { Draft } from '../../verify/store.ts'
import type { Status, Verification } from '../../verify/verification.ts'
import { toVerification } from '../rows.ts'
import { newSend, type SendDocument } from './sends.ts'

/** A verification as it is kept, its sends with it. Times are milliseconds since the epoch. */
export type VerificationDocument = {
  _id: string
  service: string
  phone: string
  country: string
  channel: Channel
  purpose: Verification['purpose']
  locale: string | null
  status: Status
  key_id: string
  digest: Binary
  code_length: number
  /** Counted up for people and down for filters, which compare a field with a value and not with another field. */
  guesses: number
  guesses_left: number
  guesses_max: number
  sends: number
  sends_left: number
  sends_max: number
  created_at: number
  expires_at: number
  resend_at: number
  decided_at: number | null
  /** When the last wrong guess was counted. */
  guessed_at: number | null
  nonce: string | null
  metadata: string | null
  /** Those from before there were terms have none. */
  terms?: string | null
  decision: string
  /**
   * While it is pending, what there may be only one of; later its own id. A unique index over it keeps a number,
   * service and purpose at one pending verification.
   */
  slot: string
  claim_key: string | null
  send_log: SendDocument[]
  purge_at: Date
}

/** What is read of a verification: neither its digest nor its sends. */
export const WITHOUT_DIGEST = { digest: 0, send_log: 0 } as const

type Kept = Omit<VerificationDocument, 'digest' | 'send_log'>

/**
 * Names what there may be one of. No two different triples have one name, whatever they are made of, and none is the
 * name of an id.
 */
export function slotOf(service: string, phone: string, purpose: string): string {
  return JSON.stringify([service, phone, purpose])
}

/** The document that a draft becomes. */
export function newVerification(
  draft: Draft,
  digest: Binary,
  nowMs: number,
  retentionMs: number,
): VerificationDocument {
  const isBlocked = draft.status === 'blocked'
  const sends = isBlocked ? 0 : 1
  return {
    _id: draft.id,
    service: draft.service,
    phone: draft.to,
    country: draft.country,
    channel: draft.channel,
    purpose: draft.purpose,
    locale: draft.locale,
    status: draft.status,
    key_id: draft.keyId,
    digest,
    code_length: draft.codeLength,
    guesses: 0,
    guesses_left: draft.guessesMax,
    guesses_max: draft.guessesMax,
    sends,
    sends_left: draft.sendsMax - sends,
    sends_max: draft.sendsMax,
    created_at: nowMs,
    expires_at: nowMs + draft.ttlSeconds * 1000,
    resend_at: nowMs + draft.cooldownSeconds * 1000,
    decided_at: isBlocked ? nowMs : null,
    guessed_at: null,
    nonce: draft.nonce,
    metadata: draft.metadata === null ? null : JSON.stringify(draft.metadata),
    terms: draft.terms === null ? null : JSON.stringify(draft.terms),
    decision: draft.decision,
    slot: isBlocked ? draft.id : slotOf(draft.service, draft.to, draft.purpose),
    claim_key: draft.claimKey ?? null,
    send_log: draft.send ? [newSend(draft.send, nowMs)] : [],
    purge_at: new Date(nowMs + retentionMs),
  }
}

/**
 * Reads a verification. One that is stored as pending has ended all the same when its time is over or its last guess is
 * spent: both are true from then on, whether or not somebody has written them down.
 */
export function readVerification(document: Kept, nowMs: number): Verification {
  const isLocked = document.status === 'pending' && document.guesses_left <= 0
  const ended = isLocked ? { status: 'locked', decided_at: document.guessed_at } : {}
  return toVerification({ ...document, ...ended, id: document._id }, nowMs)
}

/** Matches a verification that is pending at this time, and may be guessed at. */
export function pendingAt(id: string, nowMs: number) {
  return { _id: id, status: 'pending', expires_at: { $gt: nowMs }, guesses_left: { $gt: 0 } } as const
}

/** Ends a verification, which frees its slot. */
export function endAs(id: string, status: Exclude<Status, 'pending'>, decidedAt: number | null) {
  return { status, decided_at: decidedAt, slot: id }
}
