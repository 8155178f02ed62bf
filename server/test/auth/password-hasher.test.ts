import type { argon2 as Argon2, Argon2Parameters } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { runPython } from '../../../scripts/services/foreign.ts'
import { type HashCost, PasswordHasher } from '../../src/auth/password-hasher.ts'
import { phoneOf, startServer } from '../helpers/server.ts'
import { describeWith } from '../helpers/services.ts'

/** What the runtime was asked to derive, and how many derivations were under way at once. */
const watched = vi.hoisted(() => ({
  made: [] as Argon2Parameters[],
  running: 0,
  most: 0,
  /** While it is set, derivations wait here, and give zeros. */
  held: undefined as (() => void)[] | undefined,
}))

vi.mock('node:crypto', async (original) => {
  const crypto = await original<{ argon2: typeof Argon2 }>()
  const argon2: typeof Argon2 = (algorithm, parameters, done) => {
    watched.made.push(parameters)
    watched.running += 1
    watched.most = Math.max(watched.most, watched.running)
    const end: typeof done = (error, hash) => {
      watched.running -= 1
      done(error, hash)
    }
    if (watched.held) {
      watched.held.push(() => end(null, Buffer.alloc(parameters.tagLength)))
      return
    }
    try {
      crypto.argon2(algorithm, parameters, end)
    } catch (error) {
      watched.running -= 1
      throw error
    }
  }
  return { ...crypto, argon2 }
})

const COST: HashCost = { memoryKib: 7_168, passes: 1, atOnce: 2 }
const WAITING_MAX = 200
const hasher = new PasswordHasher(COST)

/** Counts from here on. */
function watch(held?: (() => void)[]): void {
  Object.assign(watched, { made: [], running: 0, most: 0, held })
}

describe('a password hash', () => {
  test('is argon2id in PHC form, at the cost that was asked for, with a salt of its own', async () => {
    watch()
    const [one, other] = await Promise.all([hasher.hash('a password'), hasher.hash('a password')])
    const shape = /^\$argon2id\$v=19\$m=7168,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/
    expect(one).toMatch(shape)
    expect(other).toMatch(shape)
    expect(one).not.toBe(other)
    expect(watched.made).toMatchObject([
      { memory: 7_168, passes: 1, parallelism: 1, tagLength: 32 },
      { memory: 7_168, passes: 1, parallelism: 1, tagLength: 32 },
    ])
    expect(await hasher.verify('a password', one)).toEqual({ isRight: true, isOld: false })
    for (const wrong of ['a passworD', 'a password ', '', 'a'])
      expect(await hasher.verify(wrong, one)).toEqual({ isRight: false, isOld: false })
  })

  test('of RFC 9106 is what the runtime makes', async () => {
    const { argon2 } = await vi.importActual<{ argon2: typeof Argon2 }>('node:crypto')
    const parameters = {
      message: Buffer.alloc(32, 1),
      nonce: Buffer.alloc(16, 2),
      secret: Buffer.alloc(8, 3),
      associatedData: Buffer.alloc(12, 4),
      parallelism: 4,
      tagLength: 32,
      memory: 32,
      passes: 3,
    }
    const tag = await new Promise<Buffer>((resolve, reject) => {
      argon2('argon2id', parameters, (error, made) => (error ? reject(error) : resolve(made)))
    })
    expect(tag.toString('hex')).toBe('0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659')
  })

  test('that the reference implementation has published is read, and known to be of another cost', async () => {
    for (const hash of [
      '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
      '$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc',
    ]) {
      expect(await hasher.verify('password', hash)).toEqual({ isRight: true, isOld: true })
      expect(await hasher.verify('differentpassword', hash)).toEqual({ isRight: false, isOld: true })
    }
  })

  test('of whatever other cost is read, and is old', async () => {
    const made = await hasher.hash('a password')
    for (const [change, isOld] of [
      [{}, false],
      [{ atOnce: 7 }, false],
      [{ memoryKib: 8_192 }, true],
      [{ passes: 2 }, true],
    ] as const) {
      const other = new PasswordHasher({ ...COST, ...change })
      expect(await other.verify('a password', made)).toEqual({ isRight: true, isOld })
    }
  })

  test('of letters that can be typed in two ways is of both, and of their compatible forms', async () => {
    for (const [typed, again] of [
      ['caf\u00e9 cr\u00e8me', 'cafe\u0301 cre\u0300me'],
      ['\u212bngstr\u00f6m unit', '\u00c5ngstr\u00f6m unit'],
      ['o\ufb03ce chair', 'office chair'],
      ['\uff50\uff41\uff53\uff53', 'pass'],
    ] as const) {
      const { isRight } = await hasher.verify(again, await hasher.hash(typed))
      expect([typed, isRight]).toEqual([typed, true])
    }
    expect((await hasher.verify('CAFE', await hasher.hash('cafe'))).isRight).toBe(false)
  })

  test('that cannot be read is an error, never right', async () => {
    const made = await hasher.hash('a password')
    for (const hash of [
      '',
      'plain',
      made.replace('argon2id', 'argon2i'),
      made.replace('v=19', 'v=16'),
      made.slice(0, made.lastIndexOf('$')),
      made.slice(0, made.lastIndexOf('$') + 1),
      `${made}$`,
      ` ${made}`,
      made.replace('m=7168', 'm=-1'),
    ])
      await expect(hasher.verify('a password', hash)).rejects.toThrow('cannot be read')
  })
})

