import { isIP } from 'node:net'
import { getCountries } from 'libphonenumber-js/max'
import { accountSettings } from './config-account-settings.ts'
import { parseDatabaseUrl, parseRedisUrl } from './config-addresses.ts'
import {
  boolean,
  choice,
  integer,
  integerOrAuto,
  list,
  listOrAll,
  matching,
  parsed,
  parseUrl,
  path,
  same,
  secretText,
  type Setting,
  text,
} from './config-kinds.ts'
import { providerChoice, providerSettings } from './config-provider-settings.ts'
import { bad, type Reading, show, value } from './config-reading.ts'
import { isCidr, parseIp } from './primitives/address.ts'

function parseOrigin(text: string): Reading<string> {
  const must = 'must be an exact origin such as https://app.example.com'
  if (text === '*') return bad(`${must}; * stands alone or not at all`)
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@*\s\\]+$/i.test(text) || !URL.canParse(text))
    return bad(`${must}, without a path, a slash at its end or a wildcard; ${show(text)} is not one`)
  const { origin } = new URL(text)
  // Apps send origins of their own schemes (capacitor://localhost), for which a URL knows no origin.
  return value(origin === 'null' ? text.toLowerCase() : origin)
}

/** Reads one CIDR. A range so wide that anybody may be in it would let anybody forge an address. */
function parseProxyRange(text: string): Reading<string> {
  const [address = '', prefix] = text.split('/')
  const version = isIP(address)
  // Two halves make a whole as well as one /0 does, so the shortest prefix in real use is where this stops.
  const isTooWide =
    prefix !== undefined && /^\d{1,3}$/.test(prefix) && Number(prefix) < (version === 4 ? 8 : 7)
  if (version !== 0 && isTooWide)
    return bad(`is ${show(text)}, which trusts the whole internet: name the ranges of your own proxies`)
  if (!isCidr(text))
    return bad(`must be a range of addresses such as 10.0.0.0/8 or 192.0.2.7; ${show(text)} is not one`)
  // ::ffff:0:0/97 is half of all IPv4, and reads like nothing of the kind.
  if (version === 6 && isIP(parseIp(address) ?? '') === 4)
    return bad(`is ${show(text)}, which stands for IPv4 addresses: write it as an IPv4 range`)
  return value(text.toLowerCase())
}

const countries: ReadonlySet<string> = new Set(getCountries())

function parseCountry(text: string): Reading<string> {
  const code = text.toUpperCase()
  if (countries.has(code)) return value(code)
  const hint = code === 'UK' ? ' (the United Kingdom is GB)' : ''
  return bad(`must be a country of two letters such as US (ISO 3166-1); ${show(text)} is not one${hint}`)
}

/** A phone number that sends nothing and has a code of its own. */
export type TestPhone = {
  /** E.164. */
  readonly phone: string
  readonly code: string
}

function parseTestPhone(text: string): Reading<TestPhone> {
  const match = /^(\+[1-9]\d{6,14})=(\d{4,10})$/.exec(text)
  const [, phone, code] = match ?? []
  if (phone === undefined || code === undefined)
    return bad('must be a number and a code of 4 to 10 digits, such as +15005550006=123456')
  return value({ phone, code })
}

function parseServiceName(text: string): Reading<string> {
  const must = 'must be 1 to 32 letters, digits, spaces and . - _'
  if (text.length > 32 || !/^[\p{L}\p{N} ._-]+$/u.test(text)) return bad(must)
  // Phones make a link of anything like example.com, and a code that arrives with a link teaches phishing.
  if (/\.\p{L}{2,}/u.test(text) || /^www\./i.test(text))
    return bad(`${must}, and nothing that reads as a link`)
  return value(text)
}

function parseHost(text: string): Reading<string> {
  const isName = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i.test(text)
  // 0.0.0 and 999.1.1.1 read as names, but nobody means them as such.
  const isLikeAddress = /^[\d.]+$/.test(text)
  if (isIP(text) !== 0 || (isName && !isLikeAddress)) return value(text)
  return bad(`must be an address or a host name without a port; ${show(text)} is neither`)
}

/** Whether a code can be bound to this host: a name of at least two labels, and no address. */
export function isCodeDomain(host: string): boolean {
  const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
  return host.length <= 253 && new RegExp(`^(?:${label}\\.)+(?!\\d+$)${label}$`).test(host)
}

