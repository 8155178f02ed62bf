import { type Document, MongoClient } from 'mongodb'
import type { Data } from '../backends.ts'
import { freshMongo } from '../services.ts'

/** What holds a time, and what holds several. */
const TIME = /(?:^|_)(?:at|until)$/
const TIMES = /^(?:hits|held)$/

/** A new database of the run's MongoDB. */
export async function mongoData(): Promise<Data> {
  const { url, drop } = await freshMongo()
  const client = new MongoClient(url)
  const db = client.db()
  return {
    settings: { DATABASE_URL: url },
    age: async (seconds) => {
      for (const { collectionName } of await db.collections()) {
        const collection = db.collection(collectionName)
        const documents = await collection.find().toArray()
        if (documents.length === 0) continue
        await collection.bulkWrite(
          documents.map((document) => ({
            replaceOne: {
              filter: { _id: document._id },
              replacement: agedBy(document, Math.round(seconds * 1000)),
            },
          })),
        )
      }
    },
    rowsOf: async (phone) => {
      const found = await db.collection('verifications').find({ phone }).toArray()
      const sends = found.map((document) => (document['send_log'] as unknown[]).length)
      return { verifications: found.length, sends: sends.reduce((sum, count) => sum + count, 0) }
    },
    drop: async () => {
      await client.close()
      await drop()
    },
  }
}

/** A document with every time in it so much earlier. */
function agedBy(document: Document, ms: number): Document {
  const earlier = (value: unknown) =>
    value instanceof Date ? new Date(value.getTime() - ms) : typeof value === 'number' ? value - ms : value
  return Object.fromEntries(
    Object.entries(document).map(([key, value]: [string, unknown]) => {
      if (TIME.test(key)) return [key, earlier(value)]
      if (!Array.isArray(value)) return [key, value]
      if (TIMES.test(key)) return [key, value.map(earlier)]
      return [key, value.map((inner: unknown) => agedBy(inner as Document, ms))]
    }),
  )
}

/**
 * The `breakage` of a server whose MongoDB store reads before it writes: whether there is room for a hit, whether a
 * verification takes a guess, and whether a claim is there, is looked up first, and what is then written asks for
 * nothing any more.
 */
export const READ_FIRST = `
  const { Collection } = require('mongodb')
  const { findOneAndUpdate, insertOne, updateOne } = Collection.prototype
  const think = () => new Promise((resolve) => setTimeout(resolve, 50))
  Collection.prototype.updateOne = async function (filter, change, options) {
    const isHit = Object.keys(filter).some((key) => /^hits\\.\\d+$/.test(key))
    const isRefused = isHit && (await this.findOne({ _id: filter._id })) && !(await this.findOne(filter))
    if (!isHit || isRefused) return updateOne.call(this, filter, change, options)
    await think()
    return updateOne.call(this, { _id: filter._id }, change, options)
  }
  Collection.prototype.findOneAndUpdate = async function (filter, change, options) {
    if (!filter.guesses_left) return findOneAndUpdate.call(this, filter, change, options)
    if (!(await this.findOne(filter))) return null
    await think()
    return findOneAndUpdate.call(this, { _id: filter._id }, change, options)
  }
  Collection.prototype.insertOne = async function (document) {
    if (this.collectionName !== 'claims' || (await this.findOne({ _id: document._id })))
      return insertOne.call(this, document)
    await think()
    return insertOne.call(this, document).catch(() => {})
  }`
