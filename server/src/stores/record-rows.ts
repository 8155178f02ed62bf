import { RECORD_KINDS, type RecordPage, type TenantRecord } from '../services/records.ts'
import { number, numberOrNull, oneOf, type Row, text, textOrNull } from './rows.ts'

/** The columns of a record, in every database. */
export const RECORD_COLUMNS =
  'id, kind, parent, name, body, version, created_at, updated_at, due_at, expires_at'

/** Reads a record. */
export function toRecord(row: Row): TenantRecord {
  return {
    id: text(row, 'id'),
    kind: oneOf(row, 'kind', RECORD_KINDS),
    parent: text(row, 'parent'),
    name: textOrNull(row, 'name'),
    body: text(row, 'body'),
    version: number(row, 'version'),
    createdAt: number(row, 'created_at'),
    updatedAt: number(row, 'updated_at'),
    dueAt: numberOrNull(row, 'due_at'),
    expiresAt: numberOrNull(row, 'expires_at'),
  }
}

/** Cuts a page out of rows of which one more was asked for than the page has. */
export function recordPage(rows: readonly Row[], limit: number): RecordPage {
  const data = rows.slice(0, limit).map(toRecord)
  return { data, nextCursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null }
}

/** So many seconds from now, in milliseconds since the epoch. */
export function inSeconds(now: number, seconds: number | null | undefined): number | null {
  return seconds === undefined || seconds === null ? null : now + seconds * 1_000
}
