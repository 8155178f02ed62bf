import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findStaleDocs } from '../../scripts/generate-config-docs.ts'
import { ConfigError, loadEnvironment, readConfig, type EnvironmentVariables } from '../src/config.ts'
import { settingList } from '../src/config-schema.ts'

const twilio = {
  TWILIO_ACCOUNT_SID: `AC${'0123456789abcdef'.repeat(2)}`,
  TWILIO_AUTH_TOKEN: '9f8e7d6c5b4a39281706f5e4d3c2b1a0',
  TWILIO_PHONE_NUMBER: '+15005550006',
}

const production = {
  NODE_ENV: 'production',
  SECRET_KEY: 'yG3v0Zt8qLx1rWm5Kc7Nf2Hs9Bd4Jp6TaUeXo',
  PUBLIC_URL: 'https://verify.example.com',
  ...twilio,
}

const POSTGRES = { DATABASE_URL: 'postgresql://me:p%40ss@a.example,b.example:6432/auth?sslmode=require' }
const MONGO = { DATABASE_URL: 'mongodb+srv://me:secret@cluster.example/auth?retryWrites=true' }

/** Files as a test has them: one with a key, all others empty. */
const read = (path: string) => (path === '/run/key' ? `${production.SECRET_KEY}\n` : '')

function problemsOf(env: EnvironmentVariables, readFile?: (path: string) => string): ConfigError {
  try {
    readConfig(env, readFile)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('the environment was accepted')
}

function problemsOfOrNone(env: EnvironmentVariables): ConfigError['problems'] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

/** The keys that were refused, each of them also named by the message. */
function refusedKeys(env: EnvironmentVariables): string[] {
  const error = problemsOf(env)
  for (const { key } of error.problems) expect(error.message).toContain(key)
  return error.problems.map(({ key }) => key)
}

/** The paths of the members that can still be written. */
function findUnfrozen(value: unknown, path = 'config'): string[] {
  if (typeof value !== 'object' || value === null) return []
  const here = Object.isFrozen(value) ? [] : [path]
  return [
    ...here,
    ...Object.entries(value).flatMap(([key, member]) => findUnfrozen(member, `${path}.${key}`)),
  ]
}

const integers = settingList.filter(([, { kind }]) => kind === 'integer')
const booleans = settingList.filter(([, { kind }]) => kind === 'boolean').map(([key]) => key)

describe('defaults', () => {
  test('an empty environment is a developer’s machine with the inbox', () => {
    const config = readConfig({})
    expect(config).toMatchObject({
      env: 'development',
      dataDir: './data',
      http: { port: 8080, host: '127.0.0.1', publicUrl: 'http://localhost:8080', publicUrlGiven: false },
      secrets: { secretKey: undefined, previousSecretKeys: [], apiKeys: [] },
      store: { kind: 'sqlite', path: join('data', 'countersign.db'), synchronous: 'full' },
      verify: {
        codeLength: 6,
        codeTtlSeconds: 600,
        codeTtlSecondFactorSeconds: 300,
        checksPerVerification: 5,
        sendsPerVerification: 5,
        resendCooldownSeconds: 30,
        resendCooldownMaxSeconds: 600,
        startDeadlineMs: 8000,
      },
      limits: {
        sendsPerPhone: 5,
        sendsPerPhoneWindowSeconds: 3600,
        sendsPerPhoneDay: 10,
        wrongChecksPerPhoneDay: 20,
        wrongChecksPerAddressDay: 50,
        startsPerAddressHour: 30,
        checksPerAddressHour: 60,
        publishableStartsPerAddressHour: 15,
        publishableChecksPerAddressHour: 30,
        publishableReadsPerAddressHour: 600,
        messagesPerPhoneHour: 30,
      },
      guard: { allowedCountries: '*', allowVoip: true },
      messaging: {
        providers: ['mock'],
        serviceName: 'Countersign',
        defaultLocale: 'en',
        tables: { routes: undefined, prices: undefined },
        deliveryReceipts: 'auto',
        confirmedFailover: true,
        confirmedFailoverExcept: [],
        failoverChannels: [],
        patienceMs: 4000,
        autofill: { domain: undefined, appHash: undefined },
      },
      twilio: undefined,
      twilioVerify: undefined,
      sns: undefined,
      vonage: undefined,
      smpp: undefined,
      webhook: undefined,
      dev: { mode: false, previewCode: '123456' },
      log: { level: 'info' },
      retention: { days: 30, idempotencyHours: 24 },
      warnings: [],
    })
  })

  test('production listens to everyone, trusts nobody and sends to a short list of countries', () => {
    const config = readConfig(production)
    expect(config.http).toMatchObject({ host: '0.0.0.0', trustedProxies: [], corsOrigins: [] })
    expect(config.guard.allowedCountries).toContain('US')
    expect(config.guard.allowedCountries).toHaveLength(19)
    expect(config.messaging.providers).toEqual(['twilio'])
    expect(config.twilio).toMatchObject({ from: '+15005550006', maxRetries: 3, retryDelayMs: 1000 })
    expect(config.warnings).toEqual([])
  })

  test('empty texts and lists count as not given; spaces around a value do not count', () => {
    const empty = settingList.filter(([, { kind }]) => kind === 'text' || kind === 'list')
    const config = readConfig(Object.fromEntries(empty.map(([key]) => [key, ' '])))
    // Tables of routes and prices are functions, each its own.
    expect(JSON.stringify(config)).toBe(JSON.stringify(readConfig({})))
    expect(readConfig({ PORT: ' 9000 ' }).http.port).toBe(9000)
  })

  test('every member of the config is frozen', () => {
    const env = {
      ...production,
      CORS_ORIGINS: 'https://a.example',
      TEST_PHONE_NUMBERS: '+15005550006=847261',
    }
    expect(findUnfrozen(readConfig(env))).toEqual([])
    expect(findUnfrozen(readConfig({}))).toEqual([])
    expect(findUnfrozen(readConfig(production))).toEqual([])
  })
})

describe('numbers (R87, R2, A29)', () => {
  const malformed = [
    '',
    ' ',
    'abc',
    'NaN',
    'Infinity',
    '-Infinity',
    '-1',
    '1e999',
    '5m',
    '0x10',
    '1e3',
    '5.5',
  ]
  const odd = ['+5', '05', '1_000', '1,000', '٥', 'null', 'undefined', '__proto__', '99999999999999999999']

  test.each(integers)('%s refuses whatever is not a number', (key) => {
    for (const text of [...malformed, ...odd]) expect(refusedKeys({ [key]: text }), text).toEqual([key])
  })

  test.each(integers)('%s takes its bounds and nothing beyond', (key, { min, max }) => {
    const [low = Number.NaN, high = Number.NaN] = [min, max]
    for (const text of [String(low), String(high)]) {
      const refused = problemsOfOrNone({ [key]: text }).filter(({ problem }) => problem.startsWith('must be'))
      expect(refused, text).toEqual([])
    }
    expect(refusedKeys({ [key]: String(high + 1) })).toEqual([key])
    expect(refusedKeys({ [key]: String(low - 1) })).toEqual([key])
  })

  test('every number has a bound, and no limit can be put out of force', () => {
    expect(integers.length).toBeGreaterThanOrEqual(20)
    for (const [key, { min, max, section, fallback }] of integers) {
      expect(max, key).toBeLessThanOrEqual(86_400)
      if (section === 'limits') expect(min, key).toBeGreaterThanOrEqual(1)
      if (typeof fallback === 'number')
        expect(fallback >= (min ?? 0) && fallback <= (max ?? 0), key).toBe(true)
    }
  })

  test('short codes, long lives and many guesses are refused', () => {
    const env = {
      CODE_LENGTH: '5',
      CODE_TTL_SECONDS: '601',
      CODE_TTL_SECOND_FACTOR_SECONDS: '601',
      CHECKS_PER_VERIFICATION: '11',
      WRONG_CHECKS_PER_PHONE_DAY: '101',
    }
    expect(refusedKeys(env)).toEqual(Object.keys(env))
  })

  test('a window in milliseconds is refused', () => {
    expect(problemsOf({ SMS_RATE_LIMIT_WINDOW: '3600000' }).message).toContain('seconds')
  })
})

describe('booleans and choices', () => {
  test.each(booleans)('%s refuses whatever is not a boolean', (key) => {
    for (const text of ['', 'on', 'off', 'enabled', '2', 'null', 'truee', '__proto__'])
      expect(refusedKeys({ [key]: text }), text).toEqual([key])
  })

  test('true, 1 and yes are true; false, 0 and no are false', () => {
    for (const text of ['true', 'TRUE', '1', 'yes'])
      expect(readConfig({ DEV_MODE: text }).dev.mode).toBe(true)
    for (const text of ['false', 'False', '0', 'no'])
      expect(readConfig({ DOCS_ENABLED: text }).http.docsEnabled).toBe(false)
  })

  test('every pair of booleans means what was asked, and turns nothing else off (A42)', () => {
    const texts = ['true', 'false', undefined]
    for (const first of booleans) {
      for (const second of booleans.filter((key) => key > first)) {
        for (const [one, other] of texts.flatMap((a) => texts.map((b) => [a, b] as const))) {
          const env: EnvironmentVariables = {
            ...twilio,
            SECRET_KEY: production.SECRET_KEY,
            METRICS_TOKEN: 'a-metrics-token-Zx81',
            ALLOWED_COUNTRIES: 'US',
            [first]: one,
            [second]: other,
          }
          const asked = (key: string, byDefault: boolean) =>
            env[key] === undefined ? byDefault : env[key] === 'true'
          const config = readConfig(env)
          expect(config.dev.mode).toBe(asked('DEV_MODE', false))
          expect(config.http.docsEnabled).toBe(asked('DOCS_ENABLED', true))
          expect(config.guard.allowVoip).toBe(asked('ALLOW_VOIP', true))
          expect(config.messaging.confirmedFailover).toBe(asked('CONFIRMED_FAILOVER', true))
          expect(config.messaging.providers).toEqual([asked('SMS_MOCK_MODE', false) ? 'mock' : 'twilio'])
          const plain = readConfig({ ...env, [first]: undefined, [second]: undefined })
          expect({ ...config.http, docsEnabled: true }).toEqual(plain.http)
          expect(config.limits).toEqual(plain.limits)
          expect(config.verify).toEqual(plain.verify)
          expect(config.guard.allowedCountries).toEqual(plain.guard.allowedCountries)
          expect(config.secrets).toEqual(plain.secrets)
        }
      }
    }
  })

  test.each(['prod', 'Production', 'PRODUCTION', 'staging', '', 'constructor'])(
    'NODE_ENV=%s is refused',
    (text) => {
      expect(refusedKeys({ NODE_ENV: text })).toEqual(['NODE_ENV'])
    },
  )

  test.each(['LOG_LEVEL', 'SQLITE_SYNCHRONOUS'])('%s refuses what is not one of its names', (key) => {
    for (const text of ['', 'verbose', '__proto__', 'toString'])
      expect(refusedKeys({ [key]: text })).toEqual([key])
  })
})

describe('problems', () => {
  test('every bad key is reported at once', () => {
    const env = Object.fromEntries(
      settingList
        .filter(([, { kind }]) => kind !== 'text' && kind !== 'list')
        .map(([key]) => [key, 'nonsense']),
    )
    const others = {
      HOST: 'a b',
      PUBLIC_URL: 'nonsense',
      ALLOWED_COUNTRIES: 'ZZ',
      TWILIO_ACCOUNT_SID: 'nonsense',
    }
    const expected = settingList.map(([key]) => key).filter((key) => key in env || key in others)
    const refused = refusedKeys({ ...env, ...others })
    expect(expected.length).toBeGreaterThan(30)
    expect(refused).toEqual(expect.arrayContaining(expected))
    expect(new Set(refused).size).toBe(refused.length)
  })

  test('a secret is never shown, wherever and however it is wrong', () => {
    const canaries = [
      'CANARY',
      'CANARY-93c1 with, spaces\u0007',
      `CANARY${'x'.repeat(2000)}`,
      'CANARYCANARYCANARYCANARY,',
    ]
    const names = settingList
      .filter(([, { secret }]) => secret)
      .flatMap(([key, { older }]) => [key, ...older])
      .flatMap((name) => [name, `${name}_FILE`])
    expect(names).toEqual(
      expect.arrayContaining(['SECRET_KEY', 'SMS_API_SECRET', 'API_KEYS_FILE', 'METRICS_TOKEN']),
    )
    for (const name of names) {
      for (const canary of canaries) {
        for (const env of [{}, production]) {
          const problems = problemsOfOrNone({ ...env, [name]: canary, NODE_ENV: 'production', DEV_MODE: 'x' })
          expect(problems.length).toBeGreaterThan(0)
          expect(JSON.stringify(problems), name).not.toContain('CANARY')
        }
      }
    }
  })

  test('no setting shows a long value or one that may hold a password', () => {
    for (const [key] of settingList) {
      for (const value of [`CANARY${'x'.repeat(60)}`, 'http://me:CANARY@example.com', 'https://CANARY@x/y?z'])
        expect(JSON.stringify(problemsOfOrNone({ [key]: value })), key).not.toContain('CANARY')
    }
    for (const key of ['TWILIO_ACCOUNT_SID', 'TWILIO_API_KEY_SID', 'TWILIO_PHONE_NUMBER', 'SMS_API_KEY'])
      expect(problemsOf({ [key]: 'CANARY-auth-token' }).message).not.toContain('CANARY')
  })

  test('what a file holds is never shown either', () => {
    const error = problemsOf({ TWILIO_AUTH_TOKEN_FILE: '/secret' }, () => 'CANARY')
    expect(error.problems[0]?.key).toBe('TWILIO_AUTH_TOKEN_FILE')
    expect(error.message).not.toContain('CANARY')
  })
})

describe('secrets from files', () => {
  test('every name of every secret has a _FILE variable', () => {
    expect(readConfig({ SECRET_KEY_FILE: '/run/key' }, read).secrets.secretKey).toBe(production.SECRET_KEY)
    const env = { ...twilio, TWILIO_AUTH_TOKEN: undefined, SMS_API_SECRET_FILE: '/run/key' }
    expect(readConfig(env, read).twilio?.authToken).toBe(production.SECRET_KEY)
  })

  test('a variable and its file together are refused, as are empty and missing files', () => {
    expect(problemsOf({ SECRET_KEY: 'a', SECRET_KEY_FILE: '/run/key' }, read).problems).toEqual([
      { key: 'SECRET_KEY', problem: 'and SECRET_KEY_FILE are both given: keep one' },
    ])
    expect(problemsOf({ SECRET_KEY_FILE: '/empty' }, read).message).toContain('SECRET_KEY_FILE names a file')
    expect(refusedKeys({ SECRET_KEY_FILE: '/no/such/file' })).toEqual(['SECRET_KEY_FILE'])
    expect(readConfig({ SECRET_KEY: 'a', SECRET_KEY_FILE: '' }).secrets.secretKey).toBe('a')
  })
})

describe('older names', () => {
  test('each means its setting', () => {
    const config = readConfig({
      SMS_API_KEY: twilio.TWILIO_ACCOUNT_SID,
      SMS_API_SECRET: twilio.TWILIO_AUTH_TOKEN,
      SMS_SENDER_ID: 'MyBrand',
      TWILIO_MAX_SMS_PER_HOUR: '7',
      TWILIO_MAX_SMS_PER_DAY: '9',
    })
    expect(config.twilio).toMatchObject({
      accountSid: twilio.TWILIO_ACCOUNT_SID,
      authToken: twilio.TWILIO_AUTH_TOKEN,
      from: 'MyBrand',
    })
    expect(config.limits).toMatchObject({ sendsPerPhone: 7, sendsPerPhoneDay: 9 })
    expect(readConfig({ ...twilio, TWILIO_FROM_NUMBER: '+15005550006' }).twilio?.from).toBe('+15005550006')
  })

  test('two names that differ are refused, naming both; two that agree are not', () => {
    for (const [key, { older }] of settingList.filter(([, { kind }]) => kind === 'integer')) {
      for (const name of older) {
        expect(problemsOf({ [key]: '5', [name]: '6' }).message).toMatch(new RegExp(`${key} and ${name} `))
        expect(() => readConfig({ [key]: '5', [name]: '5' })).not.toThrow()
      }
    }
    const error = problemsOf({ ...twilio, TWILIO_FROM_NUMBER: '+15005550007', SMS_SENDER_ID: '+15005550006' })
    expect(error.message).toContain('TWILIO_PHONE_NUMBER and TWILIO_FROM_NUMBER ')
    expect(error.problems).toHaveLength(1)
  })

  test('an hourly limit contradicts a window that is not an hour', () => {
    const env = { TWILIO_MAX_SMS_PER_HOUR: '5', SMS_RATE_LIMIT_WINDOW: '60' }
    for (const also of [{}, { SMS_RATE_LIMIT_PER_PHONE: '5' }]) {
      expect(refusedKeys({ ...env, ...also })).toEqual(['TWILIO_MAX_SMS_PER_HOUR'])
      expect(problemsOf({ ...env, ...also }).message).toContain('SMS_RATE_LIMIT_WINDOW')
    }
  })
})

describe('contradictions name both keys', () => {
  const { TWILIO_AUTH_TOKEN: token, ...withoutToken } = twilio
  const apiKey = { TWILIO_API_KEY_SID: `SK${'0123456789abcdef'.repeat(2)}`, TWILIO_API_KEY_SECRET: token }

  test.each<[string, EnvironmentVariables, string[]]>([
    [
      'no account',
      { SMS_PROVIDER: 'twilio', ...twilio, TWILIO_ACCOUNT_SID: undefined },
      ['TWILIO_ACCOUNT_SID', 'SMS_PROVIDER'],
    ],
    ['no token', withoutToken, ['TWILIO_AUTH_TOKEN', 'TWILIO_API_KEY_SID', 'TWILIO_API_KEY_SECRET']],
    [
      'no sender',
      { ...twilio, TWILIO_PHONE_NUMBER: '' },
      ['TWILIO_PHONE_NUMBER', 'TWILIO_MESSAGING_SERVICE_SID'],
    ],
    [
      'a key alone',
      { ...twilio, TWILIO_API_KEY_SID: apiKey.TWILIO_API_KEY_SID },
      ['TWILIO_API_KEY_SID', 'TWILIO_API_KEY_SECRET'],
    ],
    [
      'a key’s secret alone',
      { SMS_MOCK_MODE: 'true', TWILIO_API_KEY_SECRET: token },
      ['TWILIO_API_KEY_SECRET', 'TWILIO_API_KEY_SID'],
    ],
    [
      'mock mode with Twilio',
      { ...twilio, SMS_MOCK_MODE: 'true', SMS_PROVIDER: 'twilio' },
      ['SMS_MOCK_MODE', 'SMS_PROVIDER'],
    ],
    [
      'mock mode with both',
      { ...twilio, SMS_MOCK_MODE: 'true', SMS_PROVIDER: 'twilio,mock' },
      ['SMS_MOCK_MODE', 'SMS_PROVIDER'],
    ],
    [
      'no mock mode with mock',
      { SMS_MOCK_MODE: 'false', SMS_PROVIDER: 'mock' },
      ['SMS_MOCK_MODE', 'SMS_PROVIDER'],
    ],
    ['no mock mode with nothing', { SMS_MOCK_MODE: 'false' }, ['SMS_MOCK_MODE', 'SMS_PROVIDER']],
    [
      'cooldowns',
      { RESEND_COOLDOWN_MAX_SECONDS: '10' },
      ['RESEND_COOLDOWN_MAX_SECONDS', 'RESEND_COOLDOWN_SECONDS'],
    ],
    [
      'cooldown and life',
      { RESEND_COOLDOWN_SECONDS: '90', CODE_TTL_SECONDS: '60' },
      ['RESEND_COOLDOWN_SECONDS', 'CODE_TTL_SECONDS'],
    ],
    [
      'deadline and timeout',
      { REQUEST_TIMEOUT_SECONDS: '5' },
      ['REQUEST_TIMEOUT_SECONDS', 'START_DEADLINE_MS'],
    ],
    [
      'publishable starts',
      { PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '31' },
      ['PUBLISHABLE_STARTS_PER_ADDRESS_HOUR', 'STARTS_PER_ADDRESS_HOUR'],
    ],
    [
      'publishable checks',
      { PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '61' },
      ['PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR', 'CHECKS_PER_ADDRESS_HOUR'],
    ],
    [
      'the same key twice',
      { SECRET_KEY: 'a', SECRET_KEYS_PREVIOUS: 'b,a' },
      ['SECRET_KEYS_PREVIOUS', 'SECRET_KEY'],
    ],
  ])('%s', (_name, env, keys) => {
    const { problems } = problemsOf(env)
    expect(problems).toHaveLength(1)
    expect(problems[0]?.key).toBe(keys[0])
    for (const key of keys) expect(`${problems[0]?.key} ${problems[0]?.problem}`).toContain(key)
  })

  test('half of the credentials never mean the inbox', () => {
    for (const key of ['TWILIO_AUTH_TOKEN', 'SMS_API_SECRET'])
      expect(() => readConfig({ [key]: token })).toThrow(ConfigError)
  })

  test('a malformed credential is one problem, not two', () => {
    expect(refusedKeys({ ...twilio, TWILIO_ACCOUNT_SID: 'AC12' })).toEqual(['TWILIO_ACCOUNT_SID'])
  })

  test('an API key stands in for the token, and a messaging service for the number', () => {
    const env = { ...withoutToken, ...apiKey, TWILIO_PHONE_NUMBER: undefined }
    const service = `MG${'0123456789abcdef'.repeat(2)}`
    const config = readConfig({ ...env, TWILIO_MESSAGING_SERVICE_SID: service })
    expect(config.twilio).toMatchObject({
      authToken: undefined,
      from: undefined,
      messagingServiceSid: service,
    })
    expect(config.twilio).toMatchObject({
      apiKeySid: apiKey.TWILIO_API_KEY_SID,
      apiKeySecret: token,
    })
    expect(config.warnings).toEqual([])
  })

  test('lower address limits pull the publishable ones down with them', () => {
    const { limits } = readConfig({ STARTS_PER_ADDRESS_HOUR: '10', CHECKS_PER_ADDRESS_HOUR: '20' })
    expect(limits).toMatchObject({ publishableStartsPerAddressHour: 10, publishableChecksPerAddressHour: 20 })
  })
})

describe('production (R15)', () => {
  const sk = 'sk_0Zt8qLx1rWm5Kc7Nf2Hs9Bd4'
  test.each<[string, EnvironmentVariables, string]>([
    ['dev mode', { DEV_MODE: 'true' }, 'DEV_MODE'],
    ['dev mode, otherwise spelt', { DEV_MODE: '1' }, 'DEV_MODE'],
    ['a preview code', { DEV_PREVIEW_CODE: '123456' }, 'DEV_PREVIEW_CODE'],
    ['the mock provider', { SMS_PROVIDER: 'mock' }, 'SMS_PROVIDER'],
    ['the mock provider as a second choice', { SMS_PROVIDER: 'twilio,mock' }, 'SMS_PROVIDER'],
    ['mock mode', { SMS_MOCK_MODE: 'yes' }, 'SMS_MOCK_MODE'],
    ['no provider', { TWILIO_ACCOUNT_SID: undefined, TWILIO_AUTH_TOKEN: undefined }, 'SMS_PROVIDER'],
    ['a provider nobody knows', { SMS_PROVIDER: 'plivo' }, 'SMS_PROVIDER'],
    ['no Twilio account', { TWILIO_ACCOUNT_SID: undefined }, 'TWILIO_ACCOUNT_SID'],
    ['no Twilio token', { TWILIO_AUTH_TOKEN: '' }, 'TWILIO_AUTH_TOKEN'],
    ['no Twilio number', { TWILIO_PHONE_NUMBER: undefined }, 'TWILIO_PHONE_NUMBER'],
    ['no secret key', { SECRET_KEY: undefined }, 'SECRET_KEY'],
    ['an empty secret key', { SECRET_KEY: ' ' }, 'SECRET_KEY'],
    ['a short secret key', { SECRET_KEY: 'yG3v0Zt8qLx1rWm5Kc7Nf2Hs9Bd4Jp6' }, 'SECRET_KEY'],
    ['changeme', { SECRET_KEY: 'changeme' }, 'SECRET_KEY'],
    ['changeme at length', { SECRET_KEY: 'change-me-secret-key-for-production-2024' }, 'SECRET_KEY'],
    ['one character', { SECRET_KEY: 'a'.repeat(40) }, 'SECRET_KEY'],
    ['a few characters', { SECRET_KEY: '0011010110100101101001011010011010110' }, 'SECRET_KEY'],
    ['a word over and over', { SECRET_KEY: 'Kx7pQ2mz'.repeat(5) }, 'SECRET_KEY'],
    ['the alphabet', { SECRET_KEY: 'abcdefghijklmnopqrstuvwxyz0123456789' }, 'SECRET_KEY'],
    ['a weak previous key', { SECRET_KEYS_PREVIOUS: 'changeme' }, 'SECRET_KEYS_PREVIOUS'],
    ['a guessable API key', { API_KEYS: `${sk},sk_test_test_test_test_test_test` }, 'API_KEYS'],
    ['a guessable metrics token', { METRICS_TOKEN: 'password-password' }, 'METRICS_TOKEN'],
    ['every origin', { CORS_ORIGINS: '*' }, 'CORS_ORIGINS'],
    ['a public URL in the clear', { PUBLIC_URL: 'http://verify.example.com' }, 'PUBLIC_URL'],
    ['Twilio in the clear', { TWILIO_BASE_URL: 'http://proxy.example.com' }, 'TWILIO_BASE_URL'],
    ['a database in memory', { DATABASE_URL: 'sqlite::memory:' }, 'DATABASE_URL'],
    ['an obvious test code', { TEST_PHONE_NUMBERS: '+15005550006=123456' }, 'TEST_PHONE_NUMBERS'],
    ['a test code of one digit', { TEST_PHONE_NUMBERS: '+15005550006=000000' }, 'TEST_PHONE_NUMBERS'],
    ['a database not served', { DATABASE_URL: 'mysql://u:p@db/x' }, 'DATABASE_URL'],
    ['a Redis that is none', { REDIS_URL: 'http://cache' }, 'REDIS_URL'],
    ['workers on SQLite', { WORKERS: '2' }, 'WORKERS'],
    ['everyone as a proxy', { TRUSTED_PROXIES: '0.0.0.0/0' }, 'TRUSTED_PROXIES'],
  ])('refuses %s', (_name, env, key) => {
    expect(refusedKeys({ ...production, ...env })).toEqual([key])
  })

  test('takes what is safe', () => {
    const config = readConfig({
      ...production,
      DEV_MODE: 'false',
      SMS_MOCK_MODE: 'false',
      SECRET_KEYS_PREVIOUS: '3f9a1c5e7b2d4f6081a3c5e7092b4d6f,Q7vZ0tY8qLx1rWm5Kc7Nf2Hs9Bd4Jp6Ta',
      API_KEYS: `${sk},pk_Wm5Kc7Nf2Hs9Bd4Jp6TaUeXo`,
      PUBLIC_URL: 'http://localhost:8080/',
      TWILIO_BASE_URL: 'http://127.0.0.1:9000/twilio/',
      TEST_PHONE_NUMBERS: '+15005550006=847261,+15005550009=112233',
      CORS_ORIGINS: 'https://app.example.com',
    })
    expect(config.dev.mode).toBe(false)
    expect(config.secrets.previousSecretKeys).toHaveLength(2)
    expect(config.http.publicUrl).toBe('http://localhost:8080')
    expect(config.twilio?.baseUrl).toBe('http://127.0.0.1:9000/twilio')
  })

  test('a developer’s machine is not held to it', () => {
    const env = {
      CORS_ORIGINS: '*',
      DEV_MODE: 'true',
      SECRET_KEY: 'x',
      TEST_PHONE_NUMBERS: '+15005550006=123456',
    }
    expect(readConfig({ ...env, DATABASE_URL: 'sqlite::memory:' }).http.corsOrigins).toBe('*')
  })
})

describe('stores', () => {
  test('Postgres is told of by its hosts and its database, and its URL is kept as it was given', () => {
    expect(readConfig({ ...POSTGRES, SECRET_KEY: 'x' }).store).toEqual({
      kind: 'postgres',
      url: POSTGRES.DATABASE_URL,
      name: 'a.example:5432,b.example:6432/auth',
      poolSize: 10,
      prepare: true,
    })
    const env = { ...POSTGRES, DATABASE_POOL_SIZE: '3', DATABASE_PREPARED_STATEMENTS: 'false' }
    expect(readConfig(env).store).toMatchObject({ poolSize: 3, prepare: false })
    expect(readConfig({ DATABASE_URL: 'postgres://[::1]:6432/x' }).store).toMatchObject({
      name: '[::1]:6432/x',
    })
  })

  test('so is MongoDB', () => {
    expect(readConfig({ ...MONGO, SECRET_KEY: 'x' }).store).toEqual({
      kind: 'mongodb',
      url: MONGO.DATABASE_URL,
      name: 'cluster.example/auth',
    })
    expect(readConfig({ DATABASE_URL: 'mongodb://db/x' }).store).toMatchObject({ name: 'db:27017/x' })
  })

  test('Redis is the limiter where it is given, and nothing is where it is not', () => {
    expect(readConfig({}).limiter).toBeUndefined()
    const url = 'rediss://me:secret@a.example,b.example:7000'
    expect(readConfig({ ...POSTGRES, REDIS_URL: url }).limiter).toEqual({
      url,
      name: 'a.example:6379,b.example:7000',
    })
  })

  test('both URLs are read from files too', () => {
    const files: Record<string, string> = {
      '/db': `${POSTGRES.DATABASE_URL}\n`,
      '/redis': 'redis://:secret@cache\n',
    }
    const config = readConfig(
      { DATABASE_URL_FILE: '/db', REDIS_URL_FILE: '/redis' },
      (path) => files[path] ?? '',
    )
    expect(config.store).toMatchObject({ kind: 'postgres', url: POSTGRES.DATABASE_URL })
    expect(config.limiter).toMatchObject({ name: 'cache:6379' })
  })

  test.each(['DATABASE_URL', 'REDIS_URL'])('%s is never shown, however it is wrong', (key) => {
    for (const text of [
      'postgres://me:CANARY@',
      'postgres://me:CANARY@db',
      'postgres://me:CANARY@db:x/y',
      'postgres://me:CAN#CANARY@db/y',
      'mysql://me:CANARY@db/y',
      'redis://CANARY@cache',
      'redis://:CANARY@cache:x',
      'CANARY',
    ])
      expect(JSON.stringify(problemsOfOrNone({ [key]: text })), text).not.toContain('CANARY')
  })

  test('production takes each of them', () => {
    for (const env of [{}, POSTGRES, MONGO])
      expect(readConfig({ ...production, ...env }).warnings).toEqual([])
  })
})

describe('workers', () => {
  test('as many as are asked for, where the database serves many', () => {
    expect(readConfig({}).workers).toBe(1)
    expect(readConfig({ ...POSTGRES, WORKERS: '4' }).workers).toBe(4)
    expect(readConfig({ ...MONGO, WORKERS: 'auto' }).workers).toBe('auto')
  })

  test('more than one is refused where only one can serve, naming what is in the way', () => {
    expect(problemsOf({ WORKERS: '2' }).message).toMatch(/WORKERS is 2, but SQLite .*postgres:\/\//)
    const inbox = { ...POSTGRES, WORKERS: '2', DEV_MODE: 'true' }
    expect(problemsOf(inbox).message).toMatch(/WORKERS is 2, but the development inbox .*DEV_MODE/)
    expect(readConfig({ ...inbox, DEV_MODE: 'false' }).workers).toBe(2)
    expect(readConfig({ ...inbox, ...twilio }).workers).toBe(2)
    expect(readConfig({ WORKERS: '1' }).workers).toBe(1)
  })

  test('auto is one where only one can serve', () => {
    expect(readConfig({ WORKERS: 'auto' }).workers).toBe(1)
    expect(readConfig({ ...POSTGRES, WORKERS: 'auto', DEV_MODE: 'true' }).workers).toBe(1)
  })
})

describe('texts and lists', () => {
  test.each([
    ['0.0.0.0/0'],
    ['::/0'],
    ['10.0.0.0/0'],
    ['0.0.0.0/1,128.0.0.0/1'],
    ['::/1'],
    ['::ffff:0:0/96'],
    ['::ffff:0:0/97'],
    ['::ffff:0:0/105'],
    ['10.0.0.0/33'],
    ['10.0.0.0/8/8'],
    ['10.0.0.0/'],
    ['10.0.0/8'],
    ['fe80::1%eth0/64'],
    ['*'],
    ['true'],
    ['loopback'],
    ['10.0.0.0/8,,'],
    ['10.0.0.0/8,10.0.0.0/8'],
    ['__proto__'],
  ])('TRUSTED_PROXIES=%s is refused (A46)', (text) => {
    expect(refusedKeys({ TRUSTED_PROXIES: text })).toEqual(['TRUSTED_PROXIES'])
  })

  test('TRUSTED_PROXIES takes networks and addresses', () => {
    const text = '10.0.0.0/8, 192.0.2.7,fc00::/7,2400:CB00::/32'
    expect(readConfig({ TRUSTED_PROXIES: text }).http.trustedProxies).toEqual([
      '10.0.0.0/8',
      '192.0.2.7',
      'fc00::/7',
      '2400:cb00::/32',
    ])
  })

  test.each<[string, readonly string[]]>([
    [
      'CORS_ORIGINS',
      [
        'null',
        'app.example.com',
        'https://a.example/',
        'https://a.example/x',
        'https://*.a.example',
        '*,https://a.example',
        'https://u:p@a.example',
        'https://a.example?x',
        'https://a.example:99999',
      ],
    ],
    [
      'PUBLIC_URL',
      [
        'a.example',
        'ftp://a.example',
        'https://a.example/x',
        'https://a.example?x',
        'https://a.example#',
        'https://u:p@a.example',
        'https:a.example',
        'https://',
      ],
    ],
    ['TWILIO_BASE_URL', ['a.example', 'ftp://a.example', 'https://a.example?x', 'https://u@a.example']],
    ['HOST', ['a b', 'a:80', 'http://a', '999.1.1.1', '-a', 'a..b', '*']],
    ['ALLOWED_COUNTRIES', ['USA', 'UK', 'ZZ', 'US,*', 'US;CA', '+1', 'US,us']],
    ['SMS_PROVIDER', ['plivo', 'twilio,twilio_verify', 'twilio,twilio', 'twilio mock']],
    [
      'DATABASE_URL',
      [
        'postgres://',
        'postgresql://db',
        'postgres://db/',
        'postgres:///x',
        'postgres://db:0/x',
        'postgres://db:65536/x',
        'postgres://db:port/x',
        'postgres://me:p@ss@db/x',
        'postgres://me:p#ss@db/x',
        'postgres://me:p%zz@db/x',
        'postgres://d b/x',
        'postgres:db/x',
        'mongodb+srv://db',
        'mongodb+srv://db:27017/x',
        'mongodb+srv://a,b/x',
        'mongodb://db',
        'mysql://db/x',
        'redis://db/0',
        'sqlite:',
        'sqlite',
        'sqlite:///x',
        'sqlite:file:x',
        './x.db',
      ],
    ],
    [
      'REDIS_URL',
      [
        'cache',
        'redis:',
        'redis://',
        'http://cache',
        'redis://cache:99999',
        'redis://me@cache',
        'redis://cache/x',
      ],
    ],
    ['WORKERS', ['0', '65', '-1', '1.5', 'all', 'AUTO', '', '1e1']],
    [
      'TEST_PHONE_NUMBERS',
      [
        '+15005550006',
        '15005550006=123456',
        '+15005550006=123',
        '+15005550006=12345678901',
        '+05005550006=123456',
        '+15005550006=１２３４５６',
        '+15005550006=1234,+15005550006=5678',
      ],
    ],
    [
      'API_KEYS',
      [
        'sk_short',
        `ak_${'x'.repeat(30)}`,
        `sk_${'x'.repeat(23)}`,
        `sk_${'é'.repeat(30)}`,
        `sk_${'x'.repeat(30)},sk_${'x'.repeat(30)}`,
      ],
    ],
    [
      'SERVICE_NAME',
      [
        'a'.repeat(33),
        'A\nB',
        'http://evil',
        'evil.com',
        'www.evil',
        'A/B',
        'A:B',
        'Bank 🔒',
        'A\u202eB',
        '<b>',
      ],
    ],
    ['DEFAULT_LOCALE', ['english', 'EN', 'en_US', 'en-us', '../en']],
    ['DEV_PREVIEW_CODE', ['12345', '12345678901', 'abcdef', '１２３４５６']],
    ['TWILIO_PHONE_NUMBER', ['5005550006', '+0123456789', '+1 500 555 0006', 'ABrandThatIsLong', 'A-B']],
    ['TWILIO_ACCOUNT_SID', [`SK${'0'.repeat(32)}`, `AC${'0'.repeat(31)}`, `AC${'g'.repeat(32)}`]],
    ['TWILIO_AUTH_TOKEN', ['short', 'with spaces in the middle']],
    ['METRICS_TOKEN', ['short', 'with spaces in the middle']],
    ['SECRET_KEY', ['with,comma', 'with\nbreak']],
    ['DATA_DIR', ['a\u0000b']],
  ])('%s refuses what it cannot mean', (key, texts) => {
    const env = key.startsWith('TWILIO_') ? twilio : {}
    for (const text of texts) expect(refusedKeys({ ...env, [key]: text }), text).toEqual([key])
  })

  test('names that every object has mean nothing in a list', () => {
    const lists = settingList.filter(([, { kind }]) => kind === 'list').map(([key]) => key)
    expect(lists.length).toBeGreaterThanOrEqual(7)
    for (const key of lists.filter(
      (name) => !['SECRET_KEYS_PREVIOUS', 'CONFIRMED_FAILOVER_EXCEPT'].includes(name),
    )) {
      for (const text of ['__proto__', 'constructor', 'toString', 'hasOwnProperty,__proto__'])
        expect(refusedKeys({ [key]: text }), text).toEqual([key])
    }
    const env: unknown = JSON.parse('{"__proto__": "x", "constructor": "y", "SMS___proto__": "z"}')
    expect(readConfig(Object.assign({}, env)).env).toBe('development')
    expect(Object.keys(Object.prototype)).toEqual([])
  })

  test('values are kept in one spelling', () => {
    const config = readConfig({
      ALLOWED_COUNTRIES: 'us, gb',
      CORS_ORIGINS: 'HTTPS://App.Example.com:443,capacitor://localhost',
      PUBLIC_URL: 'https://Verify.Example.com/',
      SERVICE_NAME: 'Dr. Who_2-Café',
      TEST_PHONE_NUMBERS: '+15005550006=123456,+15005550009=0000',
      DATABASE_URL: 'sqlite:/var/lib/c.db',
      DEFAULT_LOCALE: 'pt-BR',
    })
    expect(config.guard.allowedCountries).toEqual(['US', 'GB'])
    expect(config.http.corsOrigins).toEqual(['https://app.example.com', 'capacitor://localhost'])
    expect(config.http.publicUrl).toBe('https://verify.example.com')
    expect(config.messaging).toMatchObject({ serviceName: 'Dr. Who_2-Café', defaultLocale: 'pt-BR' })
    expect(config.store).toMatchObject({ kind: 'sqlite', path: '/var/lib/c.db' })
    expect(config.testPhones).toEqual([
      { phone: '+15005550006', code: '123456' },
      { phone: '+15005550009', code: '0000' },
    ])
  })

  test('providers keep their order', () => {
    expect(readConfig({ ...twilio, SMS_PROVIDER: 'mock, twilio' }).messaging.providers).toEqual([
      'mock',
      'twilio',
    ])
  })
})

const MG = `MG${'0123456789abcdef'.repeat(2)}`
const HX = `HX${'0123456789abcdef'.repeat(2)}`
const VA = `VA${'0123456789abcdef'.repeat(2)}`
const WHSEC = `whsec_${Buffer.from('Kx7pQ2mzWq9rTb4vYc6nHd8sJf3gLk5a').toString('base64')}`
const vonage = {
  SMS_PROVIDER: 'vonage',
  VONAGE_API_KEY: 'a1b2c3d4',
  VONAGE_API_SECRET: 'Zx81-secret-of-vonage',
  VONAGE_FROM: 'Acme',
}
const sns = { SMS_PROVIDER: 'sns', AWS_REGION: 'eu-west-1' }
const smpp = {
  SMPP_URL: 'smpps://smsc.example.com',
  SMS_PROVIDER: 'smpp',
  SMPP_SYSTEM_ID: 'me',
  SMPP_PASSWORD: 'p@ss:w/rd',
  SMPP_FROM: 'Acme',
}
const webhook = {
  SMS_PROVIDER: 'webhook',
  WEBHOOK_URL: 'https://gateway.example.com/messages?from=acme',
  WEBHOOK_SECRET: WHSEC,
}
const { SECRET_KEY, PUBLIC_URL } = production
const bare = { NODE_ENV: 'production', SECRET_KEY, PUBLIC_URL }

/** Files by their path, as `readConfig` is given them. */
const filesOf =
  (files: Readonly<Record<string, unknown>>) =>
  (path: string): string => {
    const content = files[path]
    if (content === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' })
    return typeof content === 'string' ? content : JSON.stringify(content)
  }

describe('providers', () => {
  const every = { ...vonage, ...sns, ...smpp, ...webhook, ...twilio }

  test('all of them, in any order, each with what it needs', () => {
    const names = ['webhook', 'smpp', 'vonage', 'twilio', 'sns']
    const config = readConfig({ ...every, SMS_PROVIDER: names.join(',') })
    expect(config.messaging.providers).toEqual(names)
    const tries = { maxRetries: 3, retryDelayMs: 1000, requestTimeoutSeconds: 30 }
    expect(config.vonage).toMatchObject({ apiKey: 'a1b2c3d4', from: 'Acme', ...tries })
    expect(config.sns).toMatchObject({ region: 'eu-west-1', credentials: undefined, ...tries })
    expect(config.smpp).toMatchObject({
      url: 'smpps://me:p%40ss%3Aw%2Frd@smsc.example.com',
      from: 'Acme',
      window: 10,
      messageIds: 'same',
    })
    expect(config.webhook).toMatchObject({ secrets: [WHSEC], template: undefined, ...tries })
    expect(config.twilio).toMatchObject(tries)
    expect(config.warnings).toEqual([])
  })

  test('one set of tries is for all; Twilio’s own names win for Twilio', () => {
    const tries = { SMS_MAX_RETRIES: '1', SMS_RETRY_DELAY_MS: '20', SMS_REQUEST_TIMEOUT_SECS: '5' }
    const config = readConfig({ ...every, SMS_PROVIDER: 'twilio,vonage', ...tries, TWILIO_MAX_RETRIES: '7' })
    expect(config.vonage).toMatchObject({ maxRetries: 1, retryDelayMs: 20, requestTimeoutSeconds: 5 })
    expect(config.twilio).toMatchObject({ maxRetries: 7, retryDelayMs: 20, requestTimeoutSeconds: 5 })
  })

  test('what is not among those that carry is not there, and is warned of by the name it was given under', () => {
    const config = readConfig({ ...every, SMS_PROVIDER: 'mock' })
    expect(config).toMatchObject({
      twilio: undefined,
      vonage: undefined,
      sns: undefined,
      smpp: undefined,
      webhook: undefined,
    })
    expect(config.warnings).toEqual(
      ['TWILIO_ACCOUNT_SID', 'VONAGE_API_KEY', 'SMPP_URL', 'WEBHOOK_URL'].map((key) =>
        expect.stringContaining(key),
      ),
    )
    expect(readConfig({ SNS_SENDER_ID: 'Acme' }).warnings).toEqual([expect.stringContaining('SNS_SENDER_ID')])
  })

  test('the names of AWS mean nothing where SNS does not carry: they are on machines that send nothing', () => {
    const env = { AWS_REGION: 'local', AWS_ACCESS_KEY_ID: 'not a key', AWS_DEFAULT_REGION: 'x' }
    expect(readConfig(env).warnings).toEqual([])
    expect(readConfig({ ...production, ...env }).sns).toBeUndefined()
  })

  test.each<[string, EnvironmentVariables, string[]]>([
    ['Vonage without a key', { ...vonage, VONAGE_API_KEY: '' }, ['VONAGE_API_KEY']],
    [
      'Vonage without anything',
      { SMS_PROVIDER: 'vonage' },
      ['VONAGE_API_KEY', 'VONAGE_API_SECRET', 'VONAGE_FROM'],
    ],
    ['SNS without a region', { SMS_PROVIDER: 'sns' }, ['AWS_REGION']],
    ['SNS in no region', { ...sns, AWS_REGION: 'Ireland' }, ['AWS_REGION']],
    ['half a key of AWS', { ...sns, AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE' }, ['AWS_ACCESS_KEY_ID']],
    ['the other half', { ...sns, AWS_SECRET_ACCESS_KEY: 'x' }, ['AWS_SECRET_ACCESS_KEY']],
    [
      'a key of AWS that is none',
      { ...sns, AWS_ACCESS_KEY_ID: 'a b', AWS_SECRET_ACCESS_KEY: 'x' },
      ['AWS_ACCESS_KEY_ID'],
    ],
    ['SMPP without anything', { SMS_PROVIDER: 'smpp' }, ['SMPP_URL', 'SMPP_FROM']],
    ['SMPP without a user', { ...smpp, SMPP_SYSTEM_ID: '' }, ['SMPP_SYSTEM_ID']],
    ['SMPP with two users', { ...smpp, SMPP_URL: 'smpps://you@h' }, ['SMPP_SYSTEM_ID']],
    [
      'SMPP with two passwords',
      { ...smpp, SMPP_SYSTEM_ID: '', SMPP_URL: 'smpps://you:x@h' },
      ['SMPP_PASSWORD'],
    ],
    ['a certificate that is not there', { ...smpp, SMPP_CA_FILE: '/none' }, ['SMPP_CA_FILE']],
    ['a certificate without TLS', { ...smpp, SMPP_URL: 'smpp://h', SMPP_CA_FILE: '/pem' }, ['SMPP_CA_FILE']],
    ['a certificate that is none', { ...smpp, SMPP_CA_FILE: '/json' }, ['SMPP_CA_FILE']],
    ['a webhook without anything', { SMS_PROVIDER: 'webhook' }, ['WEBHOOK_URL', 'WEBHOOK_SECRET']],
    ['our form without a secret', { ...webhook, WEBHOOK_SECRET: '' }, ['WEBHOOK_SECRET']],
    [
      'no sender for WhatsApp',
      { ...twilio, TWILIO_WHATSAPP_CONTENT_SID: HX },
      ['TWILIO_WHATSAPP_CONTENT_SID'],
    ],
    [
      'no template for WhatsApp',
      { ...twilio, TWILIO_WHATSAPP_FROM: '+15005550006' },
      ['TWILIO_WHATSAPP_FROM'],
    ],
    [
      'templates for some languages alone',
      { ...twilio, TWILIO_MESSAGING_SERVICE_SID: MG, TWILIO_WHATSAPP_CONTENT_SID: `de=${HX}` },
      ['TWILIO_WHATSAPP_CONTENT_SID'],
    ],
    [
      'a second provider that is half there',
      { ...twilio, SMS_PROVIDER: 'twilio,vonage', VONAGE_FROM: 'x', VONAGE_API_KEY: 'k' },
      ['VONAGE_API_SECRET'],
    ],
  ])('%s stops the start', (_name, env, keys) => {
    const files = filesOf({ '/pem': '-----BEGIN CERTIFICATE-----', '/json': '{}' })
    expect(problemsOf(env, files).problems.map(({ key }) => key)).toEqual(keys)
  })

  test.each<[string, EnvironmentVariables, readonly string[]]>([
    ['VONAGE_API_KEY', vonage, ['a:b', 'a b', 'x'.repeat(65)]],
    ['VONAGE_FROM', vonage, ['ABrandThatIsLong', 'A-B', '+', '12']],
    ['VONAGE_BASE_URL', vonage, ['api.nexmo.com', 'ftp://x', 'https://x?y', 'https://u@x']],
    ['VONAGE_SIGNATURE_SECRET', vonage, ['short', 'with spaces in it']],
    ['SNS_SENDER_ID', sns, ['12345', '-Acme', 'Acme-', 'Acme Corp', 'TwelveLetter']],
    ['SNS_ORIGINATION_NUMBER', sns, ['Acme', '+1 500', '12']],
    ['SNS_MAX_PRICE', sns, ['free', '-1', '1e3', '0,5']],
    ['SNS_ENDPOINT', sns, ['sns', 'ftp://x', 'https://u:p@x']],
    [
      'SMPP_URL',
      smpp,
      [
        'smsc',
        'http://smsc',
        'smpp://',
        'smpp://h:0',
        'smpp://h:65536',
        'smpp://h/x',
        'smpp://u:p@ss@h',
        'smpp://%zz@h',
        'smpp://h?x',
        'smpp://h h',
      ],
    ],
    ['SMPP_SYSTEM_ID', smpp, ['x'.repeat(16), 'a b', 'é']],
    ['SMPP_PASSWORD', smpp, ['x'.repeat(65), 'a b']],
    ['SMPP_FROM', smpp, ['ABrandThatIsLong', '+0123', '12']],
    ['SMPP_SYSTEM_TYPE', smpp, ['x'.repeat(13)]],
    ['SMPP_SERVICE_TYPE', smpp, ['x'.repeat(6)]],
    [
      'WEBHOOK_URL',
      webhook,
      ['gateway', 'ftp://x', 'https://u:p@x', 'https://x#y', 'https://{{to}}.example', 'https://'],
    ],
    ['WEBHOOK_SECRET', webhook, ['secret', 'whsec_', 'whsec_c2hvcnQ=', `${WHSEC}!`, `${WHSEC},${WHSEC}`]],
    ['TWILIO_VERIFY_CHANNELS', twilio, ['fax', 'sms,sms']],
    ['WEBHOOK_CHANNELS', webhook, ['fax', 'sms,sms', 'SMS']],
    ['TWILIO_WHATSAPP_FROM', { ...twilio, TWILIO_WHATSAPP_CONTENT_SID: HX }, ['whatsapp', '5005550006']],
    [
      'TWILIO_WHATSAPP_CONTENT_SID',
      { ...twilio, TWILIO_MESSAGING_SERVICE_SID: MG },
      ['HX1', `de_DE=${HX}`, `${HX},${HX}`, `${HX},de=${HX},de=${HX}`],
    ],
    ['TWILIO_VOICE_FROM', twilio, ['Acme', '12345']],
    ['TWILIO_VERIFY_SERVICE_SID', twilio, ['VA1', MG]],
    ['DELIVERY_RECEIPTS', {}, ['maybe', '', 'AUTO']],
    ['ROUTES_FILE', {}, ['/no/such/file', 'a\u0000b']],
  ])('%s refuses what it cannot mean', (key, env, texts) => {
    for (const text of texts) expect(refusedKeys({ ...env, [key]: text }), text).toEqual([key])
  })

  test('an SMSC’s user and password may stand in the URL, and each setting goes where it belongs', () => {
    const url = { SMPP_URL: 'smpp://me:p%40ss@[::1]:2776', SMPP_SYSTEM_ID: '', SMPP_PASSWORD: '' }
    expect(readConfig({ ...smpp, ...url }).smpp?.url).toBe('smpp://me:p%40ss@[::1]:2776')
    const config = readConfig(
      {
        ...smpp,
        SMPP_WINDOW: '50',
        SMPP_FROM_TON: '0',
        SMPP_MESSAGE_IDS: 'hex_decimal',
        SMPP_LONG_TEXTS: 'payload',
        SMPP_GSM_ERRORS: 'true',
        SMPP_CA_FILE: '/pem',
      },
      filesOf({ '/pem': '-----BEGIN CERTIFICATE-----\nx' }),
    )
    expect(config.smpp).toMatchObject({
      window: 50,
      fromTon: 0,
      fromNpi: undefined,
      messageIds: 'hex_decimal',
      longTexts: 'payload',
      gsmErrors: true,
      ca: '-----BEGIN CERTIFICATE-----\nx',
    })
  })

  test('a key of AWS is taken whole, its token with it, from files too', () => {
    const env = {
      ...sns,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY_FILE: '/key',
      AWS_SESSION_TOKEN: 'token',
    }
    expect(readConfig(env, filesOf({ '/key': 'a+b/c\n' })).sns?.credentials).toEqual({
      accessKeyId: 'test',
      secretAccessKey: 'a+b/c',
      sessionToken: 'token',
    })
    expect(readConfig({ ...sns, SNS_BASE_URL: 'https://vpce.example' }).sns?.baseUrl).toBe(
      'https://vpce.example',
    )
  })

  test('Twilio’s channels are there once their settings are', () => {
    const config = readConfig({
      ...twilio,
      TWILIO_WHATSAPP_FROM: '+15005550009',
      TWILIO_WHATSAPP_CONTENT_SID: `${HX}, de=${HX.replaceAll('0', '1')}`,
      TWILIO_VOICE_FROM: '+15005550008',
    })
    expect(config.twilio).toMatchObject({
      whatsappFrom: '+15005550009',
      whatsappContentSid: HX,
      whatsappContentSids: { de: HX.replaceAll('0', '1') },
      voiceFrom: '+15005550008',
    })
  })

  test.each(['WEBHOOK_URL', 'SMPP_URL', 'WEBHOOK_SECRET', 'VONAGE_API_SECRET', 'AWS_SECRET_ACCESS_KEY'])(
    '%s is never shown, however it is wrong',
    (key) => {
      for (const text of [
        'CANARY',
        'smpp://me:CANARY@h:x',
        'https://x/CANARY#',
        'whsec_CANARY',
        'CANARY CANARY',
      ]) {
        const error = problemsOfOrNone({
          ...sns,
          ...webhook,
          SMS_PROVIDER: 'sns,webhook,smpp,vonage',
          [key]: text,
        })
        expect(JSON.stringify(error), text).not.toContain('CANARY')
      }
    },
  )
})

describe('Twilio Verify', () => {
  const account = { ...twilio, TWILIO_PHONE_NUMBER: undefined, TWILIO_VERIFY_SERVICE_SID: VA }

  test('comes before Twilio’s own messages where there is a sender, and alone where there is none', () => {
    const both = readConfig({ ...account, ...twilio, ...vonage, SMS_PROVIDER: 'vonage,twilio,mock' })
    expect(both.messaging.providers).toEqual(['vonage', 'twilio_verify', 'twilio', 'mock'])
    expect(both.twilioVerify).toMatchObject({
      accountSid: twilio.TWILIO_ACCOUNT_SID,
      verifyServiceSid: VA,
      channels: ['sms', 'whatsapp', 'call'],
    })
    expect(both.twilio).toMatchObject({ from: '+15005550006' })
    const alone = readConfig(account)
    expect(alone.messaging.providers).toEqual(['twilio_verify'])
    expect(alone.twilio).toBeUndefined()
    expect(alone.warnings).toEqual([expect.stringContaining('TWILIO_VERIFY_SERVICE_SID')])
  })

  test('needs the account and its credentials all the same', () => {
    expect(refusedKeys({ SMS_PROVIDER: 'twilio', TWILIO_VERIFY_SERVICE_SID: VA })).toEqual([
      'TWILIO_ACCOUNT_SID',
      'TWILIO_AUTH_TOKEN',
    ])
  })
})

describe('delivery receipts (R44)', () => {
  const url = 'https://verify.example.com/hooks'
  const signed = { ...vonage, VONAGE_SIGNATURE_SECRET: 'Zx81-signature-of-vonage', PUBLIC_URL }

  test('are asked for where PUBLIC_URL and the signing secret are given', () => {
    expect(readConfig(production).twilio?.statusCallback).toBe(`${url}/twilio/status`)
    expect(readConfig(signed).vonage?.statusUrl).toBe(`${url}/vonage/status`)
    expect(readConfig(twilio).twilio?.statusCallback).toBeUndefined()
    expect(readConfig({ ...vonage, PUBLIC_URL }).vonage?.statusUrl).toBeUndefined()
  })

  test('are not asked for where the vendor could not reach us, but for a test server that can', () => {
    const here = { ...twilio, PUBLIC_URL: 'http://127.0.0.1:8080' }
    expect(readConfig(here).twilio?.statusCallback).toBeUndefined()
    const test = { ...here, TWILIO_BASE_URL: 'http://localhost:9000' }
    expect(readConfig(test).twilio?.statusCallback).toBe('http://127.0.0.1:8080/hooks/twilio/status')
    expect(readConfig({ ...here, DELIVERY_RECEIPTS: 'true' }).twilio?.statusCallback).toBeDefined()
  })

  test('are not asked for where nobody wants them', () => {
    expect(readConfig({ ...production, DELIVERY_RECEIPTS: 'false' }).twilio?.statusCallback).toBeUndefined()
    expect(readConfig({ ...signed, DELIVERY_RECEIPTS: 'no' }).vonage?.statusUrl).toBeUndefined()
  })

  const apiKey = {
    TWILIO_AUTH_TOKEN: undefined,
    TWILIO_API_KEY_SID: `SK${'0123456789abcdef'.repeat(2)}`,
    TWILIO_API_KEY_SECRET: twilio.TWILIO_AUTH_TOKEN,
  }

  test.each<[string, EnvironmentVariables, string[]]>([
    ['no public URL', twilio, ['PUBLIC_URL']],
    ['no token', { ...twilio, ...apiKey, PUBLIC_URL }, ['TWILIO_AUTH_TOKEN']],
    ['no signature secret', { ...vonage, PUBLIC_URL }, ['VONAGE_SIGNATURE_SECRET']],
    ['neither', vonage, ['PUBLIC_URL', 'VONAGE_SIGNATURE_SECRET']],
    [
      'a second provider without one',
      { ...production, ...vonage, SMS_PROVIDER: 'twilio,vonage' },
      ['VONAGE_SIGNATURE_SECRET'],
    ],
    ['our form, no secret: one problem', { ...webhook, WEBHOOK_SECRET: '', PUBLIC_URL }, ['WEBHOOK_SECRET']],
  ])('DELIVERY_RECEIPTS=true refuses the start: %s', (_name, env, keys) => {
    expect(refusedKeys({ ...env, DELIVERY_RECEIPTS: 'true' })).toEqual(keys)
  })

  test('DELIVERY_RECEIPTS=true asks nothing for who calls nobody back', () => {
    for (const env of [smpp, sns, {}])
      expect(() => readConfig({ ...env, DELIVERY_RECEIPTS: 'true' })).not.toThrow()
    expect(readConfig({ ...sns, DELIVERY_RECEIPTS: 'true' }).warnings).toEqual([
      expect.stringContaining('SNS'),
    ])
  })

  test('a gateway’s silence means something once the operator says that it reports', () => {
    expect(readConfig({ ...webhook, PUBLIC_URL }).webhook?.tells).toBe(false)
    expect(readConfig({ ...webhook, PUBLIC_URL, DELIVERY_RECEIPTS: 'true' }).webhook?.tells).toBe(true)
  })

  test('production warns of a provider that could tell, if only its signature could be checked', () => {
    const warned = (env: EnvironmentVariables) => readConfig({ ...bare, ...env }).warnings
    expect(warned({ ...twilio, ...apiKey })).toEqual([expect.stringContaining('TWILIO_AUTH_TOKEN')])
    expect(warned(vonage)).toEqual([expect.stringContaining('VONAGE_SIGNATURE_SECRET')])
    expect(warned({ ...vonage, DELIVERY_RECEIPTS: 'false' })).toEqual([])
    expect(warned(signed)).toEqual([])
  })
})

describe('routes and prices', () => {
  const routes = { routes: [{ countries: ['US'], through: [{ provider: 'twilio' }] }] }
  const prices = {
    currency: 'USD',
    prices: [
      { provider: 'twilio', country: 'US', price: '0.0079' },
      { provider: 'sns', price: '0.01' },
    ],
  }
  const env = { ...twilio, ROUTES_FILE: '/routes', PRICES_FILE: '/prices' }

  test('are read, checked and counted', () => {
    const { messaging } = readConfig(
      env,
      filesOf({ '/routes': routes, '/prices': `\uFEFF${JSON.stringify(prices)}` }),
    )
    // Prices of providers that do not carry are no mistake: the table may serve several servers.
    expect(messaging.tables).toEqual({ routes: '1', prices: '2 in USD' })
    const message = { provider: 'twilio', country: 'US', channel: 'sms', segments: 2 } as const
    expect(messaging.prices.of(message)).toEqual({ amount: '0.0158', currency: 'USD' })
  })

  test.each<[string, unknown, unknown, string[], RegExp]>([
    [
      'a provider that does not carry',
      { routes: [{ through: [{ provider: 'sns' }] }] },
      prices,
      ['ROUTES_FILE'],
      /routes\[0\]/,
    ],
    [
      'a price that is a number',
      routes,
      { currency: 'USD', prices: [{ provider: 'twilio', price: 0.1 }] },
      ['PRICES_FILE'],
      /prices\[0\]/,
    ],
    [
      'a price of nobody',
      routes,
      { currency: 'USD', prices: [{ provider: 'twillio', price: '1' }] },
      ['PRICES_FILE'],
      /prices\[0\]/,
    ],
    ['no JSON', '{"CANARY": ', prices, ['ROUTES_FILE'], /not JSON/],
    ['an empty file', routes, '', ['PRICES_FILE'], /empty/],
    ['both', [], [], ['ROUTES_FILE', 'PRICES_FILE'], /refused/],
  ])('%s stops the start and tells where', (_name, one, other, keys, told) => {
    const error = problemsOf(env, filesOf({ '/routes': one, '/prices': other }))
    expect(error.problems.map(({ key }) => key)).toEqual(keys)
    expect(error.message).toMatch(told)
    expect(error.message).not.toContain('CANARY')
  })

  test('without them every message goes by the order of the providers, for no price', () => {
    expect(readConfig(twilio).messaging.tables).toEqual({ routes: undefined, prices: undefined })
  })

  test('know Twilio Verify by its own name', () => {
    const table = { routes: [{ through: [{ provider: 'twilio_verify' }] }] }
    const read = filesOf({ '/routes': table })
    expect(() =>
      readConfig({ ...twilio, ROUTES_FILE: '/routes', TWILIO_VERIFY_SERVICE_SID: VA }, read),
    ).not.toThrow()
    expect(() => readConfig({ ...twilio, ROUTES_FILE: '/routes' }, read)).toThrow('ROUTES_FILE')
  })
})

describe('templates', () => {
  const texts = [{ name: 'Order', channels: ['sms'], translations: { en: { text: '{{code}} {{order}}' } } }]
  const env = { ...twilio, TEMPLATES_FILE: '/templates' }

  test('are read and checked', () => {
    const { messaging } = readConfig(env, filesOf({ '/templates': texts }))
    expect(messaging.templates.all.map(({ name }) => name)).toEqual(['Default', 'Order'])
    expect(readConfig(twilio).messaging.templates.all.map(({ name }) => name)).toEqual(['Default'])
  })

  test('with a mistake stop the start, and tell where, whatever else is wrong', () => {
    const wrong = [{ ...texts[0], translations: { en: { text: 'CANARY' } } }]
    const error = problemsOf({ TEMPLATES_FILE: '/templates' }, filesOf({ '/templates': wrong }))
    expect(error.problems.map(({ key }) => key)).toContain('TEMPLATES_FILE')
    expect(error.message).toContain('[0].translations.en.text must hold {{code}}')
    expect(error.message).not.toContain('CANARY')
  })
})

describe('the sink for events', () => {
  const sink = {
    EVENTS_SINK_URL: 'https://events.example.com/verify',
    EVENTS_SINK_SECRET: 'Hs9Bd4Jp6TaUeXoQw3',
  }

  test('is there with its secret, and not without', () => {
    expect(readConfig({ ...production, ...sink }).events.sink).toEqual({
      url: sink.EVENTS_SINK_URL,
      secret: sink.EVENTS_SINK_SECRET,
    })
    expect(readConfig({}).events.sink).toBeUndefined()
    expect(refusedKeys({ ...sink, EVENTS_SINK_SECRET: undefined })).toEqual(['EVENTS_SINK_SECRET'])
    expect(refusedKeys({ ...sink, EVENTS_SINK_SECRET: 'short' })).toEqual(['EVENTS_SINK_SECRET'])
  })

  test('is told in the clear and with a guessable secret in development alone', () => {
    const plain = { ...sink, EVENTS_SINK_URL: 'http://events.example.com' }
    const guessable = { ...sink, EVENTS_SINK_SECRET: 'changeme-changeme-changeme' }
    expect(readConfig(plain).events.sink?.url).toBe('http://events.example.com')
    expect(refusedKeys({ ...production, ...plain })).toEqual(['EVENTS_SINK_URL'])
    expect(readConfig(guessable).events.sink).toBeDefined()
    expect(refusedKeys({ ...production, ...guessable })).toEqual(['EVENTS_SINK_SECRET'])
  })
})

describe('patience', () => {
  test('leaves a start time for the next provider', () => {
    expect(readConfig({ START_DEADLINE_MS: '2000' }).messaging.patienceMs).toBe(1000)
    expect(readConfig({ SEND_PATIENCE_MS: '7999' }).messaging.patienceMs).toBe(7999)
    expect(problemsOf({ SEND_PATIENCE_MS: '8000' }).message).toMatch(/SEND_PATIENCE_MS .*START_DEADLINE_MS/)
  })
})

describe('a webhook’s template', () => {
  const template = { format: 'json', body: { to: '{{to}}', text: '{{body}}' } }
  const env = { ...webhook, WEBHOOK_SECRET: '', WEBHOOK_TEMPLATE_FILE: '/template' }
  const told = (content: unknown, more: EnvironmentVariables = {}) =>
    problemsOf({ ...env, ...more }, filesOf({ '/template': content })).problems

  test('is read from its file, and stands in for the secret', () => {
    expect(readConfig(env, filesOf({ '/template': template })).webhook).toMatchObject({
      template,
      secrets: [],
    })
  })

  test.each<[unknown, RegExp]>([
    ['CANARY', /not JSON/],
    ['{"format": CANARY', /not JSON/],
    ['{\n  "format": "CANARY"\n  "body": 1}', /not JSON: look at line 3 column/],
    [[template], /template must be an object/],
    ['null', /template must be an object/],
    [{ ...template, refpath: 'CANARY' }, /member 3 is none of .*refPath/],
    [{ body: {} }, /format is missing/],
    [{ format: 'xml', body: {} }, /format must be one of/],
    [{ ...template, method: 'CANARY' }, /method must be one of/],
    [{ ...template, headers: 'CANARY' }, /headers must be an object/],
    [{ ...template, headers: { 'webhook-id': 'x' } }, /header webhook-id cannot be set/],
    [{ ...template, body: { to: '{{to}}' } }, /does not name \{\{body\}\}/],
    [{ ...template, body: { to: '{{CANARY}}', text: '{{body}}' } }, /body\.to has a placeholder/],
    [{ ...template, refPath: 5 }, /refPath must be a text/],
    [{ ...template, refPath: 'a..b' }, /refPath must be member names/],
    [{ ...template, refusals: { 5: 'CANARY' } }, /refusal 1 must be one of/],
  ])('%j stops the start and names the place', (content, place) => {
    const problems = told(content)
    expect(problems).toEqual([{ key: 'WEBHOOK_TEMPLATE_FILE', problem: expect.stringMatching(place) }])
    expect(JSON.stringify(problems)).not.toMatch(/CANARY|webhook /)
  })

  test('a mistake in the URL is the URL’s', () => {
    const wrong = { WEBHOOK_URL: 'https://x.example/{{body}}' }
    expect(told(template, wrong)).toEqual([
      { key: 'WEBHOOK_URL', problem: expect.stringContaining('{{body}}') },
    ])
    expect(told({ ...template, format: 'xml' }, { WEBHOOK_URL: '' }).map(({ key }) => key)).toEqual([
      'WEBHOOK_URL',
      'WEBHOOK_TEMPLATE_FILE',
    ])
  })
})

describe('where a webhook may lead (R48)', () => {
  const destinations = (env: EnvironmentVariables) => readConfig({ ...webhook, ...env }).webhook?.destinations

  test('anywhere on a developer’s machine, and to the public alone in production', () => {
    expect(destinations({})).toBe('any')
    expect(destinations({ WEBHOOK_ALLOW_PRIVATE: 'false' })).toBe('public')
    expect(destinations(bare)).toBe('public')
    expect(destinations({ ...bare, WEBHOOK_ALLOW_PRIVATE: 'true' })).toBe('any')
    const plain = { ...bare, WEBHOOK_ALLOW_PRIVATE: 'true', WEBHOOK_URL: 'http://gateway.internal/' }
    expect(destinations(plain)).toBe('private')
  })

  test.each([
    ['http://gateway.example.com/', {}],
    ['http://8.8.8.8/', { WEBHOOK_ALLOW_PRIVATE: 'true' }],
    ['http://10.0.0.7/', {}],
    ['https://10.0.0.7/', {}],
    ['https://localhost:9000/', {}],
    ['https://127.1/', {}],
    ['https://[::1]/', {}],
    ['https://[::ffff:10.0.0.7]/', {}],
    ['https://[fd00::1]/', {}],
    ['https://169.254.169.254/', { WEBHOOK_ALLOW_PRIVATE: 'true' }],
    ['https://2852039166/', { WEBHOOK_ALLOW_PRIVATE: 'true' }],
    ['https://[fd00:ec2::254]/', { WEBHOOK_ALLOW_PRIVATE: 'true' }],
    ['https://0.0.0.0/', { WEBHOOK_ALLOW_PRIVATE: 'true' }],
  ])('production refuses %s', (url, more) => {
    expect(refusedKeys({ ...bare, ...webhook, WEBHOOK_URL: url, ...more })).toEqual(['WEBHOOK_URL'])
  })

  test('what leads to metadata is refused on a developer’s machine too', () => {
    expect(refusedKeys({ ...webhook, WEBHOOK_URL: 'http://169.254.169.254/latest' })).toEqual(['WEBHOOK_URL'])
    expect(destinations({ WEBHOOK_URL: 'http://localhost:9000/' })).toBe('any')
  })
})

describe('providers in production', () => {
  test.each<[string, EnvironmentVariables, string]>([
    ['Vonage in the clear', { ...vonage, VONAGE_BASE_URL: 'http://proxy.example.com' }, 'VONAGE_BASE_URL'],
    ['SNS in the clear', { ...sns, SNS_ENDPOINT: 'http://proxy.example.com' }, 'SNS_ENDPOINT'],
    [
      'a guessable secret',
      { ...webhook, WEBHOOK_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}` },
      'WEBHOOK_SECRET',
    ],
    ['mock behind another', { ...vonage, SMS_PROVIDER: 'vonage,mock' }, 'SMS_PROVIDER'],
    ['a provider that nobody named', { ...vonage, SMS_PROVIDER: undefined }, 'SMS_PROVIDER'],
  ])('refuses %s', (_name, env, key) => {
    expect(refusedKeys({ ...bare, ...env })).toEqual([key])
  })

  test('takes each of them alone, without a warning where nothing is amiss', () => {
    for (const env of [sns, smpp, webhook, { ...vonage, VONAGE_SIGNATURE_SECRET: 'Zx81-signature' }])
      expect(readConfig({ ...bare, ...env }).warnings, env.SMS_PROVIDER).toEqual([])
    expect(
      readConfig({ ...bare, ...vonage, VONAGE_BASE_URL: 'http://127.0.0.1:9' }).vonage?.baseUrl,
    ).toBeDefined()
  })

  test('warns of SMPP in the clear, but for a private network’s', () => {
    const warned = (SMPP_URL: string) => readConfig({ ...bare, ...smpp, SMPP_URL }).warnings
    expect(warned('smpp://smsc.example.com')).toEqual([expect.stringContaining('smpps://')])
    expect(warned('smpp://10.0.0.7:2775')).toEqual([])
    expect(warned('smpp://[::1]')).toEqual([])
  })
})

describe('warnings', () => {
  test.each([
    ['SECRT_KEY', 'SECRET_KEY'],
    ['CORS_ORIGIN', 'CORS_ORIGINS'],
    ['TWILIO_AUTH_TOKN', 'TWILIO_AUTH_TOKEN'],
    ['twilio_auth_token', 'TWILIO_AUTH_TOKEN'],
    ['TWILIO_REGION', 'TWILIO_REGION'],
    ['SMS_THING', 'SMS_THING'],
    ['VONAGE_API_SECRT', 'VONAGE_API_SECRET'],
    ['SMPP_THING', 'SMPP_THING'],
    ['WEBHOOK_THING', 'WEBHOOK_THING'],
    ['SNS_THING', 'SNS_THING'],
    ['PORT_FILE', 'only secrets'],
  ])('%s is warned of, without its value', (name, text) => {
    const { warnings } = readConfig({ [name]: 'CANARY' })
    expect(warnings).toEqual([expect.stringContaining(text)])
    expect(warnings[0]).toContain(name)
    expect(warnings[0]).not.toContain('CANARY')
  })

  test('an ordinary environment warns of nothing', () => {
    const names =
      'PATH HOME HOSTNAME LANG USER PWD SHELL TERM TZ CI DEBUG EDITOR LOGNAME NODE_OPTIONS NODE_PATH npm_config_host'
    expect(readConfig(Object.fromEntries(names.split(' ').map((name) => [name, 'x']))).warnings).toEqual([])
  })

  test.each<[string, EnvironmentVariables]>([
    ['PUBLIC_URL', { ...production, PUBLIC_URL: undefined }],
    ['ALLOWED_COUNTRIES', { ...production, ALLOWED_COUNTRIES: '*' }],
    ['TEST_PHONE_NUMBERS', { ...production, TEST_PHONE_NUMBERS: '+15005550006=847261' }],
    ['DEV_MODE', { DEV_MODE: 'true', HOST: '0.0.0.0' }],
    ['DEV_PREVIEW_CODE', { DEV_PREVIEW_CODE: '654321' }],
    ['Twilio', { ...twilio, SMS_PROVIDER: 'mock' }],
    ['REDIS_URL', { REDIS_URL: 'redis://cache' }],
    ['DATABASE_POOL_SIZE', { DATABASE_POOL_SIZE: '5' }],
    ['DATABASE_PREPARED_STATEMENTS', { SECRET_KEY: 'x', ...MONGO, DATABASE_PREPARED_STATEMENTS: 'false' }],
    ['SECRET_KEY', MONGO],
  ])('%s is warned of where it was likely not meant', (text, env) => {
    expect(readConfig(env).warnings).toEqual([expect.stringContaining(text)])
  })
})

describe('the environment and the manual', () => {
  test('.env is read where there is one, and the environment wins over it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'config-'))
    try {
      expect(loadEnvironment(folder)).toBe(process.env)
      process.env['COUNTERSIGN_TEST_SET'] = 'environment'
      writeFileSync(join(folder, '.env'), 'COUNTERSIGN_TEST_SET=file\nCOUNTERSIGN_TEST_NEW=file\n')
      const env = loadEnvironment(folder)
      expect([env['COUNTERSIGN_TEST_SET'], env['COUNTERSIGN_TEST_NEW']]).toEqual(['environment', 'file'])
    } finally {
      delete process.env['COUNTERSIGN_TEST_SET']
      delete process.env['COUNTERSIGN_TEST_NEW']
      rmSync(folder, { recursive: true })
    }
  })

  test('docs/configuration.md and .env.example are current', () => {
    expect(findStaleDocs()).toEqual([])
  })

  test('every setting is told of, and no two share a name', () => {
    const names = settingList.flatMap(([key, { older }]) => [key, ...older])
    expect(new Set(names).size).toBe(names.length)
    for (const [key, { about }] of settingList) expect(about.length, key).toBeGreaterThan(15)
  })
})
