import type { FloorRow } from './floor.ts'
import { openDatabase } from './sqlite.ts'

const db = openDatabase('floor.db')
db.exec(`CREATE TABLE IF NOT EXISTS verification (
  id TEXT PRIMARY KEY, phone TEXT NOT NULL, code TEXT NOT NULL, status TEXT NOT NULL, guesses INTEGER NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, decided_at INTEGER
) STRICT, WITHOUT ROWID`)
const inserting = db.prepare(`INSERT INTO verification VALUES (?, ?, ?, 'pending', 0, ?, ?, NULL)`)
/** Counts the guess and decides in one statement, so that racing checks approve once. */
const judging = db.prepare(`UPDATE verification SET
    guesses = guesses + 1,
    status = CASE WHEN code = ? THEN 'approved' ELSE status END,
    decided_at = CASE WHEN code = ? THEN ? ELSE NULL END
  WHERE id = ? AND status = 'pending' AND guesses < ? AND expires_at > ?
  RETURNING phone, status, guesses, created_at, expires_at`)

export function insert(id: string, to: string, code: string, now: number, expiresAt: number) {
  inserting.run(id, to, code, now, expiresAt)
}

export function judge(code: string, id: string, now: number, guessesMax: number): FloorRow | undefined {
  return judging.get(code, code, now, id, guessesMax, now) as FloorRow | undefined
}
