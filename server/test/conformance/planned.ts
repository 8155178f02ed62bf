import type { PlannedSend } from '../../src/messaging/store.ts'

let made = 0

/** A send that is about to be made, by an id of its own. */
export function planned(changes: Partial<PlannedSend> = {}): PlannedSend {
  return {
    id: `snd_${++made}`,
    provider: 'twilio',
    channel: 'sms',
    sender: '+15005550006',
    country: 'US',
    cause: 'start',
    price: null,
    ...changes,
  }
}
