import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logo } from './config-account-settings.ts'
import type { RedisPlace } from './config-addresses.ts'
import {
  type ConfigProblem,
  type Draft,
  type EnvironmentVariables,
  errorCode,
  isGiven,
  nameOf,
  readDraft,
  type ReadFile,
  type Report,
} from './config-draft.ts'
import { readJsonFile, tryReading } from './config-files.ts'
import { isLoopbackHost } from './config-kinds.ts'
import { type ProviderName, providerNames } from './config-provider-settings.ts'
import {
  type CarrierName,
  carriersOf,
  chooseProviders,
  type ProvidersConfig,
  readProviders,
  warnOfProviders,
} from './config-providers.ts'
import {
  defaultCountries,
  isCodeDomain,
  type SettingKey,
  type TestPhone,
  type Values,
} from './config-schema.ts'
import { warnOfStrangers } from './config-strangers.ts'
import type { Channel } from './messaging/provider.ts'
import { noPrices, parsePrices, type PriceTable } from './messaging/prices.ts'
import { defaultRoute, parseRoutes, type RoutingTable } from './messaging/routes.ts'
import { parseTemplates } from './messaging/template-file.ts'
import { Templates } from './messaging/templates.ts'
import type { Autofill } from './messaging/texts.ts'

export type { ConfigProblem, EnvironmentVariables } from './config-draft.ts'
export { type CarrierName, type ProvidersConfig, statusUrlsOf } from './config-providers.ts'

/** What the process is for, from `NODE_ENV`. */
export type Environment = Values['NODE_ENV']

/** How the server listens and what it believes about who calls. */
export type HttpConfig = {
  /** TCP port; 0 takes any free one. */
  readonly port: number
  readonly host: string
  /**
   * Origin of this server as others reach it, without a slash at its end; the issuer of proofs. When
   * `publicUrlGiven` is false it is `http://localhost:<port>`, which is no address where `port` is 0.
   */
  readonly publicUrl: string
  readonly publicUrlGiven: boolean
  /** Origins a browser may call from; `*` only outside production. */
  readonly corsOrigins: '*' | readonly string[]
  /** CIDR ranges whose `X-Forwarded-For` is believed; empty: nobody's. */
  readonly trustedProxies: readonly string[]
  readonly docsEnabled: boolean
  /** Bearer token of `/metrics`; undefined: none is asked for. */
  readonly metricsToken: string | undefined
  readonly requestTimeoutSeconds: number
}

/** What must never be shown. */
export type SecretsConfig = {
  /** Always there in production; otherwise undefined means one is made and kept in `dataDir`. */
  readonly secretKey: string | undefined
  /** Earlier secret keys, newest first: they still verify. */
  readonly previousSecretKeys: readonly string[]
  /** Fixed API keys in the clear: `sk_…` and `pk_…`. */
  readonly apiKeys: readonly string[]
}

/** Where the state is. A `url` holds a password; `name` is its hosts and database, which may be shown. */
export type StoreConfig =
  | {
      readonly kind: 'sqlite'
      /** File of the database, relative to the working directory; `:memory:` keeps nothing. */
      readonly path: string
      readonly synchronous: 'full' | 'normal'
    }
  | {
      readonly kind: 'postgres'
      readonly url: string
      readonly name: string
      /** Connections of one process. */
      readonly poolSize: number
      readonly prepare: boolean
    }
  | { readonly kind: 'mongodb'; readonly url: string; readonly name: string }

/** The rules of one verification. */
export type VerifyConfig = {
  /** Digits of a code, 6 to 10. */
  readonly codeLength: number
  readonly codeTtlSeconds: number
  /** Life of a code whose purpose is `second_factor`. */
  readonly codeTtlSecondFactorSeconds: number
  readonly checksPerVerification: number
  /** Messages of one verification, the first one included. */
  readonly sendsPerVerification: number
  /** Wait before the first resend. */
  readonly resendCooldownSeconds: number
  /** The longest the wait grows to; never below `resendCooldownSeconds`. */
  readonly resendCooldownMaxSeconds: number
  /** A start is answered within this, whatever the provider does. */
  readonly startDeadlineMs: number
}

