import type { Counter, Counters, Refused, Rule, RuleState, Taken } from '../../limits/counters.ts'
import { capacity, lifetimeSeconds, stateOf, waitSeconds } from '../../limits/window.ts'
import type { Clock } from '../../primitives/clock.ts'
import { number, numberOrNull, type Row, text } from '../rows.ts'
import { packArray, unpackNumbers } from './arrays.ts'
import type { PostgresDatabase } from './database.ts'

const SQL = {
  take: 'SELECT at, refused, opens_at FROM countersign.take($1, $2, $3, $4, $5, $6, $7, $8)',
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
    const { keys, sizes, lives, places, limits, windows, rules } = flatten(counters)
    const sinces = rules.map((rule) => rule.since ?? 0)
    const [row] = await this.#db.query(SQL.take, [
      ...[keys, sizes, lives, places, limits, windows, sinces].map(packArray),
      this.#now(),
    ])
    if (!row) throw new Error('a hit was neither taken nor refused')
    const refused = rules[(numberOrNull(row, 'refused') ?? 0) - 1]
    if (!refused) return { ok: true, keys, at: number(row, 'at') }
    return refusalOf(refused, row)
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

/**
 * Counters as the functions take them: their keys with the hits to keep and for how many milliseconds, and the figures
 * of every rule with the place of its counter, counted from 1.
 */
export function flatten(counters: readonly Counter[]) {
  const rules = counters.flatMap((counter) => counter.rules)
  return {
    keys: counters.map(({ key }) => key),
    sizes: counters.map((counter) => capacity(counter.rules)),
    lives: counters.map((counter) => lifetimeSeconds(counter.rules) * 1000),
    places: counters.flatMap((counter, at) => counter.rules.map(() => at + 1)),
    limits: rules.map((rule) => rule.limit),
    windows: rules.map((rule) => rule.windowSeconds * 1000),
    rules,
  }
}

/** The refusal by a rule, from a row that tells the time and when it opens. */
export function refusalOf(rule: Rule, row: Row): Refused {
  return { ok: false, rule, retryAfterSeconds: waitSeconds(number(row, 'opens_at'), number(row, 'at')) }
}
