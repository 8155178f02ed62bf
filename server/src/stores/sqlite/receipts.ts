import type { Receipt } from '../../messaging/provider.ts'
import { statusOf } from '../../messaging/send-ranks.ts'
import type { Send, Told } from '../../messaging/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import { packReceipt, RECEIPT_WAIT_SECONDS, statusesBefore, toReceipt } from '../receipts.ts'
import { text, toSend } from '../rows.ts'
import type { SqliteDatabase } from './database.ts'

/** What an answer tells of a send. */
export const SEND_COLUMNS = `id, owner, provider, channel, sender, country, cause, status, error, vendor_code, ref, at,
  delivered_at, price, currency, history`

/** Receipts in SQLite: those that found their send are in its row, the others wait in a table of their own. */
export class SqliteReceipts {
  readonly #db: SqliteDatabase
  readonly #clock: Clock
  readonly #sql: ReturnType<typeof statements>

  constructor(db: SqliteDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#sql = statements(db)
  }

  tell(provider: string, receipt: Receipt): Promise<Told> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const told = this.#tell(provider, receipt, now)
      if (told.state === 'waiting') {
        const expiresAt = now + RECEIPT_WAIT_SECONDS * 1000
        this.#sql.park.run({ ...packReceipt(receipt), provider, now, expires_at: expiresAt })
      }
      return told
    })
  }

  tellWaiting(limit: number): Promise<Send[]> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const news: Send[] = []
      for (const row of this.#sql.waiting.all(now, limit)) {
        const provider = text(row, 'provider')
        const receipt = toReceipt(row)
        const told = this.#tell(provider, receipt, now)
        if (told.state === 'news') news.push(told.send)
        if (told.state === 'waiting') this.#sql.tried.run(now, provider, receipt.ref, receipt.progress)
        else this.#sql.unpark.run(provider, receipt.ref, receipt.progress)
      }
      return news
    })
  }

  async knownRefs(provider: string, refs: readonly string[]): Promise<Set<string>> {
    return new Set(this.#sql.known.all(provider, JSON.stringify(refs)).map((row) => text(row, 'ref')))
  }

  /** Tells a send that is there of a receipt. */
  #tell(provider: string, receipt: Receipt, now: number): Told {
    const { ref, send = null, progress } = receipt
    const found = this.#sql.byRef.get(ref, provider) ?? this.#sql.byId.get(send, provider)
    if (!found) return { state: 'waiting' }
    const { owner = null, seq = null } = found
    const { send: _, progress: __, ...word } = packReceipt(receipt)
    const before = JSON.stringify(statusesBefore(progress))
    const news = this.#sql.tell.get({ ...word, owner, seq, status: statusOf[progress], before, now })
    if (news) return { state: 'news', send: toSend(news) }
    const old = toSend(found)
    const { price } = receipt
    if (price === undefined) return { state: 'old', send: old }
    this.#sql.tellPrice.run(price.amount, price.currency, owner, seq)
    return { state: 'old', send: { ...old, price } }
  }
}

function statements(db: SqliteDatabase) {
  return {
    // A vendor that gives one id to several messages speaks of the last one.
    byRef: db.prepare(
      `SELECT ${SEND_COLUMNS}, seq FROM sends WHERE ref = ? AND provider = ? ORDER BY id DESC LIMIT 1`,
    ),
    known: db.prepare(
      'SELECT DISTINCT ref FROM sends WHERE provider = ? AND ref IN (SELECT value FROM json_each(?))',
    ),
    byId: db.prepare(
      `SELECT ${SEND_COLUMNS}, seq FROM sends WHERE id = ? AND provider = ? AND status IN ('unknown', 'refused')`,
    ),
    tell: db.prepare(
      `UPDATE sends SET status = :status, error = CASE :status WHEN 'undelivered' THEN :error END,
         vendor_code = CASE :status WHEN 'undelivered' THEN :vendor_code END, ref = coalesce(ref, :ref),
         price = coalesce(:price, price), currency = coalesce(:currency, currency),
         history = coalesce(history || ',', '') || :status || ':' || min(max(coalesce(:at, :now), at), :now),
         delivered_at = CASE WHEN :status IN ('delivered', 'read')
           THEN coalesce(delivered_at, min(max(coalesce(:at, :now), at), :now)) END,
         lease_until = CASE WHEN :status IN ('delivered', 'read') THEN NULL
           WHEN :status = 'undelivered' AND lease_until IS NOT NULL THEN :now ELSE lease_until END
       WHERE owner = :owner AND seq = :seq AND status IN (SELECT value FROM json_each(:before))
       RETURNING ${SEND_COLUMNS}`,
    ),
    tellPrice: db.prepare('UPDATE sends SET price = ?, currency = ? WHERE owner = ? AND seq = ?'),
    park: db.prepare(
      `INSERT INTO receipts (provider, ref, progress, send, error, vendor_code, at, price, currency, tried_at, expires_at)
       VALUES (:provider, :ref, :progress, :send, :error, :vendor_code, :at, :price, :currency, :now, :expires_at)
       ON CONFLICT DO UPDATE SET price = coalesce(excluded.price, price),
         currency = coalesce(excluded.currency, currency)`,
    ),
    waiting: db.prepare('SELECT * FROM receipts WHERE expires_at > ? ORDER BY tried_at LIMIT ?'),
    tried: db.prepare('UPDATE receipts SET tried_at = ? WHERE provider = ? AND ref = ? AND progress = ?'),
    unpark: db.prepare('DELETE FROM receipts WHERE provider = ? AND ref = ? AND progress = ?'),
  }
}
