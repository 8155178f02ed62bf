import type { Collection, Db } from 'mongodb'
import type { Guess, Verdict } from '../../src/verify/store.ts'

type Kept = {
  _id: string
  phone: string
  status: string
  digest: { value(): Uint8Array }
  guesses: number
  guesses_left: number
}
type Log = { _id: string; hits: number[]; purge_at: Date }
type Twin = (guess: Guess) => Promise<Verdict | undefined>

/** Ways to judge on the documents of the MongoDB store, each with one fault, which the races must find. */
export const TWINS = {
  /** Reads the verification, thinks, and writes it back. */
  readThenWrite(db: Db): Twin {
    const { verifications } = collections(db)
    return async ({ id, digests }) => {
      const found = await verifications.findOne({ _id: id })
      if (!found || found.status !== 'pending' || found.guesses_left <= 0) return ended('locked')
      const isRight = isOneOf(found, digests)
      const change = { guesses: found.guesses + 1, guesses_left: found.guesses_left - 1 }
      const status = isRight ? 'approved' : 'pending'
      await verifications.updateOne({ _id: id }, { $set: { ...change, status } })
      return judged(isRight)
    }
  },

  /** Looks whether the budget has room, judges, and charges it afterwards. */
  chargeAfterwards(db: Db): Twin {
    const { verifications, budgets } = collections(db)
    return async ({ id, digests, budget }) => {
      const found = await verifications.findOne({ _id: id })
      if (!found) return undefined
      const log = await budgets.findOne({ _id: found.phone })
      if ((log?.hits.length ?? 0) >= budget.limit)
        return { judged: false, reason: 'budget_spent', retryAfterSeconds: 1 }
      const isRight = isOneOf(found, digests)
      const counted = await verifications.updateOne(pending(id), count(isRight))
      if (counted.matchedCount === 0) return ended('locked')
      const charge = { $push: { hits: Date.now() }, $set: { purge_at: new Date(Date.now() + 86_400_000) } }
      if (!isRight) await budgets.updateOne({ _id: found.phone }, charge, { upsert: true })
      return judged(isRight)
    }
  },

  /** Tries whether the guess is right, and where it is not, counts it as wrong: two updates, each atomic. */
  rightFirst(db: Db): Twin {
    const { verifications } = collections(db)
    return async ({ id, digests }) => {
      const right = await verifications.updateOne(
        { ...pending(id), digest: { $in: digests as never } },
        count(true),
      )
      if (right.matchedCount === 1) return judged(true)
      const wrong = await verifications.updateOne(pending(id), count(false))
      return wrong.matchedCount === 1 ? judged(false) : ended('locked')
    }
  },
} as const

function collections(db: Db): { verifications: Collection<Kept>; budgets: Collection<Log> } {
  return { verifications: db.collection('verifications'), budgets: db.collection('guess_budgets') }
}

function pending(id: string) {
  return { _id: id, status: 'pending', guesses_left: { $gt: 0 } }
}

function count(isRight: boolean) {
  return { $inc: { guesses: 1, guesses_left: -1 }, $set: { status: isRight ? 'approved' : 'pending' } }
}

function isOneOf({ digest }: Kept, digests: readonly Buffer[]): boolean {
  return digests.some((candidate) => candidate.equals(digest.value()))
}

// The races look at the reason alone.
function judged(isRight: boolean): Verdict {
  return { judged: true, reason: isRight ? 'approved' : 'wrong_code', verification: {} as never }
}

function ended(reason: 'locked'): Verdict {
  return { judged: false, reason, verification: {} as never }
}
