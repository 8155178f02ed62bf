import { isDeepStrictEqual } from 'node:util'
import { numberOrNull, type Row, textOrNull } from './rows.ts'

/** What a column holds. Whatever the database keeps, it is handed over as text or a number. */
export type ColumnKind =
  | 'text'
  | 'number'
  /** Bytes, handed over as lower-case hexadecimal digits. */
  | 'bytes'
  /** The times of hits, newest first, handed over as text with commas between. */
  | 'hits'

/** A table: its key, and every column by name. */
export type Table = {
  readonly name: string
  readonly key: readonly string[]
  readonly columns: Readonly<Record<string, ColumnKind>>
  /** The tables of which one holds what a row belongs to, by the first column of its key. */
  readonly owners?: readonly string[]
}

/**
 * Every table that is moved, in this order: keys first, and a verification before its sends, so that nothing points at
 * what is not there yet. Tallies are not: nobody judges anything during a move, and they are worth ten seconds.
 */
export const TABLES: readonly Table[] = [
  {
    name: 'api_keys',
    key: ['id'],
    columns: {
      id: 'text',
      service: 'text',
      kind: 'text',
      hash: 'text',
      hint: 'text',
      origins: 'text',
      created_at: 'number',
      revoked_at: 'number',
    },
  },
  {
    name: 'verifications',
    key: ['id'],
    columns: {
      id: 'text',
      service: 'text',
      phone: 'text',
      country: 'text',
      channel: 'text',
      purpose: 'text',
      locale: 'text',
      status: 'text',
      key_id: 'text',
      digest: 'bytes',
      code_length: 'number',
      guesses: 'number',
      guesses_max: 'number',
      sends: 'number',
      sends_max: 'number',
      created_at: 'number',
      expires_at: 'number',
      resend_at: 'number',
      decided_at: 'number',
      nonce: 'text',
      metadata: 'text',
      terms: 'text',
      decision: 'text',
    },
  },
  {
    name: 'messages',
    key: ['id'],
    columns: {
      id: 'text',
      service: 'text',
      phone: 'text',
      channel: 'text',
      template: 'text',
      segments: 'number',
      created_at: 'number',
    },
  },
  {
    name: 'sends',
    key: ['owner', 'seq'],
    owners: ['verifications', 'messages'],
    columns: {
      owner: 'text',
      seq: 'number',
      id: 'text',
      provider: 'text',
      channel: 'text',
      sender: 'text',
      country: 'text',
      cause: 'text',
      status: 'text',
      error: 'text',
      vendor_code: 'text',
      ref: 'text',
      at: 'number',
      delivered_at: 'number',
      price: 'text',
      currency: 'text',
      history: 'text',
      lease_until: 'number',
      fence: 'number',
    },
  },
  {
    name: 'receipts',
    key: ['ref', 'provider', 'progress'],
    columns: {
      ref: 'text',
      provider: 'text',
      progress: 'text',
      send: 'text',
      error: 'text',
      vendor_code: 'text',
      at: 'number',
      price: 'text',
      currency: 'text',
      tried_at: 'number',
      expires_at: 'number',
    },
  },
  { name: 'guess_budgets', key: ['phone'], columns: { phone: 'text', hits: 'hits', expires_at: 'number' } },
  { name: 'counters', key: ['key'], columns: { key: 'text', hits: 'hits', expires_at: 'number' } },
  {
    name: 'claims',
    key: ['key'],
    columns: {
      key: 'text',
      fingerprint: 'text',
      verification_id: 'text',
      answer: 'text',
      expires_at: 'number',
      lease_until: 'number',
    },
  },
  {
    name: 'users',
    key: ['id'],
    columns: {
      id: 'text',
      email: 'text',
      name: 'text',
      phone: 'text',
      phone_verified_at: 'number',
      status: 'text',
      password_hash: 'text',
      second_factors: 'text',
      devices: 'text',
      version: 'number',
      created_at: 'number',
    },
  },
  {
    name: 'sessions',
    key: ['id'],
    columns: {
      id: 'text',
      user_id: 'text',
      amr: 'text',
      auth_at: 'number',
      factor_at: 'number',
      created_at: 'number',
      used_at: 'number',
      address: 'text',
      agent: 'text',
      generation: 'number',
      rotated_at: 'number',
      expires_at: 'number',
      idle_until: 'number',
    },
  },
  {
    name: 'tickets',
    key: ['id', 'kind'],
    columns: {
      id: 'text',
      kind: 'text',
      user_id: 'text',
      data: 'text',
      created_at: 'number',
      expires_at: 'number',
    },
  },
  {
    name: 'auth_events',
    key: ['id'],
    columns: {
      id: 'text',
      type: 'text',
      user_id: 'text',
      session_id: 'text',
      actor: 'text',
      key_id: 'text',
      address: 'text',
      agent: 'text',
      data: 'text',
      at: 'number',
    },
  },
  {
    name: 'records',
    key: ['id'],
    columns: {
      id: 'text',
      kind: 'text',
      parent: 'text',
      name: 'text',
      body: 'text',
      version: 'number',
      created_at: 'number',
      updated_at: 'number',
      due_at: 'number',
      expires_at: 'number',
    },
  },
]

/** A row as it is handed over. */
export type TransferRow = Readonly<Record<string, string | number | null>>

/** Where a walk has come to: the last row's key. */
export type Place = readonly (string | number)[]

