import type { Collection, Filter } from 'mongodb'
import type { EventDraft } from '../../auth/events.ts'
import type { AuthStore, Who } from '../../auth/store.ts'
import type { Account, User, UserStatus } from '../../auth/user.ts'
import type { Clock } from '../../primitives/clock.ts'
import { emailKey, NO_DEVICES } from '../auth-rows.ts'
import type { AuthLeftovers } from './auth-leftovers.ts'
import type { MongoDatabase, Step } from './database.ts'
import { unlessTaken, type UserChanges } from './user-changes.ts'
import {
  LIVING,
  newEvent,
  NEXT_VERSION,
  readAccount,
  readUser,
  slots,
  USER_ALONE,
  type UserAlone,
  type UserDocument,
  usersOf,
  withoutSessions,
} from './user-documents.ts'

/** Users in MongoDB: a document each, with its sessions. */
export class AuthUsers {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #users: Collection<UserDocument>
  readonly #changes: UserChanges
  readonly #leftovers: AuthLeftovers

  constructor(db: MongoDatabase, clock: Clock, changes: UserChanges, leftovers: AuthLeftovers) {
    this.#db = db
    this.#clock = clock
    this.#users = usersOf(db)
    this.#changes = changes
    this.#leftovers = leftovers
  }

  find(who: Who): Promise<Account | undefined> {
    return this.#db.run(async (step) => {
      const wanted = { ...matching(who), ...LIVING }
      const found = await step(() => this.#users.findOne(wanted, { projection: USER_ALONE }))
      return found ? readAccount(found) : undefined
    })
  }

  list({
    limit,
    phone,
    email,
    status,
    cursor = '~',
  }: Parameters<AuthStore['users']>[0]): Promise<{ data: User[]; nextCursor: string | null }> {
    const wanted = {
      _id: { $lt: cursor },
      ...(status === undefined ? LIVING : { status }),
      ...(phone === undefined ? {} : matching({ phone })),
      ...(email === undefined ? {} : matching({ email })),
    }
    return this.#db.run(async (step) => {
      const options = {
        projection: USER_ALONE,
        sort: { _id: -1 },
        limit: limit + 1,
        batchSize: limit + 2,
      } as const
      const found = await step(() => this.#users.find(wanted, options).toArray())
      const data = found.slice(0, limit).map((user) => readUser(user))
      return { data, nextCursor: found.length > limit ? (data.at(-1)?.id ?? null) : null }
    })
  }

  update(
    userId: string,
    { name, email }: { readonly name?: string | null; readonly email?: string | null },
    event: EventDraft,
  ): Promise<User | 'email_taken' | undefined> {
    return this.#db.run(async (step) => {
      const kept = email === undefined ? undefined : emailKey(email)
      const change = {
        ...(name === undefined ? {} : { name }),
        ...(kept === undefined ? {} : { email: kept, email_slot: kept ?? userId }),
      }
      const told = newEvent(event, this.#clock.now())
      const set = Object.keys(change).length === 0 ? {} : { $set: change }
      const wanted = { _id: userId, ...LIVING }
      const updated = await unlessTaken(this.#changes.change(step, wanted, set, [told]))
      if (updated === undefined) return 'email_taken'
      return updated ? readUser(updated) : undefined
    })
  }

  setPassword(
    userId: string,
    { from, to, keep, event }: Parameters<AuthStore['setPassword']>[1],
  ): Promise<boolean> {
    return this.#db.run(async (step) => {
      const isSame = { _id: userId, status: 'active' as const, password_hash: from }
      const change = {
        $set: { password_hash: to, ...(keep === 'all' ? {} : { devices: NO_DEVICES }) },
        ...NEXT_VERSION,
        ...(keep === 'all' ? {} : withoutSessions(keep.session)),
      }
      const told = event ? [newEvent(event, this.#clock.now())] : []
      return (await this.#changes.change(step, isSame, change, told)) !== null
    })
  }

  setStatus(userId: string, status: UserStatus, event: EventDraft): Promise<User | undefined> {
    return this.#db.run(async (step) => {
      const $set = { status, devices: NO_DEVICES, ...(status === 'active' ? {} : { session_log: [] }) }
      const change = { $set, ...NEXT_VERSION }
      const told = newEvent(event, this.#clock.now())
      const isOther = {
        _id: userId,
        status: status === 'active' ? ('disabled' as const) : ('active' as const),
      }
      const changed = await this.#changes.change(step, isOther, change, [told])
      // Whoever finds it so already has nothing to tell.
      const found = changed ?? (await this.#alone(step, userId))
      return found ? readUser(found) : undefined
    })
  }

  /**
   * Deletes a user. The first step decides: it leaves a document that nobody finds any more and that holds nothing of a
   * person but events. What that and other collections still hold goes next; whoever dies before the end leaves it to
   * the sweep.
   */
  delete(userId: string, event: EventDraft): Promise<boolean> {
    return this.#db.run(async (step) => {
      const change = {
        $set: {
          status: 'deleted' as const,
          email: null,
          name: null,
          phone: null,
          phone_verified_at: null,
          password_hash: null,
          second_factors: null,
          devices: NO_DEVICES,
          session_log: [],
          pending_tickets: [],
          undone: [],
          ...slots(userId, { phone: null, email: null }),
        },
      }
      const told = newEvent(event, this.#clock.now())
      const deleted = await this.#changes.change(step, { _id: userId, ...LIVING }, change, [told])
      if (deleted) await this.#leftovers.tidy(step, { _id: userId })
      return deleted !== null
    })
  }

  #alone(step: Step, userId: string): Promise<UserAlone | null> {
    return step(() => this.#users.findOne({ _id: userId, ...LIVING }, { projection: USER_ALONE }))
  }
}

/** Matches one user. */
function matching(who: Who): Filter<UserDocument> {
  if ('id' in who) return { _id: who.id }
  if ('phone' in who) return { phone_slot: who.phone, phone: who.phone }
  const email = emailKey(who.email)
  return { email_slot: email, email }
}
