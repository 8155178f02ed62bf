/** With less time than this left, a statement that has waited is refused and not sent. */
export const LEAST_MS = 500
/** Statements that may wait at once; more are refused at once, because they would be late anyway. */
const WAITING_MAX = 2_000

/** A statement that waits for a connection. */
type Waiting = { readonly until: number; readonly go: () => void; readonly refuse: (why: string) => void }

/**
 * Who may have a connection. The wait is here and not in the driver: what waits there, or behind another statement on
 * its connection, is run even when its caller has been refused.
 */
export class Turns {
  readonly #statementMs: number
  readonly #waiting = new Set<Waiting>()
  #free: number

  /** `count` connections, on which the server ends every statement after `statementMs`. */
  constructor(count: number, statementMs: number) {
    this.#free = count
    this.#statementMs = statementMs
  }

  /** Resolves when there is a connection for one more statement; rejects when there is none in time for it. */
  async begin(until: number): Promise<void> {
    const ms = until - LEAST_MS - performance.now()
    if (ms <= 0) throw new Error('no time is left to ask the database again')
    if (this.#free > 0) {
      this.#free--
      return
    }
    if (this.#waiting.size >= WAITING_MAX) throw new Error('too many statements wait for the database')
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer)
        this.#waiting.delete(waiting)
      }
      const waiting: Waiting = {
        until,
        go: () => {
          leave()
          resolve()
        },
        refuse: (why) => {
          leave()
          reject(new Error(why))
        },
      }
      const timer = setTimeout(() => waiting.refuse('no connection to the database came free in time'), ms)
      this.#waiting.add(waiting)
    })
  }

  /**
   * A connection is free again. While the database is stuck, who has not the time for a whole statement any more is
   * refused: it could be done after its caller has gone.
   */
  end(isStuck: boolean): void {
    const until = isStuck ? performance.now() + this.#statementMs : -Infinity
    for (const next of this.#waiting) {
      if (next.until >= until) {
        next.go()
        return
      }
      next.refuse('the database is slow')
    }
    this.#free++
  }
}