/** A database seen as rows, to be moved out of and into. */
export interface TransferStore {
  count(table: Table): Promise<number>
  /** The next rows in the order of the key. */
  read(table: Table, after: Place | undefined, limit: number): Promise<readonly TransferRow[]>
  /** The rows whose key begins with one of these values. */
  find(table: Table, firsts: readonly string[]): Promise<readonly TransferRow[]>
  /** Puts rows in their place; what was there under a key is written over. Broken off, it may have put some of them. */
  write(table: Table, rows: readonly TransferRow[]): Promise<void>
  /** From where rows are being moved in; undefined when nobody has begun, or all is done. */
  movingFrom(): Promise<string | undefined>
  begin(source: string): Promise<void>
  /** Everything is there. */
  finish(): Promise<void>
  close(): Promise<void>
}

/** How far a move is. */
export type Progress = { readonly table: string; readonly done: number; readonly total: number }

/** Why a move is not begun, or has not ended well. */
export class TransferError extends Error {}

/**
 * Throws a `TransferError` when a move into a database has begun and has not ended, because it holds a part of what it
 * should: limits, budgets and keys may be among what is missing. `source` is what `movingFrom` tells.
 */
export function refuseHalfMoved(source: string | undefined): void {
  if (source === undefined) return
  throw new TransferError(
    `a move from ${source} into this database has begun and has not ended: give the same \`countersign move\` again to finish it, or empty the database`,
  )
}

const PAGE_ROWS = 1_000
/** Every so many pages, one is read back and compared, and the first of each table. */
const COMPARE_EVERY = 20

/**
 * Moves every row but those whose owner is gone, which the retention has left over (`ownerless`). What was cut off can
 * be done again: rows have their keys, so that a second time writes them over. At the end both sides have as many of
 * each. Rejects with a `TransferError` when the target is somebody else's.
 */
export async function transfer(
  source: TransferStore,
  target: TransferStore,
  options: { readonly from: string; readonly tell: (progress: Progress) => void },
): Promise<{ readonly rows: number; readonly compared: number; readonly ownerless: number }> {
  await beginOrGoOn(target, options.from)
  let rows = 0
  let compared = 0
  const left = new Map<Table, number>()
  for (const table of TABLES) {
    const total = await source.count(table)
    let done = 0
    let after: Place | undefined
    for (let page = 0; ; page++) {
      const read = await source.read(table, after, PAGE_ROWS)
      const last = read.at(-1)
      if (last === undefined) break
      const owned = await ownedOf(source, table, read)
      left.set(table, (left.get(table) ?? 0) + read.length - owned.length)
      if (owned.length > 0) await target.write(table, owned)
      if (page % COMPARE_EVERY === 0) {
        await compare(target, table, owned)
        compared += owned.length
      }
      done += read.length
      after = placeOf(table, last)
      options.tell({ table: table.name, done, total })
    }
    rows += done
  }
  await compareCounts(source, target, left)
  await target.finish()
  const ownerless = [...left.values()].reduce((sum, count) => sum + count, 0)
  return { rows: rows - ownerless, compared, ownerless }
}

async function beginOrGoOn(target: TransferStore, from: string): Promise<void> {
  const begun = await target.movingFrom()
  if (begun === from) return
  if (begun !== undefined)
    throw new TransferError(`a move from ${begun} into it has begun: end that, or empty the target first`)
  for (const table of TABLES) {
    const count = await target.count(table)
    if (count > 0)
      throw new TransferError(
        `it holds ${count} rows in ${table.name} already: a move needs an empty database`,
      )
  }
  await target.begin(from)
}

/** The rows whose owner is there, where rows have one. */
async function ownedOf(
  source: TransferStore,
  table: Table,
  rows: readonly TransferRow[],
): Promise<readonly TransferRow[]> {
  const { owners, key } = table
  const [first = ''] = key
  if (owners === undefined) return rows
  const wanted = [...new Set(rows.map((row) => String(row[first])))]
  const present = new Set<string>()
  for (const owner of TABLES.filter(({ name }) => owners.includes(name))) {
    for (const row of await source.find(owner, wanted)) present.add(String(row[owner.key[0] ?? '']))
  }
  return rows.filter((row) => present.has(String(row[first])))
}

async function compare(target: TransferStore, table: Table, rows: readonly TransferRow[]): Promise<void> {
  const [first = ''] = table.key
  const found = await target.find(table, [...new Set(rows.map((row) => String(row[first])))])
  const byKey = new Map(found.map((row) => [JSON.stringify(placeOf(table, row)), row]))
  for (const row of rows) {
    const place = JSON.stringify(placeOf(table, row))
    if (!isDeepStrictEqual({ ...byKey.get(place) }, { ...row }))
      throw new TransferError(`a row of ${table.name} is not in the target as it is in the source: ${place}`)
  }
}

async function compareCounts(
  source: TransferStore,
  target: TransferStore,
  left: ReadonlyMap<Table, number>,
): Promise<void> {
  for (const table of TABLES) {
    const here = (await source.count(table)) - (left.get(table) ?? 0)
    const there = await target.count(table)
    if (here !== there)
      throw new TransferError(
        `${table.name}: the source holds ${here} rows and the target ${there}: a server has changed one of them; empty the target and begin again`,
      )
  }
}

function placeOf(table: Table, row: TransferRow): Place {
  return table.key.map((column) => row[column] ?? '')
}

/** A row of a database as it is handed over, once its columns are text or numbers. */
export function toTransferRow(table: Table, row: Row): TransferRow {
  return Object.fromEntries(
    Object.entries(table.columns).map(([column, kind]) => [
      column,
      kind === 'number' ? numberOrNull(row, column) : textOrNull(row, column),
    ]),
  )
}
