import type { PlannedSend } from '../../messaging/store.ts'

/** All that a verification is made of; the digest stays in the database. */
export const COLUMNS = `
  id, service, phone, country, channel, purpose, locale, status, key_id, code_length, guesses, guesses_max,
  sends, sends_max, created_at, expires_at, resend_at, decided_at, nonce, metadata, terms`

/** What is planned of a send, in the order of `packPlanned`. */
export const PLANNED = 'id, provider, channel, sender, country, cause, price, currency'

/** The database's clock, unless a test says otherwise in the parameter. */
const now = (parameter: string) => `coalesce(${parameter}::bigint, countersign.now_ms())`

/** What is planned of a send, or as many nulls where none is. */
export function packPlanned(send?: PlannedSend): readonly (string | null)[] {
  return [
    send?.id ?? null,
    send?.provider ?? null,
    send?.channel ?? null,
    send?.sender ?? null,
    send?.country ?? null,
    send?.cause ?? null,
    send?.price?.amount ?? null,
    send?.price?.currency ?? null,
  ]
}

/** What a verification's status is at a time, whoever has or has not swept it. */
const statusAt = (time: string) =>
  `CASE WHEN status = 'pending' AND expires_at <= ${time} THEN 'expired' ELSE status END`

/**
 * The statements over verifications. Every one names its columns, because a newer version may have added some.
 * `t` is the time of the answer.
 */
export const SQL = {
  now: 'SELECT countersign.now_ms() AS t',
  find: `SELECT ${now('$2')} AS t, ${COLUMNS} FROM countersign.verifications WHERE id = $1`,
  findByPrefix: `
    SELECT ${now('$3')} AS t, ${COLUMNS} FROM countersign.verifications
    WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 1`,
  situation:
    'SELECT n, t, newest_status, newest_decided_at, current FROM countersign.situation($1::text::json, $2)',
  open: 'SELECT n, is_opened, refused, opens_at, at, current FROM countersign.open($1::text::json, $2, $3)',
  judge: 'SELECT n, verdict, opens_at, t, verification, sends FROM countersign.judge($1::text::json, $2, $3)',
  resend: `
    WITH clock AS (SELECT ${now('$4')} AS t),
    again AS (
      UPDATE countersign.verifications
      SET sends = sends + CASE WHEN $7::text IS NULL THEN 0 ELSE 1 END, channel = $2,
        resend_at = CASE WHEN $7::text IS NULL THEN resend_at ELSE t + $3::bigint END
      FROM clock
      WHERE id = $1 AND status = 'pending' AND expires_at > t AND sends < sends_max
        AND (resend_at <= t OR $5::boolean)
      RETURNING t, ${COLUMNS}
    ),
    planned AS (
      INSERT INTO countersign.sends (owner, status, at, lease_until, ${PLANNED})
      SELECT $1, 'sending', t, t + $6::bigint, $7::text, $8::text, $9::text, $10::text, $11::text, $12::text,
        $13::text, $14::text
      FROM again WHERE $7::text IS NOT NULL
    )
    SELECT * FROM again`,
  retract: `
    UPDATE countersign.verifications SET sends = greatest(sends - 1, 0), resend_at = ${now('$2')}
    WHERE id = $1 AND status = 'pending'`,
  end: `
    WITH clock AS (SELECT ${now('$3')} AS t)
    UPDATE countersign.verifications SET status = $2, decided_at = t FROM clock
    WHERE id = $1 AND status = 'pending' AND expires_at > t
    RETURNING t, ${COLUMNS}`,
  /** Its guess was judged in time, so nothing is asked about the time now; what was met as expired has ended. */
  approve: `
    WITH clock AS (SELECT ${now('$2')} AS t),
    approved AS (
      UPDATE countersign.verifications SET status = 'approved', decided_at = t FROM clock
      WHERE id = $1 AND status IN ('pending', 'locked')
      RETURNING t, ${COLUMNS}
    ),
    given AS (
      UPDATE countersign.guess_budgets AS b SET hits = b.hits[2:] FROM approved WHERE b.phone = approved.phone
    )
    SELECT * FROM approved`,
  latest: `
    SELECT ${now('$3')} AS t, ${COLUMNS} FROM countersign.verifications
    WHERE phone = $1 AND service = $2 ORDER BY id DESC LIMIT 1`,
  latestApproved: `
    SELECT ${now('$3')} AS t, ${COLUMNS} FROM countersign.verifications
    WHERE phone = $1 AND service = $2 AND status = 'approved' ORDER BY id DESC LIMIT 1`,
  /** Looks at no more rows than the window, so that a rare status cannot hold the database. */
  list: `
    WITH clock AS (SELECT ${now('$6')} AS t)
    SELECT t, ${COLUMNS} FROM clock, (
      SELECT ${COLUMNS} FROM countersign.verifications
      WHERE service = $1 AND id < $2 ORDER BY id DESC LIMIT $3
    ) AS looked
    WHERE $4::text IS NULL OR ${statusAt('t')} = $4 LIMIT $5`,
  listPhone: `
    WITH clock AS (SELECT ${now('$6')} AS t)
    SELECT t, ${COLUMNS} FROM clock, (
      SELECT ${COLUMNS} FROM countersign.verifications
      WHERE service = $1 AND phone = $7 AND id < $2 ORDER BY id DESC LIMIT $3
    ) AS looked
    WHERE $4::text IS NULL OR ${statusAt('t')} = $4 LIMIT $5`,
  /** Where a page ends that found too little in its window; null when there is nothing beyond. */
  windowEnd: `
    SELECT id FROM countersign.verifications
    WHERE service = $1 AND id < $2 AND ($4::text IS NULL OR phone = $4) ORDER BY id DESC OFFSET $3 - 1 LIMIT 1`,
  budget: `
    SELECT ${now('$2')} AS t, hits FROM (SELECT 1) AS one
    LEFT JOIN countersign.guess_budgets ON phone = $1`,
}
