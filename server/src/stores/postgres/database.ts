import { setTimeout as sleep } from 'node:timers/promises'
import { randomInt } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import type { Clock } from '../../primitives/clock.ts'
import { LATE, withDeadline } from '../../primitives/deadline.ts'
import { CountersignError } from '../../primitives/errors.ts'
import { Batches } from '../batches.ts'
import { number, type Row } from '../rows.ts'
import { packJson } from './json.ts'
import { LEAST_MS, Turns } from './turns.ts'

/** The server gives a statement up after this, so that a slow one is an answer and not a wait. */
export const STATEMENT_TIMEOUT_MS = 2_000
/** We give it up after this, the wait for a connection and every new try included. */
export const ANSWER_MS = 2_500
const CONNECT_TIMEOUT_SECONDS = 2
/** How soon a lost connection is tried again. */
const RECONNECT_SECONDS = 0.1
/** A connection on which nothing can be written is given up at most so often: it may be no better on another. */
const READ_ONLY_MS = 100
const RETRIES_MAX = 3
const RETRY_MS = 20

/** The database chose this statement to make room for another; nothing of it was kept. */
const BROKEN_OFF = new Set(['40001', '40P01'])
/** The connection was lost with the statement under way, so what asks for nothing but an answer may ask again. */
const LOST = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'ECONNRESET',
  'EPIPE',
  '57P01',
  '57P02',
])
const BROKEN_OFF_OR_LOST = new Set([...BROKEN_OFF, ...LOST])
/** The server gave the statement up; it was kept in no part. */
const TIMED_OUT = '57014'
/** A lock was not to be had for so long as a batch may wait. */
const LOCKED = '55P03'
const BROKEN_OFF_OR_LOCKED = new Set([...BROKEN_OFF, LOCKED])
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

/**
 * Connections on which every statement ends within a bounded time, and which come back by themselves. Each runs one
 * statement at a time, so that a slow one holds up nobody but those who wait for a connection.
 */
export class PostgresDatabase {
  readonly #options: PostgresOptions
  readonly #turns: Turns
  /** The driver has pools of connections; each of these is of one. */
  readonly #all = new Set<Sql>()
  /** Those that run nothing, the one used last at the end. */
  readonly #idle: Sql[] = []
  #readOnlyAt = -Infinity
  #closed = false

  constructor(options: PostgresOptions) {
    this.#options = options
    this.#turns = new Turns(options.poolSize, STATEMENT_TIMEOUT_MS)
  }

  /**
   * Runs one statement, which is a transaction of its own, and gives up at `until` by `performance.now()`. Throws
   * `store_unavailable`; then it may or may not have been kept, and the caller has been told neither.
   */
  query(
    text: string,
    parameters: readonly unknown[] = [],
    until = performance.now() + ANSWER_MS,
  ): Promise<readonly Row[]> {
    return this.#try(text, parameters, BROKEN_OFF, until)
  }

  /** Decides for so many callers, as `query` does. For one it waits for locks for as long as there is time. */
  decide(
    text: string,
    parameters: readonly unknown[],
    { count, until }: { readonly count: number; readonly until: number },
  ): Promise<readonly Row[]> {
    return this.#try(text, parameters, count > 1 ? BROKEN_OFF : BROKEN_OFF_OR_LOCKED, until)
  }

