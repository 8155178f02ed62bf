import { Binary, type Document } from 'mongodb'
import { type ColumnKind, type Table, toTransferRow, type TransferRow } from '../transfer.ts'
import type { Retention } from '../store.ts'
import { recordSlot } from './records.ts'
import type { SendDocument } from './sends.ts'
import { slots, type UserDocument } from './user-documents.ts'
import { slotOf } from './verification-documents.ts'

/**
 * What a server keeps of a row beyond its columns. Sends come later, into the document of their owner, and take their
 * places in `send_log`.
 */
export function toDocument(table: Table, row: TransferRow, retention: Retention): Document {
  const { retentionDays, eventRetentionDays = retentionDays } = retention
  const untilOf = (at: number, days: number) => new Date(at + days * 86_400_000)
  const [key = ''] = table.key
  const { [key]: id, ...columns } = Object.fromEntries(
    Object.entries(table.columns).map(([name, kind]) => [name, kept(kind, row[name] ?? null)]),
  )
  const _id = table.key.length === 1 ? id : idOf(table.key.map((name) => row[name] ?? ''))
  const at = (name: string) => Number(row[name])
  switch (table.name) {
    case 'verifications': {
      const { service, phone, purpose } = row
      const isPending = row['status'] === 'pending'
      return {
        _id,
        ...columns,
        guesses_left: at('guesses_max') - at('guesses'),
        sends_left: at('sends_max') - at('sends'),
        guessed_at: null,
        slot: isPending ? slotOf(String(service), String(phone), String(purpose)) : _id,
        claim_key: null,
        send_log: [],
        purge_at: untilOf(at('created_at'), retentionDays),
      }
    }
    case 'messages':
      return { _id, ...columns, send_log: [], purge_at: untilOf(at('created_at'), retentionDays) }
    case 'counters':
    case 'guess_budgets':
      return { _id, hits: columns['hits'], purge_at: new Date(at('expires_at')) }
    case 'receipts': {
      const { expires_at: _, ...word } = columns
      return { _id, [key]: id, ...word, purge_at: new Date(at('expires_at')) }
    }
    case 'users':
      return { _id, ...columns, ...newUserParts(String(_id), row) }
    case 'tickets':
      return { _id, [key]: id, ...columns, purge_at: new Date(at('expires_at')) }
    case 'auth_events':
      return { _id, ...columns, purge_at: untilOf(at('at'), eventRetentionDays) }
    case 'records': {
      const expiresAt = row['expires_at'] ?? null
      const [id = '', kind = '', parent = ''] = [_id, row['kind'], row['parent']].map(String)
      const slot = recordSlot({ id, kind, parent, name: textOf(row['name']) })
      return { _id, ...columns, slot, purge_at: expiresAt === null ? null : new Date(Number(expiresAt)) }
    }
    case 'claims':
      // Of the verifications that are moved in, none has the key of a claim, so none is too old for this one.
      return { _id, ...columns, made_at: 0, purge_at: new Date(at('expires_at')) }
    default:
      return { _id, ...columns }
  }
}

/** The row that a document is for another database. */
export function toRow(table: Table, document: Document): TransferRow {
  const { _id, ...rest } = { ...document, ...ended(table, document), ...expiry(document) }
  const columns = Object.entries(table.columns).map(([name, kind]) => [name, told(kind, rest[name])])
  const [key = '', ...others] = table.key
  return toTransferRow(table, {
    ...Object.fromEntries(columns),
    ...(others.length === 0 ? { [key]: _id } : {}),
  })
}

/** The places of an owner's sends, in their order. */
export function toSendRows(table: Table, owner: Document): readonly TransferRow[] {
  let last = 0
  return (owner['send_log'] as readonly SendDocument[]).map((send) => {
    const { moved } = send
    last = moved?.seq ?? last + 1
    return toTransferRow(table, { ...send, owner: owner['_id'], seq: last })
  })
}

/** The sessions of a user. */
export function toSessionRows(
  table: Table,
  { _id: userId, session_log: sessions }: Pick<UserDocument, '_id' | 'session_log'>,
): readonly TransferRow[] {
  return sessions.map((session) => toTransferRow(table, { ...session, user_id: userId }))
}

/** A session inside its user. */
export function toSessionDocument({ user_id: _user, ...columns }: TransferRow): Document {
  return columns
}

/** A send inside its owner. */
export function toSendDocument(row: TransferRow): Document {
  const { owner: _owner, seq, ref = null, ...columns } = row
  const isLost = row['status'] === 'unknown' || row['status'] === 'refused'
  return {
    ...columns,
    ...(ref === null ? {} : { ref }),
    ...(isLost ? { lost: row['id'] } : {}),
    moved: { seq },
  }
}

/** What a user's document holds beyond the columns of the row; sessions come later. */
function newUserParts(id: string, { phone, email }: TransferRow): Document {
  const columns = { phone: textOf(phone), email: textOf(email) }
  return { ...slots(id, columns), session_log: [], pending_events: [], pending_tickets: [], undone: [] }
}

function textOf(value: string | number | null | undefined): string | null {
  return typeof value === 'string' ? value : null
}

/** The id of a document whose key is several columns, of their values. */
export function idOf(values: readonly (string | number)[]): string {
  return JSON.stringify(values)
}

/** How a verification has ended that has no guess left, whether or not somebody has written it down. */
function ended(table: Table, document: Document): Document {
  const isLocked =
    table.name === 'verifications' && document['status'] === 'pending' && document['guesses_left'] <= 0
  return isLocked ? { status: 'locked', decided_at: document['guessed_at'] } : {}
}

/** When a document ends that does nothing else at that time. */
function expiry({ expires_at: own, purge_at: purgeAt }: Document): Document {
  return own === undefined && purgeAt instanceof Date ? { expires_at: purgeAt.getTime() } : {}
}

/** A column's value as a document keeps it. */
function kept(kind: ColumnKind, value: string | number | null): unknown {
  if (value === null) return null
  if (kind === 'bytes') return new Binary(Buffer.from(String(value), 'hex'))
  if (kind === 'hits') return value === '' ? [] : String(value).split(',').map(Number)
  return value
}

/** A value of a document as it is handed over; a hit without the label that tells it from others of its time. */
function told(kind: ColumnKind, value: unknown): unknown {
  if (kind === 'bytes' && value instanceof Binary) return Buffer.from(value.value()).toString('hex')
  if (kind === 'hits' && Array.isArray(value)) return value.map(Math.floor).join()
  return value
}