/** How often in how long. Every count is between 1 and 1000: there is no value that means "no limit". */
export type LimitsConfig = {
  readonly sendsPerPhone: number
  /** Window of `sendsPerPhone`. */
  readonly sendsPerPhoneWindowSeconds: number
  readonly sendsPerPhoneDay: number
  readonly wrongChecksPerPhoneDay: number
  readonly wrongChecksPerAddressDay: number
  readonly startsPerAddressHour: number
  readonly checksPerAddressHour: number
  /** For calls with a publishable key; never above `startsPerAddressHour`. */
  readonly publishableStartsPerAddressHour: number
  /** For calls with a publishable key; never above `checksPerAddressHour`. */
  readonly publishableChecksPerAddressHour: number
  /** Reads and look-ups with a publishable key. */
  readonly publishableReadsPerAddressHour: number
  /** Texts that backends send to one number; apart from those of verifications. */
  readonly messagesPerPhoneHour: number
}

/** Who carries messages, and how. */
export type MessagingConfig = {
  /** In order of preference; never empty. With a service of Twilio Verify, `twilio_verify` is one of them. */
  readonly providers: readonly CarrierName[]
  readonly serviceName: string
  /** A language tag such as `en` or `pt-BR`. */
  readonly defaultLocale: string
  readonly routes: RoutingTable
  readonly prices: PriceTable
  /** What verifications can say in place of our own texts. */
  readonly templates: Templates
  /** How many entries the operator's files have, for people; undefined where there is no file. */
  readonly tables: { readonly routes: string | undefined; readonly prices: string | undefined }
  /** Whether providers are asked for receipts, where that can be; false: what they tell is refused. */
  readonly deliveryReceipts: boolean | 'auto'
  /** Whether a code that its provider took and did not bring is sent once more by the next one. */
  readonly confirmedFailover: boolean
  /** The services for which that is not so. */
  readonly confirmedFailoverExcept: readonly string[]
  /** The channels that a code goes by, unasked, when its own does not reach the number. */
  readonly failoverChannels: readonly Channel[]
  /** How long a start waits for a provider that does not answer, before the next one is asked. */
  readonly patienceMs: number
  /** What texts with codes carry for phones and browsers; undefined members: nothing. */
  readonly autofill: Autofill
}

/** Everything the environment says, read once at boot and deeply frozen. */
export type Config = ProvidersConfig & {
  readonly env: Environment
  /** Folder of what the server keeps, relative to the working directory. */
  readonly dataDir: string
  readonly http: HttpConfig
  readonly secrets: SecretsConfig
  readonly store: StoreConfig
  /** The Redis that counts for the limits; undefined: the store does. */
  readonly limiter: RedisPlace | undefined
  /** How many processes serve the port; `auto` is left to the machine. Never more than one where one alone can. */
  readonly workers: number | 'auto'
  readonly verify: VerifyConfig
  readonly limits: LimitsConfig
  readonly guard: {
    /** ISO 3166-1 alpha-2, upper case; `*`: every country. */
    readonly allowedCountries: '*' | readonly string[]
    readonly allowVoip: boolean
  }
  readonly messaging: MessagingConfig
  /** What is told to servers of others. */
  readonly events: {
    /** Whether they may be in a private network or on this machine. */
    readonly allowPrivate: boolean
    /** Where verifications of accounts' services and their messages are told of. */
    readonly sink: { readonly url: string; readonly secret: string } | undefined
  }
  readonly signIn: SignInConfig
  readonly account: AccountConfig
  readonly testPhones: readonly TestPhone[]
  readonly dev: {
    /** Never true in production. */
    readonly mode: boolean
    /** The sign-in API's fixed code; means nothing unless `mode`. */
    readonly previewCode: string
  }
  readonly log: { readonly level: Values['LOG_LEVEL'] }
  readonly retention: { readonly days: number; readonly eventDays: number; readonly idempotencyHours: number }
  /** What is allowed but was likely not meant, worded for the log; never holds a value. */
  readonly warnings: readonly string[]
}

