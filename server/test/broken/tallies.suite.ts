import type { Clock } from '../../src/primitives/clock.ts'
import type { SqliteDatabase } from '../../src/stores/sqlite/database.ts'
import { SqlitePurge } from '../../src/stores/sqlite/purge.ts'
import { SqliteTallies } from '../../src/stores/sqlite/tallies.ts'
import type { Tally } from '../../src/verify/tallies.ts'
import { describeTallies } from '../conformance/tallies.ts'
import { MiswrittenSqlite, type Slip } from './miswritten-sqlite.ts'
import { moment } from './moment.ts'

// Twins of the SQLite store, each with one step made wrong. See `verify-store.suite.ts`.

const NONE: Tally = { judged: 0, wrong: 0 }

/** Reads the second's tally, waits, and writes it with its own added: what others told meanwhile is lost. */
class ReadThenWrite extends SqliteTallies {
  readonly #db: SqliteDatabase
  readonly #clock: Clock

  constructor(db: SqliteDatabase, clock: Clock) {
    super(db, clock)
    this.#db = db
    this.#clock = clock
  }

  override async add(tally: Tally, windowSeconds: number): Promise<Tally> {
    if (tally.judged > 0) {
      const now = this.#clock.now()
      const slot = Math.floor(now / 1000)
      const row = this.#db.prepare('SELECT judged, wrong FROM tallies WHERE slot = ?').get(slot)
      await moment()
      this.#db
        .prepare('INSERT OR REPLACE INTO tallies (slot, judged, wrong, expires_at) VALUES (?, ?, ?, ?)')
        .run(
          slot,
          Number(row?.['judged'] ?? 0) + tally.judged,
          Number(row?.['wrong'] ?? 0) + tally.wrong,
          now + windowSeconds * 1000,
        )
    }
    return super.add(NONE, windowSeconds)
  }
}

/** Adds up what it saw before it wrote, as a statement does that is one with the writing of it. */
class OwnNotSeen extends SqliteTallies {
  override async add(tally: Tally, windowSeconds: number): Promise<Tally> {
    const before = await super.add(NONE, windowSeconds)
    await super.add(tally, windowSeconds)
    return before
  }
}

/** Adds its own to a total that holds it already. */
class OwnTwice extends SqliteTallies {
  override async add(tally: Tally, windowSeconds: number): Promise<Tally> {
    const { judged, wrong } = await super.add(tally, windowSeconds)
    return { judged: judged + tally.judged, wrong: wrong + tally.wrong }
  }
}

/** Writes a row for every second, although nothing was judged in it. */
class WritesNothingToo extends SqliteTallies {
  readonly #db: SqliteDatabase
  readonly #clock: Clock

  constructor(db: SqliteDatabase, clock: Clock) {
    super(db, clock)
    this.#db = db
    this.#clock = clock
  }

  override add(tally: Tally, windowSeconds: number): Promise<Tally> {
    const now = this.#clock.now()
    this.#db
      .prepare('INSERT OR IGNORE INTO tallies (slot, judged, wrong, expires_at) VALUES (?, 0, 0, ?)')
      .run(Math.floor(now / 1000), now + windowSeconds * 1000)
    return super.add(tally, windowSeconds)
  }
}

const SLIPS: Record<string, Slip> = {
  right: ['', ''],
  // Whoever tells last in a second is all that was told in it.
  'last-wins': [
    'judged = judged + excluded.judged, wrong = wrong + excluded.wrong',
    'judged = excluded.judged, wrong = excluded.wrong',
  ],
  // Counts what has not been swept yet.
  'late-sweeper': ['AND expires_at > ?', 'AND ? > 0'],
  // Windows of ten seconds that begin with the clock on the wall.
  'fixed-windows': ['slot <= ? AND expires_at > ?', 'slot BETWEEN ?1 - ?1 % 10 AND ?1 AND ?2 > 0'],
  // Counts what a clock told that ran ahead, until the right time gets there.
  'from-the-future': ['slot <= ?', '? > 0'],
  'sweeps-all': ['DELETE FROM tallies WHERE expires_at <= ?', 'DELETE FROM tallies WHERE ? > 0'],
  'sweeps-none': ['DELETE FROM tallies WHERE expires_at <= ?', 'DELETE FROM tallies WHERE ? < 0'],
}

const TALLIES: Record<string, typeof SqliteTallies> = {
  'read-then-write': ReadThenWrite,
  'own-not-seen': OwnNotSeen,
  'own-twice': OwnTwice,
  'writes-nothing-too': WritesNothingToo,
}

function describeTwin(name: string, slip?: Slip): void {
  const Kind = TALLIES[name] ?? SqliteTallies
  describeTallies(name, async (clock) => {
    const db = new MiswrittenSqlite(slip)
    const purge = new SqlitePurge(db, clock, { retentionDays: 30 })
    return {
      tallies: new Kind(db, clock),
      sweep: () => purge.sweep(),
      close: async () => db.close(),
    }
  })
}

for (const [name, slip] of Object.entries(SLIPS)) describeTwin(name, slip)
for (const name of Object.keys(TALLIES)) describeTwin(name)
