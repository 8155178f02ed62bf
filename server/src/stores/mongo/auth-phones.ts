import type { Collection } from 'mongodb'
import type { EventDraft } from '../../auth/events.ts'
import type { AuthStore, Told } from '../../auth/store.ts'
import type { User } from '../../auth/user.ts'
import type { Clock } from '../../primitives/clock.ts'
import { leadsBack, NO_DEVICES, toTicket } from '../auth-rows.ts'
import type { AuthLeftovers } from './auth-leftovers.ts'
import type { MongoDatabase, Step } from './database.ts'
import type { PhoneLocks } from './phone-locks.ts'
import type { PhoneOwners } from './phone-owners.ts'
import { newTicketDocument, type TicketDocument, ticketKey } from './ticket-documents.ts'
import { unlessTaken, type UserChanges } from './user-changes.ts'
import {
  LIVING,
  newEvent,
  NEXT_VERSION,
  readUser,
  USER_ALONE,
  type UserAlone,
  type UserDocument,
  usersOf,
  withoutSessions,
} from './user-documents.ts'

type Change = Parameters<AuthStore['changePhone']>[0]
type Changed = Awaited<ReturnType<AuthStore['changePhone']>>
type Restored = { readonly user: User } | undefined

/** So many takings back are remembered: far more than there are tickets that could still be valid. */
const UNDONE_MAX = 20

/**
 * Changes of a number, and taking them back. A number that changes hands concerns two users, so two documents: it is
 * taken from one first and given to the other after. Whoever dies in between leaves it with nobody, and its owner proves
 * it once more.
 */
export class AuthPhones {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #users: Collection<UserDocument>
  readonly #changes: UserChanges
  readonly #owners: PhoneOwners
  readonly #locks: PhoneLocks
  readonly #leftovers: AuthLeftovers
  readonly #tickets: Collection<TicketDocument>

  constructor(
    db: MongoDatabase,
    clock: Clock,
    {
      changes,
      owners,
      locks,
      leftovers,
    }: { changes: UserChanges; owners: PhoneOwners; locks: PhoneLocks; leftovers: AuthLeftovers },
  ) {
    this.#db = db
    this.#clock = clock
    this.#users = usersOf(db)
    this.#changes = changes
    this.#owners = owners
    this.#locks = locks
    this.#leftovers = leftovers
    this.#tickets = db.collection('tickets')
  }

  change(change: Change): Promise<Changed> {
    return this.#db.run(async (step) => {
      for (;;) {
        const done = await this.#locks.hold(step, change.phone, () => this.#change(step, change))
        if (done) return done.changed
      }
    })
  }

  restore(ticketId: string, { restored: draft }: Told<'restored'>): Promise<Restored> {
    return this.#db.run(async (step) => {
      const _id = ticketKey({ kind: 'phone_undo', id: ticketId })
      for (;;) {
        // Whoever made the change may have died before the ticket was where it is kept.
        await this.#leftovers.tidy(step, { 'pending_tickets._id': _id })
        const ticket = await step(() => this.#tickets.findOne({ _id }))
        if (!ticket) return undefined
        const phone = toTicket(ticket).data['from'] ?? ''
        const done = await this.#locks.hold(step, phone, async () => ({
          restored: await this.#restore(step, ticket, phone, draft),
        }))
        if (done) return done.restored
      }
    })
  }

  /** Each round changes what it looked at if that is still so, and otherwise looks again. */
  async #change(step: Step, change: Change): Promise<{ changed: Changed }> {
    const { userId, phone, events } = change
    let detached: string | null = null
    for (;;) {
      const options = { projection: USER_ALONE }
      const found = await step(() => this.#users.findOne({ _id: userId, status: 'active' }, options))
      if (!found) return { changed: undefined }
      const owner = found.phone === phone ? null : await this.#owners.find(step, phone)
      if (owner && (await this.#owners.detach(step, owner, events.detached))) detached = owner._id
      const user = await this.#give(step, found, change)
      if (user) return { changed: { user, from: found.phone, detached } }
    }
  }

  /** Gives a number that nobody has to a user as they were found; undefined when somebody was quicker with either. */
  async #give(
    step: Step,
    { _id, phone: from }: UserAlone,
    { phone, keep, undo, events }: Change,
  ): Promise<User | undefined> {
    const now = this.#clock.now()
    const isSame = { _id, status: 'active' as const, phone: from }
    const $set = { phone, phone_verified_at: now, phone_slot: phone, devices: NO_DEVICES }
    const event = newEvent(events.changed, now)
    const change = { $set, ...NEXT_VERSION, ...withoutSessions(keep) }
    const { ttlSeconds, ...ticket } = undo
    const tickets = leadsBack(ticket, from, phone)
      ? [newTicketDocument({ ...ticket, userId: _id }, ttlSeconds, now)]
      : []
    const changed = await unlessTaken(this.#changes.change(step, isSame, change, [event], { tickets }))
    return changed ? readUser(changed) : undefined
  }

  /**
   * Puts a number back. The user remembers from when to when changes were taken back, with this one those that came
   * after it, so that their tickets are void in the same step; they are deleted after, and whoever dies before leaves
   * tickets that do nothing.
   */
  async #restore(
    step: Step,
    { _id, created_at: from, user_id: userId, expires_at: expiresAt }: TicketDocument,
    phone: string,
    draft: EventDraft,
  ): Promise<Restored> {
    const now = this.#clock.now()
    const until = Math.max(now, from + 1)
    const isVoid = { $elemMatch: { from: { $lte: from }, until: { $gt: from } } }
    const isLiving = { _id: userId ?? '', ...LIVING, undone: { $not: isVoid } }
    const change = {
      $set: { phone, phone_verified_at: now, phone_slot: phone, session_log: [], devices: NO_DEVICES },
      ...NEXT_VERSION,
      $push: { undone: { $each: [{ from, until }], $slice: -UNDONE_MAX } },
      $pull: { pending_tickets: { created_at: { $gte: from } } },
    }
    const isValid = expiresAt > now && phone !== ''
    const user = isValid
      ? await unlessTaken(this.#changes.change(step, isLiving, change, [newEvent(draft, now)]))
      : undefined
    // It is used up in any case: also one that is met too late, and one whose number is another's by now.
    await step(() => this.#tickets.deleteOne({ _id, created_at: from }))
    if (!user) return undefined
    const after = { user_id: userId, kind: 'phone_undo', created_at: { $gte: from, $lt: until } } as const
    await step(() => this.#tickets.deleteMany(after))
    return { user: readUser(user) }
  }
}