/** How people are signed in. */
export type SignInConfig = {
  readonly accessTokenMinutes: number
  readonly audience: string
  readonly sessionDays: number
  readonly idleDays: number
  readonly refreshGraceSeconds: number
  readonly freshSeconds: number
  readonly secondFactor: 'off' | 'offered' | 'required'
  readonly secondFactorSms: 'allowed' | 'fallback' | 'off'
  readonly stepUpSeconds: number
  readonly secondFactorResetHours: number
  readonly deviceDays: number
  readonly phoneProofDays: number
  readonly passwordLengthMin: number
  readonly hashCost: { readonly memoryKib: number; readonly passes: number; readonly atOnce: number }
  readonly limits: {
    readonly callsPerAddressHour: number
    readonly wrongAppCodesPerAccountDay: number
    readonly passwordsPerAddressHour: number
    readonly wrongPasswordsPerAccountAddressHour: number
    readonly wrongPasswordsPerAccountDay: number
    readonly callsPerSessionMinute: number
  }
}

/** The hosted account pages. */
export type AccountConfig = {
  readonly pages: boolean
  readonly brand: {
    readonly name: string
    /** Undefined: the mark that is made in the accent. */
    readonly logo: Logo | undefined
    /** `#rrggbb`. */
    readonly accent: string
    readonly supportUrl: string | undefined
    readonly termsUrl: string | undefined
    readonly privacyUrl: string | undefined
  }
}

/** The environment cannot be served. Names every bad key at once. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ key, problem }) => `  ${key} ${problem}`)
    super(`Countersign cannot start with these settings:\n${lines.join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** How long a provider that does not answer is waited for, when nobody says. */
const PATIENCE_MS = 4_000

const readText: ReadFile = (path) => readFileSync(path, 'utf8')

/**
 * Reads `.env` in `cwd` if there is one (what the environment already says wins) and returns the environment.
 * This is the only place that touches it. Throws `ConfigError` when `.env` cannot be read.
 */
export function loadEnvironment(cwd: string): EnvironmentVariables {
  const path = join(cwd, '.env')
  if (existsSync(path)) {
    try {
      process.loadEnvFile(path)
    } catch (error) {
      throw new ConfigError([{ key: '.env', problem: `cannot be read (${errorCode(error)})` }])
    }
  }
  return process.env
}

/**
 * Reads the settings. A text or a list that is empty counts as not given, as platforms set such variables; an
 * empty number, boolean or choice is refused. Touches nothing but `env` and the files its `*_FILE` variables
 * name, which `readFile` reads. Throws `ConfigError`.
 */
export function readConfig(env: EnvironmentVariables, readFile: ReadFile = readText): Config {
  const problems: ConfigProblem[] = []
  const report: Report = (key, problem) => problems.push({ key, problem })
  const draft = readDraft(env, readFile, report)
  const chosen = chooseProviders(draft, report)
  const carriers = carriersOf(draft, chosen)
  for (const check of [checkOrder, checkProduction, checkSecrets]) check(draft, report)
  checkLogo(draft.values, readFile, report)
  checkWorkers(draft, chosen, report)
  const providers = readProviders(draft, carriers, readFile, report)
  const tables = readTables(draft, carriers, readFile, report)
  if (problems.length > 0) throw new ConfigError(problems)
  return deepFreeze({
    ...assemblePlace(draft),
    store: assembleStore(draft.values),
    limiter: draft.values.REDIS_URL,
    workers: draft.values.WORKERS === 'auto' && whyOneProcess(draft, chosen) ? 1 : draft.values.WORKERS,
    ...assembleRules(draft.values),
    ...assembleMessages(draft),
    account: assembleAccount(draft.values),
    messaging: { ...assembleMessaging(draft, carriers), ...tables },
    ...providers,
    warnings: [...warnOfStrangers(env), ...warnOfChoices(draft), ...warnOfProviders(draft, chosen, carriers)],
  })
}

