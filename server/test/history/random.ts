/** Dice that fall the same way for the same seed, so that a run's choices can be had again. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 to 1, without 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `least` up to, and without, `end`. */
  within(least: number, end: number): number {
    return least + Math.floor(this.next() * (end - least))
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  pick<L extends readonly [unknown, ...unknown[]]>(items: L): L[number]
  pick<T>(items: readonly T[]): T | undefined
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.within(0, items.length)]
  }

  /** One of these words, each as likely as its weight. */
  weigh<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries<number>(weights)
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [word, weight] of entries) {
      left -= weight
      if (left < 0) return word as T
    }
    return entries.at(-1)?.[0] as T
  }

  shuffle<T>(items: readonly T[]): T[] {
    const shuffled: T[] = []
    for (const item of items) shuffled.splice(this.within(0, shuffled.length + 1), 0, item)
    return shuffled
  }

  /** Dice of their own for a part of the run, so that parts that race do not change each other's. */
  fork(): Dice {
    return new Dice(Math.floor(this.next() * 2 ** 32))
  }
}
