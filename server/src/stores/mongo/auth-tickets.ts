import type { Collection } from 'mongodb'
import type { Ticket, TicketKind } from '../../auth/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import { toTicket } from '../auth-rows.ts'
import type { AuthLeftovers } from './auth-leftovers.ts'
import type { MongoDatabase, Step } from './database.ts'
import { isDuplicate } from './errors.ts'
import { newTicketDocument, type TicketDocument, ticketKey } from './ticket-documents.ts'

/** What can be used once, in MongoDB. Of those who take one, one alone is given the document that is deleted. */
export class AuthTickets {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #leftovers: AuthLeftovers
  readonly #tickets: Collection<TicketDocument>

  constructor(db: MongoDatabase, clock: Clock, leftovers: AuthLeftovers) {
    this.#db = db
    this.#clock = clock
    this.#leftovers = leftovers
    this.#tickets = db.collection('tickets')
  }

  put(ticket: Ticket, ttlSeconds: number): Promise<void> {
    return this.#db.run(async (step) => {
      const { _id, ...document } = newTicketDocument(ticket, ttlSeconds, this.#clock.now())
      const put = () => this.#tickets.replaceOne({ _id }, document, { upsert: true })
      await step(() =>
        put().catch((error: unknown) => {
          // Of two who would make one document, the second finds it there.
          if (isDuplicate(error)) return put()
          throw error
        }),
      )
    })
  }

  find(kind: TicketKind, id: string): Promise<Ticket | undefined> {
    return this.#db.run(async (step) => {
      const _id = ticketKey({ kind, id })
      // Whoever changed a number may have died before the ticket was where it is kept.
      if (kind === 'phone_undo') await this.#leftovers.tidy(step, { 'pending_tickets._id': _id })
      const found = await step(() => this.#tickets.findOne({ _id }))
      return found && found.expires_at > this.#clock.now() ? toTicket(found) : undefined
    })
  }

  take(kind: TicketKind, id: string): Promise<Ticket | undefined> {
    return this.#db.run(async (step) => {
      const taken = await this.takeAway(step, { kind, id })
      return taken ? toTicket(taken) : undefined
    })
  }

  /** Takes a ticket away, also one that is too old: a clock that is set back does not make it good again. */
  async takeAway(step: Step, ticket: Pick<Ticket, 'kind' | 'id'>): Promise<TicketDocument | undefined> {
    const taken = await step(() => this.#tickets.findOneAndDelete({ _id: ticketKey(ticket) }))
    return taken && taken.expires_at > this.#clock.now() ? taken : undefined
  }

  /** Puts back a ticket that was taken for nothing, with the time it had left; one that was put since stays. */
  async putBack(step: Step, ticket: TicketDocument): Promise<void> {
    try {
      await step(() => this.#tickets.insertOne(ticket))
    } catch (error) {
      if (!isDuplicate(error)) throw error
    }
  }
}
