import { AUTH_FUNCTIONS } from './auth-functions.ts'
import { FUNCTIONS } from './functions.ts'
import type { PostgresDatabase } from './database.ts'

/**
 * The schema, step by step, in a schema of its own beside whatever else the database holds. A step that has been
 * released is never edited: changes are new steps, and each leaves the version before able to work, because servers
 * of both run while a new one is rolled out. Times are milliseconds since the epoch. Ids begin with their time, so
 * rows made together lie together.
 *
 * Tables whose rows change often leave room on their pages, so that a change stays on its page and touches no index.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE countersign.verifications (
    id text PRIMARY KEY,
    service text NOT NULL,
    phone text NOT NULL,
    country text NOT NULL,
    channel text NOT NULL,
    purpose text NOT NULL,
    locale text,
    status text NOT NULL,
    key_id text NOT NULL,
    digest bytea NOT NULL,
    code_length int NOT NULL,
    guesses int NOT NULL,
    guesses_max int NOT NULL,
    sends int NOT NULL,
    sends_max int NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    resend_at bigint NOT NULL,
    decided_at bigint,
    nonce text,
    metadata text,
    decision text NOT NULL
  ) WITH (fillfactor = 85);
  CREATE UNIQUE INDEX verifications_pending ON countersign.verifications (phone, service, purpose)
    WHERE status = 'pending';
  CREATE INDEX verifications_phone ON countersign.verifications (phone, id);

  CREATE TABLE countersign.guess_budgets (
    phone text PRIMARY KEY,
    hits bigint[] NOT NULL,
    expires_at bigint NOT NULL
  ) WITH (fillfactor = 70);

  CREATE TABLE countersign.counters (
    key text PRIMARY KEY,
    hits bigint[] NOT NULL,
    expires_at bigint NOT NULL
  ) WITH (fillfactor = 70);

  -- Begins where rows that another store has numbered by hand have ended.
  CREATE SEQUENCE countersign.sends_seq START 1000;
  CREATE TABLE countersign.sends (
    owner text NOT NULL,
    seq bigint NOT NULL DEFAULT nextval('countersign.sends_seq'),
    id text NOT NULL,
    provider text NOT NULL,
    channel text NOT NULL,
    sender text,
    country text NOT NULL DEFAULT 'ZZ',
    cause text NOT NULL DEFAULT 'start',
    status text NOT NULL,
    error text,
    vendor_code text,
    ref text,
    at bigint NOT NULL,
    delivered_at bigint,
    price text,
    currency text,
    history text,
    lease_until bigint,
    fence int NOT NULL DEFAULT 1,
    PRIMARY KEY (owner, seq)
  ) WITH (fillfactor = 85);
  -- Holds the sends that something must be done about: those under way, and those that are watched.
  CREATE INDEX sends_due ON countersign.sends (lease_until) WHERE lease_until IS NOT NULL;
  -- Receipts find their send by the vendor's id, or by ours where the answer was lost.
  CREATE INDEX sends_ref ON countersign.sends (ref) WHERE ref IS NOT NULL;
  CREATE INDEX sends_lost ON countersign.sends (id) WHERE status IN ('unknown', 'refused');

  -- Those that wait for their send.
  CREATE TABLE countersign.receipts (
    provider text NOT NULL,
    ref text NOT NULL,
    progress text NOT NULL,
    send text,
    error text,
    vendor_code text,
    at bigint,
    price text,
    currency text,
    tried_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (ref, provider, progress)
  ) WITH (fillfactor = 70);
  CREATE INDEX receipts_tried ON countersign.receipts (tried_at);
  CREATE INDEX receipts_expiry ON countersign.receipts (expires_at);

  CREATE TABLE countersign.messages (
    id text PRIMARY KEY,
    service text NOT NULL,
    phone text NOT NULL,
    channel text NOT NULL,
    template text,
    segments int NOT NULL,
    created_at bigint NOT NULL
  );

  CREATE TABLE countersign.claims (
    key text PRIMARY KEY,
    fingerprint text NOT NULL,
    verification_id text,
    answer text,
    expires_at bigint NOT NULL,
    lease_until bigint NOT NULL
  ) WITH (fillfactor = 70);

  CREATE TABLE countersign.api_keys (
    id text PRIMARY KEY,
    service text NOT NULL,
    kind text NOT NULL,
    hash text NOT NULL UNIQUE,
    hint text NOT NULL,
    origins text NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint
  );

  CREATE TABLE countersign.users (
    id text PRIMARY KEY,
    email text,
    name text,
    phone text,
    phone_verified_at bigint,
    status text NOT NULL,
    password_hash text,
    second_factors text,
    devices text NOT NULL DEFAULT '[]',
    version int NOT NULL DEFAULT 0,
    created_at bigint NOT NULL
  ) WITH (fillfactor = 85);
  -- Whoever has a number or an e-mail is the only one, which is what sign-ins of two processes at once rest on.
  CREATE UNIQUE INDEX users_phone ON countersign.users (phone) WHERE phone IS NOT NULL;
  CREATE UNIQUE INDEX users_email ON countersign.users (email) WHERE email IS NOT NULL;
  -- Few are shut, and whoever asks for them must not read all the others.
  CREATE INDEX users_status ON countersign.users (status, id);

  CREATE TABLE countersign.sessions (
    id text PRIMARY KEY,
    user_id text NOT NULL,
    amr text NOT NULL,
    auth_at bigint NOT NULL,
    factor_at bigint,
    created_at bigint NOT NULL,
    used_at bigint NOT NULL,
    address text NOT NULL,
    agent text NOT NULL,
    generation int NOT NULL,
    rotated_at bigint,
    expires_at bigint NOT NULL,
    idle_until bigint NOT NULL
  );
  CREATE INDEX sessions_user ON countersign.sessions (user_id, id);
  CREATE INDEX sessions_expiry ON countersign.sessions (idle_until);

  CREATE TABLE countersign.tickets (
    id text NOT NULL,
    kind text NOT NULL,
    user_id text,
    data text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (id, kind)
  );
  CREATE INDEX tickets_user ON countersign.tickets (user_id) WHERE user_id IS NOT NULL;
  CREATE INDEX tickets_expiry ON countersign.tickets (expires_at);

  CREATE TABLE countersign.auth_events (
    id text PRIMARY KEY,
    type text NOT NULL,
    user_id text,
    session_id text,
    actor text NOT NULL,
    key_id text,
    address text,
    agent text,
    data text NOT NULL,
    at bigint NOT NULL
  );
  CREATE INDEX auth_events_user ON countersign.auth_events (user_id, id) WHERE user_id IS NOT NULL;
  CREATE INDEX auth_events_type ON countersign.auth_events (type, id);

  -- What the processes have judged, a row a second.
  CREATE TABLE countersign.tallies (
    slot bigint PRIMARY KEY,
    judged bigint NOT NULL,
    wrong bigint NOT NULL,
    expires_at bigint NOT NULL
  );

  -- Work that one process at a time does for all.
  CREATE TABLE countersign.leases (
    name text PRIMARY KEY,
    lease_until bigint NOT NULL
  );
  `,
  // What tenants keep here: their services, and what belongs to these; and what of a verification is its tenant's own.
  `
  ALTER TABLE countersign.verifications ADD COLUMN terms text;

  CREATE TABLE countersign.records (
    id text PRIMARY KEY,
    kind text NOT NULL,
    parent text NOT NULL,
    name text,
    body text NOT NULL,
    version int NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    due_at bigint,
    expires_at bigint
  );
  CREATE UNIQUE INDEX records_name ON countersign.records (parent, kind, name) WHERE name IS NOT NULL;
  CREATE INDEX records_parent ON countersign.records (parent, kind, id);
  CREATE INDEX records_due ON countersign.records (kind, due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX records_expiry ON countersign.records (expires_at) WHERE expires_at IS NOT NULL;
  `,
]

/** The schema this binary was written for. */
export const SCHEMA_VERSION = MIGRATIONS.length

