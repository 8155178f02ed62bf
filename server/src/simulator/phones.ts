import { codeIn } from './codes.ts'
import type { Api } from './magic.ts'

/** How many messages and calls are kept, the oldest forgotten first. */
export const KEPT_MAX = 10_000
const WAIT_MS = 5_000

export type Channel = 'sms' | 'whatsapp' | 'call'
/** Where the status is told, and which of it. */
export type Hook = { readonly url: string; readonly method: string; readonly events?: ReadonlySet<string> }
/** One status callback: what it told, and what came of it. */
export type Told = { readonly status: string; readonly answer: string }

/** One message or call, and what has become of it. */
export type Item = {
  readonly sid: string
  readonly api: Api
  readonly channel: Channel
  /** The phone it is for, E.164. */
  readonly number: string
  /** As the interface spells them: `whatsapp:+…`. */
  readonly to: string
  from: string | null
  /** What the phone shows or says. */
  text: string
  /** What the interface says of it: empty once it has been redacted. */
  body: string
  status: string
  error: number | null
  readonly createdAt: number
  updatedAt: number
  sentAt: number | null
  endedAt: number | null
  readonly messagingServiceSid: string | null
  readonly media: number
  readonly hook: Hook | undefined
  readonly told: Told[]
}

/** Every phone: what came to it, newest last. Bounded, and in memory alone. */
export class Phones {
  readonly #items = new Map<string, Item>()
  /** The same by number, oldest first. */
  readonly #numbers = new Map<string, Item[]>()
  /** The identifiers of all, round and round: a map is slow to tell its oldest. */
  readonly #ring: string[] = []
  #next = 0
  readonly #listeners = new Set<(item: Item) => void>()

  /** Takes a message or a call in. */
  add(item: Item): void {
    const oldest = this.#ring[this.#next]
    if (oldest !== undefined) this.delete(oldest)
    this.#ring[this.#next] = item.sid
    this.#next = (this.#next + 1) % KEPT_MAX
    this.#items.set(item.sid, item)
    const others = this.#numbers.get(item.number)
    if (others === undefined) this.#numbers.set(item.number, [item])
    else others.push(item)
    this.tell(item)
  }

  /** Says that something of an item has changed. */
  tell(item: Item): void {
    for (const listen of this.#listeners) listen(item)
  }

  get(sid: string): Item | undefined {
    return this.#items.get(sid)
  }

  delete(sid: string): void {
    const item = this.#items.get(sid)
    if (item === undefined) return
    this.#items.delete(sid)
    const left = (this.#numbers.get(item.number) ?? []).filter((other) => other !== item)
    if (left.length === 0) this.#numbers.delete(item.number)
    else this.#numbers.set(item.number, left)
  }

  clear(): void {
    this.#items.clear()
    this.#numbers.clear()
    this.#ring.length = 0
    this.#next = 0
  }

  /** What came, newest first; to one number alone if it is named. */
  list({ to, limit = KEPT_MAX }: { readonly to?: string | undefined; readonly limit?: number } = {}): Item[] {
    const all = to === undefined ? [...this.#items.values()] : (this.#numbers.get(to) ?? [])
    return all.slice(-limit).toReversed()
  }

  /** The newest message or call to a number. */
  last(to: string): Item | undefined {
    return this.list({ to, limit: 1 })[0]
  }

  /** The code in the newest message to a number that holds one. */
  code(to: string): string | undefined {
    for (const { text } of this.list({ to })) {
      const code = codeIn(text)
      if (code !== undefined) return code
    }
    return undefined
  }

  /** Resolves with the next item that is so, now or after a change; rejects when none comes in time. */
  async until(is: (item: Item) => boolean, withinMs = WAIT_MS): Promise<Item> {
    const known = this.list().find(is)
    if (known !== undefined) return known
    return new Promise((resolve, reject) => {
      const leave = this.subscribe((item) => {
        if (!is(item)) return
        end()
        resolve(item)
      })
      const late = setTimeout(() => {
        end()
        reject(new Error('no such message came in time'))
      }, withinMs)
      const end = () => {
        clearTimeout(late)
        leave()
      }
    })
  }

  /** Calls back with every item that comes or changes; gives the way to stop that. */
  subscribe(listener: (item: Item) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
