import { pino, type DestinationStream, type Logger } from 'pino'
import { keptDevKeys, keptSecret, type DevKeys } from './boot.ts'
import type { Config } from './config.ts'
import { type App, buildApp } from './http/app.ts'
import { makeMetrics, type Metrics } from './http/metrics.ts'
import type { Services } from './http/services.ts'
import { Keys } from './keys/keys.ts'
import type { GuardPolicy } from './guard/guard.ts'
import type { Inbox } from './messaging/inbox.ts'
import { Messenger, type SendObserver } from './messaging/messenger.ts'
import type { Provider } from './messaging/provider.ts'
import { type Clock, systemClock } from './primitives/clock.ts'
import { makeKeyRing } from './primitives/secrets.ts'
import { makeInbox } from './providers/inbox.ts'
import { openSqlite } from './stores/sqlite/store.ts'
import type { Store } from './stores/store.ts'
import { WrongRateAlarm } from './verify/alarm.ts'
import type { VerifySettings } from './verify/deps.ts'
import { Rules } from './verify/rules.ts'
import { Verifier } from './verify/verifier.ts'

/** Parts a test may put in the place of the real ones. */
export type Overrides = {
  readonly clock?: Clock
  readonly store?: Store
  readonly providers?: readonly Provider[]
  /** Where log lines go; standard output unless told. */
  readonly logTo?: DestinationStream
}

/** A running Countersign, without a port: every service, ready to be called in this process. */
export type Countersign = {
  readonly config: Config
  readonly verify: Verifier
  readonly messages: Messenger
  readonly keys: Keys
  /** The messages that the provider `mock` took. */
  readonly inbox: Inbox | undefined
  readonly devKeys: DevKeys | undefined
  readonly log: Logger
  /** The HTTP face, listening to nothing yet. */
  http(): Promise<App>
  /** Asks every provider whether it accepts our credentials. */
  probe(): Promise<{ name: string; ok: boolean; detail: string }[]>
  /** Finishes the sends under way, at most so long, and closes what is open. */
  close(graceMs?: number): Promise<void>
}

/** Lines are written together, at least four times a second; `serve` flushes what is left. */
const LOG_OUT = { dest: 1, sync: false, minLength: 32_768, maxWrite: 65_536, periodicFlush: 250 }
const SWEEP_EVERY_MS = 60_000
const ALARM_EVERY_MS = 1_000
const GRACE_MS = 8_000

/** Puts the parts together: config → store → providers → services. Rejects when a part cannot be made. */
export async function compose(config: Config, overrides: Overrides = {}): Promise<Countersign> {
  const log = makeLog(config, overrides.logTo)
  for (const warning of config.warnings) log.warn(warning)
  const metrics = makeMetrics()
  const secret = config.secrets.secretKey ?? keptSecret(config.dataDir)
  const ring = makeKeyRing(secret, config.secrets.previousSecretKeys)
  const store = overrides.store ?? (await openStore(config, overrides.clock))
  const clock = overrides.clock ?? store.clock
  const inbox = config.messaging.providers.includes('mock') ? makeInbox(clock) : undefined
  const providers = overrides.providers ?? (await makeProviders(config, inbox))
  const keys = new Keys(store.keys, clock, config.secrets.apiKeys)
  const devKeys =
    config.dev.mode && config.secrets.apiKeys.length === 0
      ? await keptDevKeys(config.dataDir, keys)
      : undefined
  const messenger = new Messenger({
    store: store.messaging,
    providers,
    clock,
    observe: observer(metrics, log),
    deadlineMs: config.verify.startDeadlineMs,
    testNumbers: new Set(config.testPhones.map(({ phone }) => phone)),
  })
  const guard = guardPolicy(config)
  const verifier = new Verifier({
    store: store.verifications,
    counters: store.counters,
    messenger,
    keys: ring,
    clock,
    guard,
    rules: new Rules({
      ...config.limits,
      cooldownSeconds: config.verify.resendCooldownSeconds,
      cooldownMaxSeconds: config.verify.resendCooldownMaxSeconds,
    }),
    settings: verifySettings(config),
  })
  const alarm = makeAlarm(clock, metrics, log)
  const timers = [every(SWEEP_EVERY_MS, () => sweep(store, log)), every(ALARM_EVERY_MS, () => alarm.tick())]
  const services: Services = {
    verifier,
    messenger,
    counters: store.counters,
    guard,
    keys,
    ring,
    clock,
    metrics,
    alarm,
    log,
    ready: () => store.ping(),
    ...(inbox ? { inbox } : {}),
    settings: httpSettings(config),
  }
  return {
    config,
    verify: verifier,
    messages: messenger,
    keys,
    inbox,
    devKeys,
    log,
    http: () => buildApp(services),
    probe: () => messenger.probe(AbortSignal.timeout(10_000)),
    close: async (graceMs = GRACE_MS) => {
      timers.forEach(clearInterval)
      await messenger.close(graceMs)
      await store.close()
    },
  }
}

