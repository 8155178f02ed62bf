import { join } from 'node:path'
import { openMongo, migrateMongo } from '../../src/stores/mongo/store.ts'
import { openMongoTransfer } from '../../src/stores/mongo/transfer.ts'
import { migratePostgres, openPostgres } from '../../src/stores/postgres/store.ts'
import { openPostgresTransfer } from '../../src/stores/postgres/transfer.ts'
import { migrateSqlite, openSqlite } from '../../src/stores/sqlite/store.ts'
import { openSqliteTransfer } from '../../src/stores/sqlite/transfer.ts'
import type { Store } from '../../src/stores/store.ts'
import { TABLES, type Place as At, type TransferRow, type TransferStore } from '../../src/stores/transfer.ts'
import type { FakeClock } from '../fake-clock.ts'
import { makeFolder } from '../helpers/scratch.ts'
import { freshMongo, freshPostgres } from '../helpers/services.ts'

export type Kind = 'sqlite' | 'postgres' | 'mongodb'

/** A database of its own: as a store, and as rows that are moved. */
export type Place = {
  readonly url: string
  open(clock: FakeClock): Promise<Store>
  migrate(): Promise<unknown>
  rows(): Promise<TransferStore>
  drop(): Promise<void>
}

const RETENTION_DAYS = 30

/** Makes an empty database, not yet with a schema. */
export async function makePlace(kind: Kind): Promise<Place> {
  const retentionDays = RETENTION_DAYS
  if (kind === 'sqlite') {
    const path = join(makeFolder(), 'moved.db')
    return {
      url: path,
      open: async (clock) => openSqlite({ path, synchronous: 'normal', retentionDays, clock }),
      migrate: async () => migrateSqlite(path),
      rows: async () => openSqliteTransfer(path),
      drop: async () => {},
    }
  }
  const { url, drop } = await (kind === 'postgres' ? freshPostgres() : freshMongo())
  if (kind === 'postgres') {
    return {
      url,
      open: (clock) => openPostgres({ url, poolSize: 2, prepare: true, retentionDays, clock }),
      migrate: () => migratePostgres(url),
      rows: () => openPostgresTransfer(url),
      drop,
    }
  }
  return {
    url,
    open: (clock) => openMongo({ url, retentionDays, clock }),
    migrate: () => migrateMongo(url),
    rows: () => openMongoTransfer(url, { retentionDays }),
    drop,
  }
}

/** Every row of a database as it is handed over, three at a time. */
export async function rowsOf(place: Place): Promise<Record<string, readonly TransferRow[]>> {
  const store = await place.rows()
  try {
    const all: Record<string, readonly TransferRow[]> = {}
    for (const table of TABLES) {
      const rows: TransferRow[] = []
      for (let after: At | undefined; ;) {
        const page = await store.read(table, after, 3)
        const last = page.at(-1)
        if (last === undefined) break
        rows.push(...page)
        after = table.key.map((column) => last[column] ?? '')
      }
      all[table.name] = rows
    }
    return all
  } finally {
    await store.close()
  }
}
