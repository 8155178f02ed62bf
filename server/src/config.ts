import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { RedisPlace } from './config-addresses.ts'
import {
  defaultCountries,
  isLoopbackHost,
  settingList,
  type ProviderName,
  type Setting,
  type SettingKey,
  type TestPhone,
  type Values,
} from './config-schema.ts'

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

/** How Twilio is reached; present when `twilio` is among the providers. */
export type TwilioConfig = {
  readonly accountSid: string
  /** At least one of it and `apiKey` is there. */
  readonly authToken: string | undefined
  /** Calls are made with it where it is given. */
  readonly apiKey: { readonly sid: string; readonly secret: string } | undefined
  /** A number, short code or sender name. At least one of it and `messagingServiceSid` is there. */
  readonly from: string | undefined
  readonly messagingServiceSid: string | undefined
  readonly maxRetries: number
  readonly retryDelayMs: number
  readonly requestTimeoutSeconds: number
  /** Without a slash at its end; undefined: Twilio's own. */
  readonly baseUrl: string | undefined
}

/** Everything the environment says, read once at boot and deeply frozen. */
export type Config = {
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
  readonly messaging: {
    /** In order of preference; never empty. */
    readonly providers: readonly ProviderName[]
    readonly serviceName: string
    /** A language tag such as `en` or `pt-BR`. */
    readonly defaultLocale: string
  }
  readonly twilio: TwilioConfig | undefined
  readonly signIn: { readonly accessTokenMinutes: number }
  readonly testPhones: readonly TestPhone[]
  readonly dev: {
    /** Never true in production. */
    readonly mode: boolean
    /** The sign-in API's fixed code; means nothing unless `mode`. */
    readonly previewCode: string
  }
  readonly log: { readonly level: Values['LOG_LEVEL'] }
  readonly retention: { readonly days: number; readonly idempotencyHours: number }
  /** What is allowed but was likely not meant, worded for the log; never holds a value. */
  readonly warnings: readonly string[]
}

/** One thing wrong with the environment. */
export type ConfigProblem = {
  /** The variable's name as it was given. */
  readonly key: string
  /** What is wrong with it, worded to follow the name; never holds a secret. */
  readonly problem: string
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

/** Variables by name, as `process.env` has them. */
export type EnvironmentVariables = Readonly<Record<string, string | undefined>>

type ReadFile = (path: string) => string
type Report = (key: string, problem: string) => void

type Draft = {
  readonly values: Values
  /** Under which names a setting was given; has no entry for one that was not. */
  readonly names: ReadonlyMap<SettingKey, readonly [string, ...string[]]>
  /** Settings that could not be read: their value is the default and proves nothing. */
  readonly failed: ReadonlySet<SettingKey>
  readonly production: boolean
}

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
  const providers = chooseProviders(draft, report)
  for (const check of [checkOrder, checkProduction, checkSecrets, checkTwilioKey]) check(draft, report)
  checkWorkers(draft, providers, report)
  const twilio = providers.includes('twilio') ? readTwilio(draft, report) : undefined
  if (problems.length > 0) throw new ConfigError(problems)
  return deepFreeze({
    ...assemblePlace(draft),
    store: assembleStore(draft.values),
    limiter: draft.values.REDIS_URL,
    workers: draft.values.WORKERS === 'auto' && whyOneProcess(draft, providers) ? 1 : draft.values.WORKERS,
    ...assembleRules(draft.values),
    ...assembleMessages(draft, providers),
    twilio,
    warnings: [...warnOfStrangers(env), ...warnOfChoices(draft, providers)],
  })
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}

function isGiven(draft: Draft, key: SettingKey): boolean {
  return draft.names.has(key)
}

function nameOf(draft: Draft, key: SettingKey): string {
  return draft.names.get(key)?.[0] ?? key
}

/** The text of one name, from the variable or from the file its `_FILE` variable names. */
function findText(
  env: EnvironmentVariables,
  name: string,
  setting: Setting,
  readFile: ReadFile,
  report: Report,
): { name: string; text: string | undefined } | undefined {
  const emptyIsNone = setting.kind === 'text' || setting.kind === 'list'
  const trimmed = env[name]?.trim()
  const text = trimmed === '' && emptyIsNone ? undefined : trimmed
  const fileName = `${name}_FILE`
  const path = setting.secret ? env[fileName]?.trim() : undefined
  if (path === undefined || path === '') return text === undefined ? undefined : { name, text }
  if (text !== undefined) {
    report(name, `and ${fileName} are both given: keep one`)
    return { name, text: undefined }
  }
  try {
    const content = readFile(path).trim()
    if (content !== '') return { name: fileName, text: content }
    report(fileName, 'names a file that is empty')
  } catch (error) {
    report(fileName, `names a file that cannot be read (${errorCode(error)})`)
  }
  return { name: fileName, text: undefined }
}

type Found = {
  readonly names: readonly [string, ...string[]]
  readonly value: unknown
  readonly failed: boolean
}

