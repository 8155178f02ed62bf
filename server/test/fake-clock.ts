import type { Clock } from '../src/primitives/clock.ts'

/** A clock that stands still until it is moved. */
export class FakeClock implements Clock {
  #now: number

  constructor(now = Date.UTC(2026, 0, 15, 12, 0, 0)) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  advance(seconds: number): void {
    this.#now += seconds * 1000
  }

  advanceMs(ms: number): void {
    this.#now += ms
  }
}
