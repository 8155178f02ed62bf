import { type Collection, type Db, type Document, type MongoClient, MongoError } from 'mongodb'
import type { Place, Table, TransferRow, TransferStore } from '../transfer.ts'
import type { Retention } from '../store.ts'
import { AuthLeftovers } from './auth-leftovers.ts'
import { connectPatiently } from './client.ts'
import type { Step } from './database.ts'
import { reasonOf } from './errors.ts'
import { createExpiry, dropExpiry } from './expiry.ts'
import { beginMove, endMove, movingFrom } from './moves.ts'
import type { Owner } from './sends.ts'
import { SessionRows } from './transfer-sessions.ts'
import { idOf, toDocument, toRow, toSendDocument, toSendRows } from './transfer-documents.ts'

type Kept = Document & { _id: string }

/** What sends lie in, in the order of its ids. */
const OWNERS = ['messages', 'verifications']
const WITHOUT_PARTS = { send_log: 0, session_log: 0 } as const

/**
 * Opens a database of this version's schema to move rows out of it or into it. Nobody may have it in use until it is
 * closed; a server that has is not seen. Documents that are moved in purge themselves so many days after they were made.
 */
export async function openMongoTransfer(url: string, retention: Retention): Promise<TransferStore> {
  const { client, database } = await connectPatiently(url)
  return new MongoTransfer(client, client.db(database), retention)
}

class MongoTransfer implements TransferStore {
  readonly #client: MongoClient
  readonly #db: Db
  readonly #retention: Retention
  readonly #sessions: SessionRows
  readonly #leftovers: AuthLeftovers
  #isKept = false
  #isTidy = false

  constructor(client: MongoClient, db: Db, retention: Retention) {
    this.#client = client
    this.#db = db
    this.#retention = retention
    this.#sessions = new SessionRows(db)
    this.#leftovers = new AuthLeftovers(db, retention)
  }

  count(table: Table): Promise<number> {
    return told(async () => {
      await this.#tidy()
      if (table.name === 'sessions') return this.#sessions.count()
      if (table.owners === undefined) return this.#collection(table.name).countDocuments({})
      const sizes = [{ $group: { _id: null, n: { $sum: { $size: '$send_log' } } } }]
      let sum = 0
      for (const owners of this.#owners()) {
        const [found] = await owners.aggregate<{ n: number }>(sizes).toArray()
        sum += found?.n ?? 0
      }
      return sum
    })
  }

  read(table: Table, after: Place | undefined, limit: number): Promise<readonly TransferRow[]> {
    return told(async () => {
      await this.#keepAll()
      await this.#tidy()
      if (table.owners !== undefined) return this.#readSends(table, after, limit)
      if (table.name === 'sessions') return this.#sessions.read(table, after, limit)
      const wanted =
        after === undefined ? {} : { _id: { $gt: after.length === 1 ? String(after[0]) : idOf(after) } }
      const options = { projection: WITHOUT_PARTS, sort: { _id: 1 }, limit, batchSize: limit + 1 } as const
      const found = await this.#collection(table.name).find(wanted, options).toArray()
      return this.#rows(table, found)
    })
  }

  find(table: Table, firsts: readonly string[]): Promise<readonly TransferRow[]> {
    return told(async () => {
      const wanted = { _id: { $in: [...firsts] } }
      if (table.name === 'sessions') return this.#sessions.find(table, firsts)
      const batchSize = firsts.length + 1
      if (table.owners === undefined) {
        const [key = '', ...others] = table.key
        const filter = others.length === 0 ? wanted : { [key]: wanted._id }
        const options = { projection: WITHOUT_PARTS, batchSize }
        return this.#rows(table, await this.#collection(table.name).find(filter, options).toArray())
      }
      const found: TransferRow[] = []
      for (const owners of this.#owners()) {
        const options = { projection: { send_log: 1 }, batchSize }
        for (const owner of await owners.find(wanted, options).toArray())
          found.push(...toSendRows(table, owner))
      }
      return found
    })
  }

  write(table: Table, rows: readonly TransferRow[]): Promise<void> {
    return told(async () => {
      await this.#keepAll()
      if (table.owners !== undefined) return this.#writeSends(rows)
      if (table.name === 'sessions') return this.#sessions.write(rows)
      await this.#collection(table.name).bulkWrite(
        rows.map((row) => {
          const { _id, ...replacement } = toDocument(table, row, this.#retention)
          return { replaceOne: { filter: { _id: String(_id) }, replacement, upsert: true } }
        }),
      )
    })
  }

