import type { Registry } from 'prom-client'
import type { FromWorker, ToWorker } from './worker-messages.ts'

const ANSWER_MS = 4_000

/** A worker's half of a scrape: whichever worker is scraped, the answer is the figures of all. */
export class WorkerFigures {
  readonly #tell: (message: FromWorker) => Promise<void>
  readonly #asked = new Map<number, (text: string) => void>()
  #own: Registry | undefined
  #last = 0

  constructor(tell: (message: FromWorker) => Promise<void>) {
    this.#tell = tell
  }

  /** Takes in the process's own figures; gives what a scrape is told. */
  share(own: Registry): () => Promise<string> {
    this.#own = own
    return () => this.#scrape()
  }

  /** Tells the supervisor this process's figures, unasked too: before it ends, so that they stay counted. */
  async send(round = 0): Promise<void> {
    const figures = await this.#own?.getMetricsAsJSON()
    if (figures) await this.#tell({ countersign: 'figures', round, figures })
  }

  /** Takes the supervisor's answer. */
  answer({ id, text }: Extract<ToWorker, { countersign: 'scraped' }>): void {
    this.#asked.get(id)?.(text)
  }

  #scrape(): Promise<string> {
    const id = ++this.#last
    return new Promise<string>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the supervisor did not tell the figures')), ANSWER_MS)
      this.#asked.set(id, (text) => {
        clearTimeout(late)
        resolve(text)
      })
      void this.#tell({ countersign: 'scrape', id })
    }).finally(() => this.#asked.delete(id))
  }
}
