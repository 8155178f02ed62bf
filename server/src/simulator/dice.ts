/**
 * Dice that fall the same way again for the same seed, so that a run with failures can be repeated (mulberry32). They
 * decide what a test sees and nothing else: codes and identifiers are drawn from the kernel.
 */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** Starts again from a seed. */
  reset(seed: number): void {
    this.#state = seed
  }

  /** A number from 0 up to, and never, 1. */
  roll(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
