import type { Collection, WithId } from 'mongodb'
import type { Clock } from '../../primitives/clock.ts'
import type {
  NewRecord,
  RecordChange,
  RecordKind,
  RecordPage,
  RecordStore,
  TenantRecord,
} from '../../services/records.ts'
import { inSeconds, recordPage, toRecord } from '../record-rows.ts'
import type { MongoDatabase, Step } from './database.ts'
import { isDuplicate } from './errors.ts'

/** A record as it is kept. */
type RecordDocument = {
  _id: string
  kind: RecordKind
  parent: string
  name: string | null
  body: string
  version: number
  created_at: number
  updated_at: number
  due_at: number | null
  expires_at: number | null
  /** What must be there once: kind, parent and name, or of one without a name its id. */
  slot: string
  purge_at: Date | null
}

/** What tenants keep, in MongoDB. */
export class MongoRecords implements RecordStore {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #records: Collection<RecordDocument>

  constructor(db: MongoDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#records = db.collection('records')
  }

  insert(made: NewRecord): Promise<{ record: TenantRecord; isTaken: boolean }> {
    const { id, kind, parent, name, body } = made
    return this.#db.run(async (step) => {
      const now = this.#clock.now()
      const expiresAt = inSeconds(now, made.ttlSeconds)
      const document = {
        _id: id,
        kind,
        parent,
        name,
        body,
        version: 1,
        created_at: now,
        updated_at: now,
        due_at: inSeconds(now, made.dueInSeconds),
        expires_at: expiresAt,
        slot: recordSlot({ id, kind, parent, name }),
        purge_at: expiresAt === null ? null : new Date(expiresAt),
      }
      for (;;) {
        try {
          await step(() => this.#records.insertOne(document))
          return { record: read(document), isTaken: false }
        } catch (error) {
          if (!isDuplicate(error)) throw error
        }
        const found = await step(() => this.#records.findOne({ slot: document.slot }))
        // One that has been deleted since leaves its place.
        if (found) return { record: read(found), isTaken: true }
      }
    })
  }

  find(id: string): Promise<TenantRecord | undefined> {
    return this.#one({ _id: id })
  }

  findNamed(kind: RecordKind, parent: string, name: string): Promise<TenantRecord | undefined> {
    return this.#one({ slot: recordSlot({ id: '', kind, parent, name }) })
  }

  change(id: string, version: number, change: RecordChange): Promise<TenantRecord | undefined> {
    return this.#db.run(async (step) => {
      const now = this.#clock.now()
      const { body, dueInSeconds } = change
      const due = dueInSeconds === undefined ? {} : { due_at: inSeconds(now, dueInSeconds) }
      const changed = await step(() =>
        this.#records.findOneAndUpdate(
          { _id: id, version },
          { $set: { body, ...due }, $max: { updated_at: now }, $inc: { version: 1 } },
          { returnDocument: 'after' },
        ),
      )
      return changed ? read(changed) : undefined
    })
  }

  remove(id: string): Promise<boolean> {
    return this.#db.run(async (step) => {
      const { deletedCount } = await step(() => this.#records.deleteOne({ _id: id }))
      // Also of one that is gone: whoever deleted it may have died here. What is left is found by nobody.
      await this.#removeUnder(step, [id])
      return deletedCount === 1
    })
  }

  list(filter: {
    readonly kind: RecordKind
    readonly parent: string
    readonly limit: number
    readonly cursor?: string
  }): Promise<RecordPage> {
    const { kind, parent, limit, cursor } = filter
    const wanted = { kind, parent, ...(cursor === undefined ? {} : { _id: { $lt: cursor } }) }
    return this.#db.run(async (step) => {
      const options = { sort: { _id: -1 }, limit: limit + 1 } as const
      const found = await step(() => this.#records.find(wanted, options).toArray())
      return recordPage(found.map(row), limit)
    })
  }

  takeDue(kind: RecordKind, leaseSeconds: number, limit: number): Promise<readonly TenantRecord[]> {
    return this.#db.run(async (step) => {
      const now = this.#clock.now()
      const taken: TenantRecord[] = []
      while (taken.length < limit) {
        const found = await step(() =>
          this.#records.findOneAndUpdate(
            { kind, due_at: { $lte: now } },
            { $set: { due_at: inSeconds(now, leaseSeconds) } },
            { sort: { due_at: 1, _id: 1 }, returnDocument: 'after' },
          ),
        )
        if (!found) break
        taken.push(read(found))
      }
      return taken
    })
  }

  #one(wanted: { _id: string } | { slot: string }): Promise<TenantRecord | undefined> {
    return this.#db.run(async (step) => {
      const found = await step(() => this.#records.findOne(wanted))
      return found ? read(found) : undefined
    })
  }

  async #removeUnder(step: Step, parents: readonly string[]): Promise<void> {
    const wanted = { parent: { $in: [...parents] } }
    const options = { projection: { _id: 1 } } as const
    const below = await step(() => this.#records.find(wanted, options).toArray())
    if (below.length === 0) return
    await this.#removeUnder(
      step,
      below.map(({ _id }) => _id),
    )
    await step(() => this.#records.deleteMany(wanted))
  }
}

/** What a record is the only one of. */
export function recordSlot(of: { id: string; kind: string; parent: string; name: string | null }): string {
  const { id, kind, parent, name } = of
  return name === null ? id : `${kind}:${parent}:${name}`
}

function read(document: WithId<RecordDocument>): TenantRecord {
  return toRecord(row(document))
}

function row({ _id, ...rest }: WithId<RecordDocument>) {
  return { ...rest, id: _id }
}
