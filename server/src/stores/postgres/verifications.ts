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
import type { Batches } from '../batches.ts'
import { number, numberOrNull, type Row, text, toSend, toVerification } from '../rows.ts'
import { unpackNumbers } from './arrays.ts'
import { PostgresClaims } from './claims.ts'
import { flatten, refusalOf } from './counters.ts'
import { batched, decideAll, type PostgresDatabase } from './database.ts'
import { packJson } from './json.ts'
import { packPlanned, SQL } from './statements.ts'

/** A page looks at no more rows than this. */
const LIST_WINDOW = 5_000

/** What is to be opened, and what it is counted on. */
type Wanted = { readonly draft: Draft; readonly charge: Charge | undefined }

/** Of what the situation is asked. */
type Asked = { readonly service: string; readonly phone: string; readonly purpose: string }

/** Verifications in Postgres. Each verb is one statement, and the database's clock decides. */
export class PostgresVerifications implements VerifyStore {
  readonly #db: PostgresDatabase
  readonly #storeClock: Clock
  readonly #clock: Clock | undefined
  readonly #claims: PostgresClaims
  readonly #openings: Batches<Wanted, ChargedOpening>
  readonly #guesses: Batches<Guess, Verdict | undefined>
  readonly #situations: Batches<Asked, Situation>

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
    this.#openings = batched((all, until) => this.#openAll(all, until))
    this.#guesses = batched((all, until) => this.#judgeAll(all, until))
    this.#situations = batched((all) => this.#situationAll(all))
    this.charged = { counters, open: (draft, charge) => this.#openings.add({ draft, charge }) }
    this.#claims = new PostgresClaims(db, clock)
  }

  situation(service: string, to: string, purpose: string): Promise<Situation> {
    return this.#situations.add({ service, phone: to, purpose })
  }

  async open(draft: Draft): Promise<{ opened: boolean; verification: Verification }> {
    const opening = await this.#openings.add({ draft, charge: undefined })
    if (opening.refused) throw new Error('a verification was refused by no rule')
    return { opened: opening.opened, verification: opening.verification }
  }

