import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeFolder } from '../helpers/process.ts'
import { type Ground, rowOf, sendRowOf } from './ground.ts'

/** One SQLite file for all the servers. Their clocks decide, so they agree. */
export function onSqlite(): Ground {
  const folder = makeFolder()
  const path = join(folder, 'data/countersign.db')
  return {
    seats: [1, 2, 3].map(() => ({ folder, settings: { SQLITE_SYNCHRONOUS: 'normal' } })),
    faults: [
      {
        name: 'lock',
        run: async (dice) => {
          const db = new DatabaseSync(path)
          db.exec('PRAGMA busy_timeout = 2000; BEGIN IMMEDIATE')
          await sleep(dice.within(50, 1_000))
          db.exec('ROLLBACK')
          db.close()
        },
      },
    ],
    clockErrorMs: 0,
    read: () => {
      const db = new DatabaseSync(path, { readOnly: true })
      const rows = db.prepare('SELECT * FROM verifications').all().map(rowOf)
      const sends = db.prepare('SELECT * FROM sends').all().map(sendRowOf)
      db.close()
      return Promise.resolve({ rows, sends })
    },
    end: () => Promise.resolve(),
  }
}