/** Reads one setting under all its names; undefined when it was given under none. */
function readSetting(
  env: EnvironmentVariables,
  key: SettingKey,
  setting: Setting,
  readFile: ReadFile,
  report: Report,
): Found | undefined {
  let found: Found | undefined
  for (const candidate of [key, ...setting.older]) {
    const source = findText(env, candidate, setting, readFile, report)
    if (source === undefined) continue
    const { name, text } = source
    const reading = text === undefined ? undefined : setting.parse(text)
    if (reading?.ok === false) report(name, reading.problem)
    const value = reading?.ok === true ? reading.value : undefined
    const failed = reading?.ok !== true || found?.failed === true
    const names = found === undefined ? ([name] as const) : ([...found.names, name] as const)
    const isDifferent = found !== undefined && !failed && !isDeepStrictEqual(found.value, value)
    if (isDifferent) report(names[0], `and ${name} are two names of one setting, and they differ: keep one`)
    found = { names, value, failed: failed || isDifferent }
  }
  return found
}

function readDraft(env: EnvironmentVariables, readFile: ReadFile, report: Report): Draft {
  const values = new Map<SettingKey, unknown>()
  const names = new Map<SettingKey, readonly [string, ...string[]]>()
  const failed = new Set<SettingKey>()
  for (const [key, setting] of settingList) {
    const found = readSetting(env, key, setting, readFile, report)
    if (found !== undefined) names.set(key, found.names)
    if (found?.failed === true) failed.add(key)
    values.set(key, found === undefined || found.failed ? setting.fallback : found.value)
  }
  const typed: object = Object.fromEntries(values)
  if (!isValues(typed)) throw new Error('a setting was not read')
  return { values: typed, names, failed, production: typed.NODE_ENV === 'production' }
}

/** Each value came from the `parse` or the `fallback` of its own key, so that all are there is proof enough. */
function isValues(values: object): values is Values {
  return settingList.every(([key]) => Object.hasOwn(values, key))
}

const credentialKeys = [
  'TWILIO_ACCOUNT_SID',
  'TWILIO_AUTH_TOKEN',
  'TWILIO_API_KEY_SID',
  'TWILIO_API_KEY_SECRET',
] as const

