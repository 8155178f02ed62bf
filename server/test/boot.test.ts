import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { keptDevAccount, keptDevKeys, keptSecret } from '../src/boot.ts'
import { Keys } from '../src/keys/keys.ts'
import { openSqlite } from '../src/stores/sqlite/store.ts'
import type { Store } from '../src/stores/store.ts'
import { FakeClock } from './fake-clock.ts'
import { makeTempDir } from './helpers/server.ts'

const BOOT = pathToFileURL(join(import.meta.dirname, '../src/boot.ts')).href

const modeOf = (path: string) => statSync(path).mode & 0o777

describe('keptSecret', () => {
  test('makes 256 random bits that their owner alone can read, and keeps them', () => {
    const dir = join(makeTempDir(), 'not/there/yet')
    const secret = keptSecret(dir)
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32)
    expect(modeOf(join(dir, 'secret.key'))).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['secret.key'])
    expect(keptSecret(dir)).toBe(secret)
    expect(keptSecret(makeTempDir())).not.toBe(secret)
  })

  test('takes a secret that somebody put there, without the line’s end', () => {
    const dir = makeTempDir()
    writeFileSync(join(dir, 'secret.key'), `${'a1b2c3d4'.repeat(4)}\n`)
    expect(keptSecret(dir)).toBe('a1b2c3d4'.repeat(4))
  })

  test.for([
    ['empty', ''],
    ['cut short', 'kJ8s0dlPq'],
    ['blank', ' '.repeat(64)],
  ] as const)('a file that is %s is refused by its name and left as it is', ([, text]) => {
    const path = join(makeTempDir(), 'secret.key')
    writeFileSync(path, text)
    expect(() => keptSecret(join(path, '..'))).toThrow(
      `${path} does not hold a secret; delete it to make a new one`,
    )
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  test('what cannot be read is refused by its name', () => {
    const path = join(makeTempDir(), 'secret.key')
    mkdirSync(path)
    expect(() => keptSecret(join(path, '..'))).toThrow(`${path} cannot be read (EISDIR)`)
  })

  test('processes that start together agree on one secret, and none ever sees half of it', async () => {
    const dir = makeTempDir()
    const rounds = 400
    // All four begin each round at the same millisecond.
    const source = `
      import { keptSecret } from ${JSON.stringify(BOOT)}
      const [from, dir] = process.argv.slice(1)
      const secrets = []
      for (let round = 0; round < ${rounds}; round++) {
        while (Date.now() < Number(from) + round * 4);
        try { secrets.push(keptSecret(dir + '/' + round)) } catch (error) { secrets.push(error.message) }
      }
      console.log(JSON.stringify(secrets))`
    const from = String(Date.now() + 500)
    const runs = await Promise.all([1, 2, 3, 4].map(() => runSource(source, [from, dir])))
    const [first = [], ...others] = runs.map((text) => JSON.parse(text) as string[])
    expect(first).toHaveLength(rounds)
    expect(first.filter((secret) => !/^[\w-]{43}$/.test(secret))).toEqual([])
    for (const other of others) expect(other).toEqual(first)
  })
})

