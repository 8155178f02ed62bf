import { setTimeout as sleep } from 'node:timers/promises'
import { randomInt } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import { LATE, withDeadline } from '../../primitives/deadline.ts'
import { CountersignError } from '../../primitives/errors.ts'
import type { Row } from '../rows.ts'
import { Turns } from './turns.ts'

/** The server gives a statement up after this, so that a slow one is an answer and not a wait. */
const STATEMENT_TIMEOUT_MS = 2_000
/** We give it up after this, the wait for a connection and every new try included. */
const ANSWER_MS = 2_500
const CONNECT_TIMEOUT_SECONDS = 2
/** How soon a lost connection is tried again. */
const RECONNECT_SECONDS = 0.1
/** A pool is left at most so often: every time costs the database all its connections. */
const RENEW_MS = 1_000
const RETRIES_MAX = 3
const RETRY_MS = 20

/** The database chose this statement to make room for another; nothing of it was kept. */
const BROKEN_OFF = new Set(['40001', '40P01'])
/** Or the connection was lost, so what asked for nothing but an answer may ask again. */
const BROKEN_OFF_OR_LOST = new Set([
  ...BROKEN_OFF,
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'ECONNRESET',
  'EPIPE',
  '57P01',
  '57P02',
])
/** The server gave the statement up; it was kept in no part. */
const TIMED_OUT = '57014'
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
  readonly #turns: Turns
  #renewedAt = -Infinity
  #closed = false

  constructor(options: PostgresOptions) {
    this.#options = options
    this.#turns = new Turns(options.poolSize, STATEMENT_TIMEOUT_MS)
    this.#sql = this.#connect()
  }

  /**
   * Runs one statement, which is a transaction of its own. Throws `store_unavailable`; then it may or may not have
   * been kept, and the caller has been told neither.
   */
  query(text: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> {
    return this.#try(text, parameters, BROKEN_OFF)
  }

  /** Runs a statement that changes nothing: it is asked again also when its connection was lost. */
  read(text: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> {
    return this.#try(text, parameters, BROKEN_OFF_OR_LOST)
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

  /** Tries a statement again, in the time it has, when it failed for one of these reasons. */
  async #try(
    text: string,
    parameters: readonly unknown[],
    again: ReadonlySet<string>,
  ): Promise<readonly Row[]> {
    const until = performance.now() + ANSWER_MS
    for (let tries = 1; ; tries++) {
      try {
        return await this.#run(text, parameters, until)
      } catch (error) {
        if (tries > RETRIES_MAX || !again.has(codeOf(error))) throw unavailable(error)
        await sleep(randomInt(RETRY_MS) * tries)
      }
    }
  }

  async #run(text: string, parameters: readonly unknown[], until: number): Promise<readonly Row[]> {
    await this.#turns.begin(until)
    const sql = this.#sql
    let isStuck = false
    try {
      const query = sql.unsafe(text, parameters as never[], { prepare: this.#options.prepare })
      const rows = await withDeadline(query, until - performance.now())
      if (rows !== LATE) return rows
      isStuck = true
      this.#renew(sql)
      throw new Error(`the database did not answer within ${ANSWER_MS} ms`)
    } catch (error) {
      if (codeOf(error) === READ_ONLY) this.#renew(sql)
      isStuck ||= codeOf(error) === TIMED_OUT
      throw error
    } finally {
      this.#turns.end(isStuck)
    }
  }

  /**
   * Leaves the connections of a pool that does not answer: the next statement connects anew. A connection whose other
   * end is gone would otherwise be waited for until the kernel gives it up. What is under way on the others may end
   * in the time it has.
   */
  #renew(late: Sql): void {
    const now = performance.now()
    if (this.#sql !== late || this.#closed || now - this.#renewedAt < RENEW_MS) return
    this.#renewedAt = now
    this.#sql = this.#connect()
    late.end({ timeout: ANSWER_MS / 1000 }).catch(() => {})
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
