import type { Collection } from 'mongodb'
import type { Clock } from '../../primitives/clock.ts'
import type { Tallies, Tally } from '../../verify/tallies.ts'
import type { MongoDatabase } from './database.ts'
import { isDuplicate } from './errors.ts'

/** What is told within one slot of time shares a document. */
const SLOT_MS = 1_000

type TallyDocument = { _id: number; judged: number; wrong: number; purge_at: Date }

/** Tallies of judged guesses in MongoDB. */
export class MongoTallies implements Tallies {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #collection: Collection<TallyDocument>

  constructor(db: MongoDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#collection = db.collection('tallies')
  }

  add(tally: Tally, windowSeconds: number): Promise<Tally> {
    return this.#db.run(async (step) => {
      const now = this.#clock.now()
      const slot = Math.floor(now / SLOT_MS)
      if (tally.judged > 0) {
        const purgeAt = new Date(now + windowSeconds * 1000)
        await step(() =>
          this.#tell(slot, tally, purgeAt).catch((error: unknown) => {
            // Of two who would make one document, the second finds it there.
            if (isDuplicate(error)) return this.#tell(slot, tally, purgeAt)
            throw error
          }),
        )
      }
      // A slot from the future means that the clock was set back.
      const isKept = { _id: { $lte: slot }, purge_at: { $gt: new Date(now) } }
      const found = await step(() => this.#collection.find(isKept).toArray())
      return {
        judged: found.reduce((sum, { judged }) => sum + judged, 0),
        wrong: found.reduce((sum, { wrong }) => sum + wrong, 0),
      }
    })
  }

  async #tell(slot: number, { judged, wrong }: Tally, purgeAt: Date): Promise<void> {
    const change = { $inc: { judged, wrong }, $set: { purge_at: purgeAt } }
    await this.#collection.updateOne({ _id: slot }, change, { upsert: true })
  }
}
