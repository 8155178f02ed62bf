import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Collection } from 'mongodb'
import type { Clock } from '../../primitives/clock.ts'
import type { MongoDatabase, Step } from './database.ts'
import { isDuplicate } from './errors.ts'
import { Turns } from './turns.ts'

type LockDocument = { _id: string; owner: string; until: number; purge_at: Date }

/** Longer than a verb takes, so that whoever has a lock and is alive has it to the end. */
const LOCK_MS = 5_000
const POLL_MS = 10

/**
 * Lets one at a time give a number to somebody, in all processes. That a number has one owner rests on a unique index
 * and not on this: it keeps others from a number that was taken from one account on its way to the next, so that whoever
 * took it is the one who gets it, and the log tells it so.
 */
export class PhoneLocks {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #locks: Collection<LockDocument>
  readonly #turns = new Turns<never>()

  constructor(db: MongoDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#locks = db.collection('phone_locks')
  }

  /** Runs the work while nobody else gives this number; undefined, a moment later, while somebody else does. */
  hold<T>(step: Step, phone: string, work: () => Promise<T | undefined>): Promise<T | undefined> {
    const turn = this.#turns.take(phone, async () => {
      const owner = randomUUID()
      if (!(await this.#lock(step, phone, owner))) {
        await step(() => sleep(POLL_MS))
        return undefined
      }
      try {
        return await work()
      } finally {
        await this.#db.tidy(() => this.#locks.deleteOne({ _id: phone, owner }))
      }
    })
    return step(() => turn)
  }

  async #lock(step: Step, phone: string, owner: string): Promise<boolean> {
    const now = this.#clock.now()
    const until = now + LOCK_MS
    const mine = { owner, until, purge_at: new Date(until) }
    try {
      await step(() => this.#locks.insertOne({ _id: phone, ...mine }))
      return true
    } catch (error) {
      if (!isDuplicate(error)) throw error
    }
    // Whoever has it may have died with it.
    const isOver = { _id: phone, until: { $lte: now } }
    return (await step(() => this.#locks.updateOne(isOver, { $set: mine }))).matchedCount === 1
  }
}
