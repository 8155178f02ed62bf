import type { Receipt } from '../../messaging/provider.ts'
import { SEND_LEASE_SECONDS } from '../../messaging/lease.ts'
import type {
  HeldSend,
  MessageRecord,
  MessagingStore,
  PlannedSend,
  RetakenSend,
  Send,
  SendOutcome,
  Told,
} from '../../messaging/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import type { SqliteDatabase } from './database.ts'
import { SqlitePlannedSends } from './planned-sends.ts'
import { SEND_COLUMNS, SqliteReceipts } from './receipts.ts'
import { toMessage, toRetaken, toSend } from '../rows.ts'

/** Sends and messages in SQLite. */
export class SqliteMessaging implements MessagingStore {
  readonly #db: SqliteDatabase
  readonly #clock: Clock
  readonly #planned: SqlitePlannedSends
  readonly #receipts: SqliteReceipts
  readonly #settleSend
  readonly #renewSend
  readonly #retakeSends
  readonly #releaseSend
  readonly #sendsOf
  readonly #insertMessage
  readonly #findMessage
  readonly #listMessages

  constructor(db: SqliteDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#planned = new SqlitePlannedSends(db)
    this.#receipts = new SqliteReceipts(db, clock)
    this.#settleSend = db.prepare(
      `UPDATE sends SET status = ?, error = ?, vendor_code = ?, ref = ?, price = coalesce(?, price),
         currency = coalesce(?, currency), lease_until = ?
       WHERE owner = ? AND id = ? AND fence = ? AND status IN ('sending', 'unknown')`,
    )
    // A watch that ends later than the lease, and one that has ended, stay as they are.
    this.#renewSend = db.prepare(
      'UPDATE sends SET lease_until = ?1 WHERE owner = ?2 AND id = ?3 AND fence = ?4 AND lease_until < ?1',
    )
    this.#retakeSends = db.prepare(
      `UPDATE sends SET fence = fence + 1, lease_until = ? WHERE (owner, seq) IN
         (SELECT owner, seq FROM sends WHERE lease_until <= ? ORDER BY lease_until LIMIT ?)
       RETURNING ${SEND_COLUMNS}, fence`,
    )
    this.#releaseSend = db.prepare(
      'UPDATE sends SET lease_until = NULL WHERE owner = ? AND id = ? AND fence = ?',
    )
    this.#sendsOf = db.prepare(`SELECT ${SEND_COLUMNS} FROM sends WHERE owner = ? ORDER BY seq`)
    this.#insertMessage = db.prepare(
      `INSERT INTO messages (id, service, phone, channel, template, segments, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#findMessage = db.prepare('SELECT * FROM messages WHERE id = ? AND service = ?')
    this.#listMessages = db.prepare(
      'SELECT * FROM messages WHERE service = ? AND id < ? ORDER BY id DESC LIMIT ?',
    )
  }

  recordSend(owner: string, send: PlannedSend): Promise<void> {
    return this.#db.write(() => this.#planned.insert(owner, send, this.#clock.now()))
  }

  settleSend(send: HeldSend, outcome: SendOutcome): Promise<boolean> {
    return this.#db.write(() => {
      const { changes } = this.#settleSend.run(
        outcome.status,
        outcome.error,
        outcome.vendorCode,
        outcome.ref,
        outcome.price?.amount ?? null,
        outcome.price?.currency ?? null,
        watchUntil(outcome, this.#clock.now()),
        send.owner,
        send.id,
        send.fence,
      )
      return changes === 1
    })
  }

  renewSends(sends: readonly HeldSend[]): Promise<void> {
    return this.#db.write(() => {
      const leaseUntil = this.#clock.now() + SEND_LEASE_SECONDS * 1000
      for (const { owner, id, fence } of sends) this.#renewSend.run(leaseUntil, owner, id, fence)
    })
  }

  retakeSends(limit: number): Promise<RetakenSend[]> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      return this.#retakeSends.all(now + SEND_LEASE_SECONDS * 1000, now, limit).map(toRetaken)
    })
  }

  releaseSend({ owner, id, fence }: HeldSend): Promise<void> {
    return this.#db.write(() => {
      this.#releaseSend.run(owner, id, fence)
    })
  }

  tell(provider: string, receipt: Receipt): Promise<Told> {
    return this.#receipts.tell(provider, receipt)
  }

  knownRefs(provider: string, refs: readonly string[]): Promise<Set<string>> {
    return this.#receipts.knownRefs(provider, refs)
  }

  tellWaiting(limit: number): Promise<Send[]> {
    return this.#receipts.tellWaiting(limit)
  }

  sendsOf(owner: string): Promise<Send[]> {
    return this.#db.read(() => this.#sendsOf.all(owner).map(toSend))
  }

  openMessage(message: Omit<MessageRecord, 'createdAt'>, send: PlannedSend): Promise<MessageRecord> {
    return this.#db.write(() => {
      const createdAt = this.#clock.now()
      const { id, service, to, channel, template, segments } = message
      this.#insertMessage.run(id, service, to, channel, template, segments, createdAt)
      this.#planned.insert(id, send, createdAt)
      return { ...message, createdAt }
    })
  }

  message(service: string, id: string): Promise<MessageRecord | undefined> {
    return this.#db.read(() => {
      const row = this.#findMessage.get(id, service)
      return row && toMessage(row)
    })
  }

  messages(filter: {
    readonly service: string
    readonly limit: number
    readonly cursor?: string
  }): Promise<{ data: MessageRecord[]; nextCursor: string | null }> {
    return this.#db.read(() => {
      const rows = this.#listMessages.all(filter.service, filter.cursor ?? '~', filter.limit + 1)
      const data = rows.slice(0, filter.limit).map(toMessage)
      return { data, nextCursor: rows.length > filter.limit ? (data.at(-1)?.id ?? null) : null }
    })
  }
}

/** When the watch over a send is over that is settled now. */
function watchUntil({ watchSeconds }: SendOutcome, nowMs: number): number | null {
  return watchSeconds === null ? null : nowMs + watchSeconds * 1000
}