/** Settings that only make sense in one order. */
function checkOrder(draft: Draft, report: Report): void {
  const { values } = draft
  const refuseAbove = (low: SettingKey, lowValue: number, high: SettingKey, highValue: number) => {
    if (draft.failed.has(low) || draft.failed.has(high) || lowValue <= highValue) return
    const isLowGiven = isGiven(draft, low) || !isGiven(draft, high)
    const [key, other] = isLowGiven ? [low, high] : [high, low]
    report(nameOf(draft, key), `contradicts ${nameOf(draft, other)}: ${low} must not be more than ${high}`)
  }
  const cooldown = values.RESEND_COOLDOWN_SECONDS
  const longest = values.RESEND_COOLDOWN_MAX_SECONDS
  refuseAbove('RESEND_COOLDOWN_SECONDS', cooldown, 'RESEND_COOLDOWN_MAX_SECONDS', longest)
  refuseAbove('RESEND_COOLDOWN_SECONDS', cooldown, 'CODE_TTL_SECONDS', values.CODE_TTL_SECONDS)
  const timeoutMs = values.REQUEST_TIMEOUT_SECONDS * 1000
  refuseAbove('START_DEADLINE_MS', values.START_DEADLINE_MS, 'REQUEST_TIMEOUT_SECONDS', timeoutMs)
  const [patience, deadline] = [values.SEND_PATIENCE_MS ?? 0, values.START_DEADLINE_MS]
  if (patience >= deadline && !draft.failed.has('START_DEADLINE_MS'))
    report(
      'SEND_PATIENCE_MS',
      'contradicts START_DEADLINE_MS: a start that waits so long for one provider has no time for the next',
    )
  const starts = values.PUBLISHABLE_STARTS_PER_ADDRESS_HOUR ?? 0
  const startsAtMost = values.STARTS_PER_ADDRESS_HOUR
  refuseAbove('PUBLISHABLE_STARTS_PER_ADDRESS_HOUR', starts, 'STARTS_PER_ADDRESS_HOUR', startsAtMost)
  const checks = values.PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR ?? 0
  const checksAtMost = values.CHECKS_PER_ADDRESS_HOUR
  refuseAbove('PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR', checks, 'CHECKS_PER_ADDRESS_HOUR', checksAtMost)
  const isHourly = draft.names.get('SMS_RATE_LIMIT_PER_PHONE')?.includes('TWILIO_MAX_SMS_PER_HOUR') === true
  if (isHourly && values.SMS_RATE_LIMIT_WINDOW !== 3600)
    report('TWILIO_MAX_SMS_PER_HOUR', 'contradicts SMS_RATE_LIMIT_WINDOW, which is not an hour (3600)')
}

/** What is only safe on a developer's machine. */
function checkProduction(draft: Draft, report: Report): void {
  const { values, production } = draft
  if (!production) return
  const refuse = (key: SettingKey, why: string) =>
    report(nameOf(draft, key), `${why} with NODE_ENV=production`)
  if (values.DEV_MODE) refuse('DEV_MODE', 'is refused')
  if (isGiven(draft, 'DEV_PREVIEW_CODE')) refuse('DEV_PREVIEW_CODE', 'is refused')
  if (values.CORS_ORIGINS === '*') refuse('CORS_ORIGINS', 'must name its origins, not *,')
  const database = values.DATABASE_URL
  if (database?.kind === 'sqlite' && database.path === ':memory:')
    refuse('DATABASE_URL', 'keeps nothing, which is refused')
  const addresses = [
    'PUBLIC_URL',
    'EVENTS_SINK_URL',
    'TWILIO_BASE_URL',
    'VONAGE_BASE_URL',
    'SNS_ENDPOINT',
  ] as const
  for (const key of addresses) {
    const url = values[key] === undefined ? undefined : new URL(values[key])
    if (url?.protocol === 'http:' && !isLoopbackHost(url.hostname)) refuse(key, 'must be https://')
  }
  if (values.TEST_PHONE_NUMBERS.some(({ code }) => isGuessableCode(code)))
    refuse('TEST_PHONE_NUMBERS', 'must not hold a code that anyone would try first, such as 123456,')
}

