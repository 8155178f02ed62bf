import { type Collection, type Filter, MongoBulkWriteError } from 'mongodb'
import type { Retention } from '../store.ts'
import type { Step } from './database.ts'
import { DUPLICATE_KEY, isDuplicate } from './errors.ts'
import type { TicketDocument } from './ticket-documents.ts'
import {
  type Collections,
  type Left,
  type PendingEvent,
  type UserDocument,
  usersOf,
} from './user-documents.ts'

/** An event as it is kept for good. */
export type KeptEvent = Omit<PendingEvent, 'id'> & { _id: string; user_id: string | null; purge_at: Date }

/** So many users are looked at in one step. */
const CHUNK = 100
/** What tells of a person, taken out of an event. */
const BLANK = { address: null, agent: null, data: '{}' }

/** What is read of a user who may have left something. */
const LEFT = { status: 1, pending_events: 1, pending_tickets: 1, undone: 1 } as const

/**
 * Tidies up after changes of users. A change is decided in the document of one user, and what it leaves in other
 * collections comes after: its events and tickets move to where they are kept, and a deleted user's tickets and document go. Each
 * part comes to the same when it is done again, by several at once too, so what a process left that died in between is
 * done by whoever comes across it: who reads events or needs the ticket, the sweep, a move.
 */
export class AuthLeftovers {
  readonly #users: Collection<UserDocument>
  readonly #events: Collection<KeptEvent>
  readonly #tickets: Collection<TicketDocument>
  readonly #retentionMs: number

  constructor(db: Collections, { retentionDays, eventRetentionDays = retentionDays }: Retention) {
    this.#users = usersOf(db)
    this.#events = db.collection('auth_events')
    this.#tickets = db.collection('tickets')
    this.#retentionMs = eventRetentionDays * 86_400_000
  }

  /** Moves what a user has left to where it is kept. */
  async move(
    step: Step,
    userId: string,
    { pending_events: events, pending_tickets: tickets }: Left,
  ): Promise<void> {
    await this.keep(step, userId, events)
    if (events.length > 0) {
      const moved = { pending_events: { id: { $in: events.map(({ id }) => id) } } }
      await step(() => this.#users.updateOne({ _id: userId }, { $pull: moved }))
    }
    for (const ticket of tickets) {
      await this.#keepTicket(step, ticket)
      const moved = { pending_tickets: { _id: ticket._id, created_at: ticket.created_at } }
      await step(() => this.#users.updateOne({ _id: userId }, { $pull: moved }))
    }
  }

  /** Puts events where they are kept. One that is there already stays as it is: it may have been blanked. */
  async keep(step: Step, userId: string | null, events: readonly PendingEvent[]): Promise<void> {
    const kept = events.map(({ id, ...event }) => {
      const purgeAt = new Date(event.at + this.#retentionMs)
      return { _id: id, ...event, user_id: userId, purge_at: purgeAt }
    })
    try {
      if (kept.length > 0) await step(() => this.#events.insertMany(kept, { ordered: false }))
    } catch (error) {
      if (!isOnlyDuplicates(error)) throw error
    }
  }

  /** Does what is left to do of one user. */
  async tidy(step: Step, wanted: Filter<UserDocument>): Promise<void> {
    const left = await step(() => this.#users.findOne(wanted, { projection: LEFT }))
    if (left) await this.#tidy(step, left)
  }

  /** Does what is left to do of all users. */
  async tidyAll(step: Step): Promise<void> {
    // By the indexes over these: hardly any user has something left.
    const filters: Filter<UserDocument>[] = [
      { 'pending_events.id': { $gt: '' } },
      { 'pending_tickets._id': { $gt: '' } },
      { status: 'deleted' },
    ]
    const options = { projection: LEFT, limit: CHUNK, batchSize: CHUNK + 1 }
    for (const filter of filters) {
      for (let isMore = true; isMore;) {
        const left = await step(() => this.#users.find(filter, options).toArray())
        for (const user of left) await this.#tidy(step, user)
        isMore = left.length === CHUNK
      }
    }
  }

  /** Deletes the tickets of changes that have been taken back. They do nothing here, and would where they are moved to. */
  async dropUndone(step: Step): Promise<void> {
    const options = { projection: { undone: 1 } } as const
    const users = await step(() => this.#users.find({ 'undone.0': { $exists: true } }, options).toArray())
    for (const { _id, undone } of users) {
      for (const { from, until } of undone) {
        const isVoid = { user_id: _id, created_at: { $gte: from, $lt: until } }
        await step(() => this.#tickets.deleteMany({ ...isVoid, kind: 'phone_undo' }))
      }
    }
  }

  #tidy(step: Step, user: Left & Pick<UserDocument, '_id' | 'status'>): Promise<void> {
    return user.status === 'deleted' ? this.#bury(step, user) : this.move(step, user._id, user)
  }

  /** Puts a ticket where it is kept, unless one that was put later is there in its place. */
  async #keepTicket(step: Step, { _id, ...ticket }: TicketDocument): Promise<void> {
    const isOlder = { _id, created_at: { $lte: ticket.created_at } }
    try {
      await step(() => this.#tickets.replaceOne(isOlder, ticket, { upsert: true }))
    } catch (error) {
      if (!isDuplicate(error)) throw error
    }
  }

  /**
   * Takes away what a deleted user has left. The document goes last, and its events are kept before those that are kept
   * are blanked: whoever is about to keep one of them as it was comes too late, or early enough.
   */
  async #bury(
    step: Step,
    { _id, pending_events: pending }: Pick<UserDocument, '_id' | 'pending_events'>,
  ): Promise<void> {
    // That it was deleted was done by whoever deleted it.
    const isDeletion = ({ type }: { readonly type: string }) => type === 'user.deleted'
    const blanked = pending.map((event) => (isDeletion(event) ? event : { ...event, ...BLANK }))
    await this.keep(step, _id, blanked)
    await step(() =>
      this.#events.updateMany({ user_id: _id, type: { $ne: 'user.deleted' } }, { $set: BLANK }),
    )
    await step(() => this.#tickets.deleteMany({ user_id: _id }))
    await step(() => this.#users.deleteOne({ _id, status: 'deleted' }))
  }
}

/** Whether all that kept a bulk from being written whole is documents that were there already. */
function isOnlyDuplicates(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError)) return false
  const isAcknowledged = error.result.getWriteConcernError() === undefined
  return isAcknowledged && [error.writeErrors].flat().every(({ code }) => code === DUPLICATE_KEY)
}
