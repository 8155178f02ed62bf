/** What was used of late, at most so many: the one that was not used for longest makes room for a new one. */
export class RecentMap<T> {
  readonly #max: number
  readonly #isWorthKeeping: (value: T) => boolean
  /** In the order of their last use. */
  readonly #values = new Map<string, T>()

  /** What is worth keeping goes only when nothing else is left. */
  constructor(max: number, isWorthKeeping: (value: T) => boolean = () => false) {
    this.#max = max
    this.#isWorthKeeping = isWorthKeeping
  }

  get size(): number {
    return this.#values.size
  }

  /** Looks without using. */
  peek(key: string): T | undefined {
    return this.#values.get(key)
  }

  /** Uses what is there, or makes it. */
  use(key: string, make: () => T): T {
    let value = this.#values.get(key)
    if (value === undefined) {
      if (this.#values.size >= this.#max) this.#makeRoom()
      value = make()
    } else {
      this.#values.delete(key)
    }
    this.#values.set(key, value)
    return value
  }

  values(): IterableIterator<T> {
    return this.#values.values()
  }

  #makeRoom(): void {
    let oldest: string | undefined
    for (const [key, value] of this.#values) {
      oldest ??= key
      if (this.#isWorthKeeping(value)) continue
      oldest = key
      break
    }
    if (oldest !== undefined) this.#values.delete(oldest)
  }
}