/** Secrets that are missing, guessable, or at odds with each other. */
function checkSecrets(draft: Draft, report: Report): void {
  const { values, production } = draft
  const secretKey = values.SECRET_KEY
  const previous = values.SECRET_KEYS_PREVIOUS
  if (secretKey !== undefined && previous.includes(secretKey))
    report(nameOf(draft, 'SECRET_KEYS_PREVIOUS'), 'holds the same key as SECRET_KEY')
  const { EVENTS_SINK_URL: sink, EVENTS_SINK_SECRET: sinkSecret } = values
  if (sink !== undefined && !isGiven(draft, 'EVENTS_SINK_SECRET'))
    report('EVENTS_SINK_SECRET', 'is required by EVENTS_SINK_URL: events are signed with it')
  if (!production) return
  const how = 'make one with: openssl rand -base64 48'
  if (!isGiven(draft, 'SECRET_KEY')) report('SECRET_KEY', `is required with NODE_ENV=production; ${how}`)
  const ofKeys = [
    ['SECRET_KEY', secretKey === undefined ? [] : [secretKey]],
    ['SECRET_KEYS_PREVIOUS', previous],
  ] as const
  for (const [key, secrets] of ofKeys) {
    if (secrets.some((secret) => secret.length < 32))
      report(nameOf(draft, key), `must be 32 characters or more with NODE_ENV=production; ${how}`)
    else if (secrets.some(isGuessable)) report(nameOf(draft, key), `is guessable; ${how}`)
  }
  if (values.API_KEYS.some((key) => isGuessable(key.replace(/^(?:.._|.*:)/, ''))))
    report(nameOf(draft, 'API_KEYS'), 'holds a guessable key; make them with: countersign keys create')
  if (values.WEBHOOK_SECRET.some((secret) => isGuessable(secret.slice('whsec_'.length))))
    report(
      nameOf(draft, 'WEBHOOK_SECRET'),
      'is guessable; make one with: echo whsec_$(openssl rand -base64 32)',
    )
  if (sinkSecret !== undefined && isGuessable(sinkSecret))
    report(nameOf(draft, 'EVENTS_SINK_SECRET'), `is guessable; ${how}`)
  if (values.METRICS_TOKEN !== undefined && isGuessable(values.METRICS_TOKEN))
    report(nameOf(draft, 'METRICS_TOKEN'), `is guessable; ${how}`)
}

const guessableWords =
  /changeme|change|secret|passw[o0]rd|default|placeholder|example|insecure|replace|insert|production|development|countersign|django|token|test|random|string|please|your|this|with|here|key|dev|not|super|very|long|abcdefghijklmnopqrstuvwxyz|qwertyuiop|qwerty|abcdef|deadbeef|1234567890|0123456789|123456789|12345678|123456/g

/** True for a secret somebody typed to get past a check: a few characters over and over, or well-known words. */
function isGuessable(secret: string): boolean {
  if (new Set(secret).size < 6) return true
  for (let unit = 1; unit <= 16 && unit * 2 <= secret.length; unit += 1) {
    if (secret.slice(unit) === secret.slice(0, -unit)) return true
  }
  const core = secret.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
  return core.replaceAll(guessableWords, '').length < core.length / 2
}

/** True for one digit over and over, and for digits in a row, up or down. */
function isGuessableCode(code: string): boolean {
  const steps = Array.from(code.slice(1), (digit, index) => Number(digit) - Number(code[index]))
  return steps.every((step) => step === steps[0]) && Math.abs(steps[0] ?? 0) <= 1
}

/** A logo that is not there would only be missed by the people who see the pages. */
function checkLogo({ BRAND_LOGO: logo }: Values, readFile: ReadFile, report: Report): void {
  if (logo?.kind !== 'file') return
  try {
    readFile(logo.path)
  } catch (error) {
    report('BRAND_LOGO', `names a file that cannot be read (${errorCode(error)})`)
  }
}

/** Several processes need what they can share. */
function checkWorkers(draft: Draft, providers: readonly ProviderName[], report: Report): void {
  const { WORKERS: workers } = draft.values
  if (workers === 'auto' || workers === 1 || draft.failed.has('DATABASE_URL')) return
  const why = whyOneProcess(draft, providers)
  if (why !== undefined) report('WORKERS', `is ${workers}, but ${why}`)
}

/** Why there can be no second process; undefined where there can. */
function whyOneProcess({ values }: Draft, providers: readonly ProviderName[]): string | undefined {
  if (values.DATABASE_URL === undefined || values.DATABASE_URL.kind === 'sqlite')
    return 'SQLite serves one process: use WORKERS=1, or a postgres:// or mongodb:// DATABASE_URL'
  if (values.DEV_MODE && providers.includes('mock'))
    return 'the development inbox lives in one process: use WORKERS=1, or take out DEV_MODE'
  return undefined
}

