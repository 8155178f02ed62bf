import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import type { Receipt } from '../../src/messaging/provider.ts'
import { sendRanks, statusOf } from '../../src/messaging/send-ranks.ts'
import type {
  HeldSend,
  MessagingStore,
  PlannedSend,
  Send,
  SendOutcome,
  Told,
} from '../../src/messaging/store.ts'
import type { Clock } from '../../src/primitives/clock.ts'
import { CountersignError } from '../../src/primitives/errors.ts'

/**
 * A messaging store in memory, as far as receipts need one; it can be taken away. Each verb takes a turn of the event loop and is then one
 * step. `torn` makes it a broken twin whose `tell` reads, and writes a while later.
 */
export class MemoryMessaging implements MessagingStore {
  /** While it is true nothing is read or written. */
  down = false
  /** How long each verb takes. */
  slowMs = 0
  readonly #clock: Clock
  readonly #sends = new Map<string, Send>()
  readonly #waiting = new Map<string, [string, Receipt]>()
  readonly #torn: boolean

  constructor(clock: Clock, { torn = false } = {}) {
    this.#clock = clock
    this.#torn = torn
  }

  /** Every receipt that waits. */
  get waiting(): number {
    return this.#waiting.size
  }

  async recordSend(owner: string, planned: PlannedSend): Promise<void> {
    await this.#turn()
    this.#put({
      ...planned,
      owner,
      status: 'sending',
      error: null,
      vendorCode: null,
      ref: null,
      at: this.#clock.now(),
      deliveredAt: null,
      history: [],
    })
  }

  async settleSend({ id }: HeldSend, outcome: SendOutcome): Promise<boolean> {
    await this.#turn()
    const send = this.#sends.get(id)
    if (send === undefined || !['sending', 'unknown'].includes(send.status)) return false
    const { watchSeconds: _, price, ...settled } = outcome
    this.#put({ ...send, ...settled, price: price ?? send.price })
    return true
  }

  async tell(provider: string, receipt: Receipt): Promise<Told> {
    await this.#turn()
    const found = this.#find(provider, receipt)
    if (this.#torn) await sleep(20)
    const told = this.#step(found, receipt)
    if (told.state === 'waiting') this.#waiting.set(parkingOf(provider, receipt), [provider, receipt])
    return told
  }

  async tellWaiting(limit: number): Promise<Send[]> {
    await this.#turn()
    const news: Send[] = []
    for (const [key, [provider, receipt]] of [...this.#waiting].slice(0, limit)) {
      const told = this.#step(this.#find(provider, receipt), receipt)
      this.#waiting.delete(key)
      // What still waits goes to the end of the row.
      if (told.state === 'waiting') this.#waiting.set(key, [provider, receipt])
      if (told.state === 'news') news.push(told.send)
    }
    return news
  }

  async sendsOf(owner: string): Promise<Send[]> {
    await this.#turn()
    return [...this.#sends.values()].filter((send) => send.owner === owner)
  }

  knownRefs = absent
  renewSends = absent
  retakeSends = absent
  releaseSend = absent
  openMessage = absent
  message = absent
  messages = absent

  async #turn(): Promise<void> {
    await (this.slowMs > 0 ? sleep(this.slowMs) : turn())
    if (this.down) {
      throw new CountersignError('store_unavailable', 'The store is away', { retryAfterSeconds: 1 })
    }
  }

  #put(send: Send): void {
    this.#sends.set(send.id, send)
  }

  #find(provider: string, { ref, send: id }: Receipt): Send | undefined {
    const own = [...this.#sends.values()].filter((send) => send.provider === provider)
    const byId = own.find((send) => send.id === id && ['unknown', 'refused'].includes(send.status))
    return own.findLast((send) => send.ref === ref) ?? byId
  }

  #step(send: Send | undefined, { ref, progress, why, code, at, price }: Receipt): Told {
    if (send === undefined || send.status === 'sending') return { state: 'waiting' }
    const status = statusOf[progress]
    if (sendRanks[status] <= sendRanks[send.status]) return { state: 'old', send }
    const now = this.#clock.now()
    const when = Math.min(Math.max(at ?? now, send.at), now)
    const arrived = status === 'delivered' || status === 'read'
    const next: Send = {
      ...send,
      status,
      ref: send.ref ?? ref,
      error: status === 'undelivered' ? (why ?? null) : null,
      vendorCode: status === 'undelivered' ? (code ?? null) : null,
      price: price ?? send.price,
      deliveredAt: arrived ? (send.deliveredAt ?? when) : null,
      // The torn twin writes over what it has not seen, as a read-then-write adapter does.
      history: [...send.history, { status, at: when }],
    }
    this.#put(next)
    return { state: 'news', send: next }
  }
}

function absent(): Promise<never> {
  return Promise.reject(new Error('not needed for receipts'))
}

function parkingOf(provider: string, { ref, progress }: Receipt): string {
  return `${provider} ${ref} ${progress}`
}
