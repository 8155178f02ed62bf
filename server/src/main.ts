import type { DestinationStream, Logger } from 'pino'
import { randomInt } from 'node:crypto'
import { type DevAccount, type DevKeys, keptDevAccount, keptDevKeys, keptSecret } from './boot.ts'
import type { Config } from './config.ts'
import type { App } from './http/app.ts'
import { beginAtZero } from './http/known-labels.ts'
import { makeMetrics, type Metrics, type ShareFigures } from './http/metrics.ts'
import type { Services } from './http/services.ts'
import { Keys } from './keys/keys.ts'
import type { GuardPolicy } from './guard/guard.ts'
import { makeLog } from './log.ts'
import type { Inbox } from './messaging/inbox.ts'
import type { Authenticator } from './auth/authenticator.ts'
import { type MayEnter, SIGN_IN } from './auth/deps.ts'
import { makeAuth } from './make-auth.ts'
import { makeEvents } from './make-events.ts'
import { makeMessaging } from './make-messaging.ts'
import { makeProviders } from './make-providers.ts'
import { makeTenants } from './make-tenants.ts'
import type { Messenger } from './messaging/messenger.ts'
import type { Provider } from './messaging/provider.ts'
import type { Clock } from './primitives/clock.ts'
import { type KeyRing, makeKeyRing } from './primitives/secrets.ts'
import { makeInbox } from './providers/inbox.ts'
import { Directory } from './services/directory.ts'
import { Tenants } from './services/tenants.ts'
import { openStorage, type Storage } from './storage.ts'
import type { Store } from './stores/store.ts'
import { type VerbObserver, watchStore } from './stores/watched.ts'
import { WrongRateAlarm } from './verify/alarm.ts'
import type { VerifySettings } from './verify/deps.ts'
import type { Policy, PolicyOf } from './verify/policy.ts'
import { Rules } from './verify/rules.ts'
import { Verifier } from './verify/verifier.ts'

/** Parts a test may put in the place of the real ones. */
export type Overrides = {
  readonly clock?: Clock
  readonly store?: Store
  readonly providers?: readonly Provider[]
  /** Asked before a number opens the account that has it: a look for a changed SIM, say. */
  readonly mayEnter?: MayEnter
  /** Where log lines go; standard output unless told. */
  readonly logTo?: DestinationStream
}

/** What the first boot makes in development; nothing where `API_KEYS` has keys. */
export type MadeForDevelopment = {
  readonly devKeys: DevKeys | undefined
  readonly devAccount: DevAccount | undefined
}

/** A running Countersign, without a port: every service, ready to be called in this process. */
export type Countersign = MadeForDevelopment & {
  readonly config: Config
  readonly verify: Verifier
  /** Signs people in. */
  readonly auth: Authenticator
  readonly messages: Messenger
  readonly keys: Keys
  /** The services of accounts. */
  readonly tenants: Tenants
  /** The messages that the provider `mock` took. */
  readonly inbox: Inbox | undefined
  readonly log: Logger
  /** The HTTP face, listening to nothing yet. */
  http(): Promise<App>
  /** Asks every provider whether it accepts our credentials. */
  probe(): Promise<{ name: string; ok: boolean; detail: string }[]>
  /** Finishes the sends under way, at most so long, and closes what is open. */
  close(graceMs?: number): Promise<void>
}

/** What the process is that composes, and how it starts. */
export type Process = {
  /** Its number among several workers; undefined where it is the only one. */
  readonly worker?: number
  /** How long it waits for a store that cannot be reached yet; not at all unless told. */
  readonly waitMs?: number
  /** Joins its figures with those of the other workers. */
  readonly shareFigures?: ShareFigures
}

const SWEEP_EVERY_MS = 60_000
const ALARM_EVERY_MS = 1_000
/** Several times in the lease of a send. */
const RENEW_EVERY_MS = 3_000
const RETAKE_EVERY_MS = 2_000
/** Sends taken over at once; what is left waits for the next time, or for another process. */
const RETAKES = 50
/** A receipt that came before its send was settled is tried again then. */
const WAITING_EVERY_MS = 1_000
const FORGET_EVERY_MS = 30_000
/** Events that another process left, or whose time has come again. */
const DELIVER_EVERY_MS = 1_000
const GRACE_MS = 8_000
const PROBE_MS = 10_000

/** Puts the parts together: config → store → providers → services. Rejects when a part cannot be made. */
export async function compose(
  config: Config,
  overrides: Overrides = {},
  self: Process = {},
): Promise<Countersign> {
  const log = makeLog(config, { to: overrides.logTo, worker: self.worker })
  // Of several workers the one that supervises them has said so already.
  if (self.worker === undefined) for (const warning of config.warnings) log.warn(warning)
  const metrics = makeMetrics(self.shareFigures)
  const secret = config.secrets.secretKey ?? keptSecret(config.dataDir)
  const ring = makeKeyRing(secret, config.secrets.previousSecretKeys)
  const { waitMs } = self
  const storage = await openStorage(config, { clock: overrides.clock, store: overrides.store, waitMs, log })
  try {
    return await composeOn(storage, { config, overrides, log, metrics, ring })
  } catch (error) {
    await storage.close()
    throw error
  }
}

