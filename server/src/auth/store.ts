import type { AuthEvent, EventDraft, EventType } from './events.ts'
import type { Account, Amr, Session, User, UserStatus } from './user.ts'

/** An account that is about to be made. */
export type NewUser = {
  readonly id: string
  readonly email: string | null
  readonly name: string | null
  readonly passwordHash: string | null
}

/** A session that is about to be opened; the store adds the times. */
export type NewSession = {
  readonly id: string
  readonly amr: readonly Amr[]
  /** Whether a second factor was shown. */
  readonly withFactor: boolean
  readonly address: string
  readonly agent: string
  /** It ends so long after it began, however much it is used. */
  readonly lifeSeconds: number
  /** It ends so long after its last use. */
  readonly idleSeconds: number
}

/** The events of what a verb may come to; each is recorded in the same step as that, or not at all. */
export type Told<Outcome extends string> = Readonly<Record<Outcome, EventDraft>>

/** Somebody who has just proven a number. */
export type Entry = {
  /** E.164. */
  readonly phone: string
  /** Made where the number has no account that its owner may enter. */
  readonly newUser: NewUser
  readonly session: NewSession
  /** An account whose number was proven longer ago than this is another person's by now. */
  readonly proofSeconds: number
  /** The account that has the number is not theirs: it is taken from that one, and a new one is made. */
  readonly startsOver?: boolean
  readonly events: Told<'created' | 'entered' | 'detached' | 'started'>
}

/** What an {@link Entry} came to. */
export type Entered =
  | {
      readonly outcome: 'created' | 'entered'
      readonly user: User
      readonly session: Session
      /** The account that had the number before, and has it no more. */
      readonly detached: string | null
      /** The e-mail of a new user was another's, so the account was made without. */
      readonly emailTaken: boolean
    }
  /** The account is shut. Nothing was changed. */
  | { readonly outcome: 'disabled'; readonly user: User }
  /** The account wants a second factor. Nothing was changed. */
  | { readonly outcome: 'second_factor'; readonly user: User }

/** A change of an account that was decided on what was read of it. */
export type AccountChange = {
  readonly userId: string
  /** The version that was read. */
  readonly version: number
  /** Sets the password. */
  readonly passwordHash?: string
  readonly secondFactors?: string | null
  readonly devices?: string
  /** Renews the proof of the number, which the user must still have. */
  readonly provenPhone?: string
  /** Is used up in the same step. */
  readonly ticket?: { readonly kind: TicketKind; readonly id: string }
  /** Is opened in the same step. */
  readonly session?: NewSession
  /** Which of the sessions that there were end: none unless told. One that ends alone must be there still. */
  readonly ends?: { readonly only: string } | { readonly allBut: string | null }
  /** Recorded in this order; one of type `session.started` is about the session that is opened. */
  readonly events: readonly EventDraft[]
}

/** What an {@link AccountChange} came to. */
export type AccountChanged =
  | { readonly outcome: 'changed'; readonly account: Account; readonly session: Session | null }
  /** It has been changed since it was read, is shut, or is gone. Nothing was changed. */
  | { readonly outcome: 'conflict' }
  /** The ticket, or the one session that was to end, is not there, was used, or is too old. Nothing was changed. */
  | { readonly outcome: 'used' }

/** A use of a refresh token. */
export type Rotation = {
  readonly sessionId: string
  /** Which token of the family it is; the first is 0. */
  readonly generation: number
  /** A token that was used this recently may come again, since its answer may have been lost. */
  readonly graceSeconds: number
  /** The `User-Agent` of who comes: who comes again must be the one that the session began with. */
  readonly agent: string
  readonly address: string
  readonly idleSeconds: number
  readonly events: Told<'reused'>
}

/** What a {@link Rotation} came to. */
export type Rotated =
  /** `repeated`: the same child as before, unused so far. */
  | {
      readonly outcome: 'rotated' | 'repeated'
      /** The generation of the token that is valid now. */
      readonly generation: number
      readonly session: Session
      readonly user: User
    }
  /** It was used before: the session has ended. */
  | { readonly outcome: 'reused' }
  /** There is no such session: it never was, has ended, is too old, or its user is shut. */
  | { readonly outcome: 'ended' }

/** Which account. */
export type Who = { readonly id: string } | { readonly phone: string } | { readonly email: string }

/** Something that can be used once, such as the right to set a new password. */
export type Ticket = {
  /** SHA-256 in hex of a token of at least 128 random bits, or the id of a verification. */
  readonly id: string
  readonly kind: TicketKind
  readonly userId: string | null
  /** Small, and never a secret: password hashes are the most that lies in it. */
  readonly data: Readonly<Record<string, string | null>>
}

/**
 * A registration that waits for its number, a password reset that was proven, a number that can be taken back, a
 * sign-in that waits for its second factor, a second factor that waits for its first code, and an account whose second
 * factors are about to be taken off.
 */
export type TicketKind = 'registration' | 'reset' | 'phone_undo' | 'challenge' | 'app_setup' | 'recovery'

