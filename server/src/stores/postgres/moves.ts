import { type Row, text } from '../rows.ts'

/** From where rows are being moved into a database; undefined when nobody has begun, or all is done. */
export async function movingFrom(
  read: (sql: string) => Promise<readonly Row[]>,
): Promise<string | undefined> {
  const [made] = await read(`SELECT to_regclass('countersign.moves') IS NOT NULL AS made`)
  if (made?.['made'] !== true) return undefined
  const [row] = await read('SELECT source FROM countersign.moves')
  return row && text(row, 'source')
}