  async resend(
    id: string,
    again: { channel: Channel; cooldownSeconds: number; send?: PlannedSend; early?: boolean },
  ): Promise<{ refused: ResendRefusal | null; verification: Verification }> {
    const [row] = await this.#db.query(SQL.resend, [
      id,
      again.channel,
      again.cooldownSeconds * 1000,
      this.#now(),
      again.early === true,
      SEND_LEASE_SECONDS * 1000,
      ...packPlanned(again.send),
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

  async accept(id: string): Promise<{ accepted: boolean; verification: Verification }> {
    const { ended, verification } = await this.#end(id, 'approved')
    return { accepted: ended, verification }
  }

  judge(guess: Guess): Promise<Verdict | undefined> {
    return this.#guesses.add(guess)
  }

  async approve(id: string): Promise<{ approved: boolean; verification: Verification }> {
    const [row] = await this.#db.query(SQL.approve, [id, this.#now()])
    if (row) return { approved: true, verification: toVerification(row, number(row, 't')) }
    return { approved: false, verification: await this.#mustFind(id) }
  }

  async find(id: string): Promise<Verification | undefined> {
    return read(await this.#db.read(SQL.find, [id, this.#now()]))
  }

  async findByPrefix(prefix: string): Promise<Verification | undefined> {
    // Ids are hexadecimal.
    return read(await this.#db.read(SQL.findByPrefix, [prefix, `${prefix}g`, this.#now()]))
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
    // Ids are hexadecimal: all sort before this, by the rules of whatever language the database sorts by.
    const { service, limit, to = null, status = null, cursor = 'ver_g' } = filter
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

  async #openAll(all: readonly Wanted[], until: number): Promise<readonly ChargedOpening[]> {
    const rows = await this.#decide(SQL.open, all.map(packDraft), until)
    return all.map((wanted, at) => {
      const row = rows.get(at)
      if (!row) throw new Error('a verification was neither opened nor found')
      return openingOf(wanted, row)
    })
  }

  async #judgeAll(all: readonly Guess[], until: number): Promise<readonly (Verdict | undefined)[]> {
    const rows = await this.#decide(SQL.judge, all.map(packGuess), until)
    return all.map((_, at) => {
      const row = rows.get(at)
      return row && verdictOf(row)
    })
  }

  async #situationAll(all: readonly Asked[]): Promise<readonly Situation[]> {
    const asked = all.map((one, at) => ({ n: at + 1, ...one }))
    const rows = await this.#db.read(SQL.situation, [packJson(asked), this.#now()])
    const found = new Map(rows.map((row) => [number(row, 'n') - 1, row]))
    return all.map((_, at) => {
      const row = found.get(at)
      if (!row) throw new Error('the clock was not told')
      return situationOf(row)
    })
  }

  #decide(sql: string, all: readonly object[], until: number): Promise<ReadonlyMap<number, Row>> {
    return decideAll(this.#db, sql, all, { until, now: this.#now(), storeClock: this.#storeClock })
  }

  #now(): number | null {
    return this.#clock?.now() ?? null
  }

  async #end(
    id: string,
    status: 'failed' | 'canceled' | 'approved',
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

function situationOf(row: Row): Situation {
  const now = number(row, 't')
  const approvedAt = row['newest_status'] === 'approved' ? number(row, 'newest_decided_at') : undefined
  return {
    current: row['current'] === null ? undefined : toVerification(row['current'] as Row, now),
    // An approval from the future means that the clock was set back; it ends no wait.
    approvedAt: approvedAt !== undefined && approvedAt <= now ? approvedAt : undefined,
  }
}

function packDraft({ draft, charge }: Wanted, at: number) {
  const { rules, ...counted } = flatten(charge?.counters ?? [])
  return {
    n: at + 1,
    id: draft.id,
    service: draft.service,
    phone: draft.to,
    country: draft.country,
    channel: draft.channel,
    purpose: draft.purpose,
    locale: draft.locale,
    status: draft.status,
    key_id: draft.keyId,
    digest: bytes(draft.digest),
    code_length: draft.codeLength,
    guesses_max: draft.guessesMax,
    sends_max: draft.sendsMax,
    ttl_ms: draft.ttlSeconds * 1000,
    cooldown_ms: draft.cooldownSeconds * 1000,
    nonce: draft.nonce,
    metadata: draft.metadata === null ? null : JSON.stringify(draft.metadata),
    terms: draft.terms === null ? null : JSON.stringify(draft.terms),
    decision: draft.decision,
    send_id: draft.send?.id,
    send_provider: draft.send?.provider,
    send_channel: draft.send?.channel,
    send_sender: draft.send?.sender,
    send_country: draft.send?.country,
    send_cause: draft.send?.cause,
    send_price: draft.send?.price?.amount,
    send_currency: draft.send?.price?.currency,
    lease_ms: SEND_LEASE_SECONDS * 1000,
    claim: draft.claimKey,
    ...counted,
    waits: rules.findIndex(({ name }) => name === charge?.endedByApproval) + 1,
  }
}

function openingOf({ draft, charge }: Wanted, row: Row): ChargedOpening {
  const rules = charge?.counters.flatMap((counter) => counter.rules) ?? []
  const refused = rules[(numberOrNull(row, 'refused') ?? 0) - 1]
  if (refused) return { refused: refusalOf(refused, row) }
  const current = row['current']
  if (current) {
    // Whether it is pending still at the time of the answer is not looked at again: only `open` decides that here.
    const verification = toVerification(current as Row, 0)
    return { refused: null, opened: false, verification, taken: undefined }
  }
  const at = number(row, 'at')
  const keys = charge?.counters.map(({ key }) => key)
  return {
    refused: null,
    opened: true,
    verification: opened(draft, at),
    taken: keys && { ok: true, keys, at },
  }
}

/** What a draft has become, opened at a time. */
function opened(draft: Draft, at: number): Verification {
  const isBlocked = draft.status === 'blocked'
  return {
    id: draft.id,
    service: draft.service,
    to: draft.to,
    country: draft.country,
    channel: draft.channel,
    purpose: draft.purpose,
    locale: draft.locale,
    status: draft.status,
    keyId: draft.keyId,
    codeLength: draft.codeLength,
    guesses: 0,
    guessesMax: draft.guessesMax,
    sends: isBlocked ? 0 : 1,
    sendsMax: draft.sendsMax,
    createdAt: at,
    expiresAt: at + draft.ttlSeconds * 1000,
    resendAt: at + draft.cooldownSeconds * 1000,
    decidedAt: isBlocked ? at : null,
    nonce: draft.nonce,
    metadata: draft.metadata,
    terms: draft.terms,
  }
}

function packGuess({ id, service, digests, budget, unlimited }: Guess, at: number) {
  return {
    n: at + 1,
    id,
    service,
    digests: digests.map(bytes),
    budget: budget.limit,
    budget_ms: budget.windowSeconds * 1000,
    unlimited,
  }
}

/** Bytes as Postgres reads them. */
function bytes(value: Buffer): string {
  return `\\x${value.toString('hex')}`
}

function verdictOf(row: Row): Verdict {
  const verification = toVerification(row['verification'] as Row, number(row, 't'))
  const sends = ((row['sends'] ?? []) as Row[]).map(toSend)
  switch (text(row, 'verdict')) {
    case 'approved':
      return { judged: true, reason: 'approved', verification, sends }
    case 'wrong_code':
      return { judged: true, reason: 'wrong_code', verification, sends }
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
      return { judged: false, reason: reasonOfEnded(verification.status), verification, sends }
  }
}

function whyNoResend(verification: Verification): ResendRefusal {
  if (verification.status !== 'pending') return 'ended'
  return verification.sends >= verification.sendsMax ? 'no_sends_left' : 'too_soon'
}