function assemblePlace({
  values,
  production,
}: Draft): Pick<Config, 'env' | 'dataDir' | 'http' | 'events' | 'secrets'> {
  return {
    env: values.NODE_ENV,
    dataDir: values.DATA_DIR,
    http: {
      port: values.PORT,
      host: values.HOST ?? (production ? '0.0.0.0' : '127.0.0.1'),
      publicUrl: values.PUBLIC_URL ?? `http://localhost:${values.PORT}`,
      publicUrlGiven: values.PUBLIC_URL !== undefined,
      corsOrigins: values.CORS_ORIGINS,
      trustedProxies: values.TRUSTED_PROXIES,
      docsEnabled: values.DOCS_ENABLED,
      metricsToken: values.METRICS_TOKEN,
      requestTimeoutSeconds: values.REQUEST_TIMEOUT_SECONDS,
    },
    events: {
      allowPrivate: values.EVENTS_ALLOW_PRIVATE ?? !production,
      sink:
        values.EVENTS_SINK_URL === undefined || values.EVENTS_SINK_SECRET === undefined
          ? undefined
          : { url: values.EVENTS_SINK_URL, secret: values.EVENTS_SINK_SECRET },
    },
    secrets: {
      secretKey: values.SECRET_KEY,
      previousSecretKeys: values.SECRET_KEYS_PREVIOUS,
      apiKeys: values.API_KEYS,
    },
  }
}

function assembleStore(values: Values): StoreConfig {
  const address = values.DATABASE_URL ?? { kind: 'sqlite', path: join(values.DATA_DIR, 'countersign.db') }
  if (address.kind === 'sqlite')
    return { kind: 'sqlite', path: address.path, synchronous: values.SQLITE_SYNCHRONOUS }
  const { url, name } = address
  if (address.kind === 'mongodb') return { kind: 'mongodb', url, name }
  return {
    kind: 'postgres',
    url,
    name,
    poolSize: values.DATABASE_POOL_SIZE,
    prepare: values.DATABASE_PREPARED_STATEMENTS,
  }
}

