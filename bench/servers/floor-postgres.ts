import postgres from 'postgres'
import type { FloorRow } from './floor.ts'
import { required } from './sqlite.ts'

const sql = postgres(required('DATABASE_URL'), {
  onnotice: () => {},
  types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
})
await sql`CREATE TABLE IF NOT EXISTS verification (
  id text PRIMARY KEY, phone text NOT NULL, code text NOT NULL, status text NOT NULL, guesses int NOT NULL,
  created_at bigint NOT NULL, expires_at bigint NOT NULL, decided_at bigint
)`

export async function insert(id: string, to: string, code: string, now: number, expiresAt: number) {
  await sql`INSERT INTO verification VALUES (${id}, ${to}, ${code}, 'pending', 0, ${now}, ${expiresAt}, NULL)`
}

/** Counts the guess and decides in one statement, so that racing checks approve once. */
export async function judge(
  code: string,
  id: string,
  now: number,
  guessesMax: number,
): Promise<FloorRow | undefined> {
  const [row] = await sql<FloorRow[]>`UPDATE verification SET
      guesses = guesses + 1,
      status = CASE WHEN code = ${code} THEN 'approved' ELSE status END,
      decided_at = CASE WHEN code = ${code} THEN ${now}::bigint END
    WHERE id = ${id} AND status = 'pending' AND guesses < ${guessesMax} AND expires_at > ${now}
    RETURNING phone, status, guesses, created_at, expires_at`
  return row
}
