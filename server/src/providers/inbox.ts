import type { Inbox, InboxMessage, InboxQuery } from '../messaging/inbox.ts'
import type { Message, Provider, Refusal, Sent } from '../messaging/provider.ts'
import type { Clock } from '../primitives/clock.ts'

export type { Inbox, InboxMessage, InboxQuery } from '../messaging/inbox.ts'

const BODY_MAX = 1600

const REFUSED_NUMBERS: ReadonlyMap<string, Refusal> = new Map([
  ['+15005550001', 'bad_number'],
  ['+15005550004', 'opted_out'],
  ['+15005550008', 'throttled'],
  ['+15005550009', 'wrong_channel'],
])

/**
 * Makes the development inbox: the provider `mock`, which delivers nothing and keeps the last messages for a
 * developer to read. They live in this process's memory alone, because their texts hold codes.
 *
 * To try failures, send to Twilio's own test numbers: +15005550001 is refused as `bad_number`,
 * +15005550004 as `opted_out`, +15005550008 as `throttled` (for 1 s), +15005550009 as `wrong_channel`.
 */
export function makeInbox(clock: Clock, { capacity = 500 }: { readonly capacity?: number } = {}): Inbox {
  const kept = new Ring<InboxMessage>(capacity)
  const listeners = new Set<(message: InboxMessage) => void>()

  function take(message: Message): Sent {
    const why = REFUSED_NUMBERS.get(message.to)
    if (why === 'throttled') return { ok: false, why, code: 'mock', retryAfterSeconds: 1 }
    if (why !== undefined) return { ok: false, why, code: 'mock' }
    const { id, to, channel } = message
    const at = new Date(clock.now()).toISOString()
    const arrived = { id, to, channel, body: message.body.slice(0, BODY_MAX), at }
    kept.push(arrived)
    for (const listener of listeners) {
      try {
        listener(arrived)
      } catch {
        // A page that went away must not fail a send.
        listeners.delete(listener)
      }
    }
    return { ok: true, ref: `inbox_${id}` }
  }

  const provider: Provider = {
    name: 'mock',
    channels: ['sms', 'whatsapp', 'call'],
    send: async (message, signal) =>
      // Nothing has left yet, so another provider may still carry it.
      signal.aborted ? { ok: false, why: 'unavailable' } : take(message),
    probe: async () => ({ ok: true, detail: 'the development inbox is always ready' }),
  }

  return {
    provider,
    list: ({ to, limit = capacity }: InboxQuery = {}) => kept.newest(limit, to),
    clear: () => kept.clear(),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** The last messages in a fixed number of places: the newest takes the place of the oldest. */
class Ring<T extends { readonly to: string }> {
  readonly #places: (T | undefined)[]
  #next = 0

  constructor(capacity: number) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) throw new RangeError('capacity must be at least 1')
    this.#places = Array.from({ length: capacity }, () => undefined)
  }

  push(item: T): void {
    this.#places[this.#next] = item
    this.#next = (this.#next + 1) % this.#places.length
  }

  newest(limit: number, to: string | undefined): T[] {
    const found: T[] = []
    for (let back = 1; back <= this.#places.length && found.length < limit; back += 1) {
      const item = this.#places[(this.#next - back + this.#places.length) % this.#places.length]
      if (item === undefined) break
      if (to === undefined || item.to === to) found.push(item)
    }
    return found
  }

  clear(): void {
    this.#places.fill(undefined)
    this.#next = 0
  }
}
