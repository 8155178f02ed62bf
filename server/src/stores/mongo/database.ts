import { type Collection, type Document, MongoServerError } from 'mongodb'
import { withDeadline } from '../../primitives/deadline.ts'
import { type Connected, connectMongo, serverTime } from './client.ts'
import { unavailable } from './errors.ts'

/** How long the steps of one verb may take together. */
const VERB_MS = 2_000
/** How long an answer that is decided waits for what is tidied up after it. */
const TIDY_MS = 300
/** Shorter than a verb, so that a server that stopped answering is found out while somebody waits. */
const WAIT_MS = 1_500

/**
 * A client that has heard nothing from a server for so long while somebody asked is connected anew. Its own monitor
 * looks every second; it has been seen to stop looking.
 */
const SILENT_MS = 3_000
const HANG_UP_MS = 1_000

/** Runs one operation of a verb, unless the verb's time is over; rejects when it is, whatever becomes of the operation. */
export type Step = <T>(operation: () => Promise<T>) => Promise<T>

type MetaDocument = { _id: string; at: number }

/**
 * One MongoDB and the time a verb may take. A verb is a few operations, each of which changes one document atomically.
 * One that runs out of time in between stops there and rejects: it never starts an operation that nobody waits for,
 * and the operation that was under way is unknown to it.
 */
export class MongoDatabase {
  readonly #connected: Connected
  readonly #running = new Set<Promise<unknown>>()
  #heardAt = performance.now()
  #isReviving = false
  #isClosed = false

  private constructor(connected: Connected) {
    this.#connected = connected
  }

  static async open(url: string): Promise<MongoDatabase> {
    const connected = await connectMongo(url, {
      // Acknowledged is what a majority has on disk: it survives a power cut, and the loss of a primary.
      writeConcern: { w: 'majority', journal: true, wtimeoutMS: WAIT_MS },
      maxPoolSize: 64,
      serverSelectionTimeoutMS: WAIT_MS,
      connectTimeoutMS: WAIT_MS,
      waitQueueTimeoutMS: VERB_MS,
      socketTimeoutMS: VERB_MS + TIDY_MS,
      heartbeatFrequencyMS: 1_000,
    })
    return new MongoDatabase(connected)
  }

  collection<T extends Document>(name: string): Collection<T> {
    return this.#connected.client.db(this.#connected.database).collection<T>(name)
  }

  /** Runs a verb. Rejects with `store_unavailable` for whatever keeps it from its end. */
  async run<T>(verb: (step: Step) => Promise<T>): Promise<T> {
    let isLate = false
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        isLate = true
        reject(new Error(`no answer within ${VERB_MS} ms`))
      }, VERB_MS)
    })
    late.catch(() => {})
    const step: Step = (operation) => (isLate ? late : Promise.race([late, operation()]))
    const running = verb(step)
    this.#running.add(running)
    try {
      const result = await running
      this.#heardAt = performance.now()
      return result
    } catch (error) {
      if (error instanceof MongoServerError) this.#heardAt = performance.now()
      else if (performance.now() - this.#heardAt > SILENT_MS) void this.#revive()
      throw unavailable(error)
    } finally {
      clearTimeout(timer)
      this.#running.delete(running)
    }
  }

  /** Runs what an answer does not depend on: it is waited for briefly, and never rejects. */
  async tidy(work: () => Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, TIDY_MS)
    })
    const tidied = work().catch(() => {})
    await Promise.race([tidied, enough])
    clearTimeout(timer)
  }

  /** The server's time. */
  time(): Promise<number> {
    return this.run((step) => step(() => serverTime(this.#connected.client)))
  }

  /** Writes one document, as a request's verbs would. */
  ping(nowMs: number): Promise<void> {
    return this.run(async (step) => {
      const meta = this.collection<MetaDocument>('meta')
      await step(() => meta.updateOne({ _id: 'ping' }, { $set: { at: nowMs } }, { upsert: true }))
    })
  }

  /** Connects the client anew, on which every collection goes on. */
  async #revive(): Promise<void> {
    if (this.#isReviving || this.#isClosed) return
    this.#isReviving = true
    const { client } = this.#connected
    try {
      await withDeadline(client.close(), HANG_UP_MS)
      if (!this.#isClosed) await client.connect()
    } catch {
      // Still not there: whoever asks next tries again.
    } finally {
      this.#heardAt = performance.now()
      this.#isReviving = false
    }
  }

  /** Lets the verbs under way end, which they do in their time, and hangs up. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#running)
    await this.#connected.client.close()
  }
}
