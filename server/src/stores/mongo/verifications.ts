import { Binary, type Collection, type Filter, type WithId } from 'mongodb'
import { MongoClaims } from './claims.ts'
import type { Rule } from '../../limits/counters.ts'
import type { Channel } from '../../messaging/provider.ts'
import type { PlannedSend } from '../../messaging/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import type {
  Claim,
  ClaimLife,
  Draft,
  Guess,
  ResendRefusal,
  Situation,
  Verdict,
  VerifyStore,
} from '../../verify/store.ts'
import type { Status, Verification } from '../../verify/verification.ts'
import type { MongoDatabase, Step } from './database.ts'
import { isDuplicate } from './errors.ts'
import { GuessBudgets } from './guess-budgets.ts'
import { Judge } from './judge.ts'
import { newSend } from './sends.ts'
import {
  endAs,
  newVerification,
  pendingAt,
  readVerification,
  slotOf,
  type VerificationDocument,
  WITHOUT_DIGEST,
} from './verification-documents.ts'

/** A page looks at no more documents than this, so that a rare status costs no more than a common one. */
const LIST_WINDOW = 1_000

const NEWEST = { sort: { _id: -1 }, projection: WITHOUT_DIGEST } as const

type Found = WithId<VerificationDocument>
type Page = { data: Verification[]; nextCursor: string | null }

/** Verifications in MongoDB: a document each, its sends inside it. */
export class MongoVerifications implements VerifyStore {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #retentionMs: number
  readonly #collection: Collection<VerificationDocument>
  readonly #budgets: GuessBudgets
  readonly #judge: Judge
  readonly #claims: MongoClaims

  constructor(db: MongoDatabase, clock: Clock, retentionDays: number) {
    this.#db = db
    this.#clock = clock
    this.#retentionMs = retentionDays * 86_400_000
    this.#collection = db.collection('verifications')
    this.#budgets = new GuessBudgets(db, clock)
    this.#judge = new Judge(db, clock, this.#collection, this.#budgets)
    this.#claims = new MongoClaims(db, clock, this.#collection)
  }

  situation(service: string, to: string, purpose: string): Promise<Situation> {
    return this.#db.run(async (step) => {
      const [newest, holder] = await Promise.all([
        step(() => this.#collection.findOne({ phone: to }, NEWEST)),
        step(() => this.#holder(service, to, purpose)),
      ])
      if (!newest) return { current: undefined, approvedAt: undefined }
      const pending = holder && this.#read(holder)
      const isOfPurpose = newest.service === service && newest.purpose === purpose
      const current =
        pending?.status === 'pending'
          ? pending
          : isOfPurpose
            ? this.#read(newest)
            : await this.#newest(step, { phone: to, service, purpose })
      // An approval from the future means that the clock was set back; it ends no wait.
      const approvedAt = newest.status === 'approved' ? newest.decided_at : null
      const isPast = approvedAt !== null && approvedAt <= this.#clock.now()
      return { current, approvedAt: isPast ? approvedAt : undefined }
    })
  }

  open(draft: Draft): Promise<{ opened: boolean; verification: Verification }> {
    return this.#db.run(async (step) => {
      const digest = new Binary(draft.digest)
      for (;;) {
        const document = newVerification(draft, digest, this.#clock.now(), this.#retentionMs)
        if (await this.#insert(step, document)) return { opened: true, verification: this.#read(document) }
        const holder = await step(() => this.#holder(draft.service, draft.to, draft.purpose))
        const verification = holder && this.#read(holder)
        if (verification?.status === 'pending') return { opened: false, verification }
        // It ended and nobody wrote it down, so it still has the slot.
        if (holder) await step(() => this.#judge.retire(holder))
      }
    })
  }

  resend(
    id: string,
    again: { channel: Channel; cooldownSeconds: number; send?: PlannedSend; early?: boolean },
  ): Promise<{ refused: ResendRefusal | null; verification: Verification }> {
    const { channel, cooldownSeconds, send, early = false } = again
    return this.#db.run(async (step) => {
      const now = this.#clock.now()
      const counted = send && {
        $inc: { sends: 1, sends_left: -1 },
        $push: { send_log: newSend(send, now) },
      }
      const resendAt = send ? { resend_at: now + cooldownSeconds * 1000 } : {}
      const isCool = early ? {} : { resend_at: { $lte: now } }
      const resent = await step(() =>
        this.#collection.findOneAndUpdate(
          { ...pendingAt(id, now), sends_left: { $gt: 0 }, ...isCool },
          { ...counted, $set: { channel, ...resendAt } },
          { returnDocument: 'after', projection: WITHOUT_DIGEST },
        ),
      )
      if (resent) return { refused: null, verification: this.#read(resent) }
      const verification = await this.#mustFind(step, id)
      return { refused: whyNoResend(verification), verification }
    })
  }

