import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { settingList } from '../../src/config-schema.ts'
import { type Config, ConfigError, readConfig } from '../../src/config.ts'
import { endAll, makeFolder } from '../helpers/scratch.ts'
import { composeService, DEPLOY, interpolate, read, readEnv, readYaml, variablesIn } from './files.ts'

type Variables = Readonly<Record<string, string>>

const KNOWN = new Set(
  settingList.flatMap(([key, { older, secret }]) =>
    [key, ...older].flatMap((name) => (secret ? [name, `${name}_FILE`] : [name])),
  ),
)

/** What an operator fills in, or a platform puts in. */
const FILLED: Variables = {
  SECRET_KEY: randomBytes(36).toString('base64'),
  METRICS_TOKEN: randomBytes(24).toString('hex'),
  API_KEYS: `sk_${randomBytes(24).toString('hex')}`,
  DATABASE_URL: 'postgres://countersign:k2jh4g5k2j4h5g@db.internal:5432/countersign',
  REDIS_URL: 'redis://:k2jh4g5k2j4h5g@cache.internal:6379/0',
}
const TWILIO: Variables = {
  TWILIO_ACCOUNT_SID: `AC${randomBytes(16).toString('hex')}`,
  TWILIO_AUTH_TOKEN: randomBytes(16).toString('hex'),
  TWILIO_PHONE_NUMBER: '+14155550123',
}

/** The platforms' examples. Those for Compose hold what Compose puts in, and are looked at with its files. */
const EXAMPLES = readdirSync(join(DEPLOY, 'env')).filter(
  (name) => !name.startsWith('compose.') && name !== 'providers.example',
)
const STAGING = new Set(['railway.staging.example'])

let secrets = ''

beforeAll(() => {
  const folder = makeFolder()
  cpSync(join(DEPLOY, 'make-secrets.sh'), join(folder, 'make-secrets.sh'))
  execFileSync('sh', [join(folder, 'make-secrets.sh')], { cwd: '/' })
  secrets = join(folder, 'secrets')
  writeFileSync(join(secrets, 'twilio_auth_token'), `${TWILIO['TWILIO_AUTH_TOKEN']}\n`)
})
afterAll(endAll)

/** Reads settings as a container does, with the secrets that make-secrets.sh made. */
function configOf(variables: Variables): Config {
  return readConfig(variables, (path) => readFileSync(path.replace(/^\/run\/secrets/, secrets), 'utf8'))
}

/** The environment of the server in a file of Compose, with these variables in `.env`. */
function composeEnvironment(path: string, env: Variables): Variables {
  const { environment = {} } = composeService(path, 'server')
  return Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, interpolate(value, env)]))
}

/** An example as an operator leaves it: what is empty and needed is filled in. */
function filledIn(name: string): Variables {
  const isStaging = STAGING.has(name)
  const example = readEnv(`deploy/env/${name}`)
  const values = Object.entries(example).map(([key, value]) => {
    const isBlank = value === '' || value.startsWith('${{')
    const filling = FILLED[key] ?? (isStaging ? undefined : TWILIO[key])
    return [key, isBlank && filling !== undefined ? filling : value]
  })
  return Object.fromEntries(values) as Variables
}

/** What every production environment must come to. */
function expectProduction(config: Config): void {
  expect(config.env).toBe('production')
  expect(config.dev.mode).toBe(false)
  expect(config.messaging.providers).toEqual(['twilio'])
  expect(config.store.kind).toBe('postgres')
  expect(config.limiter).toBeDefined()
  expect(config.http.metricsToken).toBeDefined()
  expect(config.http.trustedProxies).not.toEqual([])
  expect(config.http.publicUrl).toMatch(/^https:/)
  expect(['0.0.0.0', '::']).toContain(config.http.host)
  expect(config.warnings).toEqual([])
}

