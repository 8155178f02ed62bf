import type { MetricObjectWithValues, MetricValue } from 'prom-client'

/** The figures of one process, as prom-client gives them to be joined with others. */
export type Figures = readonly MetricObjectWithValues<MetricValue<string>>[]

/** What a worker tells its supervisor. */
export type FromWorker =
  | { readonly countersign: 'up'; readonly port: number }
  /** It could not start, and ends. */
  | { readonly countersign: 'failed'; readonly reason: string }
  | { readonly countersign: 'figures'; readonly round: number; readonly figures: Figures }
  /** Somebody scrapes it: the figures of all are wanted. */
  | { readonly countersign: 'scrape'; readonly id: number }
  /** It heard the last `ping`. */
  | { readonly countersign: 'pong' }

/** What a supervisor tells a worker. */
export type ToWorker =
  | { readonly countersign: 'stop' }
  | { readonly countersign: 'ping' }
  | { readonly countersign: 'tell figures'; readonly round: number }
  | { readonly countersign: 'scraped'; readonly id: number; readonly text: string }

/** True for what a worker of ours sent. Others use the same channel: Node itself, and what is loaded before us. */
export function isFromWorker(message: unknown): message is FromWorker {
  return isOurs(message)
}

/** True for what our supervisor sent. */
export function isToWorker(message: unknown): message is ToWorker {
  return isOurs(message)
}

function isOurs(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'countersign' in message
}
