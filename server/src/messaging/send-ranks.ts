import type { Progress } from './provider.ts'
import type { SendStatus } from './store.ts'

/**
 * The order of what can be known of a send. Receipts come in any order and more than once; a send goes only to a
 * higher rank. `delivered` is above `undelivered`: a network that gave up may still be overtaken by the phone.
 */
export const sendRanks: Readonly<Record<SendStatus, number>> = {
  sending: 0,
  unknown: 0,
  refused: 0,
  accepted: 1,
  sent: 2,
  undelivered: 3,
  delivered: 4,
  read: 5,
}

/** What a vendor's word makes of a send. */
export const statusOf: Readonly<Record<Progress, SendStatus>> = {
  queued: 'accepted',
  sent: 'sent',
  undelivered: 'undelivered',
  delivered: 'delivered',
  read: 'read',
}