/** What every staging environment must come to: a preview until Twilio is told. */
function expectStaging(of: (more: Variables) => Config): void {
  const preview = of({})
  expect(preview.env).toBe('development')
  expect(preview.dev.mode).toBe(true)
  expect(preview.messaging.providers).toEqual(['mock'])
  expect(preview.store.kind).toBe('postgres')
  expect(preview.limiter).toBeDefined()
  expect(['0.0.0.0', '::']).toContain(preview.http.host)
  expect(preview.secrets.apiKeys).toHaveLength(1)

  const real = of({ ...TWILIO, DEV_MODE: 'false' })
  expect(real.dev.mode).toBe(false)
  expect(real.messaging.providers).toEqual(['twilio'])
  expect(real.warnings).toEqual([])
}

describe('Compose', () => {
  for (const kind of ['production', 'staging']) {
    const path = `deploy/compose.${kind}.yml`
    const example = `deploy/env/compose.${kind}.example`

    test(`${kind}: every variable of the server is a setting`, () => {
      const { environment = {} } = composeService(path, 'server')
      expect(Object.keys(environment).filter((key) => !KNOWN.has(key))).toEqual([])
    })

    test(`${kind}: the example names what Compose is asked for, and nothing else`, () => {
      const inFile = new Set(variablesIn(read(path)))
      // Staging takes Caddy from production's file.
      inFile.add('COUNTERSIGN_DOMAIN')
      expect([...inFile].sort()).toEqual(Object.keys(readEnv(example)).sort())
    })
  }

  test('production starts with the example filled in and the secrets that were made', () => {
    const env = { ...readEnv('deploy/env/compose.production.example'), ...TWILIO }
    const config = configOf(composeEnvironment('deploy/compose.production.yml', env))
    expectProduction(config)
    expect(config.workers).toBe(2)
  })

  test('production does not start without a provider', () => {
    const env = { ...readEnv('deploy/env/compose.production.example'), TWILIO_ACCOUNT_SID: '' }
    expect(() => configOf(composeEnvironment('deploy/compose.production.yml', env))).toThrow(
      'TWILIO_ACCOUNT_SID',
    )
  })

  describe('the example of further providers', () => {
    const example = readEnv('deploy/env/providers.example')
    const filled: Variables = {
      VONAGE_API_KEY: 'ab12cd34',
      VONAGE_API_SECRET: randomBytes(12).toString('hex'),
      VONAGE_FROM: 'Acme',
      VONAGE_SIGNATURE_SECRET: randomBytes(24).toString('hex'),
      AWS_REGION: 'eu-west-1',
      SMPP_URL: 'smpps://smsc.example.com',
      SMPP_SYSTEM_ID: 'acme',
      SMPP_PASSWORD: 'k2jh4g5k',
      SMPP_FROM: 'Acme',
      WEBHOOK_URL: 'https://gateway.example.com/messages',
      WEBHOOK_SECRET: `whsec_${randomBytes(32).toString('base64')}`,
    }
    /** What the server of production sees: a variable of `environment` wins over one of `env_file`. */
    const configWith = (env: Variables, providers: Variables) =>
      configOf({
        ...example,
        ...providers,
        ...composeEnvironment('deploy/compose.production.yml', {
          ...readEnv('deploy/env/compose.production.example'),
          ...env,
        }),
      })

    test('every variable is a setting, and as it stands it changes nothing', () => {
      expect(Object.keys(example).filter((key) => !KNOWN.has(key))).toEqual([])
      expectProduction(configWith(TWILIO, {}))
    })

    test('filled in, all of them carry messages behind Twilio', () => {
      const names = ['twilio', 'vonage', 'sns', 'smpp', 'webhook']
      const config = configWith(TWILIO, { ...filled, SMS_PROVIDER: names.join(',') })
      expect(config.messaging.providers).toEqual(names)
      expect(config.warnings).toEqual([])
    })

    test('filled in, they do without Twilio', () => {
      const none = { TWILIO_ACCOUNT_SID: '', TWILIO_AUTH_TOKEN_FILE: '', TWILIO_PHONE_NUMBER: '' }
      const {
        AWS_REGION: _,
        SMPP_URL: __,
        SMPP_SYSTEM_ID: ___,
        SMPP_PASSWORD: ____,
        SMPP_FROM: _____,
        ...some
      } = filled
      const config = configWith(none, { ...some, SMS_PROVIDER: 'vonage,webhook' })
      expect(config.messaging.providers).toEqual(['vonage', 'webhook'])
      expect(config.warnings).toEqual([])
    })
  })

  test('staging previews the code until Twilio is told', () => {
    expectStaging((more) => {
      const env = { ...readEnv('deploy/env/compose.staging.example'), ...more }
      return configOf(composeEnvironment('deploy/compose.staging.yml', env))
    })
  })

  test('make-secrets.sh leaves alone what is there, and closes the folder', () => {
    const folder = makeFolder()
    cpSync(join(DEPLOY, 'make-secrets.sh'), join(folder, 'make-secrets.sh'))
    mkdirSync(join(folder, 'secrets'))
    writeFileSync(join(folder, 'secrets/secret_key'), 'mine')
    const run = () => execFileSync('sh', [join(folder, 'make-secrets.sh')], { cwd: '/', encoding: 'utf8' })
    expect(run()).not.toContain('made secrets/secret_key')
    const files = () =>
      readdirSync(join(folder, 'secrets')).map((name) => [
        name,
        readFileSync(join(folder, 'secrets', name), 'utf8'),
      ])
    const before = files()
    expect(run()).not.toContain('made')
    expect(files()).toEqual(before)
    expect(readFileSync(join(folder, 'secrets/secret_key'), 'utf8')).toBe('mine')
    expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o700)
  })
})

