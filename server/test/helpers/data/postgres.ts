import postgres from 'postgres'
import type { Data } from '../backends.ts'
import { freshPostgres } from '../services.ts'

/** A new database of the run's Postgres. */
export async function postgresData(): Promise<Data> {
  const { url, drop } = await freshPostgres()
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  let aging: string | undefined
  return {
    settings: { DATABASE_URL: url },
    age: async (seconds) => {
      aging ??= await agingOf(sql)
      await sql.unsafe(aging.replaceAll('$ms', String(Math.round(seconds * 1000))))
    },
    rowsOf: async (phone) => {
      const [row] = await sql`
        SELECT count(DISTINCT v.id)::int AS verifications, count(s.id)::int AS sends
        FROM countersign.verifications AS v LEFT JOIN countersign.sends AS s ON s.owner = v.id
        WHERE v.phone = ${phone}`
      return { verifications: Number(row?.['verifications']), sends: Number(row?.['sends']) }
    },
    drop: async () => {
      await sql.end({ timeout: 1 })
      await drop()
    },
  }
}

/**
 * Edits a function or an index of a database's schema, to break it. Each edit must find what it replaces: a store
 * that was meant to be broken and is not would prove nothing.
 */
export async function breakPostgres(
  { settings }: Pick<Data, 'settings'>,
  name: string,
  edits: readonly (readonly [from: RegExp, to: string])[],
): Promise<void> {
  const sql = postgres(settings['DATABASE_URL'] ?? '', { max: 1, onnotice: () => {} })
  try {
    const [row] = await sql`SELECT pg_get_functiondef(to_regproc(${`countersign.${name}`})) AS source`
    let source = String(row?.['source'])
    for (const [from, to] of edits) {
      if (!from.test(source)) throw new Error(`countersign.${name} has nothing like ${from}`)
      source = source.replace(from, to)
    }
    await sql.unsafe(source)
  } finally {
    await sql.end()
  }
}

/** The statements that age every row, in one transaction: columns of times are known by their names. */
async function agingOf(sql: postgres.Sql): Promise<string> {
  const columns = await sql`
    SELECT table_name, column_name, udt_name FROM information_schema.columns
    WHERE table_schema = 'countersign'
      AND (udt_name = 'int8' AND column_name ~ '(^|_)(at|until)$' OR udt_name = '_int8' AND column_name = 'hits')`
  const aged = Map.groupBy(columns, (column) => String(column['table_name']))
  return [...aged]
    .map(([table, found]) => {
      const changes = found.map(({ column_name: column, udt_name: type }) =>
        type === 'int8'
          ? `${column} = ${column} - $ms`
          : `${column} = ARRAY(SELECT hit - $ms FROM unnest(${column}) WITH ORDINALITY AS h (hit, n) ORDER BY n)`,
      )
      return `UPDATE countersign.${table} SET ${changes.join(', ')}`
    })
    .join(';')
}

/** Empties every table of a store, and leaves the schema. Deleting few rows is quicker than truncating. */
export async function emptyPostgres(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  const tables = await sql`SELECT tablename FROM pg_tables
    WHERE schemaname = 'countersign' AND tablename <> 'schema_version'`
  await sql.unsafe(tables.map(({ tablename }) => `DELETE FROM countersign.${tablename}`).join(';'))
  await sql.end()
}
