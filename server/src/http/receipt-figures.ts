import type { ReceiptsDeps } from '../messaging/receipts.ts'
import type { Clock } from '../primitives/clock.ts'
import type { Metrics } from './metrics.ts'

/** Counts what vendors tell of messages. */
export function receiptFigures(
  metrics: Metrics,
  clock: Clock,
): Required<Pick<ReceiptsDeps, 'observe' | 'onNews'>> {
  return {
    observe: (provider, outcome) => metrics.receipts.inc({ provider, outcome }),
    onNews: ({ provider, status, history, at }) => {
      metrics.deliveries.inc({ provider, status })
      const isFirst = !history.some(
        (step, index) => step.status === 'delivered' && index < history.length - 1,
      )
      if ((status !== 'delivered' && status !== 'read') || !isFirst) return
      // By our own clock: vendors tell the time to the minute, or in no zone.
      metrics.deliverySeconds.observe({ provider }, Math.max(0, clock.now() - at) / 1000)
    },
  }
}
