import type { StatementSync } from 'node:sqlite'
import { text } from '../rows.ts'

/** From where rows are being moved into a file; undefined when nobody has begun, or all is done. */
export function movingFrom(db: { prepare(sql: string): StatementSync }): string | undefined {
  const made = db.prepare(`SELECT name FROM sqlite_schema WHERE name = 'moves'`).get()
  const row = made && db.prepare('SELECT source FROM moves').get()
  return row && text(row, 'source')
}
