import type { Counter, Counters, Refused, Rule, RuleState, Taken } from '../../limits/counters.ts'
import { stateOf, waitSeconds } from '../../limits/window.ts'
import type { Clock } from '../../primitives/clock.ts'
import { number, numberOrNull, type Row, text } from '../rows.ts'
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
    const { keys, places, rules } = flatten(counters)
    const sinces = packArray(rules.map((rule) => rule.since ?? 0))
    const { limits, windows } = packRules(rules)
    const [row] = await this.#db.query(SQL.take, [
      packArray(keys),
      packArray(places),
      limits,
      windows,
      sinces,
      this.#now(),
    ])
    if (!row) throw new Error('a hit was neither taken nor refused')
    const refused = rules[(numberOrNull(row, 'refused') ?? 0) - 1]
    if (!refused) return { ok: true, keys, at: number(row, 'at') }
    return refusalOf(refused, row, 'at')
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

/** Counters as the functions take them: their keys, and every rule with the place of its counter, counted from 1. */
export function flatten(counters: readonly Counter[]): { keys: string[]; places: number[]; rules: Rule[] } {
  return {
    keys: counters.map(({ key }) => key),
    places: counters.flatMap(({ rules }, at) => rules.map(() => at + 1)),
    rules: counters.flatMap(({ rules }) => rules),
  }
}

/** The figures of rules, as arrays. */
export function packRules(rules: readonly Rule[]): { limits: string; windows: string } {
  return {
    limits: packArray(rules.map((rule) => rule.limit)),
    windows: packArray(rules.map((rule) => rule.windowSeconds * 1000)),
  }
}

/** The refusal by a rule, from a row that tells when it opens and, in this column, the time. */
export function refusalOf(rule: Rule, row: Row, time: string): Refused {
  return { ok: false, rule, retryAfterSeconds: waitSeconds(number(row, 'opens_at'), number(row, time)) }
}
