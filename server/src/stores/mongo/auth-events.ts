import type { Collection } from 'mongodb'
import type { AuthEvent, EventDraft } from '../../auth/events.ts'
import type { AuthStore } from '../../auth/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import { toAuthEvent } from '../auth-rows.ts'
import type { AuthLeftovers, KeptEvent } from './auth-leftovers.ts'
import type { MongoDatabase } from './database.ts'
import { newEvent } from './user-documents.ts'

/** What happened, in MongoDB. What is still inside a user is moved here before anybody reads. */
export class AuthEvents {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #events: Collection<KeptEvent>
  readonly #leftovers: AuthLeftovers

  constructor(db: MongoDatabase, clock: Clock, leftovers: AuthLeftovers) {
    this.#db = db
    this.#clock = clock
    this.#events = db.collection('auth_events')
    this.#leftovers = leftovers
  }

  record({ userId, ...draft }: EventDraft & { readonly userId: string | null }): Promise<void> {
    return this.#db.run((step) => this.#leftovers.keep(step, userId, [newEvent(draft, this.#clock.now())]))
  }

  list({
    limit,
    userId,
    type,
    cursor = '~',
  }: Parameters<AuthStore['events']>[0]): Promise<{ data: AuthEvent[]; nextCursor: string | null }> {
    return this.#db.run(async (step) => {
      await (userId === undefined
        ? this.#leftovers.tidyAll(step)
        : this.#leftovers.tidy(step, { _id: userId }))
      const wanted = {
        _id: { $lt: cursor },
        ...(userId === undefined ? {} : { user_id: userId }),
        ...(type === undefined ? {} : { type }),
      }
      const options = { sort: { _id: -1 }, limit: limit + 1, batchSize: limit + 2 } as const
      const found = await step(() => this.#events.find(wanted, options).toArray())
      const data = found.slice(0, limit).map(({ _id, ...event }) => toAuthEvent({ ...event, id: _id }))
      return { data, nextCursor: found.length > limit ? (data.at(-1)?.id ?? null) : null }
    })
  }
}