/** Any number will do, as long as nobody else locks it. */
const LOCK = 7_236_411_902

/** How far the schema of a database has come; 0 where there is none yet. Changes nothing. */
export async function schemaVersion(db: PostgresDatabase): Promise<number> {
  const [found] = await db.read(`SELECT to_regclass('countersign.schema_version') IS NOT NULL AS made`)
  if (found?.['made'] !== true) return 0
  const [row] = await db.read('SELECT version FROM countersign.schema_version')
  return Number(row?.['version'] ?? 0)
}

/**
 * Brings the schema up to date, all steps in one transaction under a lock: of many processes that start at once, one
 * works and the others find nothing left. Throws when the database was made by a newer version.
 */
export async function migrate(db: PostgresDatabase): Promise<{ from: number; to: number }> {
  const current = await schemaVersion(db)
  if (current === SCHEMA_VERSION) return { from: current, to: current }
  return db.transaction(async (run) => {
    await run(`SELECT pg_advisory_xact_lock(${LOCK})`)
    await run('CREATE SCHEMA IF NOT EXISTS countersign')
    await run('CREATE TABLE IF NOT EXISTS countersign.schema_version (version int NOT NULL)')
    const [row] = await run('SELECT version FROM countersign.schema_version')
    const from = Number(row?.['version'] ?? 0)
    if (from > SCHEMA_VERSION) {
      throw new Error(
        `the database has schema ${from}, made by a newer version; this one knows ${SCHEMA_VERSION}`,
      )
    }
    if (!row) await run('INSERT INTO countersign.schema_version (version) VALUES (0)')
    for (const step of MIGRATIONS.slice(from)) await run(step)
    await run(FUNCTIONS + AUTH_FUNCTIONS)
    await run(`UPDATE countersign.schema_version SET version = ${SCHEMA_VERSION}`)
    return { from, to: SCHEMA_VERSION }
  })
}
