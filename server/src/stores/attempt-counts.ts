import type { AttemptFilter } from '../verify/attempts.ts'
import { number, type Row, textOrNull } from './rows.ts'
import type { Counted, Look } from './attempts.ts'

/** Where two databases that speak SQL differ. */
type Dialect = {
  /** What stands before the name of a table. */
  readonly schema: string
  /** The mark before the number of a parameter. */
  readonly mark: '$' | '?'
  /** Whether a column holds one of the texts of a parameter. */
  readonly isOneOf: (column: string, parameter: string) => string
}

/** Counts attempts in one look, as `attemptsOf` finds them; its parameters are those of `countParameters`. */
export function countSql({ schema, mark, isOneOf }: Dialect, ofPhone: boolean): string {
  const asked = (at: number, type: string, is: string) =>
    `(CAST(${mark}${at} AS ${type}) IS NULL OR ${is} CAST(${mark}${at} AS ${type}))`
  const prefix = `CAST(${mark}4 AS text)`
  return `
    WITH looked AS MATERIALIZED (
      SELECT id, service, phone, country, status FROM ${schema}verifications
      WHERE ${ofPhone ? `phone = ${mark}11 AND` : ''} id >= ${mark}1 AND id < ${mark}2
      ORDER BY id DESC LIMIT ${mark}10
    ),
    met AS (
      SELECT CASE WHEN v.status = 'approved' AND NOT EXISTS (
        SELECT 1 FROM ${schema}sends AS later WHERE later.owner = s.owner AND later.seq > s.seq
      ) THEN 1 ELSE 0 END AS converted
      FROM looked AS v JOIN ${schema}sends AS s ON s.owner = v.id
      WHERE ${isOneOf('v.service', `${mark}3`)} AND substr(v.phone, 1, length(${prefix})) = ${prefix}
        AND ${asked(5, 'text', 'v.country =')} AND ${asked(6, 'text', 's.channel =')}
        AND ${asked(7, 'bigint', 's.at >=')} AND ${asked(8, 'bigint', 's.at <')}
    )
    SELECT count(*) AS total, coalesce(sum(converted), 0) AS converted,
      (SELECT count(*) FROM looked) AS seen, (SELECT min(id) FROM looked) AS last
    FROM met WHERE ${asked(9, 'integer', 'converted =')}`
}

/** What `countSql` is asked with. */
export function countParameters(
  { from, before, phone, window }: Look,
  services: string,
  filter: AttemptFilter,
): (string | number | null)[] {
  const { destinationPrefix = '', country = null, channel = null, since = null, until = null } = filter
  const isConverted = filter.isConverted === undefined ? null : Number(filter.isConverted)
  const asked = [
    from,
    before,
    services,
    destinationPrefix,
    country,
    channel,
    since,
    until,
    isConverted,
    window,
  ]
  return phone === null ? asked : [...asked, phone]
}

/** Reads what was counted. */
export function toCounted(row: Row | undefined, { window }: Look): Counted {
  if (!row) throw new Error('nothing was counted')
  return {
    total: number(row, 'total'),
    converted: number(row, 'converted'),
    end: number(row, 'seen') === window ? textOrNull(row, 'last') : null,
  }
}
