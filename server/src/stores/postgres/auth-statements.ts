/** What is told of a user, a session, and an event. Every statement names its columns: a newer version may add some. */
const USER = 'id, email, name, phone, phone_verified_at, status, created_at, second_factors'
const ACCOUNT = `${USER}, password_hash, devices, version`
const SESSION =
  'id, user_id, amr, auth_at, factor_at, created_at, used_at, address, agent, expires_at, idle_until'
const TABLES = {
  users: USER,
  auth_events: 'id, type, user_id, session_id, actor, key_id, address, agent, data, at',
}

/** The database's clock, unless a test says otherwise in the parameter. */
const now = (parameter: string) => `coalesce(${parameter}::bigint, countersign.now_ms())`

const account = (column: string) => `SELECT ${ACCOUNT} FROM countersign.users WHERE ${column} = $1`

/** The statements over users. Those that take JSON have what it holds in auth-functions.ts. */
export const AUTH_SQL = {
  enter:
    'SELECT n, outcome, account, session, detached, is_email_taken FROM countersign.enter($1::text::json, $2, $3)',
  openSession: 'SELECT account, session FROM countersign.open_session($1::text::json, $2)',
  changeAccount: 'SELECT outcome, account, session FROM countersign.change_account($1::text::json, $2)',
  rotate: 'SELECT outcome, generation, session, account FROM countersign.rotate($1::text::json, $2)',
  endSessions: 'SELECT countersign.end_sessions($1::text::json, $2) AS ended',
  updateUser: 'SELECT outcome, account FROM countersign.update_user($1::text::json, $2)',
  setPassword: 'SELECT countersign.set_password($1::text::json, $2) AS is_set',
  changePhone: 'SELECT account, was, detached FROM countersign.change_phone($1::text::json, $2)',
  restorePhone: 'SELECT countersign.restore_phone($1::text::json, $2) AS account',
  setStatus: 'SELECT countersign.set_status($1::text::json, $2) AS account',
  deleteUser: 'SELECT countersign.delete_user($1::text::json, $2) AS is_deleted',
  putTicket: `SELECT countersign.keep_ticket($1::text::json, ${now('$2')})`,
  record: `SELECT countersign.record($1::text::json, $2, NULL, ${now('$3')})`,
  session: 'SELECT session, account FROM countersign.session($1, $2)',
  sessionsOf: `
    WITH clock AS (SELECT ${now('$2')} AS t)
    SELECT ${SESSION} FROM countersign.sessions, clock
    WHERE user_id = $1 AND idle_until > t ORDER BY id DESC`,
  endSession: `
    WITH clock AS (SELECT ${now('$4')} AS t),
    gone AS (
      DELETE FROM countersign.sessions USING clock WHERE id = $2 AND user_id = $1 RETURNING id, user_id, idle_until, t
    )
    SELECT countersign.record($3::text::json, user_id, id, t) FROM gone WHERE idle_until > t`,
  account: { id: account('id'), phone: account('phone'), email: account('email') },
  ticket: `
    SELECT id, kind, user_id, data FROM countersign.tickets WHERE id = $2 AND kind = $1 AND expires_at > ${now('$3')}`,
  takeTicket: `
    WITH clock AS (SELECT ${now('$3')} AS t),
    gone AS (
      DELETE FROM countersign.tickets USING clock WHERE id = $2 AND kind = $1
      RETURNING id, kind, user_id, data, expires_at, t
    )
    SELECT id, kind, user_id, data FROM gone WHERE expires_at > t`,
}

/**
 * One page of a table, newest first, and one row more, which tells whether another page follows. What is not asked for
 * is not in the statement, so that its plan is one for what is.
 */
export function pageOf(
  table: keyof typeof TABLES,
  {
    limit,
    cursor,
    where,
  }: {
    readonly limit: number
    readonly cursor: string | undefined
    readonly where: Readonly<Record<string, string | undefined>>
  },
): readonly [sql: string, parameters: readonly (string | number)[]] {
  const asked = [
    { wanted: 'id <', value: cursor },
    ...Object.entries(where).map(([column, value]) => ({ wanted: `${column} =`, value })),
  ].flatMap(({ wanted, value }) => (value === undefined ? [] : [{ wanted, value }]))
  const conditions = asked.map(({ wanted }, at) => `${wanted} $${at + 2}`).join(' AND ') || 'true'
  return [
    `SELECT ${TABLES[table]} FROM countersign.${table} WHERE ${conditions} ORDER BY id DESC LIMIT $1`,
    [limit + 1, ...asked.map(({ value }) => value)],
  ]
}
