import type { Clock } from '../../primitives/clock.ts'
import { Attempts } from '../attempts.ts'
import type { MongoDatabase } from './database.ts'
import { readSend } from './sends.ts'
import { readVerification, type VerificationDocument } from './verification-documents.ts'

const NEWEST = { sort: { _id: -1 }, projection: { digest: 0 } } as const

/** What was sent for verifications, in MongoDB: their documents hold their sends. */
export class MongoAttempts extends Attempts {
  constructor(db: MongoDatabase, clock: Clock) {
    const verifications = db.collection<VerificationDocument>('verifications')
    super({
      see: ({ services, from, before, phone, window }) =>
        db.run(async (step) => {
          const wanted = {
            service: { $in: [...services] },
            _id: { $gte: from, $lt: before },
            ...(phone === null ? {} : { phone }),
          }
          const options = { ...NEWEST, limit: window, batchSize: window + 1 }
          const found = await step(() => verifications.find(wanted, options).toArray())
          const now = clock.now()
          return {
            found: found.map((document) => ({
              verification: readVerification(document, now),
              sends: document.send_log.map((send) => readSend(document._id, send)),
            })),
            end: found[window - 1]?._id ?? null,
          }
        }),
    })
  }
}
