import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Collection, Db, MongoClient } from 'mongodb'
import { refuseHalfMoved } from '../transfer.ts'
import { checkAbilities } from './abilities.ts'
import { connectPatiently, serverTime } from './client.ts'
import { isDuplicate } from './errors.ts'
import { createExpiry } from './expiry.ts'
import { movingFrom } from './moves.ts'

type MetaDocument = { _id: string; version?: number; owner?: string; until?: number }

/**
 * The schema, step by step. A step that has been released is never edited: changes are new steps. There is no
 * transaction around one, so a step must come to the same when it is run again after it was broken off.
 */
const MIGRATIONS: readonly ((db: Db) => Promise<void>)[] = [
  async (db) => {
    const verifications = db.collection('verifications')
    await verifications.createIndex({ slot: 1 }, { unique: true })
    await verifications.createIndex({ phone: 1, _id: -1 })
    await verifications.createIndex({ service: 1, _id: -1 })
    await verifications.createIndex({ claim_key: 1 })
    await db.collection('messages').createIndex({ service: 1, _id: -1 })
    await db.collection('api_keys').createIndex({ hash: 1 }, { unique: true })
    for (const name of ['verifications', 'messages']) {
      const owners = db.collection(name)
      await owners.createIndex({ 'send_log.lease_until': 1 })
      // Receipts find their send by these, which only some sends have.
      await owners.createIndex({ 'send_log.ref': 1 }, { sparse: true })
      await owners.createIndex({ 'send_log.lost': 1 }, { sparse: true })
    }
    await db.collection('receipts').createIndex({ tried_at: 1 })
    const users = db.collection('users')
    await users.createIndex({ phone_slot: 1 }, { unique: true })
    await users.createIndex({ email_slot: 1 }, { unique: true })
    await users.createIndex({ status: 1, _id: -1 })
    await users.createIndex({ 'session_log.id': 1 })
    await users.createIndex({ 'session_log.idle_until': 1 })
    // Hardly any user has left something that waits.
    await users.createIndex({ 'pending_events.id': 1 }, { sparse: true })
    await users.createIndex({ 'pending_tickets._id': 1 }, { sparse: true })
    await db.collection('tickets').createIndex({ user_id: 1 })
    await db.collection('auth_events').createIndex({ user_id: 1, _id: -1 })
    await db.collection('auth_events').createIndex({ type: 1, _id: -1 })
    await createExpiry(db)
  },
  // What tenants keep here: their services, and what belongs to these.
  async (db) => {
    const records = db.collection('records')
    // A name of its own: not every server that speaks MongoDB's protocol keeps equal ones of two collections apart.
    await records.createIndex({ slot: 1 }, { unique: true, name: 'record_slot_1' })
    await records.createIndex({ parent: 1, kind: 1, _id: -1 })
    await records.createIndex({ kind: 1, due_at: 1 })
    await createExpiry(db)
  },
]

/** The schema this binary was written for. */
const SCHEMA_VERSION = MIGRATIONS.length

/** How long the lock outlives a process that died with it. */
const LEASE_MS = 30_000
const POLL_MS = 100

/** Tells how far a database's schema is, without changing it; 0 where there is none yet. */
export async function mongoSchema(url: string): Promise<{ current: number; known: number }> {
  return connected(url, async (db) => ({ current: await schemaVersion(db), known: SCHEMA_VERSION }))
}

/**
 * Brings the schema up to date. Several processes may do this at once: the others wait for the first and find nothing
 * left. Throws when the database was made by a newer version.
 */
export async function migrateMongo(url: string): Promise<{ from: number; to: number }> {
  return connected(url, migrate)
}

/**
 * Does what comes before a use of the database: brings the schema up to date, and refuses with a `TransferError` one
 * into which only a part has been moved.
 */
export async function prepareMongo(url: string): Promise<void> {
  await connected(url, async (db, client) => {
    await migrate(db, client)
    refuseHalfMoved(await movingFrom(db))
    // A move out of it takes the expiry off, and may have been killed before it put it back.
    await createExpiry(db)
  })
}

async function migrate(db: Db, client: MongoClient): Promise<{ from: number; to: number }> {
  const from = await knownVersion(db)
  await checkAbilities(db)
  if (from !== SCHEMA_VERSION) {
    await underLock(db, client, async () => {
      while (await migrateOnce(db)) continue
    })
  }
  return { from, to: SCHEMA_VERSION }
}

async function connected<T>(url: string, work: (db: Db, client: MongoClient) => Promise<T>): Promise<T> {
  const { client, database } = await connectPatiently(url)
  try {
    return await work(client.db(database), client)
  } finally {
    await client.close()
  }
}

async function schemaVersion(db: Db): Promise<number> {
  return (await meta(db).findOne({ _id: 'schema' }))?.version ?? 0
}

/** As `schemaVersion`; throws when it is a newer one than this binary was written for. */
async function knownVersion(db: Db): Promise<number> {
  const version = await schemaVersion(db)
  if (version <= SCHEMA_VERSION) return version
  throw new Error(
    `the database has schema ${version}, made by a newer version; this one knows ${SCHEMA_VERSION}`,
  )
}

/** Runs the next step; false when there is none. */
async function migrateOnce(db: Db): Promise<boolean> {
  const version = await knownVersion(db)
  const step = MIGRATIONS[version]
  if (step === undefined) return false
  await step(db)
  const schema = { version: version + 1 }
  if (version === 0)
    await meta(db)
      .insertOne({ _id: 'schema', ...schema })
      .catch(ignoreDuplicate)
  else await meta(db).updateOne({ _id: 'schema', version }, { $set: schema })
  return true
}

/** Runs the work while nobody else does. A lock whose holder died is free after its lease. */
async function underLock(db: Db, client: MongoClient, work: () => Promise<void>): Promise<void> {
  const owner = randomUUID()
  while (!(await lock(db, owner, await serverTime(client)))) await sleep(POLL_MS)
  try {
    await work()
  } finally {
    await meta(db).deleteOne({ _id: 'lock', owner })
  }
}

async function lock(db: Db, owner: string, nowMs: number): Promise<boolean> {
  const mine = { owner, until: nowMs + LEASE_MS }
  const { matchedCount } = await meta(db).updateOne({ _id: 'lock', until: { $lte: nowMs } }, { $set: mine })
  if (matchedCount === 1) return true
  try {
    await meta(db).insertOne({ _id: 'lock', ...mine })
    return true
  } catch (error) {
    ignoreDuplicate(error)
    return false
  }
}

function meta(db: Db): Collection<MetaDocument> {
  return db.collection<MetaDocument>('meta')
}

function ignoreDuplicate(error: unknown): void {
  if (!isDuplicate(error)) throw error
}
