import { Gauge, type Registry } from 'prom-client'

/** Whoever asks for readiness asks more often than this; what was found before says nothing of now. */
const KEPT_MS = 60_000

/** Tells what the last `GET /readyz` found; nothing once nobody has asked for a minute. */
export type Readiness = { tell(isReady: boolean): void }

/**
 * Makes the gauge of the last readiness. Of several processes the lowest counts: each hears a part of the questions, so
 * that one may have been asked before an outage only.
 */
export function makeReadiness(registers: Registry[]): Readiness {
  let toldAt = -Infinity
  const gauge = new Gauge({
    name: 'countersign_ready',
    help: '1 when the store and the limiter answered the last GET /readyz, 0 when not; absent when nobody asks.',
    aggregator: 'min',
    registers,
    collect: () => {
      if (performance.now() - toldAt > KEPT_MS) gauge.remove()
    },
  })
  return {
    tell: (isReady) => {
      toldAt = performance.now()
      gauge.set(isReady ? 1 : 0)
    },
  }
}
