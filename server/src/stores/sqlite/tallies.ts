import type { Clock } from '../../primitives/clock.ts'
import type { Tallies, Tally } from '../../verify/tallies.ts'
import { number, type Row } from '../rows.ts'
import type { SqliteDatabase } from './database.ts'

/** What is told within one slot of time shares a row. */
const SLOT_MS = 1_000

/** Tallies of judged guesses in SQLite. */
export class SqliteTallies implements Tallies {
  readonly #db: SqliteDatabase
  readonly #clock: Clock
  readonly #upsert
  readonly #sum

  constructor(db: SqliteDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#upsert = db.prepare(
      `INSERT INTO tallies (slot, judged, wrong, expires_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (slot) DO UPDATE SET
         judged = judged + excluded.judged, wrong = wrong + excluded.wrong, expires_at = excluded.expires_at`,
    )
    // A slot from the future means that the clock was set back.
    this.#sum = db.prepare(
      `SELECT coalesce(sum(judged), 0) AS judged, coalesce(sum(wrong), 0) AS wrong
       FROM tallies WHERE slot <= ? AND expires_at > ?`,
    )
  }

  add({ judged, wrong }: Tally, windowSeconds: number): Promise<Tally> {
    if (judged === 0) return this.#db.read(() => this.#total(this.#clock.now()))
    return this.#db.write(() => {
      const now = this.#clock.now()
      this.#upsert.run(slotOf(now), judged, wrong, now + windowSeconds * 1000)
      return this.#total(now)
    })
  }

  #total(now: number): Tally {
    const row: Row = this.#sum.get(slotOf(now), now) ?? {}
    return { judged: number(row, 'judged'), wrong: number(row, 'wrong') }
  }
}

function slotOf(now: number): number {
  return Math.floor(now / SLOT_MS)
}
