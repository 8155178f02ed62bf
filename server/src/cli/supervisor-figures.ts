import { AggregatorRegistry, Counter, Registry } from 'prom-client'
import type { Figures, FromWorker, ToWorker } from './worker-messages.ts'

/** How long a worker may take to tell its figures; one that is later is told of as it was at the last scrape. */
const ANSWER_MS = 2_000
/** What only grows. The figures of workers that have ended stay in it, so that no sum ever falls. */
const GROWING = new Set(['counter', 'histogram'])
/** As many ended workers are kept apart; more are added up. */
const ENDED_MAX = 8

/** The supervisor's half of a scrape: asks every worker, and adds up what they tell. */
export class SupervisorFigures {
  readonly #live = new Map<number, Figures>()
  readonly #waiting = new Map<number, { missing: Set<number>; done: () => void }>()
  /** What the supervisor counts itself; each worker has the same counter, at 0. */
  readonly #own = new Registry()
  readonly #restarts = new Counter({
    name: 'countersign_worker_restarts_total',
    help: 'Workers that ended and were replaced.',
    registers: [this.#own],
  })
  #ended: readonly Figures[] = []
  #round = 0

  /** The figures of all workers together, for those that can be asked, by their number. */
  async gather(workers: ReadonlyMap<number, (message: ToWorker) => void>): Promise<string> {
    const round = ++this.#round
    if (workers.size > 0) {
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, ANSWER_MS)
        const done = () => {
          clearTimeout(late)
          resolve()
        }
        this.#waiting.set(round, { missing: new Set(workers.keys()), done })
        for (const tell of workers.values()) tell({ countersign: 'tell figures', round })
      })
      this.#waiting.delete(round)
    }
    return join([...this.#ended, ...this.#live.values(), await this.#own.getMetricsAsJSON()]).metrics()
  }

  /** Takes what a worker told. */
  take(worker: number, { round, figures }: Extract<FromWorker, { countersign: 'figures' }>): void {
    this.#live.set(worker, figures)
    this.#arrived(worker, round)
  }

  /** A worker has ended: what it counted stays counted. */
  async end(worker: number): Promise<void> {
    for (const round of this.#waiting.keys()) this.#arrived(worker, round)
    const last = this.#live.get(worker)
    this.#live.delete(worker)
    if (!last) return
    this.#ended = [...this.#ended, last.filter(({ type }) => GROWING.has(String(type)))]
    if (this.#ended.length < ENDED_MAX) return
    const many = this.#ended
    const one = await join(many).getMetricsAsJSON()
    this.#ended = [one, ...this.#ended.slice(many.length)]
  }

  /** A worker ended that another takes the place of. */
  restarted(): void {
    this.#restarts.inc()
  }

  #arrived(worker: number, round: number): void {
    const waiting = this.#waiting.get(round)
    waiting?.missing.delete(worker)
    if (waiting?.missing.size === 0) waiting.done()
  }
}

function join(all: readonly Figures[]) {
  return AggregatorRegistry.aggregate(all.map((figures) => [...figures]))
}
