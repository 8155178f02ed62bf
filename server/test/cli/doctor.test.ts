import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { deadUrl } from '../conformance/provider-faults.ts'
import { countersign, endAll, makeFolder } from './cli.ts'
import { startVendor, type Vendor } from './vendor.ts'

const SECRETS = {
  SECRET_KEY: 'yG3v0Zt8qLx1rWm5Kc7Nf2Hs9Bd4Jp6TaUeXo',
  SECRET_KEYS_PREVIOUS: 'oXeUaT6pJ4dB9sH2fN7cK5mWr1xLq8tZ0v3Gy',
  API_KEYS: 'sk_q7Wn2Zt8Lx1rVm5Kc7Nf2Hs9Bd4Jp6',
  METRICS_TOKEN: 'Hs9Bd4Jp6TaUeXoQw3',
}
const APIKEY = { TWILIO_API_KEY_SID: `SK${'f'.repeat(32)}`, TWILIO_API_KEY_SECRET: 'kZ4pQ8xW2mR6tY1vB5nC' }

afterAll(endAll)

async function vendorOf(status: number, body: object): Promise<Vendor> {
  const vendor = await startVendor(status, body)
  onTestFinished(() => vendor.close())
  return vendor
}

describe('doctor', () => {
  test('with the inbox every line is ok but what a developer’s machine lacks, exit code 0', async () => {
    const { code, stdout, stderr } = await countersign(['doctor'], { cwd: makeFolder() })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.trimEnd().split('\n')).toEqual([
      'ok    settings: development, providers mock',
      'note  public URL: http://localhost:8080, which others cannot reach; for real users set PUBLIC_URL to an https:// address',
      expect.stringMatching(
        /^ok {4}store: sqlite data\/countersign\.db takes writes, \d+\.\d ms a round trip, schema \d+$/,
      ),
      'note  keys: none yet; make one: countersign keys create',
      'ok    provider mock: the development inbox is always ready',
    ])
  })

  test('makes the database where there is none, and nothing else: no secret, no key', async () => {
    const cwd = makeFolder()
    await countersign(['doctor'], { cwd, env: { DEV_MODE: 'true' } })
    expect(readdirSync(join(cwd, 'data'))).toEqual(['countersign.db'])
  })

  test('leaves a schema of an earlier version as it is, and says what brings it to this one’s', async () => {
    const cwd = makeFolder()
    await countersign(['migrate'], { cwd })
    const db = new DatabaseSync(join(cwd, 'data/countersign.db'))
    db.exec('PRAGMA user_version = 1')
    const { code, stdout } = await countersign(['doctor'], { cwd })
    expect(stdout).toMatch(/^note {2}store: schema 1, and this version knows \d+: countersign migrate/m)
    expect(db.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1 })
    db.close()
    expect(code).toBe(0)
  })

  test('tells the public URL that is given', async () => {
    const env = { PUBLIC_URL: 'https://verify.example.com' }
    const { stdout } = await countersign(['doctor'], { cwd: makeFolder(), env })
    expect(stdout).toContain('ok    public URL: https://verify.example.com\n')
  })

  test('counts the live keys and tells what may not have been meant', async () => {
    const { code, stdout } = await countersign(['doctor'], {
      cwd: makeFolder(),
      env: { API_KEYS: SECRETS.API_KEYS, SMS_PROVIDRE: 'twilio' },
    })
    expect(code).toBe(0)
    expect(stdout).toContain('ok    keys: 1 live\n')
    expect(stdout).toContain('note  settings: SMS_PROVIDRE is not a setting: did you mean SMS_PROVIDER?\n')
  })

  test('with an account that Twilio knows its line is ok, exit code 0, and nothing is sent', async () => {
    const vendor = await vendorOf(200, { status: 'active' })
    const { code, stdout } = await countersign(['doctor'], { cwd: makeFolder(), env: vendor.settings })
    expect(stdout).toContain('ok    provider twilio: account AC0123… is active\n')
    expect(code).toBe(0)
    expect(vendor.requests.map((request) => request.split(' ')[0])).toEqual(['GET'])
  })

  test.for([
    ['an auth token', {}],
    ['an API key', APIKEY],
  ] as const)(
    'with %s that Twilio refuses it says FAIL, exit code 1, sends nothing and shows no secret',
    async ([, more]) => {
      const vendor = await vendorOf(401, { code: 20003, message: 'Authenticate', status: 401 })
      const env = { ...SECRETS, ...vendor.settings, ...more }
      const { code, stdout, stderr } = await countersign(['doctor'], { cwd: makeFolder(), env })
      expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
      expect(stdout).toContain('FAIL  provider twilio: account AC0123…: 20003\n')
      expect(stdout.match(/^FAIL/gm)).toHaveLength(1)
      expect(vendor.requests.length).toBeGreaterThan(0)
      for (const request of vendor.requests) expect(request).toMatch(/^GET /)
      const { TWILIO_AUTH_TOKEN = '', TWILIO_ACCOUNT_SID = '' } = vendor.settings
      for (const secret of [...Object.values({ ...SECRETS, ...more }), TWILIO_AUTH_TOKEN, TWILIO_ACCOUNT_SID])
        expect(stdout).not.toContain(secret.slice(0, 12))
    },
  )

  test('where Twilio cannot be reached it says FAIL, exit code 1', async () => {
    const vendor = await vendorOf(200, {})
    vendor.close()
    const { code, stdout } = await countersign(['doctor'], { cwd: makeFolder(), env: vendor.settings })
    expect(stdout).toContain('FAIL  provider twilio: account AC0123…: ECONNREFUSED\n')
    expect(code).toBe(1)
  })

  test('tells each of several providers, where they report, and how long the tables are', async () => {
    const vendor = await vendorOf(200, { status: 'active' })
    const cwd = makeFolder()
    const routes = { routes: [{ countries: ['US'], through: [{ provider: 'vonage' }] }] }
    const prices = { currency: 'USD', prices: [{ provider: 'twilio', country: 'US', price: '0.0079' }] }
    writeFileSync(join(cwd, 'routes.json'), JSON.stringify(routes))
    writeFileSync(join(cwd, 'prices.json'), JSON.stringify(prices))
    const { code, stdout } = await countersign(['doctor'], {
      cwd,
      env: {
        ...vendor.settings,
        SMS_PROVIDER: 'twilio,vonage',
        PUBLIC_URL: 'https://verify.example.com',
        VONAGE_API_KEY: 'a1b2c3d4',
        VONAGE_API_SECRET: 'Zx81-secret-of-vonage',
        VONAGE_FROM: 'Acme',
        VONAGE_BASE_URL: await deadUrl(),
        SMS_MAX_RETRIES: '0',
        ROUTES_FILE: 'routes.json',
        PRICES_FILE: './prices.json',
      },
    })
    expect(stdout).toContain('ok    settings: development, providers twilio, vonage\n')
    expect(stdout).toContain('ok    tables: routes: 1, prices: 1 in USD\n')
    expect(stdout).toContain(
      'ok    receipts: twilio is asked to tell https://verify.example.com/hooks/twilio/status\n',
    )
    expect(stdout).not.toContain('receipts: vonage')
    expect(stdout).toContain('ok    provider twilio: account AC0123… is active\n')
    expect(stdout).toMatch(/^FAIL {2}provider vonage: .*ECONNREFUSED$/m)
    expect(code).toBe(1)
    expect(stdout).not.toContain('Zx81')
  })
})
