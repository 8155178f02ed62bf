/** Work to do later, which can be called off all at once. Node keeps timers of one length in one list: they are cheap. */
export class Agenda {
  readonly #timers = new Set<NodeJS.Timeout>()

  /** Does the work after so many milliseconds, if nothing is called off before. */
  after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      work()
    }, ms)
    this.#timers.add(timer)
  }

  /** Calls everything off. */
  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
