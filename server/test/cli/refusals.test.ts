import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { countersign, endAll, makeFolder, serve } from './cli.ts'

const BROKEN = {
  PORT: '99999',
  CODE_LENGTH: '5',
  SMS_RATE_LIMIT_PER_PHONE: '0',
  DEV_MODE: 'maybe',
  SMS_PROVIDER: 'pigeon',
  ALLOWED_COUNTRIES: 'US,XX',
  DATABASE_URL: 'postgres://db',
  REDIS_URL: 'redis//cache',
  WORKERS: 'many',
  SECRET_KEY_FILE: '/nowhere/secret',
}

/** Settings that a production server starts with. */
const PRODUCTION = {
  NODE_ENV: 'production',
  HOST: '127.0.0.1',
  PUBLIC_URL: 'https://verify.example.com',
  SECRET_KEY: 'yG3v0Zt8qLx1rWm5Kc7Nf2Hs9Bd4Jp6TaUeXo',
  TWILIO_ACCOUNT_SID: `AC${'0123456789abcdef'.repeat(2)}`,
  TWILIO_AUTH_TOKEN: '9f8e7d6c5b4a39281706f5e4d3c2b1a0',
  TWILIO_PHONE_NUMBER: '+15005550006',
}

afterAll(endAll)

/** The settings that a refusal names, one at the beginning of each line. */
function namedKeys(stderr: string): string[] {
  return [...stderr.matchAll(/^ {2}([A-Z_]+) \S/gm)].map(([, key = '']) => key)
}

describe.concurrent('broken settings', () => {
  test.for(['serve', 'migrate', 'doctor', 'keys list', 'send +14155552671'])(
    '`%s` names every bad setting at once, exit code 1, and makes no file',
    async (line) => {
      const cwd = makeFolder()
      const { code, stdout, stderr } = await countersign(line.split(' '), { cwd, env: BROKEN })
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(namedKeys(stderr).sort()).toEqual(Object.keys(BROKEN).sort())
      expect(stderr).toContain('docs/configuration.md')
      expect(readdirSync(cwd)).toEqual([])
    },
  )

  test('a bad line of .env is named like any other', async () => {
    const cwd = makeFolder()
    writeFileSync(join(cwd, '.env'), 'CODE_LENGTH=4\n')
    const { code, stderr } = await countersign(['serve'], { cwd })
    expect(code).toBe(1)
    expect(namedKeys(stderr)).toEqual(['CODE_LENGTH'])
    expect(readdirSync(cwd)).toEqual(['.env'])
  })
})

describe.concurrent('NODE_ENV=production', () => {
  test('starts with the settings that the refusals below change, and --dev does not turn dev mode on', async () => {
    const cwd = makeFolder()
    const server = await serve(['--dev'], { cwd, env: PRODUCTION })
    expect(server.stdout()).not.toContain('Countersign is up')
    expect((await fetch(`${server.url}/dev/inbox`)).status).toBe(404)
    expect((await server.stop()).code).toBe(0)
    // The secret is in the environment; none may lie on the disk, and no key that nobody asked for.
    expect(readdirSync(join(cwd, 'data')).filter((file) => !file.startsWith('countersign.db'))).toEqual([])
  })

  test.for<[string, Record<string, string | undefined>, string[]]>([
    ['dev mode', { DEV_MODE: 'true' }, ['DEV_MODE']],
    ['the mock provider', { SMS_PROVIDER: 'mock' }, ['SMS_PROVIDER']],
    ['the mock provider as the second choice', { SMS_PROVIDER: 'twilio,mock' }, ['SMS_PROVIDER']],
    ['mock mode', { SMS_MOCK_MODE: 'true' }, ['SMS_MOCK_MODE']],
    ['no secret key', { SECRET_KEY: undefined }, ['SECRET_KEY']],
    ['a guessable secret key', { SECRET_KEY: 'changeme'.repeat(5) }, ['SECRET_KEY']],
    [
      'no provider at all',
      { TWILIO_ACCOUNT_SID: undefined, TWILIO_AUTH_TOKEN: undefined, TWILIO_PHONE_NUMBER: undefined },
      ['SMS_PROVIDER'],
    ],
    ['a provider without its password', { TWILIO_AUTH_TOKEN: undefined }, ['TWILIO_AUTH_TOKEN']],
    ['a provider with an account that is none', { TWILIO_ACCOUNT_SID: 'AC123' }, ['TWILIO_ACCOUNT_SID']],
    ['a provider this version does not have', { SMS_PROVIDER: 'pigeon' }, ['SMS_PROVIDER']],
    [
      'numbers that are none',
      {
        PORT: '80x',
        CODE_TTL_SECONDS: '',
        CHECKS_PER_VERIFICATION: 'NaN',
        SMS_MAX_PER_PHONE_DAY: '-1',
        SMS_RATE_LIMIT_WINDOW: '1e3',
        TWILIO_MAX_RETRIES: 'Infinity',
      },
      [
        'PORT',
        'CODE_TTL_SECONDS',
        'CHECKS_PER_VERIFICATION',
        'SMS_MAX_PER_PHONE_DAY',
        'SMS_RATE_LIMIT_WINDOW',
        'TWILIO_MAX_RETRIES',
      ],
    ],
  ])('refuses %s, naming the setting, exit code 1, and makes no file', async ([, change, keys]) => {
    const cwd = makeFolder()
    const env = Object.fromEntries(
      Object.entries({ ...PRODUCTION, ...change }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      ),
    )
    const { code, stdout, stderr } = await countersign(['serve'], { cwd, env })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(namedKeys(stderr).sort()).toEqual(keys.toSorted())
    expect(stderr).not.toContain(PRODUCTION.TWILIO_AUTH_TOKEN)
    expect(stderr).not.toContain(PRODUCTION.SECRET_KEY)
    expect(readdirSync(cwd)).toEqual([])
  })
})