/** Never falls back to the inbox where a real provider was meant: half of the credentials already mean Twilio. */
function chooseProviders(draft: Draft, report: Report): readonly ProviderName[] {
  const { SMS_PROVIDER: named, SMS_MOCK_MODE: mock } = draft.values
  if (draft.failed.has('SMS_PROVIDER') || draft.failed.has('SMS_MOCK_MODE')) return []
  const isMockNamed = named?.includes('mock') === true
  if (mock === true && named !== undefined && !(isMockNamed && named.length === 1)) {
    report('SMS_MOCK_MODE', 'is true, but SMS_PROVIDER names another provider: keep one')
    return []
  }
  if (mock === false && isMockNamed) {
    report('SMS_MOCK_MODE', 'is false, but SMS_PROVIDER names mock: keep one')
    return []
  }
  if (draft.production && mock === true) report('SMS_MOCK_MODE', 'is refused with NODE_ENV=production')
  if (draft.production && isMockNamed)
    report('SMS_PROVIDER', 'names mock, which is refused with NODE_ENV=production')
  if (mock === true) return ['mock']
  if (named !== undefined) return named
  if (credentialKeys.some((key) => isGiven(draft, key))) return ['twilio']
  if (draft.production) {
    report('SMS_PROVIDER', 'is required with NODE_ENV=production, with the credentials of the provider')
    return []
  }
  if (mock === false) {
    report('SMS_MOCK_MODE', 'is false, but neither SMS_PROVIDER nor Twilio credentials are given')
    return []
  }
  return ['mock']
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
  for (const key of ['PUBLIC_URL', 'TWILIO_BASE_URL'] as const) {
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
  if (values.API_KEYS.some((key) => isGuessable(key.slice(3))))
    report(nameOf(draft, 'API_KEYS'), 'holds a guessable key; make them with: countersign keys create')
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

/** Half an API key is a mistake whoever carries the messages. */
function checkTwilioKey(draft: Draft, report: Report): void {
  const [sid, secret] = ['TWILIO_API_KEY_SID', 'TWILIO_API_KEY_SECRET'] as const
  if (isGiven(draft, sid) && !isGiven(draft, secret)) report(nameOf(draft, sid), `needs ${secret}`)
  if (isGiven(draft, secret) && !isGiven(draft, sid)) report(nameOf(draft, secret), `needs ${sid}`)
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

function readTwilio(draft: Draft, report: Report): TwilioConfig {
  const { values } = draft
  const has = (key: SettingKey) => isGiven(draft, key)
  if (!has('TWILIO_ACCOUNT_SID')) report('TWILIO_ACCOUNT_SID', 'is required by SMS_PROVIDER twilio')
  if (!has('TWILIO_AUTH_TOKEN') && !has('TWILIO_API_KEY_SID') && !has('TWILIO_API_KEY_SECRET'))
    report(
      'TWILIO_AUTH_TOKEN',
      'is required by SMS_PROVIDER twilio, or TWILIO_API_KEY_SID with TWILIO_API_KEY_SECRET',
    )
  if (!has('TWILIO_PHONE_NUMBER') && !has('TWILIO_MESSAGING_SERVICE_SID'))
    report('TWILIO_PHONE_NUMBER', 'or TWILIO_MESSAGING_SERVICE_SID is required by SMS_PROVIDER twilio')
  const { TWILIO_API_KEY_SID: sid, TWILIO_API_KEY_SECRET: secret } = values
  return {
    accountSid: values.TWILIO_ACCOUNT_SID ?? '',
    authToken: values.TWILIO_AUTH_TOKEN,
    apiKey: sid === undefined || secret === undefined ? undefined : { sid, secret },
    from: values.TWILIO_PHONE_NUMBER,
    messagingServiceSid: values.TWILIO_MESSAGING_SERVICE_SID,
    maxRetries: values.TWILIO_MAX_RETRIES,
    retryDelayMs: values.TWILIO_RETRY_DELAY_MS,
    requestTimeoutSeconds: values.TWILIO_REQUEST_TIMEOUT_SECS,
    baseUrl: values.TWILIO_BASE_URL,
  }
}

function assemblePlace({ values, production }: Draft): Pick<Config, 'env' | 'dataDir' | 'http' | 'secrets'> {
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
    signIn: { accessTokenMinutes: values.ACCESS_TOKEN_EXPIRE_MINUTES },
    log: { level: values.LOG_LEVEL },
    retention: { days: values.RETENTION_DAYS, idempotencyHours: values.IDEMPOTENCY_HOURS },
  }
}

function assembleMessages(
  { values, production }: Draft,
  providers: readonly ProviderName[],
): Pick<Config, 'guard' | 'messaging' | 'testPhones' | 'dev'> {
  return {
    guard: {
      allowedCountries: values.ALLOWED_COUNTRIES ?? (production ? [...defaultCountries] : '*'),
      allowVoip: values.ALLOW_VOIP,
    },
    messaging: {
      providers,
      serviceName: values.SERVICE_NAME,
      defaultLocale: values.DEFAULT_LOCALE,
    },
    testPhones: values.TEST_PHONE_NUMBERS,
    dev: { mode: values.DEV_MODE, previewCode: values.DEV_PREVIEW_CODE },
  }
}

/** What is allowed, but deserves a line in the log. */
function warnOfChoices({ values, names, production }: Draft, providers: readonly ProviderName[]): string[] {
  const warnings: string[] = []
  const warnIf = (condition: boolean, text: string) => condition && warnings.push(text)
  const isTwilio = providers.includes('twilio')
  warnIf(
    production && values.PUBLIC_URL === undefined,
    'PUBLIC_URL is not given: proofs name localhost as their issuer',
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
  warnIf(
    isTwilio && values.TWILIO_AUTH_TOKEN === undefined,
    'TWILIO_AUTH_TOKEN is not given: delivery receipts cannot be checked and are refused',
  )
  warnIf(
    !isTwilio && credentialKeys.some((key) => names.has(key)),
    'Twilio credentials are given, but the provider is mock: nothing goes to Twilio',
  )
  return warnings
}

const knownNames: ReadonlySet<string> = new Set(
  settingList.flatMap(([key, { older, secret }]) =>
    [key, ...older].flatMap((name) => (secret ? [name, `${name}_FILE`] : [name])),
  ),
)

/** Variables that nobody reads but that look as if they were meant for us: a typing slip fails in silence. */
function warnOfStrangers(env: EnvironmentVariables): string[] {
  const warnings: string[] = []
  for (const name of Object.keys(env)) {
    if (env[name] === undefined || knownNames.has(name) || !/^\w{3,64}$/.test(name)) continue
    const upper = name.toUpperCase()
    const near = [...knownNames].find((known) => distance(upper, known) <= (known.length > 5 ? 2 : 1))
    const isFileOfKnown = name.endsWith('_FILE') && knownNames.has(name.slice(0, -'_FILE'.length))
    if (near !== undefined) warnings.push(`${name} is not a setting: did you mean ${near}?`)
    else if (isFileOfKnown) warnings.push(`${name} is not a setting: only secrets are read from files`)
    else if (/^(TWILIO|SMS)_/.test(upper)) warnings.push(`${name} is not a setting of this version`)
  }
  return warnings
}

/** How many characters must be put in, taken out or replaced to get from one text to the other. */
function distance(from: string, to: string): number {
  // Nobody asks about more than two, so far lengths need no table.
  if (Math.abs(from.length - to.length) > 2) return 3
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [row, letter] of from.split('').entries()) {
    const current = [row + 1]
    for (const [column, other] of to.split('').entries()) {
      const replaced = (previous[column] ?? 0) + (letter === other ? 0 : 1)
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    previous = current
  }
  return previous[to.length] ?? 0
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}
