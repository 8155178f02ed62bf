import type { SqliteDatabase } from './database.ts'

/** All that a verification is made of; the digest stays in the database. */
export const COLUMNS = `id, service, phone, country, channel, purpose, locale, status, key_id, code_length, guesses,
  guesses_max, sends, sends_max, created_at, expires_at, resend_at, decided_at, nonce, metadata, terms`

/** The statements over verifications, compiled once. */
export function verificationStatements(db: SqliteDatabase) {
  return {
    find: db.prepare(`SELECT ${COLUMNS} FROM verifications WHERE id = ?`),
    findByPrefix: db.prepare(
      `SELECT ${COLUMNS} FROM verifications WHERE id >= ? AND id < ? ORDER BY id LIMIT 1`,
    ),
    pending: db.prepare(
      `SELECT ${COLUMNS} FROM verifications WHERE phone = ? AND service = ? AND purpose = ? AND status = 'pending'`,
    ),
    retire: db.prepare(
      `UPDATE verifications SET status = 'expired', decided_at = expires_at WHERE id = ? AND status = 'pending'`,
    ),
    insert: db.prepare(
      `INSERT INTO verifications (id, service, phone, country, channel, purpose, locale, status, key_id, digest,
         code_length, guesses, guesses_max, sends, sends_max, created_at, expires_at, resend_at, decided_at,
         nonce, metadata, terms, decision)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    resend: db.prepare(
      `UPDATE verifications
       SET sends = sends + :counts, channel = :channel,
         resend_at = CASE WHEN :counts = 1 THEN :resend_at ELSE resend_at END
       WHERE id = :id AND status = 'pending' AND expires_at > :now AND sends < sends_max
         AND (resend_at <= :now OR :early)
       RETURNING ${COLUMNS}`,
    ),
    retract: db.prepare(
      `UPDATE verifications SET sends = max(sends - 1, 0), resend_at = ? WHERE id = ? AND status = 'pending'`,
    ),
    end: db.prepare(
      `UPDATE verifications SET status = ?, decided_at = ?
       WHERE id = ? AND status = 'pending' AND expires_at > ? RETURNING ${COLUMNS}`,
    ),
    /** Count, compare and decide in one statement: whoever runs it first wins, and nobody is judged for free. */
    judge: db.prepare(
      `UPDATE verifications
       SET guesses = guesses + 1,
         (status, decided_at) = (SELECT
           CASE WHEN same THEN 'approved' WHEN guesses + 1 >= guesses_max THEN 'locked' ELSE 'pending' END,
           CASE WHEN same OR guesses + 1 >= guesses_max THEN :now END
           FROM (SELECT is_one_of(digest, :digests) AS same))
       WHERE id = :id AND status = 'pending' AND expires_at > :now AND guesses < guesses_max
       RETURNING status, guesses, decided_at, channel, sends, resend_at`,
    ),
    /** Its guess was judged in time, so nothing is asked about the time now; what was met as expired has ended. */
    approve: db.prepare(
      `UPDATE verifications SET status = 'approved', decided_at = ?
       WHERE id = ? AND status IN ('pending', 'locked') RETURNING ${COLUMNS}`,
    ),
    newestStatus: db.prepare(
      'SELECT status, decided_at FROM verifications WHERE phone = ? ORDER BY id DESC LIMIT 1',
    ),
    latest: db.prepare(
      `SELECT ${COLUMNS} FROM verifications WHERE phone = ? AND service = ? ORDER BY id DESC LIMIT 1`,
    ),
    latestOfPurpose: db.prepare(
      `SELECT ${COLUMNS} FROM verifications WHERE phone = ? AND service = ? AND purpose = ? ORDER BY id DESC LIMIT 1`,
    ),
    latestApproved: db.prepare(
      `SELECT ${COLUMNS} FROM verifications WHERE phone = ? AND service = ? AND status = 'approved'
       ORDER BY id DESC LIMIT 1`,
    ),
    listAll: db.prepare(
      `SELECT ${COLUMNS} FROM verifications WHERE service = ? AND id < ? ORDER BY id DESC LIMIT ?`,
    ),
    listPhone: db.prepare(
      `SELECT ${COLUMNS} FROM verifications WHERE phone = ? AND service = ? AND id < ? ORDER BY id DESC LIMIT ?`,
    ),
    budget: db.prepare('SELECT hits FROM guess_budgets WHERE phone = ?'),
    spendBudget: db.prepare(
      `INSERT INTO guess_budgets (phone, hits, expires_at) VALUES (?, ?, ?)
       ON CONFLICT (phone) DO UPDATE SET hits = excluded.hits, expires_at = excluded.expires_at`,
    ),
    giveBudget: db.prepare('UPDATE guess_budgets SET hits = ? WHERE phone = ?'),
  }
}
