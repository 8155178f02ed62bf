import type { SqliteDatabase } from './database.ts'

/**
 * The schema, step by step. A step that has been released is never edited: changes are new steps.
 * Times are milliseconds since the epoch. Ids begin with their time, so rows made together lie together.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE verifications (
    id TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    phone TEXT NOT NULL,
    country TEXT NOT NULL,
    channel TEXT NOT NULL,
    purpose TEXT NOT NULL,
    locale TEXT,
    status TEXT NOT NULL,
    key_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    code_length INTEGER NOT NULL,
    guesses INTEGER NOT NULL,
    guesses_max INTEGER NOT NULL,
    sends INTEGER NOT NULL,
    sends_max INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    resend_at INTEGER NOT NULL,
    decided_at INTEGER,
    nonce TEXT,
    metadata TEXT,
    decision TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX verifications_pending ON verifications (phone, service, purpose) WHERE status = 'pending';
  CREATE INDEX verifications_phone ON verifications (phone, id);

  CREATE TABLE guess_budgets (
    phone TEXT PRIMARY KEY,
    hits TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE counters (
    key TEXT PRIMARY KEY,
    hits TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE sends (
    owner TEXT NOT NULL,
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    provider TEXT NOT NULL,
    channel TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    vendor_code TEXT,
    ref TEXT,
    at INTEGER NOT NULL,
    delivered_at INTEGER,
    price TEXT,
    currency TEXT,
    PRIMARY KEY (owner, seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    phone TEXT NOT NULL,
    channel TEXT NOT NULL,
    template TEXT,
    segments INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE claims (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    verification_id TEXT,
    answer TEXT,
    expires_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    kind TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    origins TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
  ) STRICT, WITHOUT ROWID;
  `,
  // A send belongs to a process for a while; whose process died is found by this index, which holds nothing else.
  `
  ALTER TABLE sends ADD COLUMN lease_until INTEGER;
  ALTER TABLE sends ADD COLUMN fence INTEGER NOT NULL DEFAULT 1;
  CREATE INDEX sends_sending ON sends (lease_until) WHERE status = 'sending';
  `,
  // What the processes on one file have judged, a row a second.
  `
  CREATE TABLE tallies (
    slot INTEGER PRIMARY KEY,
    judged INTEGER NOT NULL,
    wrong INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT;
  `,
  // A lease is now on every send that something must be done about, whatever its status; until this step it stayed
  // where it had been. Receipts find their send by the vendor's id, or by ours where the answer was lost.
  `
  ALTER TABLE sends ADD COLUMN sender TEXT;
  ALTER TABLE sends ADD COLUMN country TEXT NOT NULL DEFAULT 'ZZ';
  ALTER TABLE sends ADD COLUMN cause TEXT NOT NULL DEFAULT 'start';
  ALTER TABLE sends ADD COLUMN history TEXT;
  UPDATE sends SET lease_until = NULL WHERE status <> 'sending';
  DROP INDEX sends_sending;
  CREATE INDEX sends_due ON sends (lease_until) WHERE lease_until IS NOT NULL;
  CREATE INDEX sends_ref ON sends (ref) WHERE ref IS NOT NULL;
  CREATE INDEX sends_lost ON sends (id) WHERE status IN ('unknown', 'refused');

  CREATE TABLE receipts (
    provider TEXT NOT NULL,
    ref TEXT NOT NULL,
    progress TEXT NOT NULL,
    send TEXT,
    error TEXT,
    vendor_code TEXT,
    at INTEGER,
    price TEXT,
    currency TEXT,
    tried_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (ref, provider, progress)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX receipts_tried ON receipts (tried_at);
  CREATE INDEX receipts_expiry ON receipts (expires_at);
  `,
  // Users and how they sign in. A session's `idle_until` is never later than its `expires_at`, and so is its end.
  `
  CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT,
    name TEXT,
    phone TEXT,
    phone_verified_at INTEGER,
    status TEXT NOT NULL,
    password_hash TEXT,
    second_factors TEXT,
    devices TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX users_phone ON users (phone) WHERE phone IS NOT NULL;
  CREATE UNIQUE INDEX users_email ON users (email) WHERE email IS NOT NULL;
  CREATE INDEX users_status ON users (status, id);

  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    amr TEXT NOT NULL,
    auth_at INTEGER NOT NULL,
    factor_at INTEGER,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    generation INTEGER NOT NULL,
    rotated_at INTEGER,
    expires_at INTEGER NOT NULL,
    idle_until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_user ON sessions (user_id, id);
  CREATE INDEX sessions_end ON sessions (idle_until);

  CREATE TABLE tickets (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    user_id TEXT,
    data TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (id, kind)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tickets_user ON tickets (user_id) WHERE user_id IS NOT NULL;
  CREATE INDEX tickets_expiry ON tickets (expires_at);

  CREATE TABLE auth_events (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    user_id TEXT,
    session_id TEXT,
    actor TEXT NOT NULL,
    key_id TEXT,
    address TEXT,
    agent TEXT,
    data TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX auth_events_user ON auth_events (user_id, id) WHERE user_id IS NOT NULL;
  CREATE INDEX auth_events_type ON auth_events (type, id);
  `,
  // What tenants keep here: their services, and what belongs to these; and what of a verification is its tenant's own.
  `
  ALTER TABLE verifications ADD COLUMN terms TEXT;

  CREATE TABLE records (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    parent TEXT NOT NULL,
    name TEXT,
    body TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    due_at INTEGER,
    expires_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX records_name ON records (parent, kind, name) WHERE name IS NOT NULL;
  CREATE INDEX records_parent ON records (parent, kind, id);
  CREATE INDEX records_due ON records (kind, due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX records_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;
  `,
]

/** The schema this binary was written for. */
export const SCHEMA_VERSION = MIGRATIONS.length

/** How far the schema of a file has come; 0 for a new file. */
export function schemaVersion(db: SqliteDatabase): number {
  const row = db.prepare('PRAGMA user_version').get()
  return Number(row?.['user_version'] ?? 0)
}

/** Writes what is there: a transaction that changes no page does not reach the disk, and so not one that is full. */
export function writeVersionAgain(db: SqliteDatabase): void {
  db.exec(`PRAGMA user_version = ${schemaVersion(db)}`)
}

/**
 * Brings the schema up to date, each step in its own transaction. Two processes may do this at once: the second
 * waits for the first and finds nothing left. Throws when the file was made by a newer version.
 */
export function migrate(db: SqliteDatabase): { from: number; to: number } {
  const from = schemaVersion(db)
  for (;;) {
    db.exec('BEGIN IMMEDIATE')
    try {
      const version = schemaVersion(db)
      if (version > SCHEMA_VERSION) {
        throw new Error(
          `the database has schema ${version}, made by a newer version; this one knows ${SCHEMA_VERSION}`,
        )
      }
      const step = MIGRATIONS[version]
      if (step !== undefined) db.exec(`${step}; PRAGMA user_version = ${version + 1}`)
      db.exec('COMMIT')
      if (step === undefined) return { from, to: SCHEMA_VERSION }
    } catch (error) {
      db.exec('ROLLBACK')
      throw error
    }
  }
}
