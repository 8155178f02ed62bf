import type { Channel } from '../messaging/provider.ts'
import type { PlannedSend, Send } from '../messaging/store.ts'
import type { Counter, Counters, Refused, Rule, Taken } from '../limits/counters.ts'
import type { Terms } from './terms.ts'
import type { Reason, Status, Verification } from './verification.ts'

/** A verification about to be opened. The store adds the times, by its own clock. */
export type Draft = {
  readonly id: string
  readonly service: string
  readonly to: string
  readonly country: string
  readonly channel: Channel
  readonly purpose: Verification['purpose']
  readonly locale: string | null
  readonly status: 'pending' | 'blocked'
  readonly keyId: string
  /** HMAC of id and code; what a guess's digest is compared with. */
  readonly digest: Buffer
  readonly codeLength: number
  readonly guessesMax: number
  readonly sendsMax: number
  readonly ttlSeconds: number
  readonly cooldownSeconds: number
  readonly nonce: string | null
  readonly metadata: Readonly<Record<string, string>> | null
  readonly terms: Terms | null
  /** What the guard decided, as `allow` or `block:reason,reason`. */
  readonly decision: string
  /** Its first send, recorded in the same atomic step; absent when nothing will be sent. */
  readonly send?: PlannedSend
  /** Ties the verification to the caller's idempotency claim in the same atomic step. */
  readonly claimKey?: string
}

/** What a start is counted on. */
export type Charge = {
  readonly counters: readonly Counter[]
  /** The name of the rule that the newest approval of the number ends: it forgets the hits before. */
  readonly endedByApproval: string
}

/** What came of opening and charging in one step: refused, or opened and charged, or found and not charged. */
export type ChargedOpening =
  | { readonly refused: Refused }
  | {
      readonly refused: null
      readonly opened: boolean
      readonly verification: Verification
      readonly taken: Taken | undefined
    }

/** One guess to be judged. */
export type Guess = {
  readonly id: string
  /** The caller's: another service's verification does not exist for it. */
  readonly service: string
  /** The guess under every secret that is known; the verification's own is one of them, or none is right. */
  readonly digests: readonly Buffer[]
  /** The wrong-guess budget of the destination, over all its verifications. */
  readonly budget: Rule
  /** Numbers without a budget, E.164. */
  readonly unlimited: readonly string[]
}

/** What a start needs to know of a number before it begins. */
export type Situation = {
  /** The pending verification of the service, number and purpose; without one, the newest. */
  readonly current: Verification | undefined
  /** When the newest verification of the number, over all services and purposes, was approved; undefined if it was not. */
  readonly approvedAt: number | undefined
}

/**
 * What the store decided about a guess; `judged` tells whether the code was compared at all. `sends` are those of the
 * verification, from a store that can tell them in the same step.
 */
export type Verdict =
  | {
      readonly judged: true
      readonly reason: 'approved' | 'wrong_code'
      readonly verification: Verification
      readonly sends?: readonly Send[]
    }
  | {
      readonly judged: false
      readonly reason: Exclude<Reason, 'approved' | 'wrong_code'>
      readonly verification: Verification
      readonly sends?: readonly Send[]
    }
  | { readonly judged: false; readonly reason: 'budget_spent'; readonly retryAfterSeconds: number }

/** Why a resend was not recorded. */
export type ResendRefusal = 'ended' | 'too_soon' | 'no_sends_left'

/** How long a claim belongs to the process that made it, and how long its answer is kept. */
export type ClaimLife = { readonly leaseSeconds: number; readonly keepSeconds: number }

/** Where an idempotent request stands. */
export type Claim =
  | { readonly state: 'mine' }
  | { readonly state: 'busy' }
  | { readonly state: 'conflict' }
  /** Its first try died after the verification was opened and before it was answered. */
  | { readonly state: 'opened'; readonly verificationId: string }
  | { readonly state: 'done'; readonly answer: string }

/**
 * Keeps verifications. Its methods are verbs that decide: each is one atomic step, and the store says who won,
 * so that no caller reads, thinks and writes. Validity is decided by the store's clock. An expired
 * verification reads as `expired` whether or not anything has swept it.
 */
export interface VerifyStore {
  /** Where a number stands with a service and purpose. */
  situation(service: string, to: string, purpose: string): Promise<Situation>
  /** Inserts the verification complete; `opened` is false when another pending one was there first. */
  open(draft: Draft): Promise<{ opened: boolean; verification: Verification }>
  /**
   * Where the store keeps the counters too, it can do all that a start decides in one step: find what is pending, take
   * a hit on every counter, and open.
   */
  readonly charged?: {
    /** The counters that it charges. */
    readonly counters: Counters
    open(draft: Draft, charge: Charge): Promise<ChargedOpening>
  }
  /**
   * Counts one more send of a pending verification and records it. Without `send` (test numbers) nothing is counted
   * and only the channel changes.
   */
  resend(
    id: string,
    again: {
      channel: Channel
      cooldownSeconds: number
      send?: PlannedSend
      /** For a message that did not arrive: nobody has to wait before the next. */
      early?: boolean
    },
  ): Promise<{ refused: ResendRefusal | null; verification: Verification }>
  /** Takes back a send that no provider took: the send is not counted and may be tried at once. */
  retract(id: string): Promise<void>
  /** Ends a pending verification because nothing could be sent. */
  fail(id: string): Promise<Verification>
  /** Counts the guess, compares it and decides, in one atomic step; undefined when the service has no such verification. */
  judge(guess: Guess): Promise<Verdict | undefined>
  /**
   * Approves a verification on the word of a vendor that owns its code, after `judge` has counted the guess as wrong:
   * one that is pending, or was locked by that very guess. The guess goes back to the number's budget. `approved` is
   * false when it had ended otherwise, or was approved before.
   */
  approve(id: string): Promise<{ approved: boolean; verification: Verification }>
  /** Ends a pending verification; `canceled` is false when it had ended before. */
  cancel(id: string): Promise<{ canceled: boolean; verification: Verification }>
  /** Approves a pending verification on its tenant's word; `accepted` is false when it had ended before. */
  accept(id: string): Promise<{ accepted: boolean; verification: Verification }>
  find(id: string): Promise<Verification | undefined>
  /** The one whose id begins so, with its time and enough of its random part that no other does. */
  findByPrefix(prefix: string): Promise<Verification | undefined>
  /** The newest verification of a number, whatever became of it. */
  latest(service: string, to: string): Promise<Verification | undefined>
  /** The newest approved one. */
  latestApproved(service: string, to: string): Promise<Verification | undefined>
  /** Newest first, after the cursor. A page may be short although more follows; `nextCursor` tells. */
  list(filter: {
    readonly service: string
    readonly limit: number
    readonly to?: string
    readonly status?: Status
    readonly cursor?: string
  }): Promise<{ data: Verification[]; nextCursor: string | null }>
  /** What the destination's wrong-guess budget has left. */
  budget(to: string, rule: Rule): Promise<{ remaining: number; resetsAt: number }>

  /** Claims an idempotency key for one request, or tells what became of the one that has it. */
  claim(key: string, fingerprint: string, life: ClaimLife): Promise<Claim>
  /** Keeps the answer of a claimed request. */
  settleClaim(key: string, answer: string): Promise<void>
  /**
   * Gives a claim up after a refusal, so that the caller may try again. With `unlessOpened` a claim that has opened a
   * verification stays, and whoever comes after its lease learns of that.
   */
  releaseClaim(key: string, how: { readonly unlessOpened: boolean }): Promise<void>
}
