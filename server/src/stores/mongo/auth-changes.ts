import type { Collection, Document, Filter, UpdateFilter } from 'mongodb'
import type { AccountChange, AccountChanged } from '../../auth/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import type { AuthTickets } from './auth-tickets.ts'
import type { MongoDatabase, Step } from './database.ts'
import type { TicketDocument } from './ticket-documents.ts'
import type { UserChanges } from './user-changes.ts'
import {
  LIVING,
  newEvent,
  newSessionDocument,
  readAccount,
  readSession,
  type SessionDocument,
  type UserDocument,
  usersOf,
  withoutSessions,
  withSession,
} from './user-documents.ts'

/** How sessions end and begin in one update. */
type SessionsChange = {
  /** What the sessions must still be. */
  readonly filter?: Filter<UserDocument>
  readonly change: Pick<UpdateFilter<UserDocument>, '$set' | '$push' | '$pull'>
  readonly arrayFilters?: readonly Document[]
}

/**
 * Changes of accounts that were decided on what was read of them. All of an account is in one document, which one update
 * changes if its version is still the one that was read. A ticket is another document: it is taken before, so that of
 * many who come with one, one at most gets that far, and it is put back when nothing came of it. Whoever dies in between
 * has lost the ticket and changed nothing: its owner begins anew.
 */
export class AuthChanges {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #users: Collection<UserDocument>
  readonly #changes: UserChanges
  readonly #tickets: AuthTickets

  constructor(db: MongoDatabase, clock: Clock, changes: UserChanges, tickets: AuthTickets) {
    this.#db = db
    this.#clock = clock
    this.#users = usersOf(db)
    this.#changes = changes
    this.#tickets = tickets
  }

  change(change: AccountChange): Promise<AccountChanged> {
    return this.#db.run(async (step) => {
      let taken: TicketDocument | undefined
      for (;;) {
        // Whoever is too late already leaves the ticket where it is.
        const options = { projection: { session_log: 1 } }
        const found = await step(() => this.#users.findOne(isStill(change), options))
        if (!found) {
          if (taken) await this.#putBack(step, taken)
          return { outcome: 'conflict' }
        }
        if (!hasWhatEnds(change, found.session_log, this.#clock.now())) {
          if (taken) await this.#putBack(step, taken)
          return { outcome: 'used' }
        }
        if (change.ticket && !taken) {
          taken = await this.#tickets.takeAway(step, change.ticket)
          if (!taken) return { outcome: 'used' }
        }
        const changed = await this.#change(step, change, found.session_log)
        if (changed) return changed
        // It has been changed meanwhile, or one of its sessions was used.
      }
    })
  }

  /** Changes the account if it is what was read, with these sessions; undefined when it is not. */
  async #change(
    step: Step,
    change: AccountChange,
    sessions: readonly SessionDocument[],
  ): Promise<Extract<AccountChanged, { outcome: 'changed' }> | undefined> {
    const now = this.#clock.now()
    const opened = change.session && newSessionDocument(change.session, now)
    const { filter, change: inSessions, arrayFilters } = changeSessions(sessions, change.ends, opened)
    const $set = { ...columnsOf(change, now), ...inSessions.$set }
    const told = change.events.map((draft) =>
      newEvent(draft, now, draft.type === 'session.started' ? opened?.id : undefined),
    )
    const user = await this.#changes.change(
      step,
      { ...isStill(change), ...filter },
      { ...inSessions, $set },
      told,
      arrayFilters && { arrayFilters },
    )
    if (!user) return undefined
    const session = opened ? readSession(user._id, opened) : null
    return { outcome: 'changed', account: readAccount(user), session }
  }

  /** Puts a ticket back, unless its user has been deleted: whoever did that may have found no ticket to delete. */
  async #putBack(step: Step, ticket: TicketDocument): Promise<void> {
    await this.#tickets.putBack(step, ticket)
    const { user_id: userId } = ticket
    if (userId === null) return
    const owner = { _id: userId, ...LIVING }
    const isThere = await step(() => this.#users.findOne(owner, { projection: { _id: 1 } }))
    if (!isThere) await this.#tickets.takeAway(step, ticket)
  }
}

/** Matches the account that was read, as it was. */
function isStill({ userId, version, provenPhone }: AccountChange) {
  const isSame = { _id: userId, status: 'active' as const, version }
  return provenPhone === undefined ? isSame : { ...isSame, phone: provenPhone }
}

/** Whether the one session that a change ends is there still. */
function hasWhatEnds({ ends }: AccountChange, sessions: readonly SessionDocument[], nowMs: number): boolean {
  if (!ends || !('only' in ends)) return true
  return sessions.some(({ id, idle_until: until }) => id === ends.only && until > nowMs)
}

/** What an account's columns become. */
function columnsOf(
  { version, passwordHash, secondFactors, devices, provenPhone }: AccountChange,
  nowMs: number,
): Partial<UserDocument> {
  const set = {
    ...(passwordHash === undefined ? {} : { password_hash: passwordHash }),
    ...(secondFactors === undefined ? {} : { second_factors: secondFactors }),
    ...(devices === undefined ? {} : { devices }),
  }
  return {
    ...set,
    ...(provenPhone === undefined ? {} : { phone_verified_at: nowMs }),
    version: Object.keys(set).length === 0 ? version : version + 1,
  }
}

/**
 * No two operators may change one list in one update, so one that takes sessions away and puts one there as well has to
 * know which stay.
 */
function changeSessions(
  sessions: readonly SessionDocument[],
  ends: AccountChange['ends'],
  opened: SessionDocument | undefined,
): SessionsChange {
  if (!ends) return { change: opened ? { $push: withSession(opened) } : {} }
  if ('only' in ends) {
    const { only: id } = ends
    const filter = { 'session_log.id': id }
    if (!opened) return { filter, change: { $pull: { session_log: { id } } } }
    // It lies in the place of the one that ends.
    const change = { $set: { 'session_log.$[ended]': opened } }
    return { filter, change, arrayFilters: [{ 'ended.id': id }] }
  }
  const { allBut: id } = ends
  if (!opened) return { change: withoutSessions(id) }
  const kept = sessions.find((session) => session.id === id)
  if (!kept) return { change: { $set: { session_log: [opened] } } }
  const { generation } = kept
  return {
    filter: { session_log: { $elemMatch: { id: kept.id, generation } } },
    change: { $set: { session_log: [kept, opened] } },
  }
}