function assembleRules(values: Values): Pick<Config, 'verify' | 'limits' | 'signIn' | 'log' | 'retention'> {
  return {
    verify: {
      codeLength: values.CODE_LENGTH,
      codeTtlSeconds: values.CODE_TTL_SECONDS,
      codeTtlSecondFactorSeconds: values.CODE_TTL_SECOND_FACTOR_SECONDS,
      checksPerVerification: values.CHECKS_PER_VERIFICATION,
      sendsPerVerification: values.SENDS_PER_VERIFICATION,
      resendCooldownSeconds: values.RESEND_COOLDOWN_SECONDS,
      resendCooldownMaxSeconds: values.RESEND_COOLDOWN_MAX_SECONDS,
      startDeadlineMs: values.START_DEADLINE_MS,
    },
    limits: {
      sendsPerPhone: values.SMS_RATE_LIMIT_PER_PHONE,
      sendsPerPhoneWindowSeconds: values.SMS_RATE_LIMIT_WINDOW,
      sendsPerPhoneDay: values.SMS_MAX_PER_PHONE_DAY,
      wrongChecksPerPhoneDay: values.WRONG_CHECKS_PER_PHONE_DAY,
      wrongChecksPerAddressDay: values.WRONG_CHECKS_PER_ADDRESS_DAY,
      startsPerAddressHour: values.STARTS_PER_ADDRESS_HOUR,
      checksPerAddressHour: values.CHECKS_PER_ADDRESS_HOUR,
      publishableStartsPerAddressHour:
        values.PUBLISHABLE_STARTS_PER_ADDRESS_HOUR ?? Math.min(15, values.STARTS_PER_ADDRESS_HOUR),
      publishableChecksPerAddressHour:
        values.PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR ?? Math.min(30, values.CHECKS_PER_ADDRESS_HOUR),
      publishableReadsPerAddressHour: values.PUBLISHABLE_READS_PER_ADDRESS_HOUR,
      messagesPerPhoneHour: values.MESSAGES_PER_PHONE_HOUR,
    },
    signIn: {
      accessTokenMinutes: values.ACCESS_TOKEN_EXPIRE_MINUTES,
      audience: values.ACCESS_TOKEN_AUDIENCE,
      sessionDays: values.SESSION_DAYS,
      idleDays: values.SESSION_IDLE_DAYS,
      refreshGraceSeconds: values.REFRESH_GRACE_SECONDS,
      freshSeconds: values.FRESH_SIGN_IN_SECONDS,
      secondFactor: values.SECOND_FACTOR,
      secondFactorSms: values.SECOND_FACTOR_SMS,
      stepUpSeconds: values.STEP_UP_SECONDS,
      secondFactorResetHours: values.SECOND_FACTOR_RESET_HOURS,
      deviceDays: values.DEVICE_DAYS,
      phoneProofDays: values.PHONE_PROOF_DAYS,
      passwordLengthMin: values.PASSWORD_MIN_LENGTH,
      hashCost: {
        memoryKib: values.ARGON2_MEMORY_KIB,
        passes: values.ARGON2_PASSES,
        atOnce: values.PASSWORD_HASHES_AT_ONCE,
      },
      limits: {
        callsPerAddressHour: values.SIGN_IN_CALLS_PER_ADDRESS_HOUR,
        wrongAppCodesPerAccountDay: values.WRONG_APP_CODES_PER_ACCOUNT_DAY,
        passwordsPerAddressHour: values.PASSWORDS_PER_ADDRESS_HOUR,
        wrongPasswordsPerAccountAddressHour: values.WRONG_PASSWORDS_PER_ACCOUNT_AND_ADDRESS_HOUR,
        wrongPasswordsPerAccountDay: values.WRONG_PASSWORDS_PER_ACCOUNT_DAY,
        callsPerSessionMinute: values.CALLS_PER_SESSION_MINUTE,
      },
    },
    log: { level: values.LOG_LEVEL },
    retention: {
      days: values.RETENTION_DAYS,
      eventDays: values.EVENT_RETENTION_DAYS,
      idempotencyHours: values.IDEMPOTENCY_HOURS,
    },
  }
}

/** The operator's files, checked whole: a route that nobody finds out about is a message that goes nowhere. */
function readTables(
  { values }: Draft,
  carriers: readonly CarrierName[],
  readFile: ReadFile,
  report: Report,
): Pick<MessagingConfig, 'routes' | 'prices' | 'templates' | 'tables'> {
  const read = <T>(
    key: 'ROUTES_FILE' | 'PRICES_FILE' | 'TEMPLATES_FILE',
    parse: (json: unknown) => T,
  ): T | undefined => {
    const path = values[key]
    // Who carries is not known where that was refused: a table could only be refused for it again.
    if (path === undefined || (carriers.length === 0 && key !== 'TEMPLATES_FILE')) return undefined
    const json = readJsonFile(path, readFile)
    const reading = json.ok ? tryReading(() => parse(json.value)) : json
    if (reading.ok) return reading.value
    report(key, reading.problem)
    return undefined
  }
  const routes = read('ROUTES_FILE', (json) => ({
    table: parseRoutes(json, carriers),
    count: String(lengthOf(json, 'routes')),
  }))
  const prices = read('PRICES_FILE', (json) => ({
    table: parsePrices(json, [...providerNames, 'twilio_verify']),
    count: `${lengthOf(json, 'prices')} in ${String(memberOf(json, 'currency'))}`,
  }))
  return {
    routes: routes?.table ?? defaultRoute(carriers),
    prices: prices?.table ?? noPrices(),
    templates: read('TEMPLATES_FILE', parseTemplates) ?? new Templates([]),
    tables: { routes: routes?.count, prices: prices?.count },
  }
}

function memberOf(json: unknown, name: string): unknown {
  return typeof json === 'object' && json !== null
    ? new Map<string, unknown>(Object.entries(json)).get(name)
    : undefined
}

function lengthOf(json: unknown, name: string): number {
  const list = memberOf(json, name)
  return Array.isArray(list) ? list.length : 0
}

