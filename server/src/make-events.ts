import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { makeSinkSender } from './events/sink.ts'
import { EXPIRY_EVENT, SINK_EVENT, VerifyEvents } from './events/verify-events.ts'
import type { MessagingStore, Send } from './messaging/store.ts'
import type { Clock } from './primitives/clock.ts'
import { makePost } from './providers/webhook-post.ts'
import type { Directory } from './services/directory.ts'
import type { EventSender, Outbox } from './services/outbox.ts'
import type { OnChange } from './verify/deps.ts'
import type { VerifyStore } from './verify/store.ts'

/** What tells the operator's sink; without a sink nothing does. */
export type Events = {
  readonly onVerification: OnChange | undefined
  readonly onSend: ((send: Send) => Promise<void>) | undefined
  /** What the outbox needs to carry it. */
  readonly senders: Readonly<Record<string, EventSender>>
}

/** Puts the parts together that tell of verifications and their messages. */
export function makeEvents(parts: {
  readonly config: Config
  readonly verifications: VerifyStore
  readonly sends: MessagingStore
  readonly directory: Directory
  readonly outbox: Pick<Outbox, 'put'>
  readonly clock: Clock
  readonly log: Logger
}): Events {
  const { config, verifications, sends, directory, outbox, clock, log } = parts
  const { sink } = config.events
  if (!sink) return { onVerification: undefined, onSend: undefined, senders: {} }
  const events = new VerifyEvents({
    outbox,
    serviceOf: (id) => directory.find(id),
    verificationOf: (id) => verifications.find(id),
    sendsOf: (id) => sends.sendsOf(id),
    clock,
    onFailure: (verification, error) =>
      log.error({ verification, err: error }, 'an event could not be written down'),
  })
  // The operator's own word: it may lead into the operator's own network.
  const tell = makeSinkSender(sink, makePost({ destinations: 'any' }))
  return {
    onVerification: (verification) => events.verificationChanged(verification),
    onSend: (send) => events.sendChanged(send),
    senders: { [SINK_EVENT]: tell, [EXPIRY_EVENT]: events.makeExpirySender(tell) },
  }
}
