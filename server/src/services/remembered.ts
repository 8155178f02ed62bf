import type { Clock } from '../primitives/clock.ts'

/** How long what was looked up is believed, so how late a change by another process is noticed. */
const BELIEVED_MS = 2_000
const ENTRIES_MAX = 10_000

/** What was looked up a moment ago, by its key; those who ask at one moment share one look. */
export class Remembered<T> {
  readonly #clock: Clock
  readonly #entries = new Map<string, { readonly value: Promise<T>; readonly until: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What the key stands for; read where it is not known, or not any more. */
  of(key: string, read: () => Promise<T>): Promise<T> {
    const now = this.#clock.now()
    const known = this.#entries.get(key)
    if (known && known.until > now && known.until <= now + BELIEVED_MS) return known.value
    if (this.#entries.size >= ENTRIES_MAX) this.#entries.clear()
    // Kept from when the look begins: one that a change overtakes is forgotten with it.
    const entry = { value: read(), until: now + BELIEVED_MS }
    this.#entries.set(key, entry)
    entry.value.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
    })
    return entry.value
  }

  forget(key: string): void {
    this.#entries.delete(key)
  }
}