  /** Runs a statement that changes nothing: it is asked again also when its connection was lost. */
  read(text: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> {
    return this.#try(text, parameters, BROKEN_OFF_OR_LOST, performance.now() + ANSWER_MS)
  }

  /** Runs work in a transaction on a connection of its own, for as long as it takes: migrations. */
  async transaction<T>(work: (run: (text: string) => Promise<readonly Row[]>) => Promise<T>): Promise<T> {
    const own = this.#connect()
    try {
      const result = await own.begin(async (sql) => {
        await sql.unsafe('SET LOCAL statement_timeout = 0')
        return [await work((text) => sql.unsafe(text))]
      })
      return result[0] as T
    } finally {
      this.#leave(own)
    }
  }

  /** Lets what is under way end, for at most a second, and closes the connections. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#all].map((sql) => sql.end({ timeout: 1 })))
  }

  /** Tries a statement again, in the time it has, when it failed for one of these reasons. */
  async #try(
    text: string,
    parameters: readonly unknown[],
    again: ReadonlySet<string>,
    until: number,
  ): Promise<readonly Row[]> {
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
    if (this.#closed) throw new Error('the connections to the database are closed')
    await this.#turns.begin(until)
    const sql = this.#idle.pop() ?? this.#connect()
    let fault = ''
    try {
      const query = sql.unsafe(text, parameters as never[], { prepare: this.#options.prepare })
      const rows = await withDeadline(query, until - performance.now())
      if (rows !== LATE) return rows
      fault = TIMED_OUT
      // The other end may be gone without a word, which the kernel finds out in a quarter of an hour. Then those that
      // wait for nothing are in the same case.
      this.#leave(sql, ...this.#idle.splice(0))
      throw new Error('the database did not answer in time')
    } catch (error) {
      fault ||= codeOf(error)
      if (this.#isSpoilt(fault)) this.#leave(sql)
      throw error
    } finally {
      if (this.#all.has(sql)) this.#idle.push(sql)
      this.#turns.end(fault === TIMED_OUT)
    }
  }

  /** Whether a connection is of no more use after an error. */
  #isSpoilt(code: string): boolean {
    // It keeps the error that it ended with, and would refuse the first statement with it when it is open again.
    if (LOST.has(code)) return true
    if (code !== READ_ONLY || performance.now() - this.#readOnlyAt < READ_ONLY_MS) return false
    this.#readOnlyAt = performance.now()
    return true
  }

  /** Closes connections, at once and with what they run. */
  #leave(...connections: readonly Sql[]): void {
    for (const sql of connections) {
      this.#all.delete(sql)
      sql.end({ timeout: 0 }).catch(() => {})
    }
  }

  #connect(): Sql {
    const { url, prepare } = this.#options
    const sql = postgres(url, {
      max: 1,
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
    this.#all.add(sql)
    return sql
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** A verb that one statement does for many. */
export function batched<Op, Answer>(
  run: (ops: readonly Op[], until: number) => Promise<readonly Answer[]>,
): Batches<Op, Answer> {
  const refuse = (why: string) => unavailable(new Error(`the database: ${why}`))
  return new Batches({
    run,
    patienceMs: ANSWER_MS,
    leastMs: LEAST_MS,
    leastAfterFailureMs: STATEMENT_TIMEOUT_MS,
    refuse,
    isOfOne,
  })
}

/**
 * Runs a verb over many, whose callers give up at `until` by `performance.now()`; a row for each place, or none. `now`
 * stands for the database's clock, in tests.
 */
export async function decideAll(
  db: PostgresDatabase,
  sql: string,
  all: readonly object[],
  when: { readonly until: number; readonly now: number | null; readonly storeClock: Clock },
): Promise<ReadonlyMap<number, Row>> {
  const { until, now, storeClock } = when
  const untilThere = Math.floor(storeClock.now() + until - performance.now())
  const parameters = [packJson(all), now, untilThere]
  const rows = await db.decide(sql, parameters, { count: all.length, until })
  return new Map(rows.map((row) => [number(row, 'n') - 1, row]))
}

/** Whether a batch was refused for what one of it holds or has to wait for, and not for the state of the database. */
function isOfOne(refusal: unknown): boolean {
  return (
    refusal instanceof Error && (/^2[23]/.test(codeOf(refusal.cause)) || codeOf(refusal.cause) === LOCKED)
  )
}

/** Turns whatever the driver throws into the one refusal a caller can act on. */
function unavailable(cause: unknown): CountersignError {
  const detail = 'The store cannot be reached at the moment'
  return new CountersignError('store_unavailable', detail, { retryAfterSeconds: 1 }, cause)
}