describe('keptDevKeys', () => {
  test('makes one key of each kind that its owner alone can read, and keeps them', async () => {
    const dir = makeTempDir()
    const keys = newKeys(makeStore())
    const made = await keptDevKeys(dir, keys)
    expect(made.secret).toMatch(/^sk_[\w-]{43}$/)
    expect(made.publishable).toMatch(/^pk_[\w-]{43}$/)
    expect(await keys.find(made.secret)).toMatchObject({ kind: 'secret', service: 'default' })
    expect(await keys.find(made.publishable)).toMatchObject({ kind: 'publishable', service: 'default' })
    expect(modeOf(join(dir, 'dev-keys.json'))).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['dev-keys.json'])
    expect(await keptDevKeys(dir, keys)).toEqual(made)
    expect(await keys.list()).toHaveLength(2)
  })

  test('beside a new database the old keys would be refused, so new ones take their place', async () => {
    const dir = makeTempDir()
    const old = await keptDevKeys(dir, newKeys(makeStore()))
    const keys = newKeys(makeStore())
    const made = await keptDevKeys(dir, keys)
    expect(made.secret).not.toBe(old.secret)
    expect(await keys.find(made.secret)).toBeDefined()
    expect(await keptDevKeys(dir, keys)).toEqual(made)
    expect(modeOf(join(dir, 'dev-keys.json'))).toBe(0o600)
  })

  test.for(['secret', 'publishable'] as const)(
    'once the %s one is revoked, the next boot tells keys that work',
    async (kind) => {
      const dir = makeTempDir()
      const store = makeStore()
      const keys = newKeys(store)
      const old = await keptDevKeys(dir, keys)
      await keys.revoke((await keys.find(old[kind]))?.id ?? '')
      const made = await keptDevKeys(dir, newKeys(store))
      expect(made[kind]).not.toBe(old[kind])
      for (const token of Object.values(made)) expect(await keys.find(token)).toBeDefined()
    },
  )

  test('of several that start together all tell the same keys, and no other key stays live', async () => {
    const dir = makeTempDir()
    const store = makeStore()
    const told = await Promise.all(Array.from({ length: 8 }, () => keptDevKeys(dir, newKeys(store))))
    expect(new Set(told.map(({ secret, publishable }) => `${secret} ${publishable}`)).size).toBe(1)
    const live = (await newKeys(store).list()).filter(({ revokedAt }) => revokedAt === null)
    expect(live).toHaveLength(2)
    for (const token of Object.values(told[0] ?? {})) {
      expect(await newKeys(store).find(token)).toBeDefined()
    }
  })

  test.for([
    ['empty', ''],
    ['half written', '{"secret": "sk_'],
    ['of another shape', '{"secret": 1}'],
    ['nothing', 'null'],
  ] as const)('a file that is %s is refused by its name, and no key is made', async ([, text]) => {
    const path = join(makeTempDir(), 'dev-keys.json')
    writeFileSync(path, text)
    const keys = newKeys(makeStore())
    await expect(keptDevKeys(join(path, '..'), keys)).rejects.toThrow(
      `${path} does not hold development keys; delete it to make new ones`,
    )
    expect(readFileSync(path, 'utf8')).toBe(text)
    expect(await keys.list()).toEqual([])
  })
})

describe('keptDevAccount', () => {
  test('makes an account that its owner alone can read, and keeps it as long as it is good', async () => {
    const dir = makeTempDir()
    const store = makeStore()
    const keys = newKeys(store)
    const made = await keptDevAccount(dir, keys)
    expect(made.account).toMatch(/^AC[0-9a-f]{32}$/)
    const key = await keys.findCredentials(made.account, made.token)
    expect(key).toMatchObject({ kind: 'account', service: made.account })
    expect(modeOf(join(dir, 'dev-account.json'))).toBe(0o600)
    expect(await keptDevAccount(dir, keys)).toEqual(made)
    expect(await keys.list()).toHaveLength(1)
    await keys.revoke(key?.id ?? '')
    const next = await keptDevAccount(dir, newKeys(store))
    expect(next.account).not.toBe(made.account)
    expect(await newKeys(store).findCredentials(next.account, next.token)).toBeDefined()
  })

  test('of several that start together all tell the same account, and no other stays live', async () => {
    const dir = makeTempDir()
    const store = makeStore()
    const told = await Promise.all(Array.from({ length: 8 }, () => keptDevAccount(dir, newKeys(store))))
    expect(new Set(told.map(({ account }) => account)).size).toBe(1)
    const live = (await newKeys(store).list()).filter(({ revokedAt }) => revokedAt === null)
    expect(live.map(({ service }) => service)).toEqual([told[0]?.account])
  })
})

function makeStore(): Store {
  const store = openSqlite({
    path: ':memory:',
    synchronous: 'normal',
    retentionDays: 1,
    clock: new FakeClock(),
  })
  onTestFinished(() => store.close())
  return store
}

/** A process's own view of the keys: it has looked none up yet. */
function newKeys(store: Store): Keys {
  return new Keys(store.keys, new FakeClock())
}

/** Runs a module in a process of its own; resolves with what it printed. */
function runSource(source: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', source, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve(stdout) : reject(new Error(`it ended with ${code}`))))
  })
}
