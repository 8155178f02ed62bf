import type { Collection, WithId } from 'mongodb'
import type { ApiKey, KeyStore } from '../../keys/keys.ts'
import { toKey } from '../rows.ts'
import type { MongoDatabase } from './database.ts'

type KeyDocument = {
  _id: string
  service: string
  kind: ApiKey['kind']
  hash: string
  hint: string
  origins: string
  created_at: number
  revoked_at: number | null
}

/** API keys in MongoDB. */
export class MongoKeys implements KeyStore {
  readonly #db: MongoDatabase
  readonly #collection: Collection<KeyDocument>

  constructor(db: MongoDatabase) {
    this.#db = db
    this.#collection = db.collection('api_keys')
  }

  insert({ id, createdAt, revokedAt, origins, ...rest }: ApiKey): Promise<void> {
    return this.#db.run(async (step) => {
      await step(() =>
        this.#collection.insertOne({
          _id: id,
          service: rest.service,
          kind: rest.kind,
          hash: rest.hash,
          hint: rest.hint,
          origins: JSON.stringify(origins),
          created_at: createdAt,
          revoked_at: revokedAt,
        }),
      )
    })
  }

  list(): Promise<ApiKey[]> {
    return this.#db.run(async (step) => {
      const found = await step(() => this.#collection.find({}, { sort: { _id: 1 } }).toArray())
      return found.map(read)
    })
  }

  findByHash(hash: string): Promise<ApiKey | undefined> {
    return this.#db.run(async (step) => {
      const found = await step(() => this.#collection.findOne({ hash }))
      return found ? read(found) : undefined
    })
  }

  revoke(id: string, at: number): Promise<boolean> {
    return this.#db.run(async (step) => {
      const revoked = { $set: { revoked_at: at } }
      const { matchedCount } = await step(() =>
        this.#collection.updateOne({ _id: id, revoked_at: null }, revoked),
      )
      return matchedCount === 1
    })
  }
}

function read(document: WithId<KeyDocument>): ApiKey {
  return toKey({ ...document, id: document._id })
}
