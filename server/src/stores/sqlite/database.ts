import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { timingSafeEqual } from 'node:crypto'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { CountersignError } from '../../primitives/errors.ts'

/** A batch is closed after this many units, so that one flood cannot hold the event loop for long. */
const BATCH_MAX = 256
const BUSY_TIMEOUT_MS = 2_500
const SQLITE_BUSY = 5
const RETRY_MS = 10

type Unit = {
  readonly work: () => unknown
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/**
 * One SQLite file and its group commit.
 *
 * Units of work that arrive in the same turn of the event loop run one after the other inside one transaction,
 * and each is answered once that transaction is on disk: a hundred racing requests cost one commit, and nothing
 * is acknowledged before it is durable. Units do not see each other half done, because each is synchronous.
 */
export class SqliteDatabase {
  readonly #db: DatabaseSync
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #rollback: StatementSync
  #queue: Unit[] = []
  #scheduled = false
  #closed = false
  /** Somebody else held the lock for longer than we wait; until it is free, nobody waits again. */
  #locked = false

  /**
   * Opens or makes the file. `full` waits for the disk at each commit, so that what was acknowledged survives
   * a power cut; `normal` survives a killed process, and may lose the last moments at a power cut.
   */
  constructor(path: string, synchronous: 'full' | 'normal') {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.#db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
    whenFree(() => this.#db.exec('PRAGMA journal_mode = WAL'))
    this.#db.exec(`PRAGMA synchronous = ${synchronous === 'full' ? 'FULL' : 'NORMAL'}`)
    this.#db.exec('PRAGMA temp_store = MEMORY')
    // Pages that many requests change are copied into the database once in 16 MB of log, not once in 4.
    this.#db.exec('PRAGMA wal_autocheckpoint = 4000')
    // Digests are compared in constant time, inside the statement that decides.
    this.#db.function('is_one_of', { deterministic: true, directOnly: true }, (digest, candidates) =>
      digest instanceof Uint8Array && candidates instanceof Uint8Array && isOneOf(digest, candidates) ? 1 : 0,
    )
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE')
    this.#commit = this.#db.prepare('COMMIT')
    this.#rollback = this.#db.prepare('ROLLBACK')
  }

  /** Compiles a statement for reuse. */
  prepare(sql: string): StatementSync {
    return this.#db.prepare(sql)
  }

  /** Runs SQL that no user input is part of: migrations, pragmas. */
  exec(sql: string): void {
    this.#db.exec(sql)
  }

  /**
   * Runs a synchronous unit of work in a transaction and resolves once it is durable. A unit that throws changes
   * nothing and rejects alone. It may run twice (see `#flush`), so it has no effect outside the database.
   */
  write<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, resolve, reject })
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => this.#flush())
    })
  }

  /** Runs a query on committed data. */
  read<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => resolve(guarded(work)))
  }

  /** Flushes what waits and closes the file. */
  close(): void {
    if (this.#closed) return
    while (this.#queue.length > 0) this.#flush()
    this.#closed = true
    this.#db.close()
  }

  #flush(): void {
    this.#scheduled = false
    const batch = this.#queue.slice(0, BATCH_MAX)
    this.#queue = this.#queue.slice(BATCH_MAX)
    if (this.#queue.length > 0) {
      this.#scheduled = true
      setImmediate(() => this.#flush())
    }
    let failed: Unit | undefined
    try {
      const results = this.#transact(() =>
        batch.map((unit) => {
          failed = unit
          const result = unit.work()
          failed = undefined
          return result
        }),
      )
      batch.forEach((unit, at) => unit.resolve(results[at] as never))
    } catch (error) {
      // Nothing of the batch is kept. Where one unit was at fault, each runs again alone, so that only that one is
      // refused; where the database was (locked, full), all are refused at once instead of waiting one by one.
      if (failed) for (const unit of batch) this.#runAlone(unit)
      else for (const unit of batch) unit.reject(unavailable(error))
    }
  }

  #runAlone(unit: Unit): void {
    try {
      unit.resolve(guarded(() => this.#transact(unit.work)) as never)
    } catch (error) {
      unit.reject(error)
    }
  }

  /**
   * Takes the write lock. SQLite waits for it on this thread, so a lock that somebody keeps is waited for once:
   * after that, requests are refused at once until it is free.
   */
  #lock(): void {
    try {
      this.#begin.run()
      if (this.#locked) this.#db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
      this.#locked = false
    } catch (error) {
      if (!this.#locked) this.#db.exec('PRAGMA busy_timeout = 0')
      this.#locked = true
      throw error
    }
  }

  #transact<T>(work: () => T): T {
    this.#lock()
    try {
      const result = work()
      this.#commit.run()
      return result
    } catch (error) {
      // A failed commit may have rolled back by itself already.
      if (this.#db.isTransaction) this.#rollback.run()
      throw error
    }
  }
}

/** Whether a digest is among those of the same length that lie one after the other; looks at all of them. */
function isOneOf(digest: Uint8Array, candidates: Uint8Array): boolean {
  let found = false
  for (let at = 0; at + digest.length <= candidates.length && digest.length > 0; at += digest.length) {
    if (timingSafeEqual(digest, candidates.subarray(at, at + digest.length))) found = true
  }
  return found
}

/** Turns whatever SQLite throws into the one refusal a caller can act on. */
function guarded<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof CountersignError) throw error
    throw unavailable(error)
  }
}

function unavailable(cause: unknown): CountersignError {
  const detail = 'The store cannot be reached at the moment'
  return new CountersignError('store_unavailable', detail, { retryAfterSeconds: 1 }, cause)
}

/** SQLite does not wait by itself where two processes make a new file at once and both turn on its log. */
function whenFree(work: () => void): void {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    try {
      return work()
    } catch (error) {
      const isBusy = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
      if (!isBusy || waitedMs >= BUSY_TIMEOUT_MS) throw error
      Atomics.wait(pause, 0, 0, RETRY_MS)
    }
  }
}
