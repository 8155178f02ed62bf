-- Schema 5 of SQLite as it was released. Never edited: see upgrades.test.ts.

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
  

  ALTER TABLE sends ADD COLUMN lease_until INTEGER;
  ALTER TABLE sends ADD COLUMN fence INTEGER NOT NULL DEFAULT 1;
  CREATE INDEX sends_sending ON sends (lease_until) WHERE status = 'sending';
  

  CREATE TABLE tallies (
    slot INTEGER PRIMARY KEY,
    judged INTEGER NOT NULL,
    wrong INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT;
  

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
  