import type { Counter, Counters, Refused, Rule, RuleState, Taken } from '../../limits/counters.ts'
import { capacity, lifetimeSeconds, stateOf, waitSeconds } from '../../limits/window.ts'
import type { Clock } from '../../primitives/clock.ts'
import type { Batches } from '../batches.ts'
import { number, numberOrNull, type Row, text } from '../rows.ts'
import { packArray, unpackNumbers } from './arrays.ts'
import { batched, decideAll, type PostgresDatabase } from './database.ts'
import { packJson } from './json.ts'

const SQL = {
  take: 'SELECT n, refused, opens_at, at FROM countersign.take($1::text::json, $2, $3)',
  peek: `
    SELECT coalesce($2::bigint, countersign.now_ms()) AS t, key, hits FROM (SELECT 1) AS one
    LEFT JOIN countersign.counters ON key = ANY ($1::text[])`,
  give: 'SELECT countersign.give($1::text::json)',
}

/** Counters in Postgres: exact between all processes that share the database. */
export class PostgresCounters implements Counters {
  readonly #db: PostgresDatabase
  readonly #storeClock: Clock
  readonly #clock: Clock | undefined
  readonly #takes: Batches<readonly Counter[], Taken | Refused>
  readonly #gives: Batches<Taken, void>

  /** `storeClock` tells the database's time, and `clock` stands for its own clock, in tests. */
  constructor(db: PostgresDatabase, storeClock: Clock, clock?: Clock) {
    this.#db = db
    this.#storeClock = storeClock
    this.#clock = clock
    this.#takes = batched((all, until) => this.#takeAll(all, until))
    this.#gives = batched((all, until) => this.#giveAll(all, until))
  }

  take(counters: readonly Counter[]): Promise<Taken | Refused> {
    return this.#takes.add(counters)
  }

  async peek(counters: readonly Counter[]): Promise<RuleState[]> {
    const rows = await this.#db.read(SQL.peek, [packArray(counters.map(({ key }) => key)), this.#now()])
    const logs = new Map(
      rows.filter((row) => row['key'] !== null).map((row) => [text(row, 'key'), unpackNumbers(row['hits'])]),
    )
    const now = rows[0] ? number(rows[0], 't') : 0
    return counters.flatMap(({ key, rules }) => stateOf(rules, logs.get(key) ?? [], now))
  }

  give(taken: Taken): Promise<void> {
    return this.#gives.add(taken)
  }

  async #takeAll(all: readonly (readonly Counter[])[], until: number): Promise<readonly (Taken | Refused)[]> {
    const wanted = all.map(flatten)
    const asked = wanted.map(({ rules, ...figures }, at) => ({
      n: at + 1,
      ...figures,
      sinces: rules.map((rule) => rule.since ?? 0),
    }))
    const rows = await decideAll(this.#db, SQL.take, asked, {
      until,
      now: this.#now(),
      storeClock: this.#storeClock,
    })
    return wanted.map(({ keys, rules }, at) => {
      const row = rows.get(at)
      if (!row) throw new Error('a hit was neither taken nor refused')
      const refused = rules[(numberOrNull(row, 'refused') ?? 0) - 1]
      return refused ? refusalOf(refused, row) : { ok: true, keys, at: number(row, 'at') }
    })
  }

  async #giveAll(all: readonly Taken[], until: number): Promise<readonly void[]> {
    const asked = all.map(({ keys, at }) => ({ keys, at }))
    await this.#db.decide(SQL.give, [packJson(asked)], { count: all.length, until })
    return all.map(() => undefined)
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
