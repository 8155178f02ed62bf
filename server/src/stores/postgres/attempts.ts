import type { Clock } from '../../primitives/clock.ts'
import { countParameters, countSql, toCounted } from '../attempt-counts.ts'
import { Attempts } from '../attempts.ts'
import { number, type Row, text, toSend, toVerification } from '../rows.ts'
import { packArray } from './arrays.ts'
import type { PostgresDatabase } from './database.ts'
import { COLUMNS } from './statements.ts'

const DIALECT = {
  schema: 'countersign.',
  mark: '$',
  isOneOf: (column: string, parameter: string) => `${column} = ANY (${parameter}::text[])`,
} as const

/** One statement: those of the services with their sends, and in each row how far the look went. */
const see = (where: string) => `
  WITH looked AS MATERIALIZED (
    SELECT ${COLUMNS} FROM countersign.verifications
    WHERE ${where} id >= $1 AND id < $2 ORDER BY id DESC LIMIT $5
  ),
  looks AS (SELECT count(*) AS seen, min(id) AS last FROM looked)
  SELECT coalesce($4::bigint, countersign.now_ms()) AS t, looks.seen, looks.last, looked.*, (
    SELECT json_agg(countersign.told_send(s) ORDER BY s.seq) FROM countersign.sends AS s WHERE s.owner = looked.id
  ) AS attempts
  FROM looks LEFT JOIN looked ON service = ANY ($3::text[]) ORDER BY id DESC`

const SQL = {
  seeAll: see(''),
  seePhone: see('phone = $6 AND'),
  countAll: countSql(DIALECT, false),
  countPhone: countSql(DIALECT, true),
}

/** What was sent for verifications, in Postgres. */
export class PostgresAttempts extends Attempts {
  /** `clock` stands for the database's own, in tests. */
  constructor(db: PostgresDatabase, clock?: Clock) {
    super({
      see: async ({ services, from, before, phone, window }) => {
        const asked = [from, before, packArray(services), clock?.now() ?? null, window]
        const rows = await (phone === null
          ? db.read(SQL.seeAll, asked)
          : db.read(SQL.seePhone, [...asked, phone]))
        const [first] = rows
        return {
          found: rows
            .filter(({ id }) => id !== null)
            .map((row) => ({
              verification: toVerification(row, number(row, 't')),
              sends: ((row['attempts'] ?? []) as Row[]).map(toSend),
            })),
          end: first && number(first, 'seen') === window ? text(first, 'last') : null,
        }
      },
      count: async (look, filter) => {
        const asked = countParameters(look, packArray(look.services), filter)
        const [row] = await db.read(look.phone === null ? SQL.countAll : SQL.countPhone, asked)
        return toCounted(row, look)
      },
    })
  }
}
