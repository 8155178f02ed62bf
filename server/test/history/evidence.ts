import type { Status } from '../../src/verify/verification.ts'

/** What a client asked of a server. */
export type Request = {
  readonly kind: 'start' | 'resend' | 'check' | 'cancel' | 'read'
  /** The server process that was asked. */
  readonly server: string
  readonly to: string
  readonly purpose: string
  /** Of the verification; a start and a check by number name none. */
  readonly id?: string
  readonly code?: string
  /** `Idempotency-Key`. */
  readonly key?: string
}

/** What the checker looks at of an answer; times are the wire's, in milliseconds. */
export type Answer = {
  readonly http: number
  /** A problem's code, or the limit that refused. */
  readonly problem?: string
  readonly id?: string
  readonly status?: Status
  readonly reason?: string
  readonly hasProof?: boolean
  readonly checksLeft?: number
  readonly expiresAt?: number
  /** The status of every send, oldest first. */
  readonly sends?: readonly string[]
}

/**
 * One call. `invoked` and `returned` are places in the one order of everything the test saw: what returned before
 * something else was invoked came before it. Without an answer the connection died, and nobody knows what was done.
 */
export type Operation = Request & {
  readonly invoked: number
  readonly invokedAt: number
  readonly returned: number
  readonly returnedAt: number
  readonly answer?: Answer
}

/** A verification as it lies in the store at the end, read beside the server. */
export type Row = {
  readonly id: string
  readonly to: string
  readonly purpose: string
  readonly status: Status
  readonly guesses: number
  readonly guessesMax: number
  readonly sends: number
  readonly sendsMax: number
  readonly createdAt: number
  readonly expiresAt: number
  readonly decidedAt: number | null
  /** The `Idempotency-Key` of the start that opened it, which wrote it into the metadata. */
  readonly key?: string
  /** The code that its message must have carried, derived from its id. */
  readonly code: string
}

/** A send as it lies in the store at the end. */
export type SendRow = {
  readonly owner: string
  readonly status: string
  readonly at: number
  /** How often a process set about it: more than once when one died over it. */
  readonly turns: number
}

/** A message that the carrier took, whatever a server knows of it. */
export type Message = {
  readonly to: string
  readonly code: string
  readonly purpose: string
  readonly at: number
}

/** Something done to the servers or their store. */
export type Disturbance = { readonly at: number; readonly what: string }

/** The limits that the servers were given. */
export type Limits = {
  readonly wrongPerNumberDay: number
  readonly sendsPerNumber: number
  readonly sendsWindowSeconds: number
  readonly sendsPerNumberDay: number
}

/** Everything a run leaves to be judged. Shorter than a day, or the limits of a day mean something else. */
export type Evidence = {
  readonly limits: Limits
  /** How far the times that the store wrote may be from this machine's. */
  readonly clockErrorMs: number
  readonly operations: readonly Operation[]
  readonly rows: readonly Row[]
  readonly sends: readonly SendRow[]
  readonly messages: readonly Message[]
  readonly disturbances: readonly Disturbance[]
}

/** An invariant that does not hold, and where. */
export type Violation = {
  readonly invariant: string
  readonly what: string
  readonly to: string
  /** The verifications it is about; empty when it is about the number. */
  readonly ids: readonly string[]
}

/** Whether the server said that it was done. */
export function isAcknowledged({ answer }: Operation): boolean {
  return answer?.http === 200 || answer?.http === 201
}

/** Whether nobody knows what became of it: no answer, or one that the store or the carrier could not be reached. */
export function isUncertain({ answer }: Operation): boolean {
  return answer === undefined || answer.http >= 500
}

/** The verification that an operation was about, as far as it is known. */
export function idOf({ id, answer }: Operation): string | undefined {
  return id ?? answer?.id
}
