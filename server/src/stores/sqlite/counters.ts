import type { Counter, Counters, Refused, RuleState, Taken } from '../../limits/counters.ts'
import {
  capacity,
  lifetimeSeconds,
  refusing,
  stateOf,
  waitSeconds,
  withoutFuture,
} from '../../limits/window.ts'
import type { Clock } from '../../primitives/clock.ts'
import type { SqliteDatabase } from './database.ts'
import { packHits, unpackHits } from './hits.ts'

/** Counters in SQLite: exact between processes on one file, and kept over a restart. */
export class SqliteCounters implements Counters {
  readonly #db: SqliteDatabase
  readonly #clock: Clock
  readonly #select
  readonly #upsert
  readonly #rewrite

  constructor(db: SqliteDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#select = db.prepare('SELECT hits FROM counters WHERE key = ?')
    this.#upsert = db.prepare(
      `INSERT INTO counters (key, hits, expires_at) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET hits = excluded.hits, expires_at = excluded.expires_at`,
    )
    this.#rewrite = db.prepare('UPDATE counters SET hits = ? WHERE key = ?')
  }

  take(counters: readonly Counter[]): Promise<Taken | Refused> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const logs: number[][] = []
      for (const { key, rules } of counters) {
        const hits = this.#hitsNow(key, now)
        const refused = refusing(rules, hits, now)
        if (refused) {
          return { ok: false, rule: refused.rule, retryAfterSeconds: waitSeconds(refused.at, now) }
        }
        logs.push(hits)
      }
      counters.forEach(({ key, rules }, at) => {
        const hits = [now, ...(logs[at] ?? [])].slice(0, capacity(rules))
        this.#upsert.run(key, packHits(hits), now + lifetimeSeconds(rules) * 1000)
      })
      return { ok: true, keys: counters.map((counter) => counter.key), at: now }
    })
  }

  peek(counters: readonly Counter[]): Promise<RuleState[]> {
    return this.#db.read(() => {
      const now = this.#clock.now()
      return counters.flatMap(({ key, rules }) => stateOf(rules, this.#hits(key), now))
    })
  }

  give(taken: Taken): Promise<void> {
    return this.#db.write(() => {
      for (const key of taken.keys) {
        const hits = this.#hits(key)
        const at = hits.indexOf(taken.at)
        if (at < 0) continue
        hits.splice(at, 1)
        // The row keeps its life: an empty log is swept with the rest.
        this.#rewrite.run(packHits(hits), key)
      }
    })
  }

  #hitsNow(key: string, now: number): number[] {
    const hits = this.#hits(key)
    const moved = withoutFuture(hits, now)
    if (moved) this.#rewrite.run(packHits(moved), key)
    return moved ?? hits
  }

  #hits(key: string): number[] {
    return unpackHits(this.#select.get(key)?.['hits'])
  }
}
