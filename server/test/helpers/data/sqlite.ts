import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Data } from '../backends.ts'
import { makeFolder } from '../scratch.ts'

/** A new SQLite file. The clock of whichever process asks decides, so nothing is aged. */
export function sqliteData(): Promise<Data> {
  const path = join(makeFolder(), 'countersign.db')
  return Promise.resolve({
    settings: { DATABASE_URL: `sqlite:${path}` },
    age: undefined,
    rowsOf: (phone) => Promise.resolve(sqliteRowsOf(path, phone)),
    // `endProcesses` deletes the folder.
    drop: () => Promise.resolve(),
  })
}

/** How many verifications a number has in this file, and how many sends they have. */
export function sqliteRowsOf(path: string, phone: string): { verifications: number; sends: number } {
  const db = new DatabaseSync(path, { readOnly: true })
  const count = (sql: string) => Number(db.prepare(sql).get(phone)?.['count'])
  const rows = {
    verifications: count('SELECT count(*) AS count FROM verifications WHERE phone = ?'),
    sends: count(
      'SELECT count(*) AS count FROM sends WHERE owner IN (SELECT id FROM verifications WHERE phone = ?)',
    ),
  }
  db.close()
  return rows
}
