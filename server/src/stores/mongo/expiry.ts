import { type Collection, type Db, MongoServerError } from 'mongodb'

/** Collections whose documents have an end, in `purge_at`. */
const COLLECTIONS = [
  'verifications',
  'messages',
  'counters',
  'guess_budgets',
  'claims',
  'receipts',
  'tallies',
  'tickets',
  'auth_events',
  'phone_locks',
  'records',
]

/**
 * Lets the server delete by itself what is past its time; one that cannot gets an index that `sweep` finds it with.
 * Does nothing where that is so already.
 */
export async function createExpiry(db: Db): Promise<void> {
  for (const name of COLLECTIONS) await createIndex(db.collection(name))
}

/** Keeps the server from deleting anything, until `createExpiry`. */
export async function dropExpiry(db: Db): Promise<void> {
  for (const name of COLLECTIONS) {
    const collection = db.collection(name)
    for (const index of await collection.indexes())
      if (index.name !== undefined && 'purge_at' in index.key) await collection.dropIndex(index.name)
  }
}

async function createIndex(collection: Collection): Promise<void> {
  try {
    await collection.createIndex({ purge_at: 1 }, { expireAfterSeconds: 0 })
  } catch (error) {
    if (!(error instanceof MongoServerError)) throw error
    await collection.createIndex({ purge_at: 1 })
  }
}
