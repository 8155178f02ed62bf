import type { Collection } from 'mongodb'
import type { Place, Table, TransferRow } from '../transfer.ts'
import { toSessionDocument, toSessionRows } from './transfer-documents.ts'
import { type Collections, type UserDocument, usersOf } from './user-documents.ts'

/** So many pages are looked for at once. */
const PAGES_AHEAD = 50

/** Sessions as rows of a move. They lie inside their users. */
export class SessionRows {
  readonly #users: Collection<UserDocument>
  /** What comes after a row that was read. */
  #ahead: { readonly after: string; readonly ids: readonly string[] } = { after: '', ids: [] }

  constructor(db: Collections) {
    this.#users = usersOf(db)
  }

  async count(): Promise<number> {
    const sizes = [{ $group: { _id: null, n: { $sum: { $size: '$session_log' } } } }]
    const [found] = await this.#users.aggregate<{ n: number }>(sizes).toArray()
    return found?.n ?? 0
  }

  /** The next rows. Which those are is found for many pages at once, because all users are looked at for it. */
  async read(table: Table, after: Place | undefined, limit: number): Promise<readonly TransferRow[]> {
    const last = after === undefined ? '' : String(after[0])
    const isNext = this.#ahead.after === last && this.#ahead.ids.length > 0
    const ids = isNext ? this.#ahead.ids : await this.#idsAfter(last, limit * PAGES_AHEAD)
    const page = ids.slice(0, limit)
    this.#ahead = { after: page.at(-1) ?? '', ids: ids.slice(limit) }
    const rows = await this.find(table, page)
    return rows.toSorted((one, other) => (String(one['id']) < String(other['id']) ? -1 : 1))
  }

  async find(table: Table, ids: readonly string[]): Promise<readonly TransferRow[]> {
    const wanted = { 'session_log.id': { $in: [...ids] } }
    const found = await this.#users.find(wanted, { projection: { session_log: 1 } }).toArray()
    const isWanted = new Set(ids)
    return found
      .flatMap((user) => toSessionRows(table, user))
      .filter((row) => isWanted.has(String(row['id'])))
  }

  /** The ids after one, as many as are wanted. No more than twice as many are held at any time. */
  async #idsAfter(last: string, limit: number): Promise<readonly string[]> {
    let ids: string[] = []
    const smallest = () => ids.toSorted((one, other) => (one < other ? -1 : 1)).slice(0, limit)
    const wanted = { 'session_log.id': { $gt: last } }
    for await (const user of this.#users.find(wanted, { projection: { 'session_log.id': 1 } })) {
      ids.push(...user.session_log.flatMap(({ id }) => (id > last ? id : [])))
      if (ids.length > 2 * limit) ids = smallest()
    }
    return smallest()
  }

  /** Puts sessions among those that their users have already: a page may end between two of one user. */
  async write(rows: readonly TransferRow[]): Promise<void> {
    const byUser = new Map<string, TransferRow[]>()
    for (const row of rows) {
      const userId = String(row['user_id'])
      byUser.set(userId, [...(byUser.get(userId) ?? []), row])
    }
    const wanted = { _id: { $in: [...byUser.keys()] } }
    const options = { projection: { session_log: 1 }, batchSize: byUser.size + 1 }
    const changes = (await this.#users.find(wanted, options).toArray()).map(({ _id, session_log: kept }) => {
      const added = byUser.get(_id) ?? []
      const others = kept.filter(({ id }) => !added.some((row) => row['id'] === id))
      const merged = [...others, ...added.map(toSessionDocument)] as typeof kept
      return { updateOne: { filter: { _id }, update: { $set: { session_log: merged } } } }
    })
    if (changes.length > 0) await this.#users.bulkWrite(changes)
  }
}
