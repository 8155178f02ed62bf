import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { countersign, endAll, makeFolder, type Ran, type Serving, serve } from './cli.ts'

const TO = '+14155552671'
const LOOKUP = { phone: TO }
const cwd = makeFolder()
const run = (line: string, env?: Record<string, string>): Promise<Ran> =>
  countersign(['keys', ...line.split(' ')], { cwd, ...(env ? { env } : {}) })

/** A server that runs all the while, on the data that the commands change. */
let server: Serving

beforeAll(async () => {
  server = await serve([], { cwd })
})
afterAll(endAll)

/** Makes a key; `token` is the whole of what went to standard output, so that a shell can catch it. */
async function create(words = ''): Promise<{ token: string; id: string; told: string }> {
  const { code, stdout, stderr } = await run(`create ${words}`.trim())
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) as string })
  const id = /^(key_\w+): /.exec(stderr)?.[1] ?? ''
  return { token: stdout.trimEnd(), id, told: stderr }
}

describe('keys create', () => {
  test('prints a secret key alone on standard output, and a running server takes it at once', async () => {
    const { token, told } = await create()
    expect(token).toMatch(/^sk_[\w-]{43}$/)
    expect(told).toMatch(/a secret key of service "default"/)
    expect((await server.call('/v1/verifications', token)).status).toBe(200)
  })

  test('--publishable makes a key that may look up and may not list', async () => {
    const { token, told } = await create('--publishable')
    expect(token).toMatch(/^pk_[\w-]{43}$/)
    expect(told).toContain('a publishable key')
    expect((await server.call('/v1/phones/lookup', token, LOOKUP)).status).toBe(200)
    expect((await server.call('/v1/verifications', token)).status).toBe(403)
  })

  test('--origin lets the named pages use a publishable key, an app’s own scheme too, and no others', async () => {
    const { token } = await create('--publishable --origin https://a.example.com,capacitor://localhost')
    const statusFrom = async (origin: string) =>
      (await server.call('/v1/phones/lookup', token, LOOKUP, { origin })).status
    expect(await statusFrom('https://a.example.com')).toBe(200)
    expect(await statusFrom('capacitor://localhost')).toBe(200)
    expect(await statusFrom('https://b.example.com')).toBe(403)
  })

  test('--service parts one service’s verifications from another’s', async () => {
    const [shop, bank] = [await create('--service shop'), await create('--service bank')]
    expect(shop.told).toContain('of service "shop"')
    const { body } = await server.call('/v1/verifications', shop.token, { to: TO })
    expect((await server.call(`/v1/verifications/${body.id}`, shop.token)).status).toBe(200)
    expect((await server.call(`/v1/verifications/${body.id}`, bank.token)).status).toBe(404)
  })

  test.for([
    [
      '--publishable --origin https://a.example.com/',
      /^--origin: .*"https:\/\/a\.example\.com\/" is not one/,
    ],
    ['--publishable --origin a.example.com', /^--origin: .*exact origin such as https:\/\/app\.example\.com/],
    ['--publishable --origin https://a.example.com,', /^--origin: item 2 of the list is empty/],
    ['--publishable --origin *', /^--origin: name the origins/],
    ['--origin https://a.example.com', /^--origin goes with --publishable/],
    ['--service Shop!', /^--service: lower-case letters/],
  ] as const)('`%s` is refused in one line, exit code 1, and makes no key', async ([words, told]) => {
    const before = countKeys()
    const { code, stdout, stderr } = await run(`create ${words}`)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(told)
    expect(stderr.trimEnd()).not.toContain('\n')
    expect(countKeys()).toBe(before)
  })
})

