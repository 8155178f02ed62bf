import { randomInt } from 'node:crypto'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import type { Metrics } from './http/metrics.ts'
import { receiptFigures } from './http/receipt-figures.ts'
import { type CircuitKey, Circuits, type CircuitState } from './messaging/circuits.ts'
import { Latency } from './messaging/latency.ts'
import { Messenger, type SendObserver } from './messaging/messenger.ts'
import type { Provider } from './messaging/provider.ts'
import { Receipts } from './messaging/receipts.ts'
import { RetryBudget } from './messaging/retry-budget.ts'
import { defaultRoute } from './messaging/routes.ts'
import type { MessagingStore, Send } from './messaging/store.ts'
import type { Clock } from './primitives/clock.ts'

/** What carries messages, and what hears what became of them. */
export type Messaging = {
  readonly messenger: Messenger
  readonly receipts: Receipts
  readonly circuits: Circuits
}

/** Puts the parts of messaging together. `onDue` is called when there is a send that something must be done about. */
export function makeMessaging(deps: {
  readonly config: Config
  readonly providers: readonly Provider[]
  /** The providers are not those of the settings, so that the routing table does not know them. */
  readonly areReplaced: boolean
  readonly store: MessagingStore
  /** The number (E.164) that a verification is about. */
  readonly numberOf: (verification: string) => Promise<string | undefined>
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Logger
  readonly onDue: () => void
  /** Told of each step of a send once it is in the store, and awaited. Must not reject. */
  readonly onChange: ((send: Send) => Promise<void>) | undefined
}): Messaging {
  const { config, providers, store, numberOf, clock, metrics, log, onDue, onChange } = deps
  const { routes, prices, patienceMs } = config.messaging
  const latency = new Latency()
  const observe = sendObserver(metrics, log)
  const circuits = new Circuits({
    clock,
    random: (max) => randomInt(max),
    onChange: circuitObserver(metrics, log),
  })
  const messenger = new Messenger({
    store,
    routing: {
      providers,
      routes: deps.areReplaced ? defaultRoute(providers.map(({ name }) => name)) : routes,
      prices,
      random: (max) => randomInt(max),
    },
    circuits,
    budget: new RetryBudget(),
    latency,
    clock,
    observe: (send, seconds, vendorCode) => {
      observe(send, seconds, vendorCode)
      if (send.status === 'unknown') onDue()
    },
    onChange,
    deadlineMs: config.verify.startDeadlineMs,
    patienceMs,
    testNumbers: new Set(config.testPhones.map(({ phone }) => phone)),
  })
  const figures = receiptFigures(metrics, clock)
  const receipts = new Receipts({
    store,
    providers,
    observe: figures.observe,
    onChange,
    onNews: (send: Send, receipt) => {
      figures.onNews(send, receipt)
      // By our own clock: vendors tell the time to the minute, or in no zone.
      if (send.status === 'delivered') latency.learn(send.provider, send.country, clock.now() - send.at)
      if (send.status !== 'undelivered') return
      onDue()
      void numberOf(send.owner).then(
        (to) => to !== undefined && messenger.heardOf(to, send),
        () => {},
      )
    },
  })
  return { messenger, receipts, circuits }
}

function sendObserver(metrics: Metrics, log: Logger): SendObserver {
  return (send, seconds, vendorCode) => {
    const outcome = send.status === 'refused' ? (send.error ?? 'unknown') : send.status
    metrics.sends.labels(send.provider, send.channel, outcome).inc()
    metrics.sendSeconds.labels(send.provider).observe(seconds)
    if (send.status === 'accepted') return
    log.warn(
      { send: send.id, owner: send.owner, provider: send.provider, outcome, vendor_code: vendorCode },
      'send not accepted',
    )
  }
}

function circuitObserver(metrics: Metrics, log: Logger): (key: CircuitKey, state: CircuitState) => void {
  const open = new Map<string, Set<string | null>>()
  return ({ provider, country, sender }, state) => {
    const place = `${provider} ${country}`
    const senders = open.get(place) ?? new Set()
    open.set(place, senders)
    if (state === 'closed') senders.delete(sender)
    else senders.add(sender)
    metrics.circuitsOpen.labels(provider, country).set(senders.size)
    if (state === 'open') log.warn({ provider, country, sender }, 'circuit opened')
    if (state === 'closed') log.info({ provider, country, sender }, 'circuit closed')
  }
}