function parseCodeDomain(text: string): Reading<string> {
  const host = text.toLowerCase()
  if (host === 'off' || isCodeDomain(host)) return value(host)
  return bad(`must be a host name such as app.example.com, or off; ${show(text)} is neither`)
}

function parseLocale(text: string): Reading<string> {
  return /^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?$/.test(text)
    ? value(text)
    : bad(`must be a language such as en or pt-BR; ${show(text)} is not one`)
}

/**
 * Where messages may go in production when nobody said otherwise: short, and without the markets whose
 * prices draw fraud.
 */
export const defaultCountries: readonly string[] =
  'US CA GB IE AU NZ DE FR ES IT NL BE AT CH SE NO DK FI PT'.split(' ')

/**
 * Every setting there is, in the manual's order. The types, the reading, `docs/configuration.md` and
 * `.env.example` all come from here.
 */
export const settings = {
  NODE_ENV: choice({
    section: 'server',
    about:
      'What this process is for. `production` refuses whatever is only safe on a developer’s machine; any other spelling of it is refused too, so that `prod` is never taken for development.',
    of: ['production', 'development', 'test'],
    fallback: 'development',
  }),
  PORT: integer({
    section: 'server',
    about: 'The TCP port to listen on; 0 takes any free one.',
    fallback: 8080,
    min: 0,
    max: 65535,
    unit: '',
  }),
  HOST: text({
    section: 'server',
    about: 'The address to listen on.',
    fallback: undefined,
    fallbackText: '127.0.0.1; in production 0.0.0.0',
    accepts: 'an address or host name',
    parse: parseHost,
    example: '127.0.0.1',
  }),
  PUBLIC_URL: text({
    section: 'server',
    about:
      'The address people and vendors reach this server at. It is the issuer (`iss`) of proofs and the host that the dev inbox answers to.',
    fallback: undefined,
    fallbackText: 'http://localhost:PORT',
    accepts: 'an http(s) URL without a path',
    parse: (text) => parseUrl(text, false),
    example: 'https://verify.example.com',
    inProduction: 'must be `https://`, unless the host is `localhost`',
  }),
  CORS_ORIGINS: listOrAll({
    section: 'server',
    about: 'The origins whose pages may call with a publishable key. Empty: none.',
    fallback: [],
    accepts: 'exact origins; `*` in development',
    item: parseOrigin,
    identity: same,
    example: 'https://app.example.com',
    inProduction: '`*` is refused',
  }),
  TRUSTED_PROXIES: list({
    section: 'server',
    about:
      'The address ranges of your own reverse proxies; only they may say who is behind them (`X-Forwarded-For`). Empty: nobody is believed. Ranges that hold the whole internet are refused.',
    fallback: [],
    accepts: 'CIDR ranges and addresses',
    item: parseProxyRange,
    identity: same,
    example: '10.0.0.0/8',
  }),
  REQUEST_TIMEOUT_SECONDS: integer({
    section: 'server',
    about: 'How long a request may take before it is ended. Not shorter than `START_DEADLINE_MS`.',
    fallback: 30,
    min: 1,
    max: 120,
    unit: 'seconds',
  }),
  EVENTS_ALLOW_PRIVATE: boolean({
    section: 'server',
    about:
      'Whether events may be posted to a private address or to this machine: those of factors and challenges, to the webhooks that services name. What a name leads to is looked at for every connection. Link-local, metadata and reserved addresses are never called.',
    fallback: undefined,
    fallbackText: 'true; in production false',
    example: 'true',
  }),
  EVENTS_SINK_URL: text({
    section: 'server',
    about:
      'Where it is told what becomes of verifications of accounts’ services and of their messages, as CloudEvents: see `docs/twilio-events.md`. It may be in a private network. Goes with `EVENTS_SINK_SECRET`.',
    fallback: undefined,
    fallbackText: 'nobody is told',
    accepts: 'an http(s) URL',
    parse: (given) => parseUrl(given, true),
    example: 'https://events.example.com/verify',
    inProduction: 'must be `https://`, unless the host is this machine',
  }),
  EVENTS_SINK_SECRET: text({
    section: 'server',
    about: 'What those events are signed with (`X-Twilio-Signature`), in the place of an auth token.',
    fallback: undefined,
    accepts: '16 or more characters, no spaces',
    parse: matching(secretText(16), '16 to 512 characters without spaces'),
    secret: true,
    inProduction: 'a guessable value is refused',
  }),
  WORKERS: integerOrAuto({
    section: 'server',
    about:
      'How many processes `countersign serve` runs on its port; `--workers` wins over it. More than one needs Postgres or MongoDB. `auto` is one for every core, and one alone where more cannot serve: with SQLite, or with the development inbox.',
    fallback: 1,
    min: 1,
    max: 64,
  }),
  DOCS_ENABLED: boolean({
    section: 'server',
    about: 'Whether `/docs` and `/openapi.json` are served.',
    fallback: true,
  }),
  METRICS_TOKEN: text({
    section: 'server',
    about:
      'The bearer token that `GET /metrics` asks for. Without it the metrics are open to whoever reaches the port.',
    fallback: undefined,
    accepts: '16 or more characters, no spaces',
    parse: matching(secretText(16), '16 to 512 characters without spaces'),
    secret: true,
    inProduction: 'a guessable value is refused',
  }),

  SECRET_KEY: text({
    section: 'secrets',
    about:
      'The key that codes, their digests and proofs are derived from. Outside production one is made at the first start and kept in `DATA_DIR`. Make one with `openssl rand -base64 48`.',
    fallback: undefined,
    accepts: 'any text without a comma',
    parse: matching(/^[^,\p{Cc}]{1,1024}$/u, '1 to 1024 characters without a comma or line break'),
    secret: true,
    inProduction: 'required, 32 characters or more, and nothing guessable',
  }),
  SECRET_KEYS_PREVIOUS: list({
    section: 'secrets',
    about:
      'Earlier values of `SECRET_KEY`, newest first. What they made is still accepted; nothing new is made with them. Take one out when the longest-lived thing it made has expired.',
    fallback: [],
    accepts: 'comma-separated keys',
    item: matching(/^[^,\p{Cc}]{1,1024}$/u, '1 to 1024 characters without a comma or line break'),
    identity: same,
    secret: true,
    inProduction: 'held to the same rules as `SECRET_KEY`',
  }),
  API_KEYS: list({
    section: 'secrets',
    about:
      'Fixed API keys, besides those made with `countersign keys create`: `sk_…` for backends, `pk_…` for browsers, at least 24 characters after the prefix; and accounts of Twilio Verify’s API, `AC…:token`, 32 hexadecimal digits after AC and at least 24 characters of token.',
    fallback: [],
    accepts: 'comma-separated keys',
    item: matching(
      /^(?:(?:sk|pk)_|AC[0-9a-f]{32}:)[A-Za-z0-9_-]{24,200}$/,
      'sk_, pk_, or AC, 32 hexadecimal digits and a colon; then 24 to 200 letters, digits, - and _',
    ),
    identity: same,
    secret: true,
    inProduction: 'a guessable key is refused',
  }),

  DATA_DIR: path({
    section: 'store',
    about:
      'The folder of what the server keeps: the database, and what it makes for itself at the first start.',
    fallback: './data',
  }),
  DATABASE_URL: parsed({
    section: 'store',
    about:
      'Where the database is. A path of SQLite is relative to the working directory, and `sqlite::memory:` keeps nothing; SQLite serves one process. Postgres and MongoDB serve any number of processes on any number of machines.',
    fallbackText: 'sqlite: countersign.db in DATA_DIR',
    accepts:
      '`sqlite:path`, `postgres://…`, `mongodb://…` or `mongodb+srv://…`, the last three with a database',
    parse: parseDatabaseUrl,
    secret: true,
    example: 'postgres://countersign:password@localhost:5432/countersign',
    inProduction: '`sqlite::memory:` is refused',
  }),
  DATABASE_POOL_SIZE: integer({
    section: 'store',
    about:
      'How many connections to Postgres one process opens at most. Every worker and every machine has as many of its own; together they must stay below the database’s `max_connections`.',
    fallback: 10,
    min: 1,
    max: 200,
    unit: 'connections',
  }),
  DATABASE_PREPARED_STATEMENTS: boolean({
    section: 'store',
    about:
      'Whether statements are prepared on Postgres. `false` behind a proxy that pools transactions, such as PgBouncer before 1.21; it also leaves out the start-up parameters that such proxies refuse.',
    fallback: true,
  }),
  REDIS_URL: parsed({
    section: 'store',
    about:
      'Where the limits’ counters are kept, when not in the database: a Redis or Valkey, or with several hosts a cluster. `rediss://` is TLS.',
    accepts: '`redis://[user:password@]host[:port][,host…][/db]` or `rediss://…`',
    parse: parseRedisUrl,
    secret: true,
    example: 'redis://localhost:6379',
  }),
  SQLITE_SYNCHRONOUS: choice({
    section: 'store',
    about:
      'How sure a write is. `full` survives a power cut; `normal` is faster and may then lose the last moments, with the guesses counted in them.',
    of: ['full', 'normal'],
    fallback: 'full',
  }),

  CODE_LENGTH: integer({
    section: 'verification',
    about: 'How long a code is. Shorter than 6 is too easily guessed and is refused.',
    fallback: 6,
    min: 6,
    max: 10,
    unit: 'digits',
  }),
  CODE_TTL_SECONDS: integer({
    section: 'verification',
    about: 'How long a code is good for. More than ten minutes is refused.',
    fallback: 600,
    min: 30,
    max: 600,
    unit: 'seconds',
  }),
  CODE_TTL_SECOND_FACTOR_SECONDS: integer({
    section: 'verification',
    about: 'How long a code is good for when its purpose is `second_factor`.',
    fallback: 300,
    min: 30,
    max: 600,
    unit: 'seconds',
  }),
  CHECKS_PER_VERIFICATION: integer({
    section: 'verification',
    about: 'How many guesses a verification takes before it locks.',
    fallback: 5,
    min: 1,
    max: 10,
    unit: 'checks',
  }),
  SENDS_PER_VERIFICATION: integer({
    section: 'verification',
    about: 'How many messages a verification may send, the first one included.',
    fallback: 5,
    min: 1,
    max: 10,
    unit: 'messages',
  }),
  RESEND_COOLDOWN_SECONDS: integer({
    section: 'verification',
    about: 'The wait before the first resend; it grows with each one. Not longer than `CODE_TTL_SECONDS`.',
    fallback: 30,
    min: 1,
    max: 600,
    unit: 'seconds',
  }),
  RESEND_COOLDOWN_MAX_SECONDS: integer({
    section: 'verification',
    about: 'The longest that wait grows to. Not shorter than `RESEND_COOLDOWN_SECONDS`.',
    fallback: 600,
    min: 1,
    max: 3600,
    unit: 'seconds',
  }),
  START_DEADLINE_MS: integer({
    section: 'verification',
    about:
      'A start is answered by then, even when the provider has not; the send goes on. Not longer than `REQUEST_TIMEOUT_SECONDS`.',
    fallback: 8000,
    min: 500,
    max: 30_000,
    unit: 'milliseconds',
  }),

  SMS_RATE_LIMIT_PER_PHONE: integer({
    section: 'limits',
    about: 'How many messages a number gets in `SMS_RATE_LIMIT_WINDOW`.',
    older: ['TWILIO_MAX_SMS_PER_HOUR'],
    fallback: 5,
    min: 1,
    max: 1000,
    unit: 'messages',
  }),
  SMS_RATE_LIMIT_WINDOW: integer({
    section: 'limits',
    about:
      'The window of that limit, in seconds (not milliseconds). Only 3600 goes with `TWILIO_MAX_SMS_PER_HOUR`.',
    fallback: 3600,
    min: 60,
    max: 86_400,
    unit: 'seconds',
  }),
  SMS_MAX_PER_PHONE_DAY: integer({
    section: 'limits',
    about: 'How many messages a number gets in 24 hours.',
    older: ['TWILIO_MAX_SMS_PER_DAY'],
    fallback: 10,
    min: 1,
    max: 1000,
    unit: 'messages',
  }),
  WRONG_CHECKS_PER_PHONE_DAY: integer({
    section: 'limits',
    about:
      'How many wrong codes a number takes in 24 hours, over all its verifications: resends, cancels and new starts do not reset it.',
    fallback: 20,
    min: 1,
    max: 100,
    unit: 'checks',
  }),
  WRONG_CHECKS_PER_ADDRESS_DAY: integer({
    section: 'limits',
    about: 'How many wrong codes an end user’s address may give in 24 hours, over all numbers.',
    fallback: 50,
    min: 1,
    max: 1000,
    unit: 'checks',
  }),
  STARTS_PER_ADDRESS_HOUR: integer({
    section: 'limits',
    about: 'How many starts and resends an end user’s address gets in an hour; IPv6 counts by /64.',
    fallback: 30,
    min: 1,
    max: 1000,
    unit: 'starts',
  }),
  CHECKS_PER_ADDRESS_HOUR: integer({
    section: 'limits',
    about: 'How many checks an end user’s address gets in an hour; IPv6 counts by /64.',
    fallback: 60,
    min: 1,
    max: 1000,
    unit: 'checks',
  }),
  PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: integer({
    section: 'limits',
    about:
      'The same for calls with a publishable key, which anyone can copy from a page. Not more than `STARTS_PER_ADDRESS_HOUR`.',
    fallback: undefined,
    fallbackText: '15, or STARTS_PER_ADDRESS_HOUR where that is less',
    example: '15',
    min: 1,
    max: 1000,
    unit: 'starts',
  }),
  PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: integer({
    section: 'limits',
    about: 'The same for checks with a publishable key. Not more than `CHECKS_PER_ADDRESS_HOUR`.',
    fallback: undefined,
    fallbackText: '30, or CHECKS_PER_ADDRESS_HOUR where that is less',
    example: '30',
    min: 1,
    max: 1000,
    unit: 'checks',
  }),

  PUBLISHABLE_READS_PER_ADDRESS_HOUR: integer({
    section: 'limits',
    about: 'How many reads and look-ups with a publishable key an address gets in an hour.',
    fallback: 600,
    min: 1,
    max: 1000,
    unit: 'reads',
  }),
  MESSAGES_PER_PHONE_HOUR: integer({
    section: 'limits',
    about: 'How many texts of your own (`POST /v1/messages`) a number gets in an hour.',
    fallback: 30,
    min: 1,
    max: 1000,
    unit: 'messages',
  }),

  ALLOWED_COUNTRIES: listOrAll({
    section: 'guard',
    about:
      'The countries messages may go to; `*` is every country. The production default is short on purpose: where a message is dear, fraud follows, so such a market needs your explicit yes.',
    fallback: undefined,
    fallbackText: `*; in production ${defaultCountries.join(',')}`,
    accepts: 'countries of two letters, or `*`',
    item: parseCountry,
    identity: same,
    example: 'US,CA,GB',
  }),
  ALLOW_VOIP: boolean({
    section: 'guard',
    about: 'Whether internet telephone numbers (VoIP) get messages.',
    fallback: true,
  }),

  ...providerChoice,
  SERVICE_NAME: text({
    section: 'messaging',
    about: 'The name people read in the message. It must not read as a link.',
    fallback: 'Countersign',
    accepts: '1 to 32 letters, digits, spaces and `.` `-` `_`',
    parse: parseServiceName,
  }),
  DEFAULT_LOCALE: text({
    section: 'messaging',
    about: 'The language of a message when a start names none.',
    fallback: 'en',
    accepts: 'a language tag',
    parse: parseLocale,
  }),

  CODE_DOMAIN: text({
    section: 'messaging',
    about:
      'The host whose pages codes are typed into. Texts with a code then end in `@host #code`, by which browsers fill the code in on that site and on no other. `off` leaves the line out. It is there only where it costs no second segment.',
    fallback: undefined,
    fallbackText: 'the host of `PUBLIC_URL` where that is `https://`',
    accepts: 'a host name such as `app.example.com`, or `off`',
    parse: parseCodeDomain,
    example: 'app.example.com',
  }),
  ANDROID_APP_HASH: text({
    section: 'messaging',
    about:
      'The hash by which Android’s SMS Retriever gives texts with a code to your app; they carry it in a line of its own, before that of `CODE_DOMAIN`. It is there only where it costs no second segment.',
    fallback: undefined,
    accepts: '11 characters of base64',
    parse: matching(/^[A-Za-z0-9+/]{11}$/, '11 letters, digits, + and /'),
    example: 'FA+9qCX9VSu',
  }),

  ...providerSettings,

  ACCESS_TOKEN_EXPIRE_MINUTES: integer({
    section: 'signIn',
    about:
      'How long an access token is good for. Here a sign-out holds at once; where tokens are checked offline, when they end.',
    fallback: 15,
    min: 1,
    max: 1440,
    unit: 'minutes',
  }),
  ACCESS_TOKEN_AUDIENCE: text({
    section: 'signIn',
    about: 'The `aud` of access tokens: whom they are for. Your other servers look at it.',
    fallback: 'default',
    accepts: 'up to 200 visible characters',
    parse: matching(/^[\x21-\x7e]{1,200}$/, 'up to 200 visible characters'),
  }),
  SESSION_DAYS: integer({
    section: 'signIn',
    about: 'A session ends so long after the sign-in, however much it is used.',
    fallback: 90,
    min: 1,
    max: 3650,
    unit: 'days',
  }),
  SESSION_IDLE_DAYS: integer({
    section: 'signIn',
    about: 'A session ends so long after its last use.',
    fallback: 30,
    min: 1,
    max: 3650,
    unit: 'days',
  }),
  REFRESH_GRACE_SECONDS: integer({
    section: 'signIn',
    about:
      'How long a refresh token that was just used may come again, by the same client: its answer may have been lost. It gets the same new token. Later, and for any older one, the session ends.',
    fallback: 10,
    min: 0,
    max: 10,
    unit: 'seconds',
  }),
  FRESH_SIGN_IN_SECONDS: integer({
    section: 'signIn',
    about: 'Changing the number of an account wants a sign-in that is no older when it is asked for.',
    fallback: 300,
    min: 30,
    max: 3600,
    unit: 'seconds',
  }),
  SECOND_FACTOR: choice({
    section: 'signIn',
    about:
      'Whether people may have a second factor. `off`: nobody can turn one on; whoever has one keeps it. `required`: who has none can do nothing else in their account before turning one on.',
    of: ['off', 'offered', 'required'],
    fallback: 'offered',
  }),
  SECOND_FACTOR_SMS: choice({
    section: 'signIn',
    about:
      'Whether texts are a second factor. `fallback`: beside an authenticator app alone. Texts that were turned on before stay.',
    of: ['allowed', 'fallback', 'off'],
    fallback: 'allowed',
  }),
  STEP_UP_SECONDS: integer({
    section: 'signIn',
    about:
      'With a second factor, changing the number, the password, the factors or the backup codes wants one that was shown no longer ago.',
    fallback: 300,
    min: 30,
    max: 3600,
    unit: 'seconds',
  }),
  SECOND_FACTOR_RESET_HOURS: integer({
    section: 'signIn',
    about:
      'How long an administrator who takes the second factors off an account has to wait. Its owner is told, and ends it by a sign-in with one of them.',
    fallback: 72,
    min: 1,
    max: 720,
    unit: 'hours',
  }),
  DEVICE_DAYS: integer({
    section: 'signIn',
    about: 'How long a device is remembered, on which its user is spared the second factor.',
    fallback: 30,
    min: 1,
    max: 365,
    unit: 'days',
  }),
  WRONG_APP_CODES_PER_ACCOUNT_DAY: integer({
    section: 'signIn',
    about:
      'Wrong codes of an authenticator app for one account. Another factor, or a remembered device, still opens it.',
    fallback: 20,
    min: 5,
    max: 1000,
    unit: 'in 24 hours',
  }),
  PHONE_PROOF_DAYS: integer({
    section: 'signIn',
    about:
      'A number that was proven longer ago may belong to somebody else by now: whoever proves it then gets an account of their own, the old account keeps everything but the number, and no code resets its password. Each sign-in by code is a new proof.',
    fallback: 365,
    min: 1,
    max: 36500,
    unit: 'days',
  }),
  PASSWORD_MIN_LENGTH: integer({
    section: 'signIn',
    about: 'The fewest characters of a password. NIST SP 800-63B asks for 15 where it is all there is.',
    fallback: 8,
    min: 8,
    max: 64,
    unit: 'characters',
  }),
  ARGON2_MEMORY_KIB: integer({
    section: 'signIn',
    about:
      'Memory of a password hash (argon2id). A password is hashed anew at its next use when this changes.',
    fallback: 19456,
    min: 7168,
    max: 65536,
    unit: 'KiB',
  }),
  ARGON2_PASSES: integer({
    section: 'signIn',
    about: 'Passes over that memory.',
    fallback: 2,
    min: 1,
    max: 20,
    unit: 'passes',
  }),
  PASSWORD_HASHES_AT_ONCE: integer({
    section: 'signIn',
    about: 'Passwords that a process hashes at once, each in a thread of its own; others wait.',
    fallback: 2,
    min: 1,
    max: 64,
    unit: 'hashes',
  }),
  SIGN_IN_CALLS_PER_ADDRESS_HOUR: integer({
    section: 'signIn',
    about: 'Calls of the sign-in API without a session, by one address (IPv6: by /64).',
    fallback: 300,
    min: 1,
    max: 86400,
    unit: 'calls',
  }),
  PASSWORDS_PER_ADDRESS_HOUR: integer({
    section: 'signIn',
    about: 'Passwords tried by one address.',
    fallback: 60,
    min: 1,
    max: 86400,
    unit: 'passwords',
  }),
  WRONG_PASSWORDS_PER_ACCOUNT_AND_ADDRESS_HOUR: integer({
    section: 'signIn',
    about: 'Wrong passwords for one account from one address.',
    fallback: 10,
    min: 1,
    max: 100,
    unit: 'passwords',
  }),
  WRONG_PASSWORDS_PER_ACCOUNT_DAY: integer({
    section: 'signIn',
    about:
      'Wrong passwords for one account from anywhere. Its owner still comes in from an address with a session of theirs, and with a code.',
    fallback: 100,
    min: 1,
    max: 1000,
    unit: 'passwords',
  }),
  CALLS_PER_SESSION_MINUTE: integer({
    section: 'signIn',
    about: 'Calls of the sign-in API with one session, refreshes included.',
    fallback: 120,
    min: 1,
    max: 86400,
    unit: 'calls',
  }),

  ...accountSettings,

  DEV_MODE: boolean({
    section: 'testing',
    about:
      'Serves the inbox at `/dev/inbox` and tells the code in the answer to a start. For a developer’s machine; `npm start` turns it on.',
    fallback: false,
    inProduction: '`true` is refused',
  }),
  DEV_PREVIEW_CODE: text({
    section: 'testing',
    about:
      'The code that the sign-in API answers in dev mode to a request for a sign-in code, and the only one that it then takes. Only with `DEV_MODE=true`.',
    fallback: '123456',
    accepts: '6 to 10 digits',
    parse: matching(/^\d{6,10}$/, '6 to 10 digits'),
    inProduction: 'refused',
  }),
  TEST_PHONE_NUMBERS: list({
    section: 'testing',
    about:
      'Numbers with a fixed code, for app store review and CI: nothing is sent to them and no limits apply.',
    fallback: [],
    accepts: '`number=code`, comma-separated',
    item: parseTestPhone,
    identity: (item) => item.phone,
    secret: true,
    example: '+15005550006=123456',
    inProduction: 'codes such as 123456 or 000000 are refused',
  }),

  LOG_LEVEL: choice({
    section: 'upkeep',
    about: 'How much is logged. No level logs a code, a key or a whole phone number.',
    of: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    fallback: 'info',
  }),
  RETENTION_DAYS: integer({
    section: 'upkeep',
    about: 'How long ended verifications and messages are kept.',
    fallback: 30,
    min: 1,
    max: 3650,
    unit: 'days',
  }),
  EVENT_RETENTION_DAYS: integer({
    section: 'upkeep',
    about: 'How long the log of sign-ins and changes to accounts is kept.',
    fallback: 365,
    min: 1,
    max: 3650,
    unit: 'days',
  }),
  IDEMPOTENCY_HOURS: integer({
    section: 'upkeep',
    about: 'How long an `Idempotency-Key` is remembered.',
    fallback: 24,
    min: 1,
    max: 168,
    unit: 'hours',
  }),
} as const satisfies Record<string, Setting>

/** The name of a setting. */
export type SettingKey = keyof typeof settings

/** What every setting was read as; undefined where it was not given and has no default of its own. */
export type Values = {
  readonly [K in SettingKey]: (typeof settings)[K] extends Setting<infer T, infer D>
    ? undefined extends D
      ? T | undefined
      : T
    : never
}

/** Every setting with its name, in the manual's order. */
export const settingList: readonly (readonly [SettingKey, Setting])[] = Object.keys(settings)
  .filter((key): key is SettingKey => Object.hasOwn(settings, key))
  .map((key) => [key, settings[key]] as const)
