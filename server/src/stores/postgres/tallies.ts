import type { Clock } from '../../primitives/clock.ts'
import type { Tallies, Tally } from '../../verify/tallies.ts'
import { number } from '../rows.ts'
import type { PostgresDatabase } from './database.ts'

/**
 * What is told within one second shares a row, by the database's clock unless a test says otherwise. The statement
 * does not see what it writes itself, so its own row comes from what it returns. A slot from the future means that
 * the clock was set back.
 */
const ADD = `
  WITH clock AS (SELECT coalesce($4::bigint, countersign.now_ms()) AS t),
  told AS (
    INSERT INTO countersign.tallies AS old (slot, judged, wrong, expires_at)
    SELECT t / 1000, $1::bigint, $2::bigint, t + $3::bigint FROM clock WHERE $1::bigint > 0
    ON CONFLICT (slot) DO UPDATE SET judged = old.judged + excluded.judged, wrong = old.wrong + excluded.wrong,
      expires_at = excluded.expires_at
    RETURNING slot, judged, wrong
  ),
  before AS (
    SELECT judged, wrong FROM countersign.tallies, clock
    WHERE slot <= t / 1000 AND expires_at > t AND slot NOT IN (SELECT slot FROM told)
  )
  SELECT coalesce(sum(judged), 0)::bigint AS judged, coalesce(sum(wrong), 0)::bigint AS wrong
  FROM (SELECT judged, wrong FROM told UNION ALL SELECT judged, wrong FROM before) AS seconds`

/** Tallies of judged guesses in Postgres. */
export class PostgresTallies implements Tallies {
  readonly #db: PostgresDatabase
  readonly #clock: Clock | undefined

  /** `clock` stands for the database's own, in tests. */
  constructor(db: PostgresDatabase, clock?: Clock) {
    this.#db = db
    this.#clock = clock
  }

  async add({ judged, wrong }: Tally, windowSeconds: number): Promise<Tally> {
    const now = this.#clock?.now() ?? null
    const [row] = await this.#db.query(ADD, [judged, wrong, windowSeconds * 1000, now])
    if (!row) throw new Error('the tallies were not added up')
    return { judged: number(row, 'judged'), wrong: number(row, 'wrong') }
  }
}