/**
 * Keeps users, their sessions and what happened. Its methods are verbs that decide: each is one atomic step between
 * all processes, and the store says who won. Validity is decided by the store's clock. Every change records its event
 * in the same step.
 */
export interface AuthStore {
  /**
   * Lets in who has proven a number, and opens a session. The account that has the number is entered, and its proof is
   * renewed, if it is active, was proven within `proofSeconds`, and wants no second factor. A number proven longer ago is
   * taken from the account that has it, which keeps everything else; its devices are forgotten. Without an account to
   * enter, one is made.
   */
  enter(entry: Entry): Promise<Entered>
  /**
   * Opens a session of a user who has shown a password. `passwordHash` is the one that was compared: a password that
   * was changed, an account that was shut, or one that has got a second factor meanwhile opens nothing (undefined).
   */
  openSession(
    userId: string,
    passwordHash: string,
    session: NewSession,
    events: Told<'started'>,
  ): Promise<{ readonly user: User; readonly session: Session } | undefined>
  /** Changes an account if it still is what was read, and everything that goes with that in the same step. */
  changeAccount(change: AccountChange): Promise<AccountChanged>
  /** Uses a refresh token: the next generation, the same child again within the grace, or the end of the session. */
  rotate(rotation: Rotation): Promise<Rotated>
  /** A live session and its user; undefined once it has ended, or its user is shut. */
  session(id: string): Promise<{ readonly session: Session; readonly user: User } | undefined>
  /** The live sessions of a user, the newest first. */
  sessionsOf(userId: string): Promise<Session[]>
  /** Ends a session of a user; false when there is no such live session. */
  endSession(userId: string, sessionId: string, event: EventDraft): Promise<boolean>
  /** Ends every session of a user but one; resolves with how many. The event is recorded once. */
  endSessions(userId: string, event: EventDraft, except?: string): Promise<number>

  account(who: Who): Promise<Account | undefined>
  /** Newest first, after the cursor. */
  users(filter: {
    readonly limit: number
    readonly phone?: string
    readonly email?: string
    readonly status?: UserStatus
    readonly cursor?: string
  }): Promise<{ data: User[]; nextCursor: string | null }>
  /** Changes a name, an e-mail, or both. `email_taken`: it is another's, and nothing was changed. */
  updateUser(
    userId: string,
    change: { readonly name?: string | null; readonly email?: string | null },
    event: EventDraft,
  ): Promise<User | 'email_taken' | undefined>
  /**
   * Sets a password in the place of `from`; false when that is not the one any more, or the account is shut. Ends every
   * session but `keep` and forgets every device, unless that is `'all'` (a new hash of the same password, which also
   * has no event).
   */
  setPassword(
    userId: string,
    change: {
      readonly from: string | null
      readonly to: string
      readonly keep: { readonly session: string | null } | 'all'
      readonly event?: EventDraft
    },
  ): Promise<boolean>
  /**
   * Gives a number that was just proven to a user: it is taken from whoever had it, and the user's sessions but `keep`
   * end, as do the devices of both. `undo` is kept for the number that was there before, if that is its `from`; another change may have been
   * quicker. Undefined when the user is shut or gone.
   */
  changePhone(change: {
    readonly userId: string
    readonly phone: string
    readonly keep: string
    readonly undo: Ticket & { readonly ttlSeconds: number; readonly data: { readonly from: string | null } }
    readonly events: Told<'changed' | 'detached'>
  }): Promise<
    { readonly user: User; readonly from: string | null; readonly detached: string | null } | undefined
  >
  /**
   * Puts back the number that a user had before a change and has just proven again, if nobody else has it by now, and
   * ends every session and device of the user. Uses the ticket up, and those of later changes with it, which would undo this. Undefined when it is not valid.
   */
  restorePhone(ticketId: string, events: Told<'restored'>): Promise<{ readonly user: User } | undefined>
  /** Shuts or opens an account; shutting ends its sessions and devices. Undefined when there is none. */
  setStatus(userId: string, status: UserStatus, event: EventDraft): Promise<User | undefined>
  /**
   * Deletes a user with sessions and tickets. What the log tells of them stays, without address, agent and data. False
   * when there is none.
   */
  deleteUser(userId: string, event: EventDraft): Promise<boolean>

  /** Keeps a ticket, in the place of one of the same id. */
  putTicket(ticket: Ticket, ttlSeconds: number): Promise<void>
  /** Reads a ticket of this kind, which stays good; undefined when it is not there, used or too old. */
  ticket(kind: TicketKind, id: string): Promise<Ticket | undefined>
  /** Uses a ticket of this kind up, for one caller alone; undefined when it is not there, used or too old. */
  takeTicket(kind: TicketKind, id: string): Promise<Ticket | undefined>

  /** Records what changed nothing, such as a sign-in that failed. */
  record(event: EventDraft & { readonly userId: string | null }): Promise<void>
  /** Newest first, after the cursor. */
  events(filter: {
    readonly limit: number
    readonly userId?: string
    readonly type?: EventType
    readonly cursor?: string
  }): Promise<{ data: AuthEvent[]; nextCursor: string | null }>
}
