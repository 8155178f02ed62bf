import type { MessageRecord, MessagingStore, PlannedSend, Send, SendOutcome } from '../../messaging/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import { toMessage, toSend } from '../rows.ts'
import type { PostgresDatabase } from './database.ts'

const MESSAGE = 'id, service, phone, channel, template, segments, created_at'
const NOW = (parameter: string) => `coalesce(${parameter}::bigint, countersign.now_ms())`

const SQL = {
  recordSend: `
    INSERT INTO countersign.sends (owner, id, provider, channel, status, at)
    VALUES ($1, $2, $3, $4, 'sending', ${NOW('$5')})`,
  settleSend: `
    UPDATE countersign.sends SET status = $3, error = $4, vendor_code = $5, ref = $6, price = $7, currency = $8
    WHERE owner = $1 AND id = $2 RETURNING id`,
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
      INSERT INTO countersign.sends (owner, id, provider, channel, status, at)
      SELECT $1, $7, $8, $4, 'sending', t FROM clock
    )
    SELECT ${MESSAGE} FROM message`,
  find: `SELECT ${MESSAGE} FROM countersign.messages WHERE id = $1 AND service = $2`,
  list: `
    SELECT ${MESSAGE} FROM countersign.messages WHERE service = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
}

/** Sends and messages in Postgres. */
export class PostgresMessaging implements MessagingStore {
  readonly #db: PostgresDatabase
  readonly #clock: Clock | undefined

  /** `clock` stands for the database's own, in tests. */
  constructor(db: PostgresDatabase, clock?: Clock) {
    this.#db = db
    this.#clock = clock
  }

  async recordSend(owner: string, send: PlannedSend): Promise<void> {
    await this.#db.query(SQL.recordSend, [owner, send.id, send.provider, send.channel, this.#now()])
  }

  async settleSend(owner: string, id: string, outcome: SendOutcome): Promise<void> {
    const settled = await this.#db.query(SQL.settleSend, [
      owner,
      id,
      outcome.status,
      outcome.error,
      outcome.vendorCode,
      outcome.ref,
      outcome.price?.amount ?? null,
      outcome.price?.currency ?? null,
    ])
    if (settled.length !== 1) throw new Error('a send that was not recorded cannot be settled')
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

  #now(): number | null {
    return this.#clock?.now() ?? null
  }
}
