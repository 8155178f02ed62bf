import postgres, { type Sql } from 'postgres'
import { number, text } from '../rows.ts'
import type { Finding } from '../store.ts'
import { ANSWER_MS, STATEMENT_TIMEOUT_MS } from './database.ts'

const CONNECT_TIMEOUT_SECONDS = 2

type Inspected = {
  readonly url: string
  readonly poolSize: number
  readonly prepare: boolean
  /** Processes of this machine that each open a pool. */
  readonly processes: number
}

/** Looks at what Postgres is and at how it is set up. Writes nothing. Rejects when it cannot be reached. */
export async function inspectPostgres(inspected: Inspected): Promise<readonly Finding[]> {
  const sql = connect(inspected.url)
  try {
    const [row] = await sql`
      SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
        current_setting('synchronous_commit') AS commit, pg_backend_pid() AS pid,
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS connections`
    if (!row) return []
    const isPooled = await sharesConnections(inspected.url, number(row, 'pid'))
    return [
      { level: 'ok', detail: `Postgres ${text(row, 'version').split(' ')[0]}` },
      ...(isPooled
        ? [poolerFinding(inspected.prepare)]
        : [poolFinding(inspected, number(row, 'connections'))]),
      await inspectStatementTimeout(inspected),
      ...durabilityFindings(text(row, 'fsync'), text(row, 'commit')),
    ]
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/**
 * Looks whether Postgres gives up a statement of the server's in time: asks in a session that begins as the server's
 * own do. Rejects when it cannot be reached.
 */
export async function inspectStatementTimeout({
  url,
  prepare,
}: Pick<Inspected, 'url' | 'prepare'>): Promise<Finding> {
  const sql = connect(url, prepare ? { statement_timeout: STATEMENT_TIMEOUT_MS } : {})
  try {
    const [row] = await sql`
      SELECT setting::int AS ms, format('ALTER ROLE %I SET statement_timeout = ''2s''', session_user) AS command
      FROM pg_settings WHERE name = 'statement_timeout'`
    if (!row) throw new Error('the database did not tell its statement_timeout')
    return timeoutFinding(number(row, 'ms'), text(row, 'command'))
  } finally {
    await sql.end({ timeout: 1 })
  }
}

function timeoutFinding(ms: number, command: string): Finding {
  const seconds = `${ms / 1_000} s`
  if (ms > 0 && ms <= ANSWER_MS) return { level: 'ok', detail: `statements are given up after ${seconds}` }
  return {
    level: 'note',
    detail: `statement_timeout is ${ms === 0 ? 'off' : seconds}, so statements that wait for a lock pile up in the database after we have given them up: run ${command}; connections that are open keep what they have, so restart the server, or let the proxy connect anew (PgBouncer: RECONNECT)`,
  }
}

/**
 * True where something between hands one connection of the database from client to client: a second client, while the
 * first is connected and idle, is then given what the first one had.
 */
async function sharesConnections(url: string, pid: number): Promise<boolean> {
  const other = connect(url)
  try {
    const [row] = await other`SELECT pg_backend_pid() AS pid`
    return row !== undefined && number(row, 'pid') === pid
  } finally {
    await other.end({ timeout: 1 })
  }
}

function poolerFinding(prepare: boolean): Finding {
  const what = 'a proxy pools transactions'
  return prepare
    ? {
        level: 'note',
        detail: `${what}, and statements are prepared: that needs max_prepared_statements of PgBouncer 1.21 or later; otherwise set DATABASE_PREPARED_STATEMENTS=false`,
      }
    : { level: 'ok', detail: `${what}, and statements are not prepared` }
}

function poolFinding({ poolSize, processes }: Inspected, connections: number): Finding {
  const wanted = poolSize * processes
  const who = `${wanted} connections of this machine (${poolSize} for each of ${processes})`
  // As many again are open for a moment while a new release takes the place of an old one.
  return wanted * 2 <= connections
    ? { level: 'ok', detail: `${who}; the database takes ${connections}` }
    : {
        level: 'note',
        detail: `${who}, and as many again during a restart, are too many for the ${connections} that the database takes: lower DATABASE_POOL_SIZE or WORKERS, or raise max_connections`,
      }
}

function durabilityFindings(fsync: string, commit: string): Finding[] {
  const notes: Finding[] = []
  if (fsync === 'off')
    notes.push({ level: 'note', detail: 'fsync is off: a power cut may ruin the database; turn it on' })
  if (commit === 'off')
    notes.push({
      level: 'note',
      detail: 'synchronous_commit is off: a crash forgets the last moments, with the guesses counted in them',
    })
  return notes
}

function connect(url: string, asked: { readonly statement_timeout?: number } = {}): Sql {
  return postgres(url, {
    max: 1,
    // Through a proxy neither a prepared statement nor a question about types may be possible.
    prepare: false,
    fetch_types: false,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    onnotice: () => {},
    connection: { application_name: 'countersign doctor', ...asked },
  })
}
