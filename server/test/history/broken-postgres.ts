import postgres from 'postgres'
import { freshPostgres } from '../helpers/services.ts'
import type { Ground } from './ground.ts'
import { readPostgres } from './on-postgres.ts'

/** A fault put into a function of the store: this text of it becomes that. Finding it no more is an error. */
type Change = { readonly of: string; readonly from: string; readonly to: string }

/** Guesses are read, thought about and written, and the number's budget is not asked. */
export const READ_THEN_WRITE: readonly Change[] = [
  {
    of: 'judge',
    from: 'WHERE id = g.id FOR UPDATE;',
    to: 'WHERE id = g.id; PERFORM pg_sleep(0.02);',
  },
  { of: 'judge', from: 'SET guesses = guesses + 1', to: 'SET guesses = v.guesses + 1' },
  { of: 'judge', from: 'is_limited := NOT v.phone = ANY (g.unlimited);', to: 'is_limited := false;' },
  { of: 'judge', from: 'PERFORM countersign.hold_guesses(p_guesses);', to: '' },
]

/** Ends are not kept and not looked at; starts are not limited, not claimed, and look for nothing that is pending. */
export const FORGETFUL: readonly Change[] = [
  { of: 'judge', from: "v.status = 'pending' AND v.expires_at <= t", to: 'false' },
  // Opened so long ago that 1.5 s are left of the life.
  {
    of: 'open',
    from: 'at := countersign.hold(keys, p_now);',
    to: 'at := countersign.hold(keys, p_now) - 28500;',
  },
  { of: 'open', from: 'IF FOUND AND v.expires_at > at THEN', to: 'IF false THEN' },
  {
    of: 'open',
    from: "UPDATE countersign.verifications AS p SET status = 'expired'",
    to: "UPDATE countersign.verifications AS p SET status = 'pending'",
  },
  { of: 'open', from: "ON CONFLICT (phone, service, purpose) WHERE status = 'pending' DO NOTHING", to: '' },
  { of: 'refusal', from: 'IF room > t AND', to: 'IF false AND' },
  {
    of: 'claim',
    from: 'IF c.fingerprint <> p_fingerprint THEN',
    to: "IF true THEN state := 'mine'; ELSIF false THEN",
  },
]

/** What the second of these needs besides. */
const NO_ORDER = `
  DROP INDEX countersign.verifications_pending;
  CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE countersign.verifications SET status = 'pending', decided_at = NULL WHERE id = NEW.id;
    RETURN NULL;
  END $$;
  CREATE TRIGGER forget AFTER UPDATE ON countersign.verifications
    FOR EACH ROW WHEN (NEW.status IN ('approved', 'canceled')) EXECUTE FUNCTION forget()`

/** A Postgres whose functions are broken, by `break`, once the servers have made them. */
export async function onBrokenPostgres(
  changes: readonly Change[],
): Promise<Ground & { readonly break: () => Promise<void> }> {
  const { url, drop } = await freshPostgres()
  return {
    seats: [0, 300, -300].map((clockSeconds) => ({ clockSeconds, settings: { DATABASE_URL: url } })),
    faults: [],
    break: async () => {
      const sql = postgres(url, { max: 1, onnotice: () => {} })
      try {
        for (const change of changes) await apply(sql, change)
        if (changes === FORGETFUL) await sql.unsafe(NO_ORDER)
      } finally {
        await sql.end()
      }
    },
    clockErrorMs: 0,
    read: () => readPostgres(url),
    end: drop,
  }
}

async function apply(sql: postgres.Sql, { of, from, to }: Change): Promise<void> {
  const [found] = await sql`
    SELECT pg_get_functiondef(oid) AS source FROM pg_proc
    WHERE pronamespace = 'countersign'::regnamespace AND proname = ${of}`
  const source = String(found?.['source'])
  if (!source.includes(from)) throw new Error(`countersign.${of} does not hold ${from}`)
  await sql.unsafe(source.replaceAll(from, () => to))
}