/**
 * Does once what every process would find done: brings the schema up to date, makes the secret and the keys of
 * development. Resolves with these.
 */
export async function prepare(config: Config, log: Logger, waitMs: number): Promise<MadeForDevelopment> {
  for (const warning of config.warnings) log.warn(warning)
  if (config.secrets.secretKey === undefined) keptSecret(config.dataDir)
  const storage = await openStorage(config, { waitMs, log })
  try {
    return await developmentKeys(config, new Keys(storage.store.keys, storage.clock, config.secrets.apiKeys))
  } finally {
    await storage.close()
  }
}

async function composeOn(
  storage: Storage,
  parts: {
    readonly config: Config
    readonly overrides: Overrides
    readonly log: Logger
    readonly metrics: Metrics
    readonly ring: KeyRing
  },
): Promise<Countersign> {
  const { config, overrides, log, metrics, ring } = parts
  const { clock } = storage
  const { store, counters } = watchStore(storage, storeObserver(metrics))
  const inbox = config.messaging.providers.includes('mock') ? makeInbox(clock) : undefined
  const providers = overrides.providers ?? (await makeProviders(config, inbox))
  beginAtZero(metrics, providers)
  const keys = new Keys(store.keys, clock, config.secrets.apiKeys)
  const made = await developmentKeys(config, keys)
  const directory = new Directory(store.records, clock)
  const events = makeEvents({
    config,
    verifications: store.verifications,
    sends: store.messaging,
    directory,
    outbox: { put: (...event) => outbox.put(...event) },
    clock,
    log,
  })
  const { messenger, receipts, circuits } = makeMessaging({
    config,
    providers,
    areReplaced: overrides.providers !== undefined,
    store: store.messaging,
    numberOf: async (id) => (await store.verifications.find(id))?.to,
    clock,
    metrics,
    log,
    onDue: () => retaking.soon(),
    onChange: events.onSend,
  })
  const guard = guardPolicy(config)
  const { templates } = config.messaging
  const verifier = new Verifier({
    store: store.verifications,
    counters,
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
    policyOf: policyOf(config, directory),
    onChange: events.onVerification,
    templateOf: (id, locale) => templates.textOf(id, [locale ?? undefined, config.messaging.defaultLocale]),
  })
  const alarm = makeAlarm(store, metrics, log)
  const auth = makeAuth({
    config,
    store: store.auth,
    counters,
    verifier,
    messenger,
    ring,
    clock,
    guard,
    metrics,
    alarm,
    log,
    ...(overrides.mayEnter === undefined ? {} : { mayEnter: overrides.mayEnter }),
  })
  const { totp, outbox } = makeTenants({
    config,
    records: store.records,
    counters,
    ring,
    clock,
    log,
    senders: events.senders,
    onDue: () => delivering.soon(),
  })
  const delivering = every(
    () => DELIVER_EVERY_MS,
    () => outbox.deliver(),
  )
  const retaking = every(retakePause, () => retake(verifier, log))
  const timers = [
    retaking,
    delivering,
    every(sweepPause, () => sweep(store, log)),
    every(
      () => ALARM_EVERY_MS,
      () => alarm.tick(),
    ),
    every(
      () => FORGET_EVERY_MS,
      async () => circuits.forgetOld(),
    ),
    every(
      () => RENEW_EVERY_MS,
      () => messenger.renew(),
    ),
    every(
      () => WAITING_EVERY_MS,
      () => receipts.tick(),
    ),
  ]
  const services: Services = {
    verifier,
    auth,
    messenger,
    receipts,
    counters,
    guard,
    keys,
    records: store.records,
    attempts: store.attempts,
    directory,
    totp,
    templates,
    ring,
    clock,
    metrics,
    alarm,
    log,
    ready: () => storage.ready(),
    ...(inbox ? { inbox } : {}),
    settings: httpSettings(config, made),
  }
  return {
    config,
    verify: verifier,
    auth,
    messages: messenger,
    keys,
    tenants: new Tenants(store.records, directory),
    inbox,
    ...made,
    log,
    // Loaded when it is served: commands do without it, which is half of what there is to load.
    http: async () => (await import('./http/app.ts')).buildApp(services),
    probe: () => messenger.probe(AbortSignal.timeout(PROBE_MS)),
    close: async (graceMs = GRACE_MS) => {
      timers.forEach((timer) => timer.stop())
      await Promise.all([messenger.close(graceMs), outbox.close(graceMs)])
      await storage.close()
    },
  }
}

async function developmentKeys(config: Config, keys: Keys): Promise<MadeForDevelopment> {
  if (!config.dev.mode || config.secrets.apiKeys.length > 0)
    return { devKeys: undefined, devAccount: undefined }
  return {
    devKeys: await keptDevKeys(config.dataDir, keys),
    devAccount: await keptDevAccount(config.dataDir, keys),
  }
}

function guardPolicy(config: Config): GuardPolicy {
  const { allowedCountries, allowVoip } = config.guard
  return {
    allowVoip,
    allowedCountries: allowedCountries === '*' ? '*' : new Set(allowedCountries),
  }
}

