import type { Counter, Counters, Refused, RuleState, Taken } from '../../limits/counters.ts'
import { stateOf, waitSeconds } from '../../limits/window.ts'
import type { Clock } from '../../primitives/clock.ts'
import { number, numberOrNull, text } from '../rows.ts'
import { packArray, unpackNumbers } from './arrays.ts'
import type { PostgresDatabase } from './database.ts'

const SQL = {
  take: 'SELECT at, refused, opens_at FROM countersign.take($1, $2, $3, $4, $5, $6)',
  peek: `
    SELECT coalesce($2::bigint, countersign.now_ms()) AS t, key, hits FROM (SELECT 1) AS one
    LEFT JOIN countersign.counters ON key = ANY ($1::text[])`,
  // The row keeps its life: an empty log is swept with the rest.
  give: `
    WITH held AS (
      SELECT key, array_position(hits, $2::bigint) AS place FROM countersign.counters
      WHERE key = ANY ($1::text[]) ORDER BY key FOR UPDATE
    )
    UPDATE countersign.counters AS c SET hits = c.hits[:place - 1] || c.hits[place + 1:]
    FROM held WHERE c.key = held.key AND place IS NOT NULL`,
}

/** Counters in Postgres: exact between all processes that share the database. */
export class PostgresCounters implements Counters {
  readonly #db: PostgresDatabase
  readonly #clock: Clock | undefined

  /** `clock` stands for the database's own, in tests. */
  constructor(db: PostgresDatabase, clock?: Clock) {
    this.#db = db
    this.#clock = clock
  }

  async take(counters: readonly Counter[]): Promise<Taken | Refused> {
    const keys = counters.map(({ key }) => key)
    const rules = counters.flatMap((counter, at) => counter.rules.map((rule) => ({ rule, counter: at + 1 })))
    const [row] = await this.#db.query(SQL.take, [
      packArray(keys),
      packArray(rules.map(({ counter }) => counter)),
      packArray(rules.map(({ rule }) => rule.limit)),
      packArray(rules.map(({ rule }) => rule.windowSeconds * 1000)),
      packArray(rules.map(({ rule }) => rule.since ?? 0)),
      this.#now(),
    ])
    if (!row) throw new Error('a hit was neither taken nor refused')
    const refused = rules[(numberOrNull(row, 'refused') ?? 0) - 1]
    if (!refused) return { ok: true, keys, at: number(row, 'at') }
    return {
      ok: false,
      rule: refused.rule,
      retryAfterSeconds: waitSeconds(number(row, 'opens_at'), number(row, 'at')),
    }
  }

  async peek(counters: readonly Counter[]): Promise<RuleState[]> {
    const rows = await this.#db.read(SQL.peek, [packArray(counters.map(({ key }) => key)), this.#now()])
    const logs = new Map(
      rows.filter((row) => row['key'] !== null).map((row) => [text(row, 'key'), unpackNumbers(row['hits'])]),
    )
    const now = rows[0] ? number(rows[0], 't') : 0
    return counters.flatMap(({ key, rules }) => stateOf(rules, logs.get(key) ?? [], now))
  }

  async give(taken: Taken): Promise<void> {
    await this.#db.query(SQL.give, [packArray(taken.keys), taken.at])
  }

  #now(): number | null {
    return this.#clock?.now() ?? null
  }
}