  movingFrom(): Promise<string | undefined> {
    return told(() => movingFrom(this.#db))
  }

  begin(source: string): Promise<void> {
    return told(() => beginMove(this.#db, source))
  }

  finish(): Promise<void> {
    return told(() => endMove(this.#db))
  }

  async close(): Promise<void> {
    try {
      // What is half moved is kept as it is, for the time when the move goes on.
      if (this.#isKept && (await movingFrom(this.#db)) === undefined) await createExpiry(this.#db)
    } catch {
      // The next server that starts does it; whatever the move came to, it is not this.
    } finally {
      await this.#client.close()
    }
  }

  /**
   * Keeps the server from deleting what is past its time while rows are moved: the numbers of rows would not agree, and
   * one that was just written might not be found. Before the first row, so that a database that is refused is not touched.
   */
  async #keepAll(): Promise<void> {
    if (this.#isKept) return
    await dropExpiry(this.#db)
    this.#isKept = true
  }

  /** Has everything where it is kept: what a server left that was killed is part of the rows. */
  async #tidy(): Promise<void> {
    if (this.#isTidy) return
    const step: Step = (operation) => operation()
    await this.#leftovers.tidyAll(step)
    await this.#leftovers.dropUndone(step)
    this.#isTidy = true
  }

  async #readSends(table: Table, after: Place | undefined, limit: number): Promise<readonly TransferRow[]> {
    const [owner, seq] = [String(after?.[0] ?? ''), Number(after?.[1] ?? 0)]
    const wanted = { _id: { $gte: owner }, 'send_log.0': { $exists: true } }
    // One more than wanted, because the first may be done already.
    const limits = { limit: limit + 1, batchSize: limit + 2 }
    for (const owners of this.#owners()) {
      const options = { projection: { send_log: 1 }, sort: { _id: 1 }, ...limits } as const
      const found = await owners.find(wanted, options).toArray()
      const rows = found.flatMap((one) => toSendRows(table, one))
      const next = rows.filter((row) => row['owner'] !== owner || Number(row['seq']) > seq)
      if (next.length > 0) return next.slice(0, limit)
    }
    return []
  }

  /** Puts sends among those that their owners have already: a page may end between two of one owner. */
  async #writeSends(rows: readonly TransferRow[]): Promise<void> {
    const byOwner = new Map<string, TransferRow[]>()
    for (const row of rows) {
      const owner = String(row['owner'])
      byOwner.set(owner, [...(byOwner.get(owner) ?? []), row])
    }
    const wanted = { _id: { $in: [...byOwner.keys()] } }
    for (const owners of this.#owners()) {
      const options = { projection: { send_log: 1 }, batchSize: byOwner.size + 1 }
      const found = await owners.find(wanted, options).toArray()
      const changes = found.map(({ _id, send_log: log }) => {
        const added = byOwner.get(_id) ?? []
        const kept = log.filter(({ moved }) => !added.some(({ seq }) => seq === moved?.seq))
        const merged = [...kept, ...added.map(toSendDocument)]
        return {
          updateOne: {
            filter: { _id },
            update: { $set: { send_log: merged.toSorted(bySeq) as typeof log } },
          },
        }
      })
      if (changes.length > 0) await owners.bulkWrite(changes)
    }
  }

  async #rows(table: Table, found: readonly Kept[]): Promise<readonly TransferRow[]> {
    if (table.name !== 'claims') return found.map((document) => toRow(table, document))
    const opened = await this.#openedBy(found)
    return found.map((claim) =>
      toRow(table, { ...claim, verification_id: claim['verification_id'] ?? opened.get(claim._id) ?? null }),
    )
  }

  /** The verifications that claims have opened, which know the key; an older one may have been opened under it too. */
  async #openedBy(claims: readonly Kept[]): Promise<ReadonlyMap<string, string>> {
    const madeAt = new Map(claims.map((claim) => [claim._id, Number(claim['made_at'])]))
    const wanted = { claim_key: { $in: [...madeAt.keys()] } }
    const projection = { claim_key: 1, created_at: 1 }
    const found = await this.#collection('verifications').find(wanted, { projection }).toArray()
    return new Map(
      found
        .filter((one) => Number(one['created_at']) >= (madeAt.get(String(one['claim_key'])) ?? Infinity))
        .map((one) => [String(one['claim_key']), one._id]),
    )
  }

  #collection(name: string): Collection<Kept> {
    return this.#db.collection(name)
  }

  #owners(): readonly Collection<Owner>[] {
    return OWNERS.map((name) => this.#db.collection<Owner>(name))
  }
}

function bySeq(one: Document, other: Document): number {
  return Number(one['moved']?.seq ?? 0) - Number(other['moved']?.seq ?? 0)
}

/** Runs a step. What the server says of a failure may hold a number or a key, and is not repeated. */
async function told<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    if (error instanceof MongoError) throw new Error(reasonOf(error), { cause: error })
    throw error
  }
}
