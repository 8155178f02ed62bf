import type { Receipt } from '../../messaging/provider.ts'
import { sendRanks, statusOf } from '../../messaging/send-ranks.ts'
import type { Send, Told } from '../../messaging/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import type { Batches } from '../batches.ts'
import { packReceipt, RECEIPT_WAIT_SECONDS, statusesBefore, toReceipt } from '../receipts.ts'
import { number, type Row, text, toSend } from '../rows.ts'
import { ANSWER_MS, batched, type PostgresDatabase } from './database.ts'

const SQL = {
  tell: 'SELECT n, state, send FROM countersign.tell($1::text::json, $2)',
  known:
    'SELECT DISTINCT ref FROM countersign.sends WHERE provider = $1 AND ref IN (SELECT json_array_elements_text($2::text::json))',
  // Those that have been looked at go to the end, so that none which waits for nothing holds up the others.
  waiting: `
    WITH clock AS (SELECT coalesce($2::bigint, countersign.now_ms()) AS t),
    oldest AS (
      SELECT provider, ref, progress FROM countersign.receipts
      WHERE expires_at > (SELECT t FROM clock) ORDER BY tried_at LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    UPDATE countersign.receipts AS r SET tried_at = t FROM oldest AS o, clock
    WHERE r.provider = o.provider AND r.ref = o.ref AND r.progress = o.progress
    RETURNING r.provider, r.ref, r.progress, r.send, r.error, r.vendor_code, r.at, r.price, r.currency`,
}

/** A receipt to be told; `isWaiting`: it has waited in the store. */
type Word = { readonly provider: string; readonly receipt: Receipt; readonly isWaiting: boolean }

/** Receipts in Postgres. Many are told in one step, because every message has two or three. */
export class PostgresReceipts {
  readonly #db: PostgresDatabase
  readonly #clock: Clock | undefined
  readonly #words: Batches<Word, Told>

  /** `clock` stands for the database's own, in tests. */
  constructor(db: PostgresDatabase, clock?: Clock) {
    this.#db = db
    this.#clock = clock
    this.#words = batched((all, until) => this.#tell(all, until))
  }

  tell(provider: string, receipt: Receipt): Promise<Told> {
    return this.#words.add({ provider, receipt, isWaiting: false })
  }

  async tellWaiting(limit: number): Promise<Send[]> {
    const rows = await this.#db.query(SQL.waiting, [limit, this.#now()])
    if (rows.length === 0) return []
    const words = rows
      .map((row) => ({ provider: text(row, 'provider'), receipt: toReceipt(row), isWaiting: true }))
      .toSorted((one, other) => rankOf(one) - rankOf(other))
    const told = await this.#tell(words, performance.now() + ANSWER_MS)
    return told.flatMap((one) => (one.state === 'news' ? [one.send] : []))
  }

  async knownRefs(provider: string, refs: readonly string[]): Promise<Set<string>> {
    const rows = await this.#db.query(SQL.known, [provider, JSON.stringify(refs)])
    return new Set(rows.map((row) => text(row, 'ref')))
  }

  async #tell(all: readonly Word[], until: number): Promise<readonly Told[]> {
    const words = JSON.stringify(all.map(packWord))
    const rows = await this.#db.decide(SQL.tell, [words, this.#now()], { count: all.length, until })
    const told = new Map(rows.map((row) => [number(row, 'n'), row]))
    return all.map((_, at) => toTold(told.get(at)))
  }

  #now(): number | null {
    return this.#clock?.now() ?? null
  }
}

function packWord(word: Word, at: number) {
  const { provider, receipt, isWaiting } = word
  return {
    n: at,
    provider,
    ...packReceipt(receipt),
    status: statusOf[receipt.progress],
    rank: rankOf(word),
    before: statusesBefore(receipt.progress),
    wait_ms: RECEIPT_WAIT_SECONDS * 1000,
    is_waiting: isWaiting,
  }
}

function rankOf({ receipt }: Word): number {
  return sendRanks[statusOf[receipt.progress]]
}

function toTold(row: Row | undefined): Told {
  if (!row) throw new Error('a receipt was not told')
  const state = text(row, 'state')
  if (state === 'waiting') return { state }
  return { state: state === 'news' ? 'news' : 'old', send: toSend(row['send'] as Row) }
}
