import type { ApiKey, KeyKind } from '../keys/keys.ts'
import type { MessageRecord, RetakenSend, Send, SendCause, SendStatus } from '../messaging/store.ts'
import type { Money } from '../messaging/price.ts'
import type { Terms } from '../verify/terms.ts'
import { type Purpose, PURPOSES, type Status, STATUSES, type Verification } from '../verify/verification.ts'
import type { Channel, Refusal } from '../messaging/provider.ts'

/** A row as a database answers it: columns are named alike in all of them. */
export type Row = Readonly<Record<string, unknown>>

/** Reads a column of text that is never null. */
export function text(row: Row, column: string): string {
  const value = textOrNull(row, column)
  if (value === null) throw new Error(`column ${column} is empty`)
  return value
}

export function textOrNull(row: Row, column: string): string | null {
  const value = row[column]
  if (value === null || value === undefined) return null
  if (typeof value !== 'string') throw new Error(`column ${column} holds no text`)
  return value
}

export function number(row: Row, column: string): number {
  return Number(row[column])
}

export function numberOrNull(row: Row, column: string): number | null {
  const value = row[column]
  return value === null || value === undefined ? null : Number(value)
}

/** Reads a column that holds one of a list of words; anything else means that the row is not ours. */
export function oneOf<T extends string>(row: Row, column: string, words: readonly T[]): T {
  const value = row[column]
  const word = words.find((candidate) => candidate === value)
  if (word === undefined) throw new Error(`column ${column} holds an unknown word`)
  return word
}

const CHANNELS: readonly Channel[] = ['sms', 'whatsapp', 'call']

/** Reads a verification; a pending one whose time is over reads as expired, whoever has or has not swept it. */
export function toVerification(row: Row, nowMs: number): Verification {
  const stored: Status = oneOf(row, 'status', STATUSES)
  const expiresAt = number(row, 'expires_at')
  const expired = stored === 'pending' && expiresAt <= nowMs
  const purpose: Purpose = oneOf(row, 'purpose', PURPOSES)
  const metadata = textOrNull(row, 'metadata')
  const terms = textOrNull(row, 'terms')
  return {
    id: text(row, 'id'),
    service: text(row, 'service'),
    to: text(row, 'phone'),
    country: text(row, 'country'),
    channel: oneOf(row, 'channel', CHANNELS),
    purpose,
    locale: textOrNull(row, 'locale'),
    status: expired ? 'expired' : stored,
    keyId: text(row, 'key_id'),
    codeLength: number(row, 'code_length'),
    guesses: number(row, 'guesses'),
    guessesMax: number(row, 'guesses_max'),
    sends: number(row, 'sends'),
    sendsMax: number(row, 'sends_max'),
    createdAt: number(row, 'created_at'),
    expiresAt,
    resendAt: number(row, 'resend_at'),
    decidedAt: expired ? expiresAt : numberOrNull(row, 'decided_at'),
    nonce: textOrNull(row, 'nonce'),
    metadata: metadata === null ? null : (JSON.parse(metadata) as Record<string, string>),
    terms: terms === null ? null : (JSON.parse(terms) as Terms),
  }
}

/** A verification with the columns that a guess may find changed. */
export function withProgress(verification: Verification, row: Row): Verification {
  return {
    ...verification,
    status: oneOf(row, 'status', STATUSES),
    guesses: number(row, 'guesses'),
    decidedAt: numberOrNull(row, 'decided_at'),
    channel: oneOf(row, 'channel', CHANNELS),
    sends: number(row, 'sends'),
    resendAt: number(row, 'resend_at'),
  }
}

export const SEND_STATUSES: readonly SendStatus[] = [
  'sending',
  'accepted',
  'unknown',
  'refused',
  'sent',
  'undelivered',
  'delivered',
  'read',
]
const CAUSES: readonly SendCause[] = ['start', 'resend', 'failover', 'lost']
export const REFUSALS: readonly Refusal[] = [
  'bad_number',
  'opted_out',
  'wrong_channel',
  'blocked',
  'misconfigured',
  'throttled',
  'unavailable',
  'unknown',
]

/** Reads a send. */
export function toSend(row: Row): Send {
  return {
    id: text(row, 'id'),
    owner: text(row, 'owner'),
    provider: text(row, 'provider'),
    channel: oneOf(row, 'channel', CHANNELS),
    sender: textOrNull(row, 'sender'),
    country: text(row, 'country'),
    cause: oneOf(row, 'cause', CAUSES),
    status: oneOf(row, 'status', SEND_STATUSES),
    error: textOrNull(row, 'error') === null ? null : oneOf(row, 'error', REFUSALS),
    vendorCode: textOrNull(row, 'vendor_code'),
    ref: textOrNull(row, 'ref'),
    at: number(row, 'at'),
    deliveredAt: numberOrNull(row, 'delivered_at'),
    price: moneyOrNull(row),
    history: unpackHistory(textOrNull(row, 'history')),
  }
}

/** Reads a send that was taken over. */
export function toRetaken(row: Row): RetakenSend {
  return { ...toSend(row), fence: number(row, 'fence') }
}

/** Reads a price, which is two columns. */
export function moneyOrNull(row: Row): Money | null {
  const amount = textOrNull(row, 'price')
  return amount === null ? null : { amount, currency: text(row, 'currency') }
}

/** Writes a step of a send's history as it is appended to those before, with a comma between. */
export function packStep(status: SendStatus, at: number): string {
  return `${status}:${at}`
}

/**
 * Reads steps that lie one after the other; null is none. A vendor that tells the time to the minute, or by a clock that
 * is behind, would have a later step happen before an earlier one: each is at least as late as the one before.
 */
function unpackHistory(steps: string | null): Send['history'] {
  if (steps === null || steps === '') return []
  let before = 0
  return steps.split(',').map((step) => {
    const [status, at] = step.split(':')
    before = Math.max(before, Number(at))
    return { status: oneOf({ history: status }, 'history', SEND_STATUSES), at: before }
  })
}

/** Reads a message. */
export function toMessage(row: Row): MessageRecord {
  return {
    id: text(row, 'id'),
    service: text(row, 'service'),
    to: text(row, 'phone'),
    channel: oneOf(row, 'channel', CHANNELS),
    template: textOrNull(row, 'template'),
    segments: number(row, 'segments'),
    createdAt: number(row, 'created_at'),
  }
}

const KINDS: readonly KeyKind[] = ['secret', 'publishable', 'account', 'api_key']

/** Reads an API key. */
export function toKey(row: Row): ApiKey {
  return {
    id: text(row, 'id'),
    service: text(row, 'service'),
    kind: oneOf(row, 'kind', KINDS),
    hash: text(row, 'hash'),
    hint: text(row, 'hint'),
    origins: JSON.parse(text(row, 'origins')) as string[],
    createdAt: number(row, 'created_at'),
    revokedAt: numberOrNull(row, 'revoked_at'),
  }
}
