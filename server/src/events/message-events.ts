import type { Send, SendStatus } from '../messaging/store.ts'
import { attemptSid } from '../services/sids.ts'
import { type About, type CloudEvent, cloudEvent, iso } from './cloud-event.ts'

/** What is told of how far a message has come. That a provider took it is told once, as `sent`, and not by its receipt. */
const NAMES: Readonly<Partial<Record<SendStatus, string>>> = {
  accepted: 'sent',
  refused: 'failed',
  delivered: 'delivered',
  undelivered: 'undelivered',
  read: 'read',
}

/** Whether there is an event of a message that has come so far. */
export function isTold(status: SendStatus): boolean {
  return NAMES[status] !== undefined
}

/** The event of a message of a verification; `sends` are all of that verification. */
export function messageEvent(
  about: About,
  send: Send,
  sends: readonly Send[],
  nowMs: number,
): CloudEvent | undefined {
  const name = NAMES[send.status]
  if (name === undefined) return undefined
  const { to, metadata } = about.verification
  return cloudEvent(about, {
    name: `message.${name}`,
    which: send.id,
    schema: 'MessageStatusEvent',
    at: nowMs,
    data: {
      attempt_sid: attemptSid(send.owner, sends.findIndex(({ id }) => id === send.id) + 1),
      channel: send.channel.toUpperCase(),
      to,
      message_status: name.toUpperCase(),
      // Another vendor's code would be read as one of Twilio's.
      error_code: /^\d{5}$/.test(send.vendorCode ?? '') ? send.vendorCode : null,
      created_at: iso(send.at),
      has_fallback: false,
      is_fallback: send.cause === 'failover' || send.cause === 'lost',
      mcc: null,
      mnc: null,
      number_segments: null,
      tags: metadata ?? {},
    },
  })
}