describe('platforms', () => {
  test('there is Railway, staging and production', () => {
    expect(EXAMPLES).toEqual(
      expect.arrayContaining(['railway.production.example', 'railway.staging.example']),
    )
  })

  for (const name of EXAMPLES) {
    test(`${name}: every variable is a setting, or the platform's own`, () => {
      const keys = Object.keys(readEnv(`deploy/env/${name}`))
      expect(keys.filter((key) => !KNOWN.has(key) && !key.startsWith('RAILWAY_'))).toEqual([])
    })

    if (STAGING.has(name)) {
      test(`${name}: previews the code until Twilio is told`, () => {
        expectStaging((more) => configOf({ ...filledIn(name), ...more }))
      })
    } else {
      test(`${name}: starts once it is filled in, and not before`, () => {
        expectProduction(configOf(filledIn(name)))
        expect(() => configOf(readEnv(`deploy/env/${name}`))).toThrow(ConfigError)
      })
    }
  }
})

describe('Kubernetes', () => {
  const { data } = readYaml('deploy/kubernetes/configmap.yaml') as { data: Variables }
  const { stringData } = readYaml('deploy/kubernetes/secret.example.yaml') as { stringData: Variables }

  test('every key is a setting, and no secret is in the ConfigMap', () => {
    expect(Object.keys({ ...data, ...stringData }).filter((key) => !KNOWN.has(key))).toEqual([])
    const isSecret = new Map(settingList.map(([key, { secret }]) => [key as string, secret]))
    expect(Object.keys(data).filter((key) => isSecret.get(key))).toEqual([])
    expect(Object.keys(stringData).filter((key) => !isSecret.get(key))).toEqual([])
  })

  test('starts with the secrets filled in', () => {
    const secret = Object.keys(stringData).map((key) => [key, FILLED[key] ?? TWILIO[key]])
    expectProduction(configOf({ ...data, ...(Object.fromEntries(secret) as Variables) }))
  })

  test('the example of the Secret is refused as it stands', () => {
    expect(() => configOf({ ...data, ...stringData })).toThrow(/METRICS_TOKEN[\s\S]*SECRET_KEY must be 32/)
  })
})
