import { SEND_LEASE_SECONDS } from '../../messaging/lease.ts'
import type {
  HeldSend,
  MessageRecord,
  MessagingStore,
  PlannedSend,
  RetakenSend,
  Send,
  SendOutcome,
} from '../../messaging/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import type { Batches } from '../batches.ts'
import { number, toMessage, toRetaken, toSend } from '../rows.ts'
import { packArray } from './arrays.ts'
import { batched, type PostgresDatabase } from './database.ts'

const MESSAGE = 'id, service, phone, channel, template, segments, created_at'
const LEASE_MS = SEND_LEASE_SECONDS * 1000
const NOW = (parameter: string) => `coalesce(${parameter}::bigint, countersign.now_ms())`

const SQL = {
  recordSend: `
    INSERT INTO countersign.sends (owner, id, provider, channel, status, at, lease_until)
    SELECT $1, $2, $3, $4, 'sending', t, t + ${LEASE_MS} FROM (SELECT ${NOW('$5')} AS t) AS clock`,
  settle: 'SELECT n FROM countersign.settle($1::text::json) AS n',
  // One that is being settled right now needs no renewal.
  renewSends: `
    WITH held AS (
      SELECT s.owner, s.seq FROM countersign.sends AS s
      JOIN unnest($1::text[], $2::text[], $3::int[]) AS h (owner, id, fence)
        ON s.owner = h.owner AND s.id = h.id AND s.fence = h.fence
      WHERE s.status = 'sending' FOR UPDATE OF s SKIP LOCKED
    )
    UPDATE countersign.sends AS s SET lease_until = ${NOW('$4')} + ${LEASE_MS}
    FROM held WHERE s.owner = held.owner AND s.seq = held.seq`,
  retakeSends: `
    WITH clock AS (SELECT ${NOW('$2')} AS t),
    left_over AS (
      SELECT owner, seq FROM countersign.sends
      WHERE status = 'sending' AND lease_until <= (SELECT t FROM clock)
      ORDER BY lease_until LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    UPDATE countersign.sends AS s SET fence = s.fence + 1, lease_until = t + ${LEASE_MS}
    FROM left_over, clock WHERE s.owner = left_over.owner AND s.seq = left_over.seq
    RETURNING s.owner, s.id, s.provider, s.channel, s.fence`,
  sendsOf: `
    SELECT id, owner, provider, channel, status, error, at, delivered_at, price, currency
    FROM countersign.sends WHERE owner = $1 ORDER BY seq`,
  openMessage: `
    WITH clock AS (SELECT ${NOW('$9')} AS t),
    message AS (
      INSERT INTO countersign.messages (${MESSAGE})
      SELECT $1, $2, $3, $4, $5, $6::int, t FROM clock RETURNING ${MESSAGE}
    ),
    planned AS (
      INSERT INTO countersign.sends (owner, id, provider, channel, status, at, lease_until)
      SELECT $1, $7, $8, $4, 'sending', t, t + ${LEASE_MS} FROM clock
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

  readonly #settled: Batches<Settlement, boolean>

  /** `clock` stands for the database's own, in tests. */
  constructor(db: PostgresDatabase, clock?: Clock) {
    this.#db = db
    this.#clock = clock
    this.#settled = batched((all, until) => this.#settle(all, until))
  }

  async recordSend(owner: string, send: PlannedSend): Promise<void> {
    await this.#db.query(SQL.recordSend, [owner, send.id, send.provider, send.channel, this.#now()])
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
      send.id,
      send.provider,
      this.#now(),
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
    const rows = await this.#db.read(SQL.list, [filter.service, filter.cursor ?? '~', filter.limit + 1])
    const data = rows.slice(0, filter.limit).map(toMessage)
    return { data, nextCursor: rows.length > filter.limit ? (data.at(-1)?.id ?? null) : null }
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
    }))
    const rows = await this.#db.query(SQL.settle, [JSON.stringify(outcomes)], until)
    const kept = new Set(rows.map((row) => number(row, 'n')))
    return all.map((_, at) => kept.has(at))
  }

  #now(): number | null {
    return this.#clock?.now() ?? null
  }
}