  retract(id: string): Promise<void> {
    return this.#db.run(async (step) => {
      const change = { $inc: { sends: -1, sends_left: 1 }, $set: { resend_at: this.#clock.now() } }
      await step(() => this.#collection.updateOne({ _id: id, status: 'pending', sends: { $gt: 0 } }, change))
    })
  }

  async fail(id: string): Promise<Verification> {
    return (await this.#end(id, 'failed')).verification
  }

  async cancel(id: string): Promise<{ canceled: boolean; verification: Verification }> {
    const { ended, verification } = await this.#end(id, 'canceled')
    return { canceled: ended, verification }
  }

  async accept(id: string): Promise<{ accepted: boolean; verification: Verification }> {
    const { ended, verification } = await this.#end(id, 'approved')
    return { accepted: ended, verification }
  }

  judge(guess: Guess): Promise<Verdict | undefined> {
    return this.#judge.judge(guess)
  }

  approve(id: string): Promise<{ approved: boolean; verification: Verification }> {
    return this.#db.run(async (step) => {
      // Its guess was judged in time, so nothing is asked about the time now; what was met as expired has ended.
      const isOpen = { _id: id, status: { $in: ['pending', 'locked'] as Status[] } }
      const approved = await step(() =>
        this.#collection.findOneAndUpdate(
          isOpen,
          { $set: endAs(id, 'approved', this.#clock.now()) },
          { returnDocument: 'after', projection: WITHOUT_DIGEST },
        ),
      )
      if (!approved) return { approved: false, verification: await this.#mustFind(step, id) }
      // Another document, so whoever dies in between has spent the guess.
      await this.#db.tidy(() => this.#budgets.giveBack(approved.phone))
      return { approved: true, verification: this.#read(approved) }
    })
  }

  find(id: string): Promise<Verification | undefined> {
    return this.#db.run((step) => this.#newest(step, { _id: id }))
  }

  findByPrefix(prefix: string): Promise<Verification | undefined> {
    // Ids are hexadecimal.
    return this.#db.run((step) => this.#newest(step, { _id: { $gte: prefix, $lt: `${prefix}g` } }))
  }

  latest(service: string, to: string): Promise<Verification | undefined> {
    return this.#db.run((step) => this.#newest(step, { phone: to, service }))
  }

  latestApproved(service: string, to: string): Promise<Verification | undefined> {
    return this.#db.run((step) => this.#newest(step, { phone: to, service, status: 'approved' }))
  }

  list(filter: {
    readonly service: string
    readonly limit: number
    readonly to?: string
    readonly status?: Status
    readonly cursor?: string
  }): Promise<Page> {
    const { service, limit, to, status, cursor = '~' } = filter
    const wanted = { service, _id: { $lt: cursor }, ...(to === undefined ? {} : { phone: to }) }
    // One more than fits tells whether there is another page. A status may lie in what was not written down yet, so
    // it is looked for here.
    const window = status === undefined ? limit + 1 : LIST_WINDOW
    return this.#db.run(async (step) => {
      const options = { ...NEWEST, limit: window, batchSize: window + 1 }
      const found = (await step(() => this.#collection.find(wanted, options).toArray())).map((document) =>
        this.#read(document),
      )
      const matching = status === undefined ? found : found.filter((one) => one.status === status)
      const data = matching.slice(0, limit)
      if (matching.length > limit) return { data, nextCursor: data.at(-1)?.id ?? null }
      return { data, nextCursor: found.length === window ? (found.at(-1)?.id ?? null) : null }
    })
  }

  budget(to: string, rule: Rule): Promise<{ remaining: number; resetsAt: number }> {
    return this.#db.run((step) => this.#budgets.state(step, to, rule))
  }

  claim(key: string, fingerprint: string, life: ClaimLife): Promise<Claim> {
    return this.#claims.claim(key, fingerprint, life)
  }

  settleClaim(key: string, answer: string): Promise<void> {
    return this.#claims.settle(key, answer)
  }

  releaseClaim(key: string, how: { readonly unlessOpened: boolean }): Promise<void> {
    return this.#claims.release(key, how)
  }

  /** Inserts a verification; false when another one has its slot. */
  async #insert(step: Step, document: VerificationDocument): Promise<boolean> {
    try {
      await step(() => this.#collection.insertOne(document))
      return true
    } catch (error) {
      if (isDuplicate(error)) return false
      throw error
    }
  }

  /** Whoever has the slot: the one that is stored as pending, which may have ended meanwhile. */
  #holder(service: string, to: string, purpose: string): Promise<Found | null> {
    return this.#collection.findOne({ slot: slotOf(service, to, purpose) }, { projection: WITHOUT_DIGEST })
  }

  async #end(
    id: string,
    status: 'failed' | 'canceled' | 'approved',
  ): Promise<{ ended: boolean; verification: Verification }> {
    return this.#db.run(async (step) => {
      const now = this.#clock.now()
      const ended = await step(() =>
        this.#collection.findOneAndUpdate(
          pendingAt(id, now),
          { $set: endAs(id, status, now) },
          { returnDocument: 'after', projection: WITHOUT_DIGEST },
        ),
      )
      const verification = ended ? this.#read(ended) : await this.#mustFind(step, id)
      return { ended: ended !== null, verification }
    })
  }

  async #newest(
    step: Step,
    filter: Readonly<Partial<Record<'phone' | 'service' | 'purpose' | 'status', string>>> & {
      readonly _id?: string | { readonly $gte: string; readonly $lt: string }
    },
  ): Promise<Verification | undefined> {
    const found = await step(() => this.#collection.findOne(filter as Filter<VerificationDocument>, NEWEST))
    return found ? this.#read(found) : undefined
  }

  async #mustFind(step: Step, id: string): Promise<Verification> {
    const found = await this.#newest(step, { _id: id })
    if (!found) throw new Error('no such verification')
    return found
  }

  #read(document: Found): Verification {
    return readVerification(document, this.#clock.now())
  }
}

function whyNoResend(verification: Verification): ResendRefusal {
  if (verification.status !== 'pending') return 'ended'
  return verification.sends >= verification.sendsMax ? 'no_sends_left' : 'too_soon'
}
