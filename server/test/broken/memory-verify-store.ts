import type { Rule } from '../../src/limits/counters.ts'
import { refusing, stateOf, waitSeconds } from '../../src/limits/window.ts'
import type { Clock } from '../../src/primitives/clock.ts'
import type {
  Claim,
  ClaimLife,
  Draft,
  Guess,
  ResendRefusal,
  Situation,
  Verdict,
  VerifyStore,
} from '../../src/verify/store.ts'
import { reasonOfEnded, type Status, type Verification } from '../../src/verify/verification.ts'

export type Row = { -readonly [member in keyof Verification]: Verification[member] } & { digest: Buffer }
type Held = { fingerprint: string; expiresAt: number; leaseUntil: number; opened?: string; answer?: string }
type Again = Parameters<VerifyStore['resend']>[1]

/**
 * A verify store in memory that is right, because none of its steps waits for anything. The broken twins are this
 * one with one step made wrong, so that what the suite says of them is about that step alone.
 */
export class MemoryVerifyStore implements VerifyStore {
  protected readonly clock: Clock
  protected readonly rows = new Map<string, Row>()
  protected readonly budgets = new Map<string, number[]>()
  readonly #claims = new Map<string, Held>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  async situation(service: string, to: string, purpose: string): Promise<Situation> {
    const newest = this.newest((row) => row.to === to)
    const approvedAt = newest?.status === 'approved' ? (newest.decidedAt ?? undefined) : undefined
    return {
      current:
        this.pendingNow(service, to, purpose) ??
        this.newest((row) => row.service === service && row.to === to && row.purpose === purpose),
      approvedAt: approvedAt !== undefined && this.isPast(approvedAt) ? approvedAt : undefined,
    }
  }

  /** An approval from the future means that the clock was set back; it ends no wait. */
  protected isPast(approvedAt: number): boolean {
    return approvedAt <= this.clock.now()
  }

  async open(draft: Draft): Promise<{ opened: boolean; verification: Verification }> {
    const pending = this.pendingNow(draft.service, draft.to, draft.purpose)
    if (pending) return { opened: false, verification: pending }
    return { opened: true, verification: this.insert(draft) }
  }

  async resend(
    id: string,
    again: Again,
  ): Promise<{ refused: ResendRefusal | null; verification: Verification }> {
    const row = this.mustFind(id)
    const now = this.clock.now()
    const refused =
      this.statusOf(row) !== 'pending'
        ? 'ended'
        : row.sends >= row.sendsMax
          ? 'no_sends_left'
          : row.resendAt > now && again.early !== true
            ? 'too_soon'
            : null
    if (refused === null) {
      row.channel = again.channel
      if (again.send) {
        row.sends++
        row.resendAt = now + again.cooldownSeconds * 1000
      }
    }
    return { refused, verification: this.view(row) }
  }

  async retract(id: string): Promise<void> {
    const row = this.mustFind(id)
    row.sends = Math.max(0, row.sends - 1)
    row.resendAt = this.clock.now()
  }

  async fail(id: string): Promise<Verification> {
    return this.end(id, 'failed').verification
  }

  async cancel(id: string): Promise<{ canceled: boolean; verification: Verification }> {
    const { ended, verification } = this.end(id, 'canceled')
    return { canceled: ended, verification }
  }

  async accept(id: string): Promise<{ accepted: boolean; verification: Verification }> {
    const row = this.mustFind(id)
    const accepted = this.mayAccept(row)
    if (accepted) {
      row.status = 'approved'
      row.decidedAt = this.clock.now()
    }
    return { accepted, verification: this.view(row) }
  }

  async judge(guess: Guess): Promise<Verdict | undefined> {
    const row = this.rows.get(guess.id)
    if (row?.service !== guess.service) return undefined
    return this.refusal(row, guess) ?? this.decide(row, guess)
  }

  async approve(id: string): Promise<{ approved: boolean; verification: Verification }> {
    const row = this.mustFind(id)
    const approved = this.mayApprove(row)
    if (approved) {
      row.status = 'approved'
      row.decidedAt = this.clock.now()
      this.giveBack(row.to)
    }
    return { approved, verification: this.view(row) }
  }

  async find(id: string): Promise<Verification | undefined> {
    const row = this.rows.get(id)
    return row && this.view(row)
  }

  async findByPrefix(prefix: string): Promise<Verification | undefined> {
    return this.newest(({ id }) => id.startsWith(prefix))
  }

  async latest(service: string, to: string): Promise<Verification | undefined> {
    return this.newest((row) => row.service === service && row.to === to)
  }

  async latestApproved(service: string, to: string): Promise<Verification | undefined> {
    return this.newest((row) => row.service === service && row.to === to && row.status === 'approved')
  }

  async list(
    filter: Parameters<VerifyStore['list']>[0],
  ): Promise<{ data: Verification[]; nextCursor: string | null }> {
    const found = this.sorted().filter(
      (row) =>
        row.service === filter.service &&
        row.id < (filter.cursor ?? '~') &&
        (filter.to ?? row.to) === row.to &&
        (filter.status ?? row.status) === row.status,
    )
    const data = found.slice(0, filter.limit)
    return { data, nextCursor: found.length > filter.limit ? (data.at(-1)?.id ?? null) : null }
  }

  async budget(to: string, rule: Rule): Promise<{ remaining: number; resetsAt: number }> {
    const now = this.clock.now()
    const [state] = stateOf([rule], this.budgets.get(to) ?? [], now)
    return { remaining: state?.remaining ?? rule.limit, resetsAt: state?.resetsAt ?? now }
  }

  async claim(key: string, fingerprint: string, life: ClaimLife): Promise<Claim> {
    const now = this.clock.now()
    const held = this.#claims.get(key)
    const leaseUntil = now + life.leaseSeconds * 1000
    if (!held || held.expiresAt <= now) {
      this.#claims.set(key, { fingerprint, expiresAt: now + life.keepSeconds * 1000, leaseUntil })
      return { state: 'mine' }
    }
    if (held.fingerprint !== fingerprint) return { state: 'conflict' }
    if (held.answer !== undefined) return { state: 'done', answer: held.answer }
    if (held.leaseUntil > now) return { state: 'busy' }
    if (held.opened !== undefined) return { state: 'opened', verificationId: held.opened }
    held.leaseUntil = leaseUntil
    return { state: 'mine' }
  }

  async settleClaim(key: string, answer: string): Promise<void> {
    const held = this.#claims.get(key)
    if (held) held.answer = answer
  }

  async releaseClaim(key: string, { unlessOpened }: { readonly unlessOpened: boolean }): Promise<void> {
    const held = this.#claims.get(key)
    if (unlessOpened && held?.opened !== undefined) return
    if (held?.answer === undefined) this.#claims.delete(key)
  }

  protected mayApprove(row: Row): boolean {
    return row.status === 'pending' || row.status === 'locked'
  }

  protected mayAccept(row: Row): boolean {
    return this.statusOf(row) === 'pending'
  }

  /** Takes the newest wrong guess out of a number's budget. */
  protected giveBack(to: string): void {
    this.budgets.get(to)?.shift()
  }

  protected pendingNow(service: string, to: string, purpose: string): Verification | undefined {
    return this.newest(
      (row) =>
        row.service === service && row.to === to && row.purpose === purpose && row.status === 'pending',
    )
  }

  protected insert(draft: Draft): Verification {
    const now = this.clock.now()
    const { ttlSeconds, cooldownSeconds, decision, claimKey, send, ...kept } = draft
    const isBlocked = draft.status === 'blocked'
    const row: Row = {
      ...kept,
      guesses: 0,
      sends: isBlocked ? 0 : 1,
      createdAt: now,
      expiresAt: now + ttlSeconds * 1000,
      resendAt: now + cooldownSeconds * 1000,
      decidedAt: isBlocked ? now : null,
    }
    this.rows.set(row.id, row)
    const held = claimKey === undefined ? undefined : this.#claims.get(claimKey)
    if (held) held.opened = row.id
    return this.view(row)
  }

  /** Why a guess is not judged at all; undefined when it is. */
  protected refusal(row: Row, { budget, unlimited }: Guess): Verdict | undefined {
    const status = this.statusOf(row)
    // What has expired stays so, wherever the clock goes.
    row.status = status
    if (status !== 'pending')
      return { judged: false, reason: reasonOfEnded(status), verification: this.view(row) }
    const now = this.clock.now()
    const refused = !unlimited.includes(row.to) && refusing([budget], this.budgets.get(row.to) ?? [], now)
    if (!refused) return undefined
    return { judged: false, reason: 'budget_spent', retryAfterSeconds: waitSeconds(refused.at, now) }
  }

  protected decide(row: Row, { digests, budget, unlimited }: Guess): Verdict {
    const now = this.clock.now()
    row.guesses++
    if (digests.some((digest) => row.digest.equals(digest))) {
      row.status = 'approved'
      row.decidedAt = now
      return { judged: true, reason: 'approved', verification: this.view(row) }
    }
    if (row.guesses >= row.guessesMax) {
      row.status = 'locked'
      row.decidedAt = now
    }
    if (!unlimited.includes(row.to))
      this.budgets.set(row.to, [now, ...(this.budgets.get(row.to) ?? [])].slice(0, budget.limit))
    return { judged: true, reason: 'wrong_code', verification: this.view(row) }
  }

  protected end(id: string, status: 'failed' | 'canceled'): { ended: boolean; verification: Verification } {
    const row = this.mustFind(id)
    const ended = this.statusOf(row) === 'pending'
    if (ended) {
      row.status = status
      row.decidedAt = this.clock.now()
    }
    return { ended, verification: this.view(row) }
  }

  protected statusOf(row: Row): Status {
    return row.status === 'pending' && row.expiresAt <= this.clock.now() ? 'expired' : row.status
  }

  protected view(row: Row): Verification {
    const { digest, ...kept } = row
    const status = this.statusOf(row)
    return { ...kept, status, decidedAt: status === 'expired' ? row.expiresAt : row.decidedAt }
  }

  protected mustFind(id: string): Row {
    const row = this.rows.get(id)
    if (!row) throw new Error('no such verification')
    return row
  }

  protected sorted(): Verification[] {
    return [...this.rows.values()].map((row) => this.view(row)).sort((a, b) => (a.id < b.id ? 1 : -1))
  }

  protected newest(matches: (row: Verification) => boolean): Verification | undefined {
    return this.sorted().find(matches)
  }
}
