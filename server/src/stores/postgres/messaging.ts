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
import type { Batches } from '../batches.ts'
import { number, toMessage, toRetaken, toSend } from '../rows.ts'
import { packArray } from './arrays.ts'
import { batched, type PostgresDatabase } from './database.ts'
import { PostgresReceipts } from './receipts.ts'
import { packPlanned, PLANNED } from './statements.ts'

const MESSAGE = 'id, service, phone, channel, template, segments, created_at'
const LEASE_MS = SEND_LEASE_SECONDS * 1000
const NOW = (parameter: string) => `coalesce(${parameter}::bigint, countersign.now_ms())`

/** What an answer tells of a send. */
const SEND = `s.id, s.owner, s.provider, s.channel, s.sender, s.country, s.cause, s.status, s.error, s.vendor_code,
  s.ref, s.at, s.delivered_at, s.price, s.currency, s.history`

const SQL = {
  recordSend: `
    INSERT INTO countersign.sends (owner, status, at, lease_until, ${PLANNED})
    SELECT $1, 'sending', t, t + ${LEASE_MS}, $3, $4, $5, $6, $7, $8, $9, $10
    FROM (SELECT ${NOW('$2')} AS t) AS clock`,
  settle: 'SELECT n FROM countersign.settle($1::text::json, $2) AS n',
  // One that is being settled right now needs no renewal. A watch that ends later, and one that has ended, stay.
  renewSends: `
    WITH clock AS (SELECT ${NOW('$4')} AS t),
    held AS (
      SELECT s.owner, s.seq FROM countersign.sends AS s
      JOIN unnest($1::text[], $2::text[], $3::int[]) AS h (owner, id, fence)
        ON s.owner = h.owner AND s.id = h.id AND s.fence = h.fence
      WHERE s.lease_until < (SELECT t FROM clock) + ${LEASE_MS} FOR UPDATE OF s SKIP LOCKED
    )
    UPDATE countersign.sends AS s SET lease_until = t + ${LEASE_MS}
    FROM held, clock WHERE s.owner = held.owner AND s.seq = held.seq`,
  retakeSends: `
    WITH clock AS (SELECT ${NOW('$2')} AS t),
    left_over AS (
      SELECT owner, seq FROM countersign.sends
      WHERE lease_until <= (SELECT t FROM clock)
      ORDER BY lease_until LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    UPDATE countersign.sends AS s SET fence = s.fence + 1, lease_until = t + ${LEASE_MS}
    FROM left_over, clock WHERE s.owner = left_over.owner AND s.seq = left_over.seq
    RETURNING ${SEND}, s.fence`,
  releaseSend: `
    UPDATE countersign.sends SET lease_until = NULL WHERE owner = $1 AND id = $2 AND fence = $3::int`,
  sendsOf: `SELECT ${SEND} FROM countersign.sends AS s WHERE s.owner = $1 ORDER BY s.seq`,
  openMessage: `
    WITH clock AS (SELECT ${NOW('$7')} AS t),
    message AS (
      INSERT INTO countersign.messages (${MESSAGE})
      SELECT $1, $2, $3, $4, $5, $6::int, t FROM clock RETURNING ${MESSAGE}
    ),
    planned AS (
      INSERT INTO countersign.sends (owner, status, at, lease_until, ${PLANNED})
      SELECT $1, 'sending', t, t + ${LEASE_MS}, $8, $9, $10, $11, $12, $13, $14, $15 FROM clock
    )
    SELECT ${MESSAGE} FROM message`,
  find: `SELECT ${MESSAGE} FROM countersign.messages WHERE id = $1 AND service = $2`,
  list: `
    SELECT ${MESSAGE} FROM countersign.messages WHERE service = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
}

/** What became of a send. */
type Settlement = { readonly held: HeldSend; readonly outcome: SendOutcome }

/** Sends and messages in Postgres. */
export class PostgresMessaging implements MessagingStore {
  readonly #db: PostgresDatabase
  readonly #clock: Clock | undefined
  readonly #receipts: PostgresReceipts
  readonly #settled: Batches<Settlement, boolean>

  /** `clock` stands for the database's own, in tests. */
  constructor(db: PostgresDatabase, clock?: Clock) {
    this.#db = db
    this.#clock = clock
    this.#receipts = new PostgresReceipts(db, clock)
    this.#settled = batched((all, until) => this.#settle(all, until))
  }

  async recordSend(owner: string, send: PlannedSend): Promise<void> {
    await this.#db.query(SQL.recordSend, [owner, this.#now(), ...packPlanned(send)])
  }

  settleSend(held: HeldSend, outcome: SendOutcome): Promise<boolean> {
    return this.#settled.add({ held, outcome })
  }

  async renewSends(sends: readonly HeldSend[]): Promise<void> {
    await this.#db.query(SQL.renewSends, [
      packArray(sends.map(({ owner }) => owner)),
      packArray(sends.map(({ id }) => id)),
      packArray(sends.map(({ fence }) => fence)),
      this.#now(),
    ])
  }

  async retakeSends(limit: number): Promise<RetakenSend[]> {
    return (await this.#db.query(SQL.retakeSends, [limit, this.#now()])).map(toRetaken)
  }

  async releaseSend({ owner, id, fence }: HeldSend): Promise<void> {
    await this.#db.query(SQL.releaseSend, [owner, id, fence])
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

  async sendsOf(owner: string): Promise<Send[]> {
    return (await this.#db.read(SQL.sendsOf, [owner])).map(toSend)
  }

  async openMessage(message: Omit<MessageRecord, 'createdAt'>, send: PlannedSend): Promise<MessageRecord> {
    const { id, service, to, channel, template, segments } = message
    const [row] = await this.#db.query(SQL.openMessage, [
      id,
      service,
      to,
      channel,
      template,
      segments,
      this.#now(),
      ...packPlanned(send),
    ])
    if (!row) throw new Error('a message was not recorded')
    return toMessage(row)
  }

  async message(service: string, id: string): Promise<MessageRecord | undefined> {
    const [row] = await this.#db.read(SQL.find, [id, service])
    return row && toMessage(row)
  }

  async messages(filter: {
    readonly service: string
    readonly limit: number
    readonly cursor?: string
  }): Promise<{ data: MessageRecord[]; nextCursor: string | null }> {
    // Ids are hexadecimal: all sort before this, by the rules of whatever language the database sorts by.
    const { service, limit, cursor = 'msg_g' } = filter
    const rows = await this.#db.read(SQL.list, [service, cursor, limit + 1])
    const data = rows.slice(0, limit).map(toMessage)
    return { data, nextCursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null }
  }

  async #settle(all: readonly Settlement[], until: number): Promise<readonly boolean[]> {
    const outcomes = all.map(({ held, outcome }, at) => ({
      n: at,
      owner: held.owner,
      id: held.id,
      fence: held.fence,
      status: outcome.status,
      error: outcome.error,
      vendor_code: outcome.vendorCode,
      ref: outcome.ref,
      price: outcome.price?.amount,
      currency: outcome.price?.currency,
      watch_ms: outcome.watchSeconds === null ? null : outcome.watchSeconds * 1000,
    }))
    const rows = await this.#db.query(SQL.settle, [JSON.stringify(outcomes), this.#now()], until)
    const kept = new Set(rows.map((row) => number(row, 'n')))
    return all.map((_, at) => kept.has(at))
  }

  #now(): number | null {
    return this.#clock?.now() ?? null
  }
}