async function openStore(config: Config, clock: Clock | undefined): Promise<Store> {
  return openSqlite({ ...config.store, retentionDays: config.retention.days, clock: clock ?? systemClock })
}

async function makeProviders(config: Config, inbox: Inbox | undefined): Promise<Provider[]> {
  const providers: Provider[] = []
  for (const name of config.messaging.providers) {
    if (name === 'mock' && inbox) providers.push(inbox.provider)
    if (name === 'twilio' && config.twilio) {
      const { makeTwilioProvider } = await import('./providers/twilio.ts')
      const { apiKey, authToken, from, messagingServiceSid, baseUrl, ...rest } = config.twilio
      providers.push(
        await makeTwilioProvider({
          ...rest,
          ...(apiKey === undefined ? {} : { apiKeySid: apiKey.sid, apiKeySecret: apiKey.secret }),
          ...(authToken === undefined ? {} : { authToken }),
          ...(from === undefined ? {} : { from }),
          ...(messagingServiceSid === undefined ? {} : { messagingServiceSid }),
          ...(baseUrl === undefined ? {} : { baseUrl }),
        }),
      )
    }
  }
  return providers
}

function guardPolicy(config: Config): GuardPolicy {
  const { allowedCountries, allowVoip } = config.guard
  return {
    allowVoip,
    allowedCountries: allowedCountries === '*' ? '*' : new Set(allowedCountries),
  }
}

function verifySettings(config: Config): VerifySettings {
  const { verify } = config
  return {
    codeLength: verify.codeLength,
    ttlSeconds: verify.codeTtlSeconds,
    secondFactorTtlSeconds: verify.codeTtlSecondFactorSeconds,
    checksMax: verify.checksPerVerification,
    sendsMax: verify.sendsPerVerification,
    startDeadlineMs: verify.startDeadlineMs,
    idempotencySeconds: config.retention.idempotencyHours * 3_600,
    serviceName: config.messaging.serviceName,
    defaultLocale: config.messaging.defaultLocale,
    issuer: config.http.publicUrl,
    testNumbers: new Map(config.testPhones.map(({ phone, code }) => [phone, code])),
  }
}

function httpSettings(config: Config): Services['settings'] {
  return {
    ...config.http,
    devMode: config.dev.mode,
    production: config.env === 'production',
    publishableReadsPerAddressHour: config.limits.publishableReadsPerAddressHour,
    messagesPerPhoneHour: config.limits.messagesPerPhoneHour,
  }
}

/** Structured lines without process id and host name, which the platform adds by itself. */
function makeLog(config: Config, logTo: DestinationStream | undefined): Logger {
  const options = {
    level: config.log.level,
    base: null,
    // Second line of defence: nothing of this is ever logged on purpose.
    redact: { paths: ['code', 'otp', 'authorization'], censor: '[gone]' },
  }
  if (logTo) return pino(options, logTo)
  const out = pino.destination(LOG_OUT)
  // A log that cannot be written (a full disk, a closed pipe) loses lines; it does not stop the server.
  // At exit sonic-boom tries to write what is left until it succeeds, so after an error nothing is left to write.
  const flushSync = out.flushSync.bind(out)
  out.on('error', () => (out.flushSync = () => {}))
  out.on('write', () => (out.flushSync = flushSync))
  return pino(options, out)
}

function observer(metrics: Metrics, log: Logger): SendObserver {
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

function makeAlarm(clock: Clock, metrics: Metrics, log: Logger): WrongRateAlarm {
  return new WrongRateAlarm(clock, (on, wrong, judged) => {
    metrics.wrongRateAlarm.set(on ? 1 : 0)
    if (on) log.error({ wrong, judged }, 'most checks are wrong: somebody may be guessing codes')
    else log.info('the share of wrong checks is back to normal')
  })
}

async function sweep(store: Store, log: Logger): Promise<void> {
  try {
    const deleted = await store.sweep()
    if (deleted > 0) log.info({ deleted }, 'swept')
  } catch (error) {
    log.error({ err: error }, 'sweep failed')
  }
}

function every(ms: number, work: () => Promise<void> | void): NodeJS.Timeout {
  let running = false
  return setInterval(() => {
    if (running) return
    running = true
    Promise.resolve(work())
      .finally(() => (running = false))
      .catch(() => {})
  }, ms).unref()
}
