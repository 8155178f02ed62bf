import { timingSafeEqual } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Collection, WithId } from 'mongodb'
import type { Clock } from '../../primitives/clock.ts'
import type { Guess, Verdict } from '../../verify/store.ts'
import { reasonOfEnded } from '../../verify/verification.ts'
import type { MongoDatabase, Step } from './database.ts'
import type { GuessBudgets, Place } from './guess-budgets.ts'
import { Turns } from './turns.ts'
import {
  endAs,
  pendingAt,
  readVerification,
  type VerificationDocument,
  WITHOUT_DIGEST,
} from './verification-documents.ts'

/** How long a guess waits for others that are being judged, time after time, before it believes the budget is spent. */
const WAITS_MS = [10, 20, 40, 80, 160, 320]

type Found = WithId<VerificationDocument>
type NotJudged = Extract<Verdict, { judged: false }>

/**
 * Judges guesses. Two documents have a say: the number's budget and the verification. A guess first takes a place in
 * the budget, then one update of the verification counts it and decides, then the place is kept or given back.
 *
 * That one update is the same operation for a right guess and a wrong one, and comes after the same steps, so guesses
 * are counted in the order they arrive at the document. Trying "right?" and "wrong?" one after the other would let the
 * right one of a thousand that are sent at once overtake the others, and a burst would try a thousand codes.
 */
export class Judge {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #collection: Collection<VerificationDocument>
  readonly #budgets: GuessBudgets
  readonly #turns = new Turns<NotJudged>()

  constructor(
    db: MongoDatabase,
    clock: Clock,
    collection: Collection<VerificationDocument>,
    budgets: GuessBudgets,
  ) {
    this.#db = db
    this.#clock = clock
    this.#collection = collection
    this.#budgets = budgets
  }

  judge(guess: Guess): Promise<Verdict | undefined> {
    return this.#db.run((step) =>
      // An end is for ever, so those who wait behind the one that met it need not look again.
      this.#turns.take(JSON.stringify([guess.service, guess.id]), async (slip) => {
        const verdict = slip.note ?? (await this.#judge(step, guess))
        if (verdict?.judged === false && verdict.reason !== 'budget_spent') slip.note = verdict
        return verdict
      }),
    )
  }

  /** Writes down what a verification that is stored as pending has become, and frees its slot. */
  async retire(document: Pick<Found, '_id' | 'status' | 'guesses_left' | 'guessed_at' | 'expires_at'>) {
    if (document.status !== 'pending') return
    const isLocked = document.guesses_left <= 0
    const end = isLocked
      ? endAs(document._id, 'locked', document.guessed_at)
      : endAs(document._id, 'expired', document.expires_at)
    const still = { _id: document._id, status: 'pending', guesses_left: isLocked ? 0 : { $gt: 0 } } as const
    await this.#collection.updateOne(still, { $set: end })
  }

  async #judge(step: Step, guess: Guess): Promise<Verdict | undefined> {
    for (let waits = 0; ;) {
      const found = await this.#find(step, guess)
      if (!found) return undefined
      const ended = await this.#ended(step, found)
      if (ended) return ended
      const isLimited = !guess.unlimited.includes(found.phone)
      const place = isLimited ? await this.#budgets.reserve(step, found.phone, guess.budget) : undefined
      if (place === undefined || place.state === 'held') {
        const verdict = await this.#decide(step, found, guess, place)
        if (verdict) return verdict
        // It ended between the look and the update; the next look tells how.
        continue
      }
      const wait = place.state === 'busy' ? WAITS_MS[waits++] : undefined
      if (wait === undefined) return this.#refuse(step, guess, place)
      await step(() => sleep(wait))
    }
  }

  /** Counts the guess and decides, in one update; undefined when the verification ended first. */
  async #decide(
    step: Step,
    found: Found,
    guess: Guess,
    place: Extract<Place, { state: 'held' }> | undefined,
  ): Promise<Verdict | undefined> {
    const isRight = isOneOf(found.digest.value(), guess.digests)
    const now = this.#clock.now()
    const decided = await step(() =>
      this.#collection.findOneAndUpdate(
        pendingAt(found._id, now),
        {
          $inc: { guesses: 1, guesses_left: -1 },
          $set: isRight ? endAs(found._id, 'approved', now) : { guessed_at: now },
        },
        { returnDocument: 'after', projection: WITHOUT_DIGEST },
      ),
    )
    await this.#db.tidy(() =>
      Promise.all([
        place && this.#budgets.settle(found.phone, place.hit, decided !== null && !isRight),
        decided?.guesses_left === 0 && this.retire(decided),
      ]),
    )
    if (!decided) return undefined
    const verification = readVerification(decided, now)
    return { judged: true, reason: isRight ? 'approved' : 'wrong_code', verification }
  }

  /** The budget is spent, unless the verification ended meanwhile: then that is what a guess is told. */
  async #refuse(
    step: Step,
    guess: Guess,
    { retryAfterSeconds }: Extract<Place, { retryAfterSeconds: number }>,
  ): Promise<NotJudged | undefined> {
    const found = await this.#find(step, guess)
    if (!found) return undefined
    return (await this.#ended(step, found)) ?? { judged: false, reason: 'budget_spent', retryAfterSeconds }
  }

  async #find(step: Step, { id, service }: Guess): Promise<Found | undefined> {
    const projection = { send_log: 0 }
    const found = await step(() => this.#collection.findOne({ _id: id }, { projection }))
    return found?.service === service ? found : undefined
  }

  async #ended(step: Step, found: Found): Promise<NotJudged | undefined> {
    const verification = readVerification(found, this.#clock.now())
    if (verification.status === 'pending') return undefined
    await step(() => this.retire(found))
    return { judged: false, reason: reasonOfEnded(verification.status), verification }
  }
}

/** Whether a digest is among others; looks at all of them, each in constant time. */
function isOneOf(digest: Uint8Array, candidates: readonly Uint8Array[]): boolean {
  let found = false
  for (const candidate of candidates) {
    const isComparable = candidate.length === digest.length && digest.length > 0
    if (isComparable && timingSafeEqual(digest, candidate)) found = true
  }
  return found
}