describe('accounts', () => {
  /** The two values that a command prints, each after its name. */
  const printed = (stdout: string) =>
    /^(Account SID|API Key SID) +(\w+)\n(Auth Token|API Key Secret) +(\w+)\n$/.exec(stdout) ?? []
  const basic = (user: string, password: string) => ({
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
  })
  const v2 = async (path: string, headers: Record<string, string>, form?: Record<string, string>) => {
    const body = form && new URLSearchParams(form)
    const answer = await fetch(`${server.url}/v2${path}`, { headers, ...(body && { method: 'POST', body }) })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  test('--account makes one, and API keys of it; services made with them have keys and settings of their own', async () => {
    const made = await run('create --account')
    const [, , account = '', , token = ''] = printed(made.stdout)
    expect(account).toMatch(/^AC[0-9a-f]{32}$/)
    expect(token).toMatch(/^[0-9a-f]{32}$/)
    const [id = ''] = /^key_\w+/.exec(made.stderr) ?? []
    const [, , sid = '', , secret = ''] = printed((await run(`create --account ${account}`)).stdout)
    expect(sid).toMatch(/^SK[0-9a-f]{32}$/)
    const lines = (await run('list')).stdout.split('\n').map((line) => line.split('\t').slice(1).join(' '))
    expect(lines).toContain(`account ${account} ${account} live`)
    expect(lines).toContain(`api_key ${sid} ${account} live`)

    const { status, body } = await v2('/Services', basic(sid, secret), { FriendlyName: 'Acme' })
    const service = String(body['sid'])
    expect({ status, account: body['account_sid'] }).toEqual({ status: 201, account })
    const services = async (line: string) => countersign(['services', ...line.split(' ')], { cwd })
    expect((await services('list')).stdout).toBe(`${service}\t${account}\tAcme\n`)
    const set = `set ${service} --code-life 300 --checks 3 --sends 2 --code-length 7 --name Bank`
    const { stdout } = await services(set)
    expect(stdout).toMatch(/^Name +Bank\nCode length +7\nCode life +300 seconds\nChecks +3\nSends +2$/m)
    expect((await services(`show ${service}`)).stdout).toBe(stdout)
    const key = (await create(`--service ${service}`)).token
    // What this process has read of the service it believes for two seconds.
    await sleep(2_100)
    const started = await server.call('/v1/verifications', key, { to: '+14155552672' })
    expect(started.body).toMatchObject({ checks_left: 3, sends_left: 1 })

    expect((await run(`revoke ${id}`)).code).toBe(0)
    await sleep(2_100)
    expect((await v2('/Services', basic(account, token))).status).toBe(401)
    expect((await v2('/Services', basic(sid, secret))).status).toBe(200)
    // One whose token was revoked is an account still.
    expect((await run(`create --account ${account}`)).code).toBe(0)
  })

  test.for([
    ['keys create --account AC00000000000000000000000000000009', /^There is no account AC0/],
    ['keys create AC00000000000000000000000000000009', /^What is AC0+9 for\?/],
    ['keys create --account --publishable', /^--account stands alone/],
    ['keys create --service VA00000000000000000000000000000009', /^There is no service VA0/],
    ['services show VA00000000000000000000000000000009', /^There is no service VA0/],
    ['services set VA00000000000000000000000000000009', /^What is to be changed\?/],
    [
      'services set VA00000000000000000000000000000009 --code-life 601',
      /^--code-life: .* 30 to 600, or default/,
    ],
    ['services set VA00000000000000000000000000000009 --name example.com', /must not hold a link/],
  ] as const)('`%s` is refused in one line, exit code 1', async ([words, told]) => {
    const { code, stdout, stderr } = await countersign(words.split(' '), { cwd })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(told)
    expect(stderr.trimEnd()).not.toContain('\n')
  })
})

describe('keys list', () => {
  test('tells id, kind, first characters, service, state and origins, and never a key', async () => {
    const secret = await create('--service shop')
    const browser = await create('--publishable --origin https://a.example.com')
    const fixed = 'sk_countersign_cli_tests_0123456789'
    const { code, stdout, stderr } = await run('list', { API_KEYS: fixed })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toContain([secret.id, 'secret', hint(secret.token), 'shop', 'live'].join('\t'))
    expect(lines).toContain(
      [browser.id, 'publishable', hint(browser.token), 'default', 'live', 'https://a.example.com'].join('\t'),
    )
    expect(stdout).toMatch(/^key_fixed_\w{8}\tsecret\tsk_counter…\tdefault\tlive$/m)
    for (const token of [secret.token, browser.token, fixed]) expect(stdout).not.toContain(token.slice(0, 11))
  })

  test('says how to make a key where there is none', async () => {
    const { code, stdout } = await countersign(['keys', 'list'], { cwd: makeFolder() })
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'No keys. Make one: countersign keys create\n' })
  })
})

describe('keys revoke', () => {
  test('a running server refuses the key within two seconds, and the others stay good', async () => {
    const [ended, other] = [await create(), await create()]
    expect((await server.call('/v1/verifications', ended.token)).status).toBe(200)
    expect(await run(`revoke ${ended.id}`)).toMatchObject({ code: 0, stdout: `${ended.id} is revoked\n` })
    // The two seconds that it promises, and the time of one call.
    const until = Date.now() + 2_250
    let status = 200
    while (status === 200 && Date.now() < until) {
      await sleep(50)
      status = (await server.call('/v1/verifications', ended.token)).status
    }
    expect(status).toBe(401)
    expect((await server.call('/v1/verifications', other.token)).status).toBe(200)
    expect((await run('list')).stdout).toMatch(new RegExp(`^${ended.id}\t.*\trevoked 20\\d\\d-.*Z$`, 'm'))

    const again = await run(`revoke ${ended.id}`)
    expect({ code: again.code, stdout: again.stdout }).toEqual({ code: 1, stdout: '' })
    expect(again.stderr).toContain(`There is no live key ${ended.id}`)
  })

  test('a key of API_KEYS cannot be revoked, and the refusal says where it is', async () => {
    const API_KEYS = 'sk_countersign_cli_tests_0123456789'
    const id = /key_fixed_\w+/.exec((await run('list', { API_KEYS })).stdout)?.[0] ?? ''
    const { code, stderr } = await run(`revoke ${id}`, { API_KEYS })
    expect(code).toBe(1)
    expect(stderr).toContain(`${id} is one of API_KEYS`)
  })
})

/** How many keys the database holds. */
function countKeys(): unknown {
  const db = new DatabaseSync(join(cwd, 'data/countersign.db'), { readOnly: true })
  try {
    return db.prepare('SELECT count(*) AS keys FROM api_keys').get()?.['keys']
  } finally {
    db.close()
  }
}

/** What a list shows of a key. */
function hint(token: string): string {
  return `${token.slice(0, 10)}…`
}
