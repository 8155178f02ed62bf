import { refusing, stateOf, waitSeconds } from '../../limits/window.ts'
import type { Rule } from '../../limits/counters.ts'
import type { Clock } from '../../primitives/clock.ts'
import type { Claim, ClaimLife, Draft, Guess, ResendRefusal, Verdict, VerifyStore } from '../../verify/store.ts'
import { reasonOfEnded, type Status, type Verification } from '../../verify/verification.ts'
import type { Channel } from '../../messaging/provider.ts'
import { SqliteClaims } from './claims.ts'
import type { SqliteDatabase } from './database.ts'
import { packHits, unpackHits } from './hits.ts'
import { type Row, toVerification } from './rows.ts'
import { verificationStatements } from './verification-statements.ts'

/** A page looks at no more rows than this, so that a rare status cannot hold the event loop. */
const LIST_WINDOW = 5_000

/** Verifications in SQLite. */
export class SqliteVerifications implements VerifyStore {
  readonly #db: SqliteDatabase
  readonly #clock: Clock
  readonly #sql: ReturnType<typeof verificationStatements>
  readonly #claims: SqliteClaims

  constructor(db: SqliteDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#sql = verificationStatements(db)
    this.#claims = new SqliteClaims(db, clock)
  }

  pending(service: string, to: string, purpose: string): Promise<Verification | undefined> {
    return this.#db.read(() => {
      const now = this.#clock.now()
      const row = this.#sql.pending.get(to, service, purpose)
      const found = row && toVerification(row, now)
      return found?.status === 'pending' ? found : undefined
    })
  }

  open(draft: Draft): Promise<{ opened: boolean; verification: Verification }> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      this.#sql.retireExpired.run(draft.to, draft.service, draft.purpose, now)
      const blocked = draft.status === 'blocked'
      const row = this.#sql.insert.get({
        id: draft.id,
        service: draft.service,
        phone: draft.to,
        country: draft.country,
        channel: draft.channel,
        purpose: draft.purpose,
        locale: draft.locale,
        status: draft.status,
        key_id: draft.keyId,
        digest: draft.digest,
        code_length: draft.codeLength,
        guesses_max: draft.guessesMax,
        sends: blocked ? 0 : 1,
        sends_max: draft.sendsMax,
        created_at: now,
        expires_at: now + draft.ttlSeconds * 1000,
        resend_at: now + draft.cooldownSeconds * 1000,
        decided_at: blocked ? now : null,
        nonce: draft.nonce,
        metadata: draft.metadata === null ? null : JSON.stringify(draft.metadata),
        decision: draft.decision,
      })
      const kept = row ?? this.#sql.pending.get(draft.to, draft.service, draft.purpose)
      if (!kept) throw new Error('neither inserted nor found')
      if (row && draft.claimKey !== undefined) this.#claims.tie(draft.claimKey, draft.id)
      return { opened: row !== undefined, verification: toVerification(kept, now) }
    })
  }

  resend(
    id: string,
    send: { channel: Channel; cooldownSeconds: number; counted: boolean },
  ): Promise<{ refused: ResendRefusal | null; verification: Verification }> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const row = this.#sql.resend.get({
        id,
        now,
        channel: send.channel,
        counts: send.counted ? 1 : 0,
        resend_at: now + send.cooldownSeconds * 1000,
      })
      if (row) return { refused: null, verification: toVerification(row, now) }
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

  judge(guess: Guess): Promise<Verdict | undefined> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const found = this.#sql.find.get(guess.id)
      if (!found) return undefined
      const before = toVerification(found, now)
      if (before.status !== 'pending') {
        return { judged: false, reason: reasonOfEnded(before.status), verification: before }
      }
      const spent = guess.budget && unpackHits(this.#sql.budget.get(before.to)?.['hits'])
      const refused = guess.budget && spent && refusing([guess.budget], spent, now)
      if (refused) {
        return { judged: false, reason: 'budget_spent', retryAfterSeconds: waitSeconds(refused.at, now) }
      }
      // This one statement counts the guess, compares it and decides; what went before only chose the words.
      const row = this.#sql.judge.get({ id: guess.id, digest: guess.digest, now })
      if (!row) throw new Error('a pending verification was not judged')
      const verification = toVerification(row, now)
      if (verification.status === 'approved') return { judged: true, reason: 'approved', verification }
      if (guess.budget && spent) {
        const hits = packHits([now, ...spent].slice(0, guess.budget.limit))
        this.#sql.spendBudget.run(before.to, hits, now + guess.budget.windowSeconds * 1000)
      }
      return { judged: true, reason: 'wrong_code', verification }
    })
  }

  find(id: string): Promise<Verification | undefined> {
    return this.#db.read(() => this.#read(this.#sql.find.get(id)))
  }

  latest(service: string, to: string, purpose?: string): Promise<Verification | undefined> {
    return this.#db.read(() =>
      this.#read(
        purpose === undefined
          ? this.#sql.latest.get(to, service)
          : this.#sql.latestOfPurpose.get(to, service, purpose),
      ),
    )
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
      const rows: Row[] =
        filter.to === undefined
          ? this.#sql.listAll.all(filter.service, cursor, LIST_WINDOW)
          : this.#sql.listPhone.all(filter.to, filter.service, cursor, LIST_WINDOW)
      const matching: Verification[] = []
      for (const row of rows) {
        const verification = toVerification(row, now)
        if (filter.status === undefined || verification.status === filter.status) matching.push(verification)
        if (matching.length > filter.limit) break
      }
      const data = matching.slice(0, filter.limit)
      if (matching.length > filter.limit) return { data, nextCursor: data.at(-1)?.id ?? null }
      const last = rows.length === LIST_WINDOW ? rows.at(-1) : undefined
      return { data, nextCursor: last ? String(last['id']) : null }
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

  releaseClaim(key: string): Promise<void> {
    return this.#claims.release(key)
  }

  #end(id: string, status: 'failed' | 'canceled'): { ended: boolean; verification: Verification } {
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
