import type { PlannedSend } from '../../src/messaging/store.ts'

let made = 0

/** A send that is about to be made, by an id of its own; the ids of later ones sort behind it. */
export function planned(changes: Partial<PlannedSend> = {}): PlannedSend {
  return {
    id: `snd_${String(++made).padStart(6, '0')}`,
    provider: 'twilio',
    channel: 'sms',
    sender: '+15005550006',
    country: 'US',
    cause: 'start',
    price: null,
    ...changes,
  }
}
