/** How a verb is put in batches. Times are in milliseconds. */
export type BatchOptions<Op, Answer> = {
  /**
   * Decides for all in one step, by `until` of `performance.now()`, and answers in their order. Where it throws, nothing
   * was decided for any, or nobody knows.
   */
  readonly run: (ops: readonly Op[], until: number) => Promise<readonly Answer[]>
  /** How long a caller waits for its answer. */
  readonly patienceMs: number
  /** With less time than this left, what has waited is refused and not asked. */
  readonly leastMs: number
  /** The same after a step that failed: as long as one takes that is given up, so that none runs after its callers. */
  readonly leastAfterFailureMs: number
  /** The error of one that is refused without having been asked. */
  readonly refuse: (why: string) => Error
  /** Whether an error is the fault of one of many, so that the others may do better without it. */
  readonly isOfOne?: (error: unknown) => boolean
}

/** The most that one step decides, so that its locks are soon free again. */
const MOST = 64
/** As many may wait; more are refused at once, because they would be late anyway. */
const WAITING_MAX = 2_000

/** One that waits to be decided. */
type Waiting<Op, Answer> = {
  readonly op: Op
  readonly until: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/**
 * Decides for many callers in one step, and takes one step at a time. What is asked while the database is at work waits
 * and goes together: a busy server asks less often and the database commits less often, and an idle one asks at once.
 */
export class Batches<Op, Answer> {
  readonly #options: BatchOptions<Op, Answer>
  readonly #waiting: Waiting<Op, Answer>[] = []
  #isRunning = false
  #hasFailed = false
  #isPlanned = false

  constructor(options: BatchOptions<Op, Answer>) {
    this.#options = options
  }

  /** Decides for one; rejects, when nothing else does, after `patienceMs`. */
  add(op: Op): Promise<Answer> {
    if (this.#waiting.length >= WAITING_MAX)
      return Promise.reject(this.#options.refuse('too much waits for it'))
    return new Promise((resolve, reject) => {
      const until = performance.now() + this.#options.patienceMs
      this.#waiting.push({ op, until, resolve, reject })
      this.#plan()
    })
  }

  /** Begins a batch once everything that has arrived by now has been read. */
  #plan(): void {
    if (this.#isPlanned || this.#isRunning || this.#waiting.length === 0) return
    this.#isPlanned = true
    setImmediate(() => {
      this.#isPlanned = false
      this.#begin()
    })
  }

  #begin(): void {
    const { leastMs, leastAfterFailureMs } = this.#options
    const least = performance.now() + (this.#hasFailed ? leastAfterFailureMs : leastMs)
    const batch = this.#waiting.splice(0, MOST)
    // They came in this order, so those that are too late are the first.
    const late = batch.findIndex(({ until }) => until >= least)
    const inTime = late < 0 ? [] : batch.slice(late)
    for (const { reject } of late < 0 ? batch : batch.slice(0, late))
      reject(this.#options.refuse('it is slow'))
    this.#isRunning = true
    const end = (hasFailed: boolean) => {
      this.#isRunning = false
      this.#hasFailed = hasFailed
      this.#plan()
    }
    this.#decide(inTime).then(
      () => end(false),
      (error: unknown) => {
        for (const { reject } of inTime) reject(error)
        end(true)
      },
    )
  }

  async #decide(batch: readonly Waiting<Op, Answer>[]): Promise<void> {
    const [first] = batch
    if (first === undefined) return
    try {
      const ops = batch.map(({ op }) => op)
      const answers = await this.#options.run(ops, first.until)
      if (answers.length !== batch.length) throw new Error('not everyone was answered')
      for (const [at, answer] of answers.entries()) batch[at]?.resolve(answer)
    } catch (error) {
      if (batch.length === 1 || !this.#options.isOfOne?.(error)) throw error
      await Promise.all(batch.map((one) => this.#decide([one]).catch(one.reject)))
    }
  }
}
