import type { SQLOutputValue } from 'node:sqlite'
import {
  type Purpose,
  PURPOSES,
  type Status,
  STATUSES,
  type Verification,
} from '../../verify/verification.ts'
import type { Channel } from '../../messaging/provider.ts'

/** A row as SQLite answers it. */
export type Row = Record<string, SQLOutputValue>

/** Reads a column that is never null. */
export function text(row: Row, column: string): string {
  return String(row[column])
}

export function textOrNull(row: Row, column: string): string | null {
  const value = row[column]
  return value === null || value === undefined ? null : String(value)
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

export const CHANNELS: readonly Channel[] = ['sms', 'whatsapp', 'call']

/** Reads a verification; a pending one whose time is over reads as expired, whoever has or has not swept it. */
export function toVerification(row: Row, nowMs: number): Verification {
  const stored: Status = oneOf(row, 'status', STATUSES)
  const expiresAt = number(row, 'expires_at')
  const expired = stored === 'pending' && expiresAt <= nowMs
  const purpose: Purpose = oneOf(row, 'purpose', PURPOSES)
  const metadata = textOrNull(row, 'metadata')
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