function assembleMessaging(
  { values }: Draft,
  carriers: readonly CarrierName[],
): Omit<MessagingConfig, 'routes' | 'prices' | 'templates' | 'tables'> {
  return {
    providers: carriers,
    serviceName: values.SERVICE_NAME,
    defaultLocale: values.DEFAULT_LOCALE,
    deliveryReceipts: values.DELIVERY_RECEIPTS,
    confirmedFailover: values.CONFIRMED_FAILOVER,
    confirmedFailoverExcept: values.CONFIRMED_FAILOVER_EXCEPT,
    failoverChannels: values.FAILOVER_CHANNELS,
    patienceMs: values.SEND_PATIENCE_MS ?? Math.min(PATIENCE_MS, values.START_DEADLINE_MS / 2),
    autofill: { domain: codeDomainOf(values), appHash: values.ANDROID_APP_HASH },
  }
}

/** The host that codes are bound to: browsers take a host name of https alone, and no address. */
function codeDomainOf({ CODE_DOMAIN: named, PUBLIC_URL: publicUrl }: Values): string | undefined {
  if (named !== undefined) return named === 'off' ? undefined : named
  const { protocol, hostname } = new URL(publicUrl ?? 'http://localhost')
  return protocol === 'https:' && isCodeDomain(hostname) ? hostname : undefined
}

function assembleMessages({ values, production }: Draft): Pick<Config, 'guard' | 'testPhones' | 'dev'> {
  return {
    guard: {
      allowedCountries: values.ALLOWED_COUNTRIES ?? (production ? [...defaultCountries] : '*'),
      allowVoip: values.ALLOW_VOIP,
    },
    testPhones: values.TEST_PHONE_NUMBERS,
    dev: { mode: values.DEV_MODE, previewCode: values.DEV_PREVIEW_CODE },
  }
}

function assembleAccount(values: Values): AccountConfig {
  return {
    pages: values.ACCOUNT_PAGES,
    brand: {
      name: values.BRAND_NAME ?? values.SERVICE_NAME,
      logo: values.BRAND_LOGO,
      accent: values.BRAND_ACCENT.toLowerCase(),
      supportUrl: values.BRAND_SUPPORT_URL,
      termsUrl: values.BRAND_TERMS_URL,
      privacyUrl: values.BRAND_PRIVACY_URL,
    },
  }
}

/** What is allowed, but deserves a line in the log. */
function warnOfChoices({ values, names, production }: Draft): string[] {
  const warnings: string[] = []
  const warnIf = (condition: boolean, text: string) => condition && warnings.push(text)
  warnIf(
    production && values.PUBLIC_URL === undefined,
    'PUBLIC_URL is not given: proofs name localhost as their issuer, and no provider can tell what became of a message',
  )
  warnIf(
    production && values.ALLOWED_COUNTRIES === '*',
    'ALLOWED_COUNTRIES is *: messages may go to the countries that fraud pays in',
  )
  warnIf(
    production && values.TEST_PHONE_NUMBERS.length > 0,
    'TEST_PHONE_NUMBERS is given: who knows one of its codes can verify its number',
  )
  warnIf(
    values.DEV_MODE && values.HOST !== undefined && !isLoopbackHost(values.HOST),
    'DEV_MODE is true and HOST is not this machine alone: others can read the codes',
  )
  warnIf(
    names.has('DEV_PREVIEW_CODE') && !values.DEV_MODE,
    'DEV_PREVIEW_CODE changes nothing without DEV_MODE=true',
  )
  const kind = values.DATABASE_URL?.kind ?? 'sqlite'
  warnIf(
    kind === 'sqlite' && values.REDIS_URL !== undefined,
    'REDIS_URL is given, but SQLite serves one process: counters in Redis buy it nothing',
  )
  warnIf(
    kind !== 'sqlite' && values.SECRET_KEY === undefined && !production,
    'SECRET_KEY is not given: every machine on this database makes its own, and refuses the codes of the others',
  )
  for (const key of ['DATABASE_POOL_SIZE', 'DATABASE_PREPARED_STATEMENTS'] as const)
    warnIf(names.has(key) && kind !== 'postgres', `${key} changes nothing without a postgres:// DATABASE_URL`)
  return warnings
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}