describe('texts under one salt', () => {
  test('are hashed as a password is, in two parts', async () => {
    const salt = hasher.newSalt()
    watch()
    const [one, other] = await Promise.all([
      hasher.hashWithSalt('one', salt),
      hasher.hashWithSalt('two', salt),
    ])
    expect(salt).toMatch(/^\$argon2id\$v=19\$m=7168,t=1,p=1\$[A-Za-z0-9+/]{22}$/)
    expect(hasher.newSalt()).not.toBe(salt)
    expect(one).toMatch(/^[A-Za-z0-9+/]{43}$/)
    expect(one).not.toBe(other)
    expect(await hasher.hashWithSalt('one', salt)).toBe(one)
    expect(await hasher.verify('one', `${salt}$${one}`)).toEqual({ isRight: true, isOld: false })
    expect(await hasher.verify('one', `${salt}$${other}`)).toEqual({ isRight: false, isOld: false })
    expect(watched.made).toHaveLength(5)
  })

  test('are hashed at the cost that the salt tells', async () => {
    const salt = new PasswordHasher({ ...COST, memoryKib: 8_192, passes: 2 }).newSalt()
    watch()
    await hasher.hashWithSalt('one', salt)
    expect(watched.made).toMatchObject([{ memory: 8_192, passes: 2, parallelism: 1, tagLength: 32 }])
  })

  test('are an error under a salt that cannot be read', async () => {
    const salt = hasher.newSalt()
    for (const wrong of [
      '',
      'salt',
      `${salt}$`,
      ` ${salt}`,
      salt.slice(0, salt.lastIndexOf('$')),
      `${salt}\n`,
    ])
      await expect(hasher.hashWithSalt('one', wrong)).rejects.toThrow('cannot be read')
  })
})

describeWith('python', 'argon2-cffi', () => {
  test('reads our hashes, and we read its', async () => {
    const password = 'o\ufb03ce caf\u00e9 \u{1f600}'
    const ours = await hasher.hash(password)
    const program = `
import sys
from argon2 import PasswordHasher, exceptions, extract_parameters
ours, password = sys.argv[1:3]
ph = PasswordHasher()
assert ph.verify(ours, password)
try:
    ph.verify(ours, password + '!')
    sys.exit('a wrong password was right')
except exceptions.VerifyMismatchError:
    pass
p = extract_parameters(ours)
assert (p.type.name, p.version, p.memory_cost, p.time_cost, p.parallelism) == ('ID', 19, 7168, 1, 1), p
assert (p.salt_len, p.hash_len) == (16, 32), p
print(PasswordHasher(time_cost=2, memory_cost=7168, parallelism=4, hash_len=24, salt_len=12).hash(password))`
    // Python knows nothing of our rule for spellings.
    const theirs = (await runPython(program, [ours, password.normalize('NFKC')])).trim()
    expect(theirs).toMatch(/^\$argon2id\$v=19\$m=7168,t=2,p=4\$/)
    expect(await hasher.verify(password, theirs)).toEqual({ isRight: true, isOld: true })
    expect(await hasher.verify(`${password}!`, theirs)).toEqual({ isRight: false, isOld: true })
  })
})

