import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import { VERSION } from '../version.ts'
import { makeReadiness } from './readiness.ts'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** A store gives a call up after two or three seconds. */
const STORE_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** Most texts arrive within seconds; after ten minutes the code is dead. */
const DELIVERY_SECONDS = [1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 600, 1800]

/** What Prometheus may scrape. No label holds a number, an id or a code: labels are words from our own lists. */
export type Metrics = ReturnType<typeof makeMetrics>

/** Joins a process's figures with those of others; gives what a scrape is told then. */
export type ShareFigures = (own: Registry) => () => Promise<string>

/**
 * Makes a registry of its own, so that two servers in one process do not share figures. A scrape of one among several
 * processes is told what `share` makes of all of theirs.
 */
export function makeMetrics(share: ShareFigures = (own) => () => own.metrics()) {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const build = new Gauge({
    name: 'countersign_build_info',
    help: 'Always 1; the labels tell the release and the Node that runs it.',
    labelNames: ['version', 'node'],
    // Several processes are one build.
    aggregator: 'max',
    registers,
  })
  build.labels(VERSION, process.versions.node).set(1)
  return {
    registry: { contentType: registry.contentType, metrics: share(registry) },
    starts: new Counter({
      name: 'countersign_starts_total',
      help: 'Starts by purpose and by what they came to: opened, resent, blocked, failed.',
      labelNames: ['purpose', 'outcome'],
      registers,
    }),
    checks: new Counter({
      name: 'countersign_checks_total',
      help: 'Checks by reason.',
      labelNames: ['reason'],
      registers,
    }),
    sends: new Counter({
      name: 'countersign_sends_total',
      help: 'Messages handed to a provider, by provider, channel and outcome.',
      labelNames: ['provider', 'channel', 'outcome'],
      registers,
    }),
    sendSeconds: new Histogram({
      name: 'countersign_send_duration_seconds',
      help: 'How long a provider took to answer.',
      labelNames: ['provider'],
      buckets: SECONDS,
      registers,
    }),
    receipts: new Counter({
      name: 'countersign_receipts_total',
      help: 'What vendors told of messages, by provider and by what came of it.',
      labelNames: ['provider', 'outcome'],
      registers,
    }),
    deliveries: new Counter({
      name: 'countersign_deliveries_total',
      help: 'Steps that messages took by word of their vendor, by provider and status.',
      labelNames: ['provider', 'status'],
      registers,
    }),
    deliverySeconds: new Histogram({
      name: 'countersign_delivery_seconds',
      help: 'From a send to the word that it was delivered.',
      labelNames: ['provider'],
      buckets: DELIVERY_SECONDS,
      registers,
    }),
    circuitsOpen: new Gauge({
      name: 'countersign_circuits_open',
      help: 'Senders through which nothing is sent for now, by provider and country; `*` is a provider as a whole.',
      labelNames: ['provider', 'country'],
      // Each process learns for itself.
      aggregator: 'max',
      registers,
    }),
    limited: new Counter({
      name: 'countersign_limited_total',
      help: 'Requests refused by a limit, by its name.',
      labelNames: ['limit'],
      registers,
    }),
    errors: new Counter({
      name: 'countersign_errors_total',
      help: 'Error answers by code.',
      labelNames: ['code'],
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'countersign_request_duration_seconds',
      help: 'Requests by route and status.',
      labelNames: ['method', 'route', 'status'],
      buckets: SECONDS,
      registers,
    }),
    wrongRateAlarm: new Gauge({
      name: 'countersign_wrong_rate_alarm',
      help: '1 while most checks over the whole service are wrong guesses, which is what guessing looks like.',
      // Of several processes: whether any of them rings.
      aggregator: 'max',
      registers,
    }),
    ready: makeReadiness(registers),
    storeFailures: new Counter({
      name: 'countersign_store_failures_total',
      help: 'Calls of the store, or of the limiter where that is a Redis, that failed because it was out of reach.',
      labelNames: ['part'],
      registers,
    }),
    storeSeconds: new Histogram({
      name: 'countersign_store_seconds',
      help: 'How long calls of the store and of the limiter took, by their verb.',
      labelNames: ['part', 'verb'],
      buckets: STORE_SECONDS,
      registers,
    }),
    // Only a supervisor counts here (`cli/supervisor-figures.ts`): a process by itself has it at 0.
    workerRestarts: new Counter({
      name: 'countersign_worker_restarts_total',
      help: 'Workers that ended and were replaced.',
      registers,
    }),
  }
}
