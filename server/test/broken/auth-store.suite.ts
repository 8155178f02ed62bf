import { SqliteAuth } from '../../src/stores/sqlite/auth.ts'
import { SqlitePurge } from '../../src/stores/sqlite/purge.ts'
import { describeAuthStore } from '../conformance/auth-store.ts'
import { RETENTION } from '../conformance/auth/world.ts'
import { AUTH_TWINS } from './auth-twins.ts'
import { MiswrittenSqlite, type Slip } from './miswritten-sqlite.ts'

// Twins of the SQLite store, each with one step made wrong. See `verify-store.suite.ts`.

const SLIPS: Record<string, Slip> = {
  right: ['', ''],
  'proof-not-renewed': ['phone_verified_at = ?', 'phone_verified_at = coalesce(phone_verified_at, ?)'],
  // Who has lost a number seems to have proven it.
  'proof-kept': ['SET phone = NULL, phone_verified_at = NULL', 'SET phone = NULL'],
  'agent-forgotten': [':address, :agent, :generation', ":address, coalesce('', :agent), :generation"],
  // A session that was not used for a month is good.
  'idle-not-seen': ['AND idle_until > ? ORDER BY id DESC', 'AND ? > 0 ORDER BY id DESC'],
  'sessions-of-anyone': [
    'FROM sessions WHERE user_id = ? AND idle_until',
    "FROM sessions WHERE ? > '' AND idle_until",
  ],
  'oldest-session-first': ['idle_until > ? ORDER BY id DESC', 'idle_until > ? ORDER BY id'],
  // Ends the session of whoever (OWASP API1, broken object level authorization).
  'ends-strangers': [
    'WHERE id = ? AND user_id = ? RETURNING idle_until',
    "WHERE id = ? AND ? > '' RETURNING idle_until",
  ],
  'ends-all-of-everyone': ['WHERE user_id = ? AND id <> ? RETURNING', "WHERE ? > '' AND id <> ? RETURNING"],
  'ends-none': ['WHERE user_id = ? AND id <> ? RETURNING', 'WHERE user_id = ? AND id <> ? AND 0 RETURNING'],
  'ends-the-kept-too': ['AND id <> ? RETURNING', 'AND ? IS NOT NULL RETURNING'],
  // An ended session that the clock, set back, brings to life again.
  'not-retired': [
    'DELETE FROM sessions WHERE id = ? AND idle_until <= ?',
    'DELETE FROM sessions WHERE id = ? AND ? < 0',
  ],
  // A session that is used lasts for ever.
  'outlives-its-life': [
    'idle_until = :idle_until WHERE',
    'idle_until = coalesce(:idle_until, 0) + 86400000 WHERE',
  ],
  'idle-not-renewed': [
    'idle_until = :idle_until WHERE',
    'idle_until = coalesce(idle_until, :idle_until) WHERE',
  ],
  'use-not-noted': ['used_at = :now, address', 'used_at = coalesce(used_at, :now), address'],
  'generation-stays': [
    'SET generation = generation + 1, rotated_at',
    'SET generation = generation, rotated_at',
  ],
  'found-by-no-e-mail': ['FROM users WHERE email = ?', 'FROM users WHERE email = upper(?)'],
  'oldest-user-first': ['FROM users WHERE id < ? ORDER BY id DESC', 'FROM users WHERE id < ? ORDER BY id'],
  'any-status': ['FROM users WHERE status = ? AND', "FROM users WHERE ? > '' AND"],
  // What was given once cannot be taken away.
  'never-cleared': [
    'SET name = ?, email = ? WHERE',
    'SET name = coalesce(?, name), email = coalesce(?, email) WHERE',
  ],
  // A password is set by whoever asks last.
  'password-unconditional': ['AND password_hash IS :from', "AND coalesce(:from, '') IS NOT NULL"],
  'password-of-shut': ["AND status = 'active' AND password_hash", 'AND password_hash'],
  // Whoever had a device in their hands comes in with it, whatever was done about that.
  'devices-outlive-password': ['coalesce(:devices, devices)', 'coalesce(devices, :devices)'],
  'devices-outlive-change': [
    "SET phone = ?, phone_verified_at = ?, devices = '[]'",
    'SET phone = ?, phone_verified_at = ?, devices = devices',
  ],
  'devices-outlive-loss': ["phone_verified_at = NULL, devices = '[]'", 'phone_verified_at = NULL'],
  'devices-outlive-shutting': ["SET status = ?, devices = '[]'", 'SET status = ?'],
  'hash-forgets-devices': ['coalesce(:devices, devices)', "coalesce(:devices, '[]')"],
  'entry-forgets-devices': [
    'SET phone_verified_at = ? WHERE',
    "SET phone_verified_at = ?, devices = '[]', version = version + 1 WHERE",
  ],
  // What was decided on what is so no more is done.
  'no-version-of-password': [
    'coalesce(:devices, devices), version = version + 1',
    'coalesce(:devices, devices)',
  ],
  'no-version-of-number': [
    "SET phone = ?, phone_verified_at = ?, devices = '[]', version = version + 1",
    "SET phone = ?, phone_verified_at = ?, devices = '[]'",
  ],
  'no-version-of-loss': [
    "phone_verified_at = NULL, devices = '[]', version = version + 1",
    "phone_verified_at = NULL, devices = '[]'",
  ],
  'no-version-of-status': [
    "SET status = ?, devices = '[]', version = version + 1",
    "SET status = ?, devices = '[]'",
  ],
  'no-version-of-change': ['version = :version', 'version = coalesce(version, :version)'],
  // Whoever has lost a number is asked for no second factor from then on.
  'factors-lost-with-number': [
    'phone_verified_at = NULL,',
    'phone_verified_at = NULL, second_factors = NULL,',
  ],
  'factors-lost-with-password': [
    'SET password_hash = :to,',
    'SET password_hash = :to, second_factors = NULL,',
  ],
  'factors-never-cleared': [
    'second_factors = :second_factors',
    'second_factors = coalesce(:second_factors, second_factors)',
  ],
  'proof-not-renewed-by-change': [
    'phone_verified_at = :phone_verified_at',
    'phone_verified_at = coalesce(phone_verified_at, :phone_verified_at)',
  ],
  'factor-not-noted': [':auth_at, :factor_at', ':auth_at, nullif(:factor_at, :factor_at)'],
  // A second factor was shown for as long as the session is used.
  'factor-shown-by-use': ['used_at = :now, address', 'used_at = :now, factor_at = :now, address'],
  'ticket-of-any-kind': ['WHERE kind = ? AND id = ? RETURNING', "WHERE ? > '' AND id = ? RETURNING"],
  'ticket-for-ever': [
    'AND id = ? RETURNING *',
    'AND id = ? RETURNING id, kind, user_id, data, created_at, expires_at + 10000000000 AS expires_at',
  ],
  'first-ticket-stays': [
    'data = excluded.data, created_at = excluded.created_at, expires_at = excluded.expires_at',
    'data = tickets.data, created_at = excluded.created_at, expires_at = excluded.expires_at',
  ],
  'time-of-first-ticket': ['expires_at = excluded.expires_at', 'expires_at = tickets.expires_at'],
  'tickets-stay': ['DELETE FROM tickets WHERE user_id = ?', 'DELETE FROM tickets WHERE 0 = ?'],
  // Whoever has stolen an account takes back that it was taken back.
  'undo-by-turns': ['AND kind = ? AND created_at >= ?', 'AND kind = ? AND ? < 0'],
  // Whoever has stolen an account takes its owner's way back by using their own.
  'undo-takes-all': ['AND kind = ? AND created_at >= ?', 'AND kind = ? AND ? > 0'],
  'user-of-ticket-forgotten': [
    'VALUES (:id, :kind, :user_id, :data, :created_at',
    'VALUES (:id, :kind, nullif(:user_id, :user_id), :data, :created_at',
  ],
  'ticket-not-used-up': [
    'DELETE FROM tickets WHERE kind = ? AND id = ? RETURNING *',
    'SELECT * FROM tickets WHERE kind = ? AND id = ?',
  ],
  'session-not-named': [
    ':type, :user_id, :session_id, :actor',
    ':type, :user_id, nullif(:session_id, :session_id), :actor',
  ],
  'key-forgotten': [':actor, :key_id,', ':actor, nullif(:key_id, :key_id),'],
  'log-keeps-all': ["SET address = NULL, agent = NULL, data = '{}' WHERE", 'SET address = address WHERE'],
  'log-blanks-all': ["data = '{}' WHERE user_id = ?", "data = '{}' WHERE ? > ''"],
  'oldest-event-first': [
    'FROM auth_events WHERE id < ? ORDER BY id DESC',
    'FROM auth_events WHERE id < ? ORDER BY id',
  ],
  'events-of-anyone': ['FROM auth_events WHERE user_id = ? AND id', "FROM auth_events WHERE ? > '' AND id"],
  'events-of-any-type': ['FROM auth_events WHERE type = ? AND id', "FROM auth_events WHERE ? > '' AND id"],
  'events-of-user-or-type': ['user_id = ? AND +type = ? AND', '(user_id = ? OR type = ?) AND'],
  'sweeps-live-sessions': ['FROM sessions WHERE idle_until <= ? LIMIT', 'FROM sessions WHERE ? > 0 LIMIT'],
  'sweeps-no-sessions': ['FROM sessions WHERE idle_until <= ? LIMIT', 'FROM sessions WHERE ? < 0 LIMIT'],
  'sweeps-good-tickets': ['FROM tickets WHERE expires_at <= ? LIMIT', 'FROM tickets WHERE ? > 0 LIMIT'],
  'sweeps-no-tickets': ['FROM tickets WHERE expires_at <= ? LIMIT', 'FROM tickets WHERE ? < 0 LIMIT'],
  'sweeps-all-events': [
    'FROM auth_events WHERE id < ? ORDER BY id LIMIT',
    "FROM auth_events WHERE ? > '' ORDER BY id LIMIT",
  ],
  'sweeps-no-events': [
    'FROM auth_events WHERE id < ? ORDER BY id LIMIT',
    "FROM auth_events WHERE ? < '' ORDER BY id LIMIT",
  ],
}

function describeTwin(name: string, slip?: Slip): void {
  const Auth = AUTH_TWINS[name] ?? SqliteAuth
  describeAuthStore(name, async (clock) => {
    const db = new MiswrittenSqlite(slip)
    const auth = new Auth(db, clock)
    const purge = new SqlitePurge(db, clock, RETENTION)
    return { auth, other: auth, sweep: () => purge.sweep(), close: async () => db.close() }
  })
}

for (const [name, slip] of Object.entries(SLIPS)) describeTwin(name, slip)
for (const name of Object.keys(AUTH_TWINS)) describeTwin(name)
