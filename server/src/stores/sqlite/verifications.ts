import { refusing, stateOf, waitSeconds } from '../../limits/window.ts'
import type { Rule } from '../../limits/counters.ts'
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
import { reasonOfEnded, type Status, type Verification } from '../../verify/verification.ts'
import type { Channel } from '../../messaging/provider.ts'
import type { PlannedSend } from '../../messaging/store.ts'
import { SqliteClaims } from './claims.ts'
import type { SqliteDatabase } from './database.ts'
import { packHits, unpackHits } from './hits.ts'
import { SqlitePlannedSends } from './planned-sends.ts'
import { number, type Row, toVerification, withProgress } from '../rows.ts'
import { verificationStatements } from './verification-statements.ts'

/** A page looks at no more rows than this, so that a rare status cannot hold the event loop. */
const LIST_WINDOW = 5_000

/** Verifications in SQLite. */
export class SqliteVerifications implements VerifyStore {
  readonly #db: SqliteDatabase
  readonly #clock: Clock
  readonly #sql: ReturnType<typeof verificationStatements>
  readonly #claims: SqliteClaims
  readonly #planned: SqlitePlannedSends

  constructor(db: SqliteDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#sql = verificationStatements(db)
    this.#claims = new SqliteClaims(db, clock)
    this.#planned = new SqlitePlannedSends(db)
  }

