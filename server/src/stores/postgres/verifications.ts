import type { Counters, Rule } from '../../limits/counters.ts'
import { stateOf, waitSeconds } from '../../limits/window.ts'
import type { Channel } from '../../messaging/provider.ts'
import { SEND_LEASE_SECONDS } from '../../messaging/lease.ts'
import type { PlannedSend } from '../../messaging/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import type {
  Charge,
  ChargedOpening,
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
import { number, numberOrNull, type Row, text, toVerification } from '../rows.ts'
import { packArray, unpackNumbers } from './arrays.ts'
import { PostgresClaims } from './claims.ts'
import { flatten, packRules, refusalOf } from './counters.ts'
import { ANSWER_MS, type PostgresDatabase } from './database.ts'
import { SQL } from './statements.ts'

/** A page looks at no more rows than this. */
const LIST_WINDOW = 5_000

/** Verifications in Postgres. Each verb is one statement, and the database's clock decides. */
export class PostgresVerifications implements VerifyStore {
  readonly #db: PostgresDatabase
  readonly #storeClock: Clock
  readonly #clock: Clock | undefined
  readonly #claims: PostgresClaims

  readonly charged: {
    readonly counters: Counters
    open(draft: Draft, charge: Charge): Promise<ChargedOpening>
  }

  /**
   * `counters` are in the same database; `storeClock` tells its time, and `clock` stands for its own clock, in tests.
   */
  constructor(db: PostgresDatabase, counters: Counters, storeClock: Clock, clock?: Clock) {
    this.#db = db
    this.#storeClock = storeClock
    this.#clock = clock
    this.charged = { counters, open: (draft, charge) => this.#openCharged(draft, charge) }
    this.#claims = new PostgresClaims(db, clock)
  }

  async situation(service: string, to: string, purpose: string): Promise<Situation> {
    const [row] = await this.#db.read(SQL.situation, [service, to, purpose, this.#now()])
    if (!row) throw new Error('the clock was not told')
    const now = number(row, 't')
    const approvedAt = row['newest_status'] === 'approved' ? number(row, 'newest_decided_at') : undefined
    return {
      current: row['id'] === null ? undefined : toVerification(row, now),
      // An approval from the future means that the clock was set back; it ends no wait.
      approvedAt: approvedAt !== undefined && approvedAt <= now ? approvedAt : undefined,
    }
  }

  async open(draft: Draft): Promise<{ opened: boolean; verification: Verification }> {
    const [row] = await this.#db.query(SQL.open, this.#parametersOf(draft))
    if (!row) throw new Error('a verification was neither opened nor found')
    // What is pending at the time of the answer is not looked at again: only `open` decides that here.
    return { opened: row['id'] === draft.id, verification: toVerification(row, 0) }
  }

  async resend(
    id: string,
    again: { channel: Channel; cooldownSeconds: number; send?: PlannedSend },
  ): Promise<{ refused: ResendRefusal | null; verification: Verification }> {
    const [row] = await this.#db.query(SQL.resend, [
      id,
      again.channel,
      again.cooldownSeconds * 1000,
      again.send?.id ?? null,
      again.send?.provider ?? null,
      this.#now(),
      SEND_LEASE_SECONDS * 1000,
    ])
    if (row) return { refused: null, verification: toVerification(row, number(row, 't')) }
    const verification = await this.#mustFind(id)
    return { refused: whyNoResend(verification), verification }
  }

  async retract(id: string): Promise<void> {
    await this.#db.query(SQL.retract, [id, this.#now()])
  }

  async fail(id: string): Promise<Verification> {
    return (await this.#end(id, 'failed')).verification
  }

  async cancel(id: string): Promise<{ canceled: boolean; verification: Verification }> {
    const { ended, verification } = await this.#end(id, 'canceled')
    return { canceled: ended, verification }
  }

  async judge({ id, service, digests, budget, unlimited }: Guess): Promise<Verdict | undefined> {
    const [row] = await this.#db.query(SQL.judge, [
      id,
      service,
      packArray(digests),
      budget.limit,
      budget.windowSeconds * 1000,
      packArray(unlimited),
      this.#now(),
      this.#until(),
    ])
    return row && verdictOf(row)
  }

  async find(id: string): Promise<Verification | undefined> {
    return read(await this.#db.read(SQL.find, [id, this.#now()]))
  }

  async latest(service: string, to: string): Promise<Verification | undefined> {
    return read(await this.#db.read(SQL.latest, [to, service, this.#now()]))
  }

  async latestApproved(service: string, to: string): Promise<Verification | undefined> {
    return read(await this.#db.read(SQL.latestApproved, [to, service, this.#now()]))
  }

  async list(filter: {
    readonly service: string
    readonly limit: number
    readonly to?: string
    readonly status?: Status
    readonly cursor?: string
  }): Promise<{ data: Verification[]; nextCursor: string | null }> {
    const { service, limit, to = null, status = null, cursor = '~' } = filter
    const page = [service, cursor, LIST_WINDOW, status, limit + 1, this.#now()]
    const rows = await (to === null
      ? this.#db.read(SQL.list, page)
      : this.#db.read(SQL.listPhone, [...page, to]))
    const data = rows.slice(0, limit).map((row) => toVerification(row, number(row, 't')))
    if (rows.length > limit) return { data, nextCursor: data.at(-1)?.id ?? null }
    const [end] = await this.#db.read(SQL.windowEnd, [service, cursor, LIST_WINDOW, to])
    return { data, nextCursor: end ? text(end, 'id') : null }
  }

  async budget(to: string, rule: Rule): Promise<{ remaining: number; resetsAt: number }> {
    const [row] = await this.#db.read(SQL.budget, [to, this.#now()])
    const now = row ? number(row, 't') : 0
    const [state] = stateOf([rule], unpackNumbers(row?.['hits']), now)
    return { remaining: state?.remaining ?? rule.limit, resetsAt: state?.resetsAt ?? now }
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

  async #openCharged(draft: Draft, charge: Charge): Promise<ChargedOpening> {
    const { keys, places, rules } = flatten(charge.counters)
    const { limits, windows } = packRules(rules)
    const [row] = await this.#db.query(SQL.openCharged, [
      ...this.#parametersOf(draft),
      packArray(keys),
      packArray(places),
      limits,
      windows,
      rules.findIndex(({ name }) => name === charge.endedByApproval) + 1,
    ])
    if (!row) throw new Error('a verification was neither opened nor found')
    const refused = rules[(numberOrNull(row, 'refused') ?? 0) - 1]
    if (refused) return { refused: refusalOf(refused, row, 'taken_at') }
    const at = numberOrNull(row, 'taken_at')
    return {
      refused: null,
      opened: row['id'] === draft.id,
      verification: toVerification(row, 0),
      taken: at === null ? undefined : { ok: true, keys, at },
    }
  }

  #parametersOf(draft: Draft): unknown[] {
    return [
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
      draft.status === 'blocked' ? 0 : 1,
      draft.sendsMax,
      draft.ttlSeconds * 1000,
      draft.cooldownSeconds * 1000,
      draft.nonce,
      draft.metadata === null ? null : JSON.stringify(draft.metadata),
      draft.decision,
      draft.send?.id ?? null,
      draft.send?.provider ?? null,
      SEND_LEASE_SECONDS * 1000,
      draft.claimKey ?? null,
      this.#now(),
      this.#until(),
    ]
  }

  #now(): number | null {
    return this.#clock?.now() ?? null
  }

  /** When the caller of a statement that begins now gives up. */
  #until(): number {
    return this.#storeClock.now() + ANSWER_MS
  }

  async #end(
    id: string,
    status: 'failed' | 'canceled',
  ): Promise<{ ended: boolean; verification: Verification }> {
    const [row] = await this.#db.query(SQL.end, [id, status, this.#now()])
    if (row) return { ended: true, verification: toVerification(row, number(row, 't')) }
    return { ended: false, verification: await this.#mustFind(id) }
  }

  async #mustFind(id: string): Promise<Verification> {
    const found = await this.find(id)
    if (!found) throw new Error('no such verification')
    return found
  }
}

function read([row]: readonly Row[]): Verification | undefined {
  return row && toVerification(row, number(row, 't'))
}

function verdictOf(row: Row): Verdict {
  const verification = toVerification(row, number(row, 't'))
  switch (text(row, 'verdict')) {
    case 'approved':
      return { judged: true, reason: 'approved', verification }
    case 'wrong_code':
      return { judged: true, reason: 'wrong_code', verification }
    case 'budget_spent': {
      const opensAt = numberOrNull(row, 'opens_at') ?? 0
      return {
        judged: false,
        reason: 'budget_spent',
        retryAfterSeconds: waitSeconds(opensAt, number(row, 't')),
      }
    }
    default:
      if (verification.status === 'pending') throw new Error('a pending verification was not judged')
      return { judged: false, reason: reasonOfEnded(verification.status), verification }
  }
}

function whyNoResend(verification: Verification): ResendRefusal {
  if (verification.status !== 'pending') return 'ended'
  return verification.sends >= verification.sendsMax ? 'no_sends_left' : 'too_soon'
}
