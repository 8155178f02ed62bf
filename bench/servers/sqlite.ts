import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** The value of an environment variable that a contestant cannot do without. */
export function required(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}

/** Opens the contestant's database with the pragmas that every contestant gets. */
export function openDatabase(file: string): DatabaseSync {
  const synchronous = required('BENCH_SYNCHRONOUS')
  if (synchronous !== 'normal' && synchronous !== 'full') throw new Error(`BENCH_SYNCHRONOUS=${synchronous}`)
  const db = new DatabaseSync(join(required('DATA_DIR'), file))
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};`)
  return db
}
