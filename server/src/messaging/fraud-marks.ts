import type { Clock } from '../primitives/clock.ts'
import type { Provider } from './provider.ts'
import { RecentMap } from './recent-map.ts'
import type { Send } from './store.ts'

/** So long after its last block. Twilio's Fraud Guard shuts a prefix for 12 hours (twilio.com/docs/api/errors/60410). */
const MARK_MS = 12 * 60 * 60_000
/** Numbers that differ in no more than so many last digits are sold, and abused, together. */
const BLOCK_DIGITS = 4
const BLOCKS_MAX = 10_000

type Mark = { provider: string; until: number }

/**
 * Blocks of numbers that a vendor found to be used for fraud, in the memory of this process. While a mark lives, only
 * that vendor is asked to carry messages there: it lets them through once it thinks better of it, and no weight, resend
 * or outage takes the fraud around it.
 */
export class FraudMarks {
  readonly #clock: Clock
  readonly #marks = new RecentMap<Mark>(BLOCKS_MAX)

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
    const mark = this.#marks.use(blockOf(to), () => ({ provider, until: 0 }))
    mark.provider = provider
    mark.until = this.#clock.now() + MARK_MS
  }

  /** The provider that alone may carry messages to this number (E.164); undefined where any may. */
  keeperOf(to: string): string | undefined {
    const mark = this.#marks.peek(blockOf(to))
    return mark !== undefined && mark.until > this.#clock.now() ? mark.provider : undefined
  }
}

function blockOf(to: string): string {
  return to.slice(0, -BLOCK_DIGITS)
}
