import type { Collection, WithId } from 'mongodb'
import type { Clock } from '../../primitives/clock.ts'
import type { Claim, ClaimLife } from '../../verify/store.ts'
import type { MongoDatabase, Step } from './database.ts'
import { isDuplicate } from './errors.ts'
import type { VerificationDocument } from './verification-documents.ts'

type ClaimDocument = {
  _id: string
  fingerprint: string
  answer: string | null
  /** What it has opened, where a move has brought that along; for any other the verification knows. */
  verification_id?: string | null
  made_at: number
  lease_until: number
  expires_at: number
  purge_at: Date
}

/**
 * Idempotency claims: who answers a request that is sent more than once. A claim that was not moved in does not know what
 * was opened under it; the verification does, because it was written in one step with its claim's key.
 */
export class MongoClaims {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #claims: Collection<ClaimDocument>
  readonly #verifications: Collection<VerificationDocument>

  constructor(db: MongoDatabase, clock: Clock, verifications: Collection<VerificationDocument>) {
    this.#db = db
    this.#clock = clock
    this.#claims = db.collection('claims')
    this.#verifications = verifications
  }

  claim(key: string, fingerprint: string, life: ClaimLife): Promise<Claim> {
    return this.#db.run(async (step) => {
      for (;;) {
        const made = this.#new(fingerprint, life)
        if (await this.#insert(step, { _id: key, ...made })) return { state: 'mine' }
        const found = await step(() => this.#claims.findOne({ _id: key }))
        const claim = found && (await this.#answer(step, found, made))
        if (claim) return claim
        // It was released, or somebody else took it over: it is looked at once more.
      }
    })
  }

  settle(key: string, answer: string): Promise<void> {
    return this.#db.run(async (step) => {
      await step(() => this.#claims.updateOne({ _id: key }, { $set: { answer } }))
    })
  }

  release(key: string, { unlessOpened }: { readonly unlessOpened: boolean }): Promise<void> {
    return this.#db.run(async (step) => {
      if (unlessOpened) {
        const claim = await step(() => this.#claims.findOne({ _id: key }))
        if (claim && (await this.#openedBy(step, claim)) !== undefined) return
      }
      await step(() => this.#claims.deleteOne({ _id: key, answer: null }))
    })
  }

  #new(fingerprint: string, life: ClaimLife): Omit<ClaimDocument, '_id'> {
    const now = this.#clock.now()
    const expiresAt = now + life.keepSeconds * 1000
    return {
      fingerprint,
      answer: null,
      verification_id: null,
      made_at: now,
      lease_until: now + life.leaseSeconds * 1000,
      expires_at: expiresAt,
      purge_at: new Date(expiresAt),
    }
  }

  async #insert(step: Step, claim: ClaimDocument): Promise<boolean> {
    try {
      await step(() => this.#claims.insertOne(claim))
      return true
    } catch (error) {
      if (isDuplicate(error)) return false
      throw error
    }
  }

  /** What a claim that is there means for a second one; undefined when it changed under our eyes. */
  async #answer(
    step: Step,
    found: WithId<ClaimDocument>,
    made: Omit<ClaimDocument, '_id'>,
  ): Promise<Claim | undefined> {
    const now = made.made_at
    if (found.expires_at <= now) return this.#take(step, found, made)
    if (found.fingerprint !== made.fingerprint) return { state: 'conflict' }
    if (found.answer !== null) return { state: 'done', answer: found.answer }
    if (found.lease_until > now) return { state: 'busy' }
    const verificationId = await this.#openedBy(step, found)
    if (verificationId !== undefined) return { state: 'opened', verificationId }
    return this.#take(step, found, { lease_until: made.lease_until })
  }

  /** The verification that a claim has opened. */
  async #openedBy(step: Step, claim: WithId<ClaimDocument>): Promise<string | undefined> {
    if (typeof claim.verification_id === 'string') return claim.verification_id
    // A key that was released or forgotten may be on older verifications too.
    const tied = { claim_key: claim._id, created_at: { $gte: claim.made_at } }
    const opened = await step(() => this.#verifications.findOne(tied, { projection: { _id: 1 } }))
    return opened?._id
  }

  /** Takes a claim over from whoever let its lease or its time run out, if nobody else has. */
  async #take(
    step: Step,
    { _id, answer, lease_until, expires_at }: WithId<ClaimDocument>,
    change: Partial<ClaimDocument>,
  ): Promise<Claim | undefined> {
    const { matchedCount } = await step(() =>
      this.#claims.updateOne({ _id, answer, lease_until, expires_at }, { $set: change }),
    )
    return matchedCount === 1 ? { state: 'mine' } : undefined
  }
}
