/** Counted in fifths of a call, so that the sums are exact. */
const FIFTHS = 5
const MOST = 20 * FIFTHS
const AT_FIRST = 5 * FIFTHS

/**
 * Keeps an outage from being multiplied: over any time, calls that may meet the same outage again are at most a fifth
 * of the first ones, and a reserve of 20.
 *
 * A call to another provider that is healthy is always allowed. It multiplies nothing: no provider gets more calls than
 * there are messages. A reserve could not promise that, because before the first provider's circuit opens there are as
 * many calls under way to it as its time-out holds, and each of them has to go on to the next. Such a call spends
 * what is there all the same, so that the others stay away while there is much of it.
 */
export class RetryBudget {
  #fifths = AT_FIRST

  /** A message had its first call. */
  called(): void {
    this.#fifths = Math.min(MOST, this.#fifths + 1)
  }

  /**
   * Asks for one more call of a message, and spends it. `isHealthy`: it goes to a provider that the message has not
   * been to, and that is healthy by `Circuits.isHealthy`. The probe of a circuit does not ask: there is one at a time.
   */
  mayRetry(isHealthy = false): boolean {
    const isCovered = this.#fifths >= FIFTHS
    if (isCovered) this.#fifths -= FIFTHS
    return isCovered || isHealthy
  }
}
