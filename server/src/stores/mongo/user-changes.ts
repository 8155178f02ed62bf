import type { Collection, Document, Filter, UpdateFilter } from 'mongodb'
import type { AuthLeftovers } from './auth-leftovers.ts'
import type { MongoDatabase, Step } from './database.ts'
import { isDuplicate } from './errors.ts'
import { Turns } from './turns.ts'
import type { TicketDocument } from './ticket-documents.ts'
import {
  type Left,
  type PendingEvent,
  type SessionDocument,
  USER_ALONE,
  type UserAlone,
  type UserDocument,
  usersOf,
} from './user-documents.ts'

/** What came of a write; undefined where a unique index refused it, because a number or an e-mail is another's. */
export async function unlessTaken<T>(write: Promise<T>): Promise<T | undefined> {
  try {
    return await write
  } catch (error) {
    if (isDuplicate(error)) return undefined
    throw error
  }
}

/** What goes with a change beyond its events. */
type Besides = {
  readonly tickets?: readonly TicketDocument[]
  /** Which items of a list the change is about. */
  readonly arrayFilters?: readonly Document[]
}

/** Changes users together with what the log tells of it. */
export class UserChanges {
  readonly #db: MongoDatabase
  readonly #users: Collection<UserDocument>
  readonly #leftovers: AuthLeftovers
  /** The note says since when nothing is left that was recorded before, by `performance.now()`. */
  readonly #turns = new Turns<number>()

  constructor(db: MongoDatabase, leftovers: AuthLeftovers) {
    this.#db = db
    this.#users = usersOf(db)
    this.#leftovers = leftovers
  }

  /** Changes the user that matches, and records the events, in one step; null when nobody matches. */
  async change(
    step: Step,
    filter: Filter<UserDocument>,
    change: UpdateFilter<UserDocument>,
    events: readonly PendingEvent[],
    { tickets = [], arrayFilters }: Besides = {},
  ): Promise<UserAlone | null> {
    const left = { pending_events: [...events], pending_tickets: [...tickets] }
    const only = arrayFilters ? { arrayFilters: [...arrayFilters] } : {}
    const options = { projection: USER_ALONE, returnDocument: 'after', ...only } as const
    const changed = await step(() => this.#users.findOneAndUpdate(filter, leaving(change, left), options))
    if (changed) await this.#move(changed._id, left)
    return changed
  }

  /** The same, and resolves with the sessions that the user had before; none when nobody matches. */
  async changeSessions(
    step: Step,
    filter: Filter<UserDocument>,
    change: UpdateFilter<UserDocument>,
    event: PendingEvent,
  ): Promise<readonly SessionDocument[]> {
    const left = { pending_events: [event], pending_tickets: [] }
    const options = { projection: { session_log: 1 }, returnDocument: 'before' } as const
    const before = await step(() => this.#users.findOneAndUpdate(filter, leaving(change, left), options))
    if (before) await this.#move(before._id, left)
    return before?.session_log ?? []
  }

  /** Puts a user and the events of that there. Rejects when it is there, or its number or e-mail is another's. */
  async insert(step: Step, user: UserDocument, events: readonly PendingEvent[]): Promise<true> {
    const left = { pending_events: [...events], pending_tickets: [] }
    await step(() => this.#users.insertOne({ ...user, ...left }))
    await this.#move(user._id, left)
    return true
  }

  /**
   * Moves what a change has left to where it is kept. Whoever dies before has recorded it all the same: it is in the
   * user until somebody moves it. Of a crowd that changes one user, one moves what all have left that waited for it.
   */
  async #move(userId: string, left: Left): Promise<void> {
    if (left.pending_events.length + left.pending_tickets.length === 0) return
    const from = performance.now()
    const step: Step = (operation) => operation()
    const move = () =>
      this.#turns.take(userId, async (slip) => {
        const { note: movedAllAt } = slip
        if (movedAllAt !== undefined && movedAllAt > from) return
        slip.note = 0
        const now = performance.now()
        if (movedAllAt === undefined) return this.#leftovers.move(step, userId, left)
        await this.#leftovers.tidy(step, { _id: userId })
        slip.note = now
      })
    await this.#db.tidy(move)
  }
}

function leaving(
  change: UpdateFilter<UserDocument>,
  { pending_events: events, pending_tickets: tickets }: Left,
): UpdateFilter<UserDocument> {
  if (events.length + tickets.length === 0) return change
  return {
    ...change,
    $push: {
      ...change.$push,
      ...(events.length === 0 ? {} : { pending_events: { $each: events } }),
      ...(tickets.length === 0 ? {} : { pending_tickets: { $each: tickets } }),
    },
  }
}
