import type { Fields } from 'smpp'
import type { Sent } from '../messaging/provider.ts'

type Refused = Sent & { readonly ok: false }
/** Puts one packet on the wire and tells what came of it; never rejects. */
type Send = (fields: Fields) => Promise<Sent>
type Ticket = {
  readonly fields: Fields
  /** Settles it once; later words change nothing. */
  readonly settle: (sent: Sent) => void
  /** Whether it has been put on the wire. */
  left: boolean
  settled: boolean
}

/**
 * A window of packets on the wire and a short queue before it. Whatever is added is settled: by its answer, by a link
 * that is lost, by a caller who gives up, or for having waited too long. Only what has left can become `unknown`.
 */
export class SmppQueue {
  readonly #window: number
  readonly #capacity: number
  readonly #patienceMs: number
  readonly #flights = new Set<Promise<void>>()
  #waiting: Ticket[] = []
  #send: Send | undefined

  constructor(window: number, capacity: number, patienceMs: number) {
    this.#window = window
    this.#capacity = capacity
    this.#patienceMs = patienceMs
  }

  /** Takes packets that belong together, all or none. */
  add(packets: readonly Fields[], signal: AbortSignal): Promise<readonly Sent[]> {
    const places = this.#capacity - this.#waiting.length + Math.max(0, this.#window - this.#flights.size)
    if (packets.length > places) return Promise.resolve([{ ok: false, why: 'throttled', code: 'queue_full' }])
    const sent = packets.map((fields) => this.#wait(fields, signal))
    this.#pump()
    return Promise.all(sent)
  }

  /** A link is there: what waits goes out by it. */
  start(send: Send): void {
    this.#send = send
    this.#pump()
  }

  /** The link is gone: what waits is told, and nothing goes out until the next `start`. */
  stop(why: Refused): void {
    this.#send = undefined
    for (const ticket of this.#waiting.splice(0)) ticket.settle(why)
  }

  /** Resolves when nothing is on the wire any more. */
  async drained(): Promise<void> {
    await Promise.all(this.#flights)
  }

  #wait(fields: Fields, signal: AbortSignal): Promise<Sent> {
    return new Promise((resolve) => {
      const ticket: Ticket = {
        fields,
        left: false,
        settled: false,
        settle: (sent) => {
          if (ticket.settled) return
          ticket.settled = true
          clearTimeout(late)
          signal.removeEventListener('abort', abort)
          resolve(sent)
        },
      }
      const withdraw = (why: Refused) => {
        this.#waiting = this.#waiting.filter((other) => other !== ticket)
        ticket.settle(why)
      }
      const abort = () =>
        withdraw({ ok: false, why: ticket.left ? 'unknown' : 'unavailable', code: 'aborted' })
      const late = setTimeout(() => {
        if (!ticket.left) withdraw({ ok: false, why: 'throttled', code: 'queue_slow' })
      }, this.#patienceMs)
      signal.addEventListener('abort', abort, { once: true })
      this.#waiting.push(ticket)
    })
  }

  #pump(): void {
    const send = this.#send
    while (send !== undefined && this.#flights.size < this.#window) {
      const ticket = this.#waiting.shift()
      if (ticket === undefined) return
      ticket.left = true
      // The place is taken until the SMSC has answered, even when the caller is gone: the window is the SMSC's.
      const flight = send(ticket.fields).then((sent) => {
        this.#flights.delete(flight)
        ticket.settle(sent)
        this.#pump()
      })
      this.#flights.add(flight)
    }
  }
}
