import type { Clock } from '../primitives/clock.ts'
import type { Provider } from './provider.ts'
import { RecentMap } from './recent-map.ts'
import type { Send } from './store.ts'

/** So long after its last block. Twilio's Fraud Guard shuts a prefix for 12 hours (twilio.com/docs/api/errors/60410). */
const MARK_MS = 12 * 60 * 60_000
/** Numbers that differ in no more than so many last digits are given to carriers, sold and abused together. */
const BLOCK_DIGITS = 3
/** So many numbers of a block that were found are no accident any more. */
const NUMBERS = 3
const MARKS_MAX = 10_000

type Mark = { provider: string; until: number; readonly numbers: Set<string> }

/**
 * Numbers that a vendor found to be used for fraud, and blocks of numbers in which it found several, in the memory of
 * this process. While a mark lives, only that vendor is asked to carry messages there: it lets them through once it
 * thinks better of it, and no weight, resend or outage takes the fraud around it.
 */
export class FraudMarks {
  readonly #clock: Clock
  readonly #numbers = new RecentMap<Mark>(MARKS_MAX)
  readonly #blocks = new RecentMap<Mark>(MARKS_MAX)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Hears what became of a send to a number (E.164), by an answer or by a receipt. */
  hear(
    to: string,
    { provider, vendorCode }: Pick<Send, 'provider' | 'vendorCode'>,
    by: Provider | undefined,
  ): void {
    if (vendorCode === null || by?.fraudCodes?.has(vendorCode) !== true) return
    const now = this.#clock.now()
    for (const [marks, key] of [
      [this.#numbers, to],
      [this.#blocks, blockOf(to)],
    ] as const) {
      const mark = marks.use(key, () => ({ provider, until: 0, numbers: new Set() }))
      if (mark.until <= now) mark.numbers.clear()
      if (mark.numbers.size < NUMBERS) mark.numbers.add(to)
      mark.provider = provider
      mark.until = now + MARK_MS
    }
  }

  /** The provider that alone may carry messages to this number (E.164); undefined where any may. */
  keeperOf(to: string): string | undefined {
    const now = this.#clock.now()
    const number = this.#numbers.peek(to)
    if (number !== undefined && number.until > now) return number.provider
    const block = this.#blocks.peek(blockOf(to))
    const isMarked = block !== undefined && block.until > now && block.numbers.size >= NUMBERS
    return isMarked ? block.provider : undefined
  }
}

function blockOf(to: string): string {
  return to.slice(0, -BLOCK_DIGITS)
}