/** What services say of their verifications; of what they do not say, and where there is no service, the settings. */
function policyOf({ verify, messaging }: Config, directory: Directory): PolicyOf {
  const usual: Policy = {
    name: messaging.serviceName,
    codeLength: verify.codeLength,
    ttlSeconds: verify.codeTtlSeconds,
    checksMax: verify.checksPerVerification,
    sendsMax: verify.sendsPerVerification,
  }
  return async (id) => {
    const service = await directory.find(id)
    if (!service) return usual
    return {
      name: service.name,
      codeLength: service.codeLength,
      ttlSeconds: service.codeTtlSeconds ?? usual.ttlSeconds,
      checksMax: service.checksMax ?? usual.checksMax,
      sendsMax: service.sendsMax ?? usual.sendsMax,
    }
  }
}

function verifySettings(config: Config): VerifySettings {
  const { verify } = config
  return {
    secondFactorTtlSeconds: verify.codeTtlSecondFactorSeconds,
    startDeadlineMs: verify.startDeadlineMs,
    idempotencySeconds: config.retention.idempotencyHours * 3_600,
    defaultLocale: config.messaging.defaultLocale,
    issuer: config.http.publicUrl,
    testNumbers: new Map(config.testPhones.map(({ phone, code }) => [phone, code])),
    fixedCode: ({ service, purpose }) =>
      config.dev.mode && service === SIGN_IN && purpose === 'login' ? config.dev.previewCode : undefined,
    confirms: (service) =>
      config.messaging.confirmedFailover && !config.messaging.confirmedFailoverExcept.includes(service),
    failoverChannels: config.messaging.failoverChannels,
    // The pages and apps of an account's service are its own: it names its app with each start, and no domain of ours.
    autofillOf: (service) => (service.startsWith('VA') ? undefined : config.messaging.autofill),
  }
}

function httpSettings(config: Config, { devKeys }: MadeForDevelopment): Services['settings'] {
  const fixed = config.secrets.apiKeys.find((key) => key.startsWith('pk_'))
  const publishable = devKeys?.publishable ?? fixed
  return {
    ...config.http,
    deviceSeconds: config.signIn.deviceDays * 86_400,
    devMode: config.dev.mode,
    production: config.env === 'production',
    publishableReadsPerAddressHour: config.limits.publishableReadsPerAddressHour,
    messagesPerPhoneHour: config.limits.messagesPerPhoneHour,
    account: config.account.pages
      ? {
          password_length: config.signIn.passwordLengthMin,
          code_length: config.verify.codeLength,
          second_factor: config.signIn.secondFactor,
          second_factor_sms: config.signIn.secondFactorSms,
        }
      : undefined,
    brand: config.account.brand,
    codeLength: config.verify.codeLength,
    devKeys: {
      ...(publishable === undefined ? {} : { publishable }),
      // One that was given is not shown: it may be that of another server, too.
      ...(devKeys === undefined ? {} : { secret: devKeys.secret }),
    },
  }
}

function storeObserver(metrics: Metrics): VerbObserver {
  return (part, verb) => {
    const took = metrics.storeSeconds.labels(part, verb)
    const failures = metrics.storeFailures.labels(part)
    return (seconds, isDown) => {
      took.observe(seconds)
      if (isDown) failures.inc()
    }
  }
}

function makeAlarm(store: Store, metrics: Metrics, log: Logger): WrongRateAlarm {
  return new WrongRateAlarm(store.tallies, (on, wrong, judged) => {
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

/** Finishes what did not come to its end, until nothing is due. */
async function retake(verifier: Verifier, log: Logger): Promise<void> {
  let retaken: number
  do {
    retaken = await verifier.retake(RETAKES)
    if (retaken > 0) log.warn({ retaken }, 'took over sends that were left, unanswered or not delivered')
  } while (retaken === RETAKES)
}

/** About two seconds, never the same: processes that started together do not ask at one moment. */
function retakePause(): number {
  return randomInt(RETAKE_EVERY_MS * 0.75, RETAKE_EVERY_MS * 1.25)
}

/** About a minute, never the same: processes that started together do not sweep one database at one moment. */
function sweepPause(): number {
  return randomInt(SWEEP_EVERY_MS * 0.75, SWEEP_EVERY_MS * 1.25)
}

/** Work that is done again and again. */
type Loop = {
  /** Does it next as soon as may be: at once, or after the round that is under way. */
  soon(): void
  stop(): void
}

/** Does the work again and again, each time after a pause. */
function every(pauseMs: () => number, work: () => Promise<void> | void): Loop {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let isSoon = false
  const next = () => {
    if (stopped) return
    timer = setTimeout(round, isSoon ? 0 : pauseMs()).unref()
    isSoon = false
  }
  const round = () => {
    timer = undefined
    Promise.resolve()
      .then(work)
      .catch(() => {})
      .finally(next)
  }
  next()
  return {
    soon: () => {
      if (isSoon) return
      isSoon = true
      if (timer === undefined) return
      clearTimeout(timer)
      next()
    },
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