  situation(service: string, to: string, purpose: string): Promise<Situation> {
    return this.#db.read(() => {
      const now = this.#clock.now()
      const newest = this.#sql.newestStatus.get(to)
      if (!newest) return { current: undefined, approvedAt: undefined }
      const pending = this.#pending(service, to, purpose, now)
      const current =
        pending?.status === 'pending'
          ? pending
          : this.#read(this.#sql.latestOfPurpose.get(to, service, purpose))
      // An approval from the future means that the clock was set back; it ends no wait.
      const approvedAt = newest['status'] === 'approved' ? number(newest, 'decided_at') : undefined
      return { current, approvedAt: approvedAt !== undefined && approvedAt <= now ? approvedAt : undefined }
    })
  }

  open(draft: Draft): Promise<{ opened: boolean; verification: Verification }> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const found = this.#pending(draft.service, draft.to, draft.purpose, now)
      if (found?.status === 'pending') return { opened: false, verification: found }
      if (found) this.#retire(found.id)
      const verification = this.#insert(draft, now)
      if (draft.send) this.#planned.insert(draft.id, draft.send, now)
      if (draft.claimKey !== undefined) this.#claims.tie(draft.claimKey, draft.id)
      return { opened: true, verification }
    })
  }

  resend(
    id: string,
    again: { channel: Channel; cooldownSeconds: number; send?: PlannedSend; early?: boolean },
  ): Promise<{ refused: ResendRefusal | null; verification: Verification }> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const row = this.#sql.resend.get({
        id,
        now,
        channel: again.channel,
        counts: again.send ? 1 : 0,
        early: again.early === true ? 1 : 0,
        resend_at: now + again.cooldownSeconds * 1000,
      })
      if (row) {
        if (again.send) this.#planned.insert(id, again.send, now)
        return { refused: null, verification: toVerification(row, now) }
      }
      const verification = toVerification(this.#mustFind(id), now)
      return { refused: whyNoResend(verification), verification }
    })
  }

  retract(id: string): Promise<void> {
    return this.#db.write(() => {
      this.#sql.retract.run(this.#clock.now(), id)
    })
  }

  fail(id: string): Promise<Verification> {
    return this.#db.write(() => this.#end(id, 'failed').verification)
  }

  cancel(id: string): Promise<{ canceled: boolean; verification: Verification }> {
    return this.#db.write(() => {
      const { ended, verification } = this.#end(id, 'canceled')
      return { canceled: ended, verification }
    })
  }

  accept(id: string): Promise<{ accepted: boolean; verification: Verification }> {
    return this.#db.write(() => {
      const { ended, verification } = this.#end(id, 'approved')
      return { accepted: ended, verification }
    })
  }

  judge({ id, service, digests, budget, unlimited }: Guess): Promise<Verdict | undefined> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const found = this.#read(this.#sql.find.get(id))
      if (found?.service !== service) return undefined
      if (found.status !== 'pending') {
        if (found.status === 'expired') this.#retire(id)
        return { judged: false, reason: reasonOfEnded(found.status), verification: found }
      }
      const isLimited = !unlimited.includes(found.to)
      const spent = isLimited ? unpackHits(this.#sql.budget.get(found.to)?.['hits']) : []
      const refused = refusing([budget], spent, now)
      if (refused) {
        return { judged: false, reason: 'budget_spent', retryAfterSeconds: waitSeconds(refused.at, now) }
      }
      // This one statement counts the guess, compares it and decides.
      const row = this.#sql.judge.get({ id, digests: Buffer.concat(digests), now })
      if (!row) throw new Error('a pending verification was not judged')
      const verification = withProgress(found, row)
      if (verification.status === 'approved') return { judged: true, reason: 'approved', verification }
      if (isLimited) {
        const hits = packHits([now, ...spent].slice(0, budget.limit))
        this.#sql.spendBudget.run(found.to, hits, now + budget.windowSeconds * 1000)
      }
      return { judged: true, reason: 'wrong_code', verification }
    })
  }

  approve(id: string): Promise<{ approved: boolean; verification: Verification }> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const row = this.#sql.approve.get(now, id)
      const verification = toVerification(row ?? this.#mustFind(id), now)
      if (!row) return { approved: false, verification }
      const [, ...others] = unpackHits(this.#sql.budget.get(verification.to)?.['hits'])
      this.#sql.giveBudget.run(packHits(others), verification.to)
      return { approved: true, verification }
    })
  }

  find(id: string): Promise<Verification | undefined> {
    return this.#db.read(() => this.#read(this.#sql.find.get(id)))
  }

  findByPrefix(prefix: string): Promise<Verification | undefined> {
    // Ids are hexadecimal.
    return this.#db.read(() => this.#read(this.#sql.findByPrefix.get(prefix, `${prefix}g`)))
  }

  latest(service: string, to: string): Promise<Verification | undefined> {
    return this.#db.read(() => this.#read(this.#sql.latest.get(to, service)))
  }

  latestApproved(service: string, to: string): Promise<Verification | undefined> {
    return this.#db.read(() => this.#read(this.#sql.latestApproved.get(to, service)))
  }

  list(filter: {
    readonly service: string
    readonly limit: number
    readonly to?: string
    readonly status?: Status
    readonly cursor?: string
  }): Promise<{ data: Verification[]; nextCursor: string | null }> {
    return this.#db.read(() => {
      const now = this.#clock.now()
      const cursor = filter.cursor ?? '~'
      const rows =
        filter.to === undefined
          ? this.#sql.listAll.iterate(filter.service, cursor, LIST_WINDOW)
          : this.#sql.listPhone.iterate(filter.to, filter.service, cursor, LIST_WINDOW)
      const data: Verification[] = []
      let looked = 0
      let last: string | null = null
      for (const row of rows) {
        const verification = toVerification(row, now)
        const matches = filter.status === undefined || verification.status === filter.status
        if (matches && data.length === filter.limit) return { data, nextCursor: data.at(-1)?.id ?? null }
        if (matches) data.push(verification)
        last = verification.id
        looked++
      }
      return { data, nextCursor: looked === LIST_WINDOW ? last : null }
    })
  }

  budget(to: string, rule: Rule): Promise<{ remaining: number; resetsAt: number }> {
    return this.#db.read(() => {
      const now = this.#clock.now()
      const [state] = stateOf([rule], unpackHits(this.#sql.budget.get(to)?.['hits']), now)
      return { remaining: state?.remaining ?? rule.limit, resetsAt: state?.resetsAt ?? now }
    })
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

  /** The one that is stored as pending, which may have expired meanwhile; a unique index keeps it the only one. */
  #pending(service: string, to: string, purpose: string, now: number): Verification | undefined {
    const row = this.#sql.pending.get(to, service, purpose)
    return row && toVerification(row, now)
  }

  /** Writes down that one has expired, so that a clock set back does not bring it to life again. */
  #retire(id: string): void {
    this.#sql.retire.run(id)
  }

  #insert(draft: Draft, now: number): Verification {
    const blocked = draft.status === 'blocked'
    const sends = blocked ? 0 : 1
    const expiresAt = now + draft.ttlSeconds * 1000
    const resendAt = now + draft.cooldownSeconds * 1000
    const decidedAt = blocked ? now : null
    this.#sql.insert.run(
      draft.id,
      draft.service,
      draft.to,
      draft.country,
      draft.channel,
      draft.purpose,
      draft.locale,
      draft.status,
      draft.keyId,
      draft.digest,
      draft.codeLength,
      draft.guessesMax,
      sends,
      draft.sendsMax,
      now,
      expiresAt,
      resendAt,
      decidedAt,
      draft.nonce,
      draft.metadata === null ? null : JSON.stringify(draft.metadata),
      draft.terms === null ? null : JSON.stringify(draft.terms),
      draft.decision,
    )
    const { digest, ttlSeconds, cooldownSeconds, decision, claimKey, send, ...kept } = draft
    return { ...kept, guesses: 0, sends, createdAt: now, expiresAt, resendAt, decidedAt }
  }

  #end(
    id: string,
    status: 'failed' | 'canceled' | 'approved',
  ): { ended: boolean; verification: Verification } {
    const now = this.#clock.now()
    const row = this.#sql.end.get(status, now, id, now)
    return { ended: row !== undefined, verification: toVerification(row ?? this.#mustFind(id), now) }
  }

  #mustFind(id: string): Row {
    const row = this.#sql.find.get(id)
    if (!row) throw new Error('no such verification')
    return row
  }

  #read(row: Row | undefined): Verification | undefined {
    return row && toVerification(row, this.#clock.now())
  }
}

function whyNoResend(verification: Verification): ResendRefusal {
  if (verification.status !== 'pending') return 'ended'
  return verification.sends >= verification.sendsMax ? 'no_sends_left' : 'too_soon'
}
