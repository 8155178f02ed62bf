import type { Clock } from '../../primitives/clock.ts'
import { countParameters, countSql, toCounted } from '../attempt-counts.ts'
import { Attempts } from '../attempts.ts'
import { text, toSend, toVerification } from '../rows.ts'
import type { SqliteDatabase } from './database.ts'
import { SEND_COLUMNS } from './receipts.ts'
import { COLUMNS } from './verification-statements.ts'

const DIALECT = {
  schema: '',
  mark: '?',
  isOneOf: (column: string, parameter: string) => `${column} IN (SELECT value FROM json_each(${parameter}))`,
} as const

/** What was sent for verifications, in SQLite. */
export class SqliteAttempts extends Attempts {
  constructor(db: SqliteDatabase, clock: Clock) {
    const window = (where: string) =>
      db.prepare(
        `SELECT ${COLUMNS} FROM verifications WHERE ${where} id >= ? AND id < ? ORDER BY id DESC LIMIT ?`,
      )
    const [ofAll, ofPhone] = [window(''), window('phone = ? AND')]
    const [countAll, countPhone] = [db.prepare(countSql(DIALECT, false)), db.prepare(countSql(DIALECT, true))]
    const sendsOf = db.prepare(
      `SELECT ${SEND_COLUMNS} FROM sends WHERE owner IN (SELECT value FROM json_each(?)) ORDER BY owner, seq`,
    )
    super({
      see: ({ services, from, before, phone, window: most }) =>
        db.read(() => {
          const now = clock.now()
          const rows = phone === null ? ofAll.all(from, before, most) : ofPhone.all(phone, from, before, most)
          const own = rows.filter((row) => services.includes(text(row, 'service')))
          const ids = JSON.stringify(own.map((row) => text(row, 'id')))
          const sends = Map.groupBy(sendsOf.all(ids).map(toSend), ({ owner }) => owner)
          const last = rows[most - 1]
          return {
            found: own.map((row) => ({
              verification: toVerification(row, now),
              sends: sends.get(text(row, 'id')) ?? [],
            })),
            end: last ? text(last, 'id') : null,
          }
        }),
      count: (look, filter) =>
        db.read(() => {
          const asked = countParameters(look, JSON.stringify(look.services), filter)
          return toCounted((look.phone === null ? countAll : countPhone).get(...asked), look)
        }),
    })
  }
}