describe('an account that is not there', () => {
  test('costs one derivation of the same cost, and nothing is right for it', async () => {
    const hash = await hasher.hash('a password')
    watch()
    for (const password of ['a password', '', '\u0000'.repeat(32)])
      expect(await hasher.verify(password, null)).toEqual({ isRight: false, isOld: false })
    await hasher.verify('a password', hash)
    expect(watched.made).toHaveLength(4)
    const costs = watched.made.map(({ message: _, nonce, ...cost }) => ({
      ...cost,
      salt: (nonce as Buffer).byteLength,
    }))
    expect(new Set(costs.map((cost) => JSON.stringify(cost))).size).toBe(1)
  })

  test('nor has a password, nor takes a wrong one: each sign-in is one derivation of one cost', async () => {
    const server = await startServer({ settings: { ARGON2_MEMORY_KIB: '7168', ARGON2_PASSES: '1' } })
    const call = async (path: string, body: object) =>
      (await server.api<Record<string, string>>('POST', path, { key: 'none', body })).body
    const password = 'a wombat eats 4 leeks'
    const asked = await call('/api/auth/register', { phone: phoneOf(0), password })
    const code = { verification_id: asked['verification_id'], code: asked['preview_code'] }
    expect(await call('/api/auth/register/verify', code)).toHaveProperty('access_token')
    const { preview_code: otp } = await call('/api/auth/otp/request', { phone: phoneOf(1) })
    expect(await call('/api/auth/verify-otp', { phone: phoneOf(1), otp })).toHaveProperty('access_token')

    const work = async (identifier: string, given = 'another 5 wombats') => {
      watch()
      const { code: found } = await call('/api/auth/login', { identifier, password: given })
      return { found, made: watched.made.map(({ message: _, nonce: __, ...cost }) => cost) }
    }
    const cost = { parallelism: 1, tagLength: 32, memory: 7_168, passes: 1 }
    const refused = { found: 'invalid_credentials', made: [cost] }
    expect(await work(phoneOf(0))).toEqual(refused)
    expect(await work(phoneOf(1))).toEqual(refused)
    expect(await work(phoneOf(2))).toEqual(refused)
    expect(await work('nobody@example.org')).toEqual(refused)
    expect(await work('no identifier')).toEqual(refused)
    expect(await work(phoneOf(0), password)).toEqual({ found: undefined, made: [cost] })
  })
})

describe('F25: many passwords at once', () => {
  test('are hashed two at a time, and the event loop goes on meanwhile', async () => {
    watch()
    const from = new PasswordHasher(COST)
    let turns = 0
    let isDone = false
    const turn = () => {
      turns += 1
      if (!isDone) setImmediate(turn)
    }
    setImmediate(turn)
    const hashes = await Promise.all(Array.from({ length: 20 }, (_, n) => from.hash(`password ${n}`)))
    isDone = true
    expect(new Set(hashes).size).toBe(20)
    expect(watched.most).toBe(COST.atOnce)
    // Were they hashed in the loop itself, it would have turned once for each at most.
    expect(turns).toBeGreaterThan(100)
  })

  test('one that comes while a turn is handed over does not take it too', async () => {
    const held: (() => void)[] = []
    watch(held)
    const one = new PasswordHasher({ ...COST, atOnce: 1 })
    const all = [one.hash('first'), one.hash('second')]
    await vi.waitFor(() => expect(held).toHaveLength(1))
    held.shift()?.()
    // In the same turn of the event loop, after the first has ended and before the second wakes up.
    await Promise.resolve()
    all.push(one.hash('third'))
    queueMicrotask(() => all.push(one.hash('fourth')))
    for (let ended = 1; ended < 4; ended++) {
      await vi.waitFor(() => expect(held.length).toBeGreaterThan(0))
      held.shift()?.()
    }
    await Promise.all(all)
    expect(all).toHaveLength(4)
    expect(watched.made).toHaveLength(4)
    expect(watched.most).toBe(1)
  })

  test('more than wait in line are refused as overloaded, for passwords that are set and tried alike', async () => {
    const held: (() => void)[] = []
    watch(held)
    const busy = new PasswordHasher(COST)
    const places = COST.atOnce + WAITING_MAX
    const hashed = (n: number): Promise<unknown> => {
      if (n % 3 === 0) return busy.hash('a password')
      if (n % 3 === 1) return busy.verify('a password', null)
      return busy.hashWithSalt('a password', busy.newSalt())
    }
    const all = Array.from({ length: places }, (_, n) => hashed(n))
    const overloaded = { code: 'overloaded', help: { retryAfterSeconds: 1 } }
    await expect(busy.hash('one more')).rejects.toMatchObject(overloaded)
    await expect(busy.verify('one more', null)).rejects.toMatchObject(overloaded)
    await expect(busy.hashWithSalt('one more', busy.newSalt())).rejects.toMatchObject(overloaded)
    let ended = 0
    const ending = Promise.all(all.map((one) => one.then(() => (ended += 1))))
    while (ended < places) {
      held.shift()?.()
      await new Promise(setImmediate)
    }
    await ending
    expect(watched.made).toHaveLength(places)
    expect(watched.most).toBe(COST.atOnce)
    // There is room again.
    watch()
    expect(await busy.hash('a password')).toMatch(/^\$argon2id\$/)
  })

  test('one that fails gives its turn on', async () => {
    watch()
    const one = new PasswordHasher({ ...COST, atOnce: 1 })
    // Eight lanes want 64 KiB; the runtime refuses less.
    const bad = '$argon2id$v=19$m=8,t=1,p=8$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'
    const all = await Promise.allSettled([
      one.verify('a', bad),
      one.hash('b'),
      one.verify('c', bad),
      one.hash('d'),
    ])
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled'])
    expect(watched.most).toBe(1)
  })
})
