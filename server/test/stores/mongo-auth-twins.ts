import type { Db } from 'mongodb'
import type { AccountChange, AccountChanged, AuthStore } from '../../src/auth/store.ts'
import type { TicketDocument } from '../../src/stores/mongo/ticket-documents.ts'
import { ticketKey } from '../../src/stores/mongo/ticket-documents.ts'
import { newSessionDocument, type UserDocument, withSession } from '../../src/stores/mongo/user-documents.ts'

type Change = AuthStore['changeAccount']

/** Ways to change an account on the documents of the MongoDB store, each with one fault, which the races must find. */
export const AUTH_TWINS = {
  /** Looks whether the account is what was read, and changes it after. */
  readThenWrite:
    (db: Db): Change =>
    async (change) => {
      const found = await users(db).findOne(isStill(change))
      if (!found) return { outcome: 'conflict' }
      await users(db).updateOne({ _id: change.userId }, changeOf(change))
      return changed
    },

  /** Looks whether there is a ticket, and takes it away once the account has been changed. */
  ticketAfterwards:
    (db: Db): Change =>
    async (change) => {
      const tickets = db.collection<TicketDocument>('tickets')
      const _id = change.ticket ? ticketKey(change.ticket) : ''
      if (!(await tickets.findOne({ _id }))) return { outcome: 'used' }
      const { matchedCount } = await users(db).updateOne(isStill(change), changeOf(change))
      if (matchedCount === 0) return { outcome: 'conflict' }
      await tickets.deleteOne({ _id })
      return changed
    },
} as const satisfies Record<string, (db: Db) => Change>

export type AuthTwin = keyof typeof AUTH_TWINS

// The races look at the outcome alone.
const changed: AccountChanged = { outcome: 'changed', account: {} as never, session: null }

function users(db: Db) {
  return db.collection<UserDocument>('users')
}

function isStill({ userId, version }: AccountChange) {
  return { _id: userId, status: 'active' as const, version }
}

function changeOf({ version, devices, session }: AccountChange) {
  return {
    $set: devices === undefined ? { version } : { version: version + 1, devices },
    ...(session ? { $push: withSession(newSessionDocument(session, Date.now())) } : {}),
  }
}
