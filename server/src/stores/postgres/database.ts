import { setTimeout as sleep } from 'node:timers/promises'
import { randomInt } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import { LATE, withDeadline } from '../../primitives/deadline.ts'
import { CountersignError } from '../../primitives/errors.ts'
import type { Row } from '../rows.ts'

/** The server gives a statement up after this, so that a slow one is an answer and not a wait. */
const STATEMENT_TIMEOUT_MS = 2_000
/** We give it up after this, the wait for a connection included: then the network is gone, or the pool is full. */
const ANSWER_MS = 2_500
const CONNECT_TIMEOUT_SECONDS = 2
/** How soon a lost connection is tried again. */
const RECONNECT_SECONDS = 0.1
/** Statements that may wait at once; more are refused at once, because they would be late anyway. */
const WAITING_MAX = 2_000
const RETRIES_MAX = 3
const RETRY_MS = 20

/** The database chose this statement to make room for another; nothing of it was kept. */
const TRY_AGAIN = new Set(['40001', '40P01'])
/** The connection was lost, so what asked for nothing but an answer may ask again. */
const LOST = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'ECONNRESET',
  'EPIPE',
  '57P01',
  '57P02',
])
/** What is at the other end takes no writes: a replica, after the roles have changed. */
const READ_ONLY = '25006'

/** How to reach the database. */
export type PostgresOptions = {
  readonly url: string
  /** Connections of this process. */
  readonly poolSize: number
  /** False where a proxy hands the connections from statement to statement and knows no prepared statements. */
  readonly prepare: boolean
}

/** A pool of connections on which every statement ends within a bounded time, and which comes back by itself. */
export class PostgresDatabase {
  readonly #options: PostgresOptions
  #sql: Sql
  #waiting = 0
  #closed = false

  constructor(options: PostgresOptions) {
    this.#options = options
    this.#sql = this.#connect()
  }

  /**
   * Runs one statement, which is a transaction of its own. Throws `store_unavailable`; then it may or may not have
   * been kept, and the caller has been told neither.
   */
  async query(text: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#run(text, parameters)
      } catch (error) {
        if (tries > RETRIES_MAX || !TRY_AGAIN.has(codeOf(error))) throw unavailable(error)
        await sleep(randomInt(RETRY_MS) * tries)
      }
    }
  }

  /** Runs a statement that changes nothing: when its connection is lost, it is asked once more on another. */
  async read(text: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> {
    try {
      return await this.#run(text, parameters)
    } catch (error) {
      if (!LOST.has(codeOf(error))) throw unavailable(error)
      return this.query(text, parameters)
    }
  }

  /** Runs work in a transaction on one connection, for as long as it takes: migrations. */
  async transaction<T>(work: (run: (text: string) => Promise<readonly Row[]>) => Promise<T>): Promise<T> {
    const result = await this.#sql.begin(async (sql) => {
      await sql.unsafe('SET LOCAL statement_timeout = 0')
      return [await work((text) => sql.unsafe(text))]
    })
    return result[0] as T
  }

  /** Lets what is under way end, for at most a second, and closes the connections. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#sql.end({ timeout: 1 })
  }

  async #run(text: string, parameters: readonly unknown[]): Promise<readonly Row[]> {
    if (this.#waiting >= WAITING_MAX) throw new Error('too many statements wait for the database')
    const sql = this.#sql
    this.#waiting++
    try {
      const query = sql.unsafe(text, parameters as never[], { prepare: this.#options.prepare })
      const rows = await withDeadline(query, ANSWER_MS)
      if (rows !== LATE) return rows
      this.#renew(sql)
      throw new Error(`the database did not answer within ${ANSWER_MS} ms`)
    } catch (error) {
      if (codeOf(error) === READ_ONLY) this.#renew(sql)
      throw error
    } finally {
      this.#waiting--
    }
  }

  /**
   * Leaves the connections of a pool that does not answer: their statements end now, refused, and the next one
   * connects anew. A connection whose other end is gone would otherwise be waited for until the kernel gives it up.
   */
  #renew(late: Sql): void {
    if (this.#sql !== late || this.#closed) return
    this.#sql = this.#connect()
    late.end({ timeout: 0 }).catch(() => {})
  }

  #connect(): Sql {
    const { url, poolSize, prepare } = this.#options
    return postgres(url, {
      max: poolSize,
      prepare,
      connect_timeout: CONNECT_TIMEOUT_SECONDS,
      backoff: () => RECONNECT_SECONDS,
      // A type that a statement names is known; nothing has to be asked for before the first one.
      fetch_types: false,
      onnotice: () => {},
      types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
      connection: {
        application_name: 'countersign',
        // A pooling proxy refuses a connection that asks for more than it knows.
        ...(prepare ? { statement_timeout: STATEMENT_TIMEOUT_MS } : {}),
      },
    })
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Turns whatever the driver throws into the one refusal a caller can act on. */
function unavailable(cause: unknown): CountersignError {
  const detail = 'The store cannot be reached at the moment'
  return new CountersignError('store_unavailable', detail, { retryAfterSeconds: 1 }, cause)
}
