import type { Progress, Receipt } from '../messaging/provider.ts'
import { sendRanks, statusOf } from '../messaging/send-ranks.ts'
import type { SendStatus } from '../messaging/store.ts'
import {
  moneyOrNull,
  numberOrNull,
  oneOf,
  REFUSALS,
  type Row,
  SEND_STATUSES,
  text,
  textOrNull,
} from './rows.ts'

/** How long a receipt waits for its send, in seconds: far longer than any vendor takes to answer. */
export const RECEIPT_WAIT_SECONDS = 600

/** What a send may be for this to be news of it. One that is still `sending` is not settled, so it may not. */
export function statusesBefore(progress: Progress): readonly SendStatus[] {
  const rank = sendRanks[statusOf[progress]]
  return SEND_STATUSES.filter((status) => status !== 'sending' && sendRanks[status] < rank)
}

/** What a receipt says, by the columns it goes to. */
export function packReceipt(receipt: Receipt) {
  return {
    ref: receipt.ref,
    send: receipt.send ?? null,
    progress: receipt.progress,
    error: receipt.why ?? null,
    vendor_code: receipt.code ?? null,
    at: receipt.at ?? null,
    price: receipt.price?.amount ?? null,
    currency: receipt.price?.currency ?? null,
  }
}

const PROGRESS: readonly Progress[] = ['queued', 'sent', 'delivered', 'undelivered', 'read']

/** Reads a receipt that waits. */
export function toReceipt(row: Row): Receipt {
  const send = textOrNull(row, 'send')
  const code = textOrNull(row, 'vendor_code')
  const at = numberOrNull(row, 'at')
  const price = moneyOrNull(row)
  return {
    ref: text(row, 'ref'),
    ...(send === null ? {} : { send }),
    progress: oneOf(row, 'progress', PROGRESS),
    ...(textOrNull(row, 'error') === null ? {} : { why: oneOf(row, 'error', REFUSALS) }),
    ...(code === null ? {} : { code }),
    ...(at === null ? {} : { at }),
    ...(price === null ? {} : { price }),
  }
}
