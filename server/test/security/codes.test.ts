import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { makeId } from '../../src/primitives/ids.ts'
import { deriveKeys } from '../../src/primitives/secrets.ts'
import { SqliteDatabase } from '../../src/stores/sqlite/database.ts'
import { openSqlite } from '../../src/stores/sqlite/store.ts'
import { deriveCode, digestCode } from '../../src/verify/codes.ts'
import { draft } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'
import { startServer } from '../helpers/server.ts'
import { wrong } from '../helpers/wire.ts'

const LONG = process.env['TEST_LONG'] === '1'
const keys = deriveKeys('a secret that makes these tests the same at every run')

afterEach(() => {
  vi.restoreAllMocks()
})

describe('R1: codes', () => {
  const CODES = LONG ? 1_000_000 : 200_000

  /** The χ² statistic of counts that should be equal. */
  function chiSquare(counts: ArrayLike<number>): number {
    const all = Array.from(counts)
    const expected = all.reduce((sum, count) => sum + count, 0) / all.length
    return all.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  }

  // The ids are the same at every run, so this cannot fail by chance: it passes or it does not.
  test.each([6, 10])(
    `${CODES} of %i digits are uniform at each position, with their leading zeros`,
    (length) => {
      const counts = Array.from({ length }, () => new Float64Array(10))
      const heads = new Float64Array(1_000)
      let leadingZeros = 0
      for (let n = 0; n < CODES; n++) {
        const code = deriveCode(keys, `ver_${n.toString(32).padStart(36, '0')}`, length)
        if (code.length !== length) throw new Error(`a code of ${code.length} digits`)
        for (let at = 0; at < length; at++) {
          const digits = counts[at]
          if (digits) digits[code.charCodeAt(at) - 48] = (digits[code.charCodeAt(at) - 48] ?? 0) + 1
        }
        const head = Number(code.slice(0, 3))
        heads[head] = (heads[head] ?? 0) + 1
        if (code.startsWith('0')) leadingZeros++
      }
      // The 0.999 quantiles of χ² with 9 and 999 degrees of freedom.
      for (const digits of counts) expect(chiSquare(digits)).toBeLessThan(27.88)
      expect(chiSquare(heads)).toBeLessThan(1_143.9)
      expect(Math.abs(leadingZeros / CODES - 0.1)).toBeLessThan(5 * Math.sqrt(0.09 / CODES))
    },
  )

  test('a start and its checks never ask Math.random', async () => {
    const server = await startServer()
    const random = vi.spyOn(Math, 'random').mockImplementation(() => {
      throw new Error('Math.random is no source of secrets')
    })
    const { verify } = server.countersign
    const { verification } = await verify.start({ to: '+14155552671', idempotencyKey: 'once' })
    const code = verify.codeOf(verification)
    expect(await verify.check(verification.id, wrong(code))).toMatchObject({ reason: 'wrong_code' })
    expect(await verify.check(verification.id, code)).toMatchObject({ reason: 'approved' })
    server.clock.advance(60)
    const answer = await server.app.inject({
      method: 'POST',
      url: '/v1/verifications',
      headers: { authorization: `Bearer ${server.sk}` },
      payload: { to: '+14155552671' },
    })
    expect(answer.statusCode).toBe(201)
    expect(random).not.toHaveBeenCalled()
  })
})

describe('R18: comparing', () => {
  const SAMPLES = LONG ? 1_000_000 : 100_000

  /**
   * The chance that a sample of `slow` took longer than one of `fast`, ties halved: 0.5 when the times tell nothing.
   * It looks at ranks, so that a pause of the machine moves one sample and not the result.
   */
  function auc(slow: readonly number[], fast: readonly number[]): number {
    const all = [...slow.map((ns) => ({ ns, slow: true })), ...fast.map((ns) => ({ ns, slow: false }))]
    all.sort((a, b) => a.ns - b.ns)
    let rankSum = 0
    for (let from = 0; from < all.length;) {
      let to = from
      let slowHere = 0
      while (to < all.length && all[to]?.ns === all[from]?.ns) if (all[to++]?.slow) slowHere++
      rankSum += (slowHere * (from + 1 + to)) / 2
      from = to
    }
    return (rankSum - (slow.length * (slow.length + 1)) / 2) / (slow.length * fast.length)
  }

  const digest = digestCode(keys, 'ver_1', '123456')

  /** Guesses in random order: right up to the last byte, or wrong from the first. All lie alike in memory. */
  function makeGuesses(count: number): { digest: Buffer; near: boolean }[] {
    const memory = Buffer.alloc(count * 32)
    const order = randomBytes(count)
    return Array.from({ length: count }, (_, n) => {
      const guess = memory.subarray(n * 32, n * 32 + 32)
      const near = ((order[n] ?? 0) & 1) === 1
      digest.copy(guess)
      const at = near ? 31 : 0
      guess[at] = (guess[at] ?? 0) ^ (1 + (n % 255))
      return { digest: guess, near }
    })
  }

  /**
   * How well the time of a guess tells whether it was near: the median of five rounds. The two kinds are mixed at
   * random, so that whatever else the machine does falls on both alike.
   */
  async function tell(samples: number, judge: (guess: Buffer) => unknown): Promise<number> {
    const rounds: number[] = []
    for (let round = 0; round < 5; round++) {
      const near: number[] = []
      const far: number[] = []
      for (const guess of makeGuesses(samples / 5)) {
        const from = process.hrtime.bigint()
        const result = judge(guess.digest)
        if (result instanceof Promise) await result
        const ns = Number(process.hrtime.bigint() - from)
        if (guess.near) near.push(ns)
        else far.push(ns)
      }
      rounds.push(auc(near, far))
    }
    return rounds.sort((a, b) => a - b)[2] ?? 0
  }

  function expectTellsNothing(told: number): void {
    expect(told).toBeGreaterThan(0.48)
    expect(told).toBeLessThan(0.52)
  }

  test('a digest that is right up to its last byte takes as long as one that is wrong from its first', async () => {
    const db = new SqliteDatabase(':memory:', 'normal')
    const statement = db.prepare('SELECT is_one_of(?, ?) AS same')
    expect(statement.get(digest, digest)?.['same']).toBe(1)
    for (const guess of makeGuesses(1_000)) expect(statement.get(digest, guess.digest)?.['same']).toBe(0)
    const told = await tell(SAMPLES, (guess) => statement.get(digest, guess))
    db.close()
    expectTellsNothing(told)
  })

  test('and the measure sees a comparison that stops at the first difference', async () => {
    const db = new DatabaseSync(':memory:')
    db.function('naive', (a, b) => {
      if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array)) return 0
      for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return 0
      return 1
    })
    const statement = db.prepare('SELECT naive(?, ?)')
    const told = await tell(SAMPLES, (guess) => statement.get(digest, guess))
    db.close()
    expect(told).toBeGreaterThan(0.52)
  })

  test('a judged guess takes as long whatever part of the digest is right', async () => {
    const clock = new FakeClock()
    const store = openSqlite({ path: ':memory:', synchronous: 'normal', retentionDays: 30, clock })
    const { verification } = await store.verifications.open(draft(clock, { digest, guessesMax: 10_000_000 }))
    const told = await tell(SAMPLES / 2, (guess) =>
      store.verifications.judge({
        id: verification.id,
        service: verification.service,
        digests: [guess],
        budget: { name: 'none', limit: 1, windowSeconds: 1 },
        unlimited: [verification.to],
      }),
    )
    await store.close()
    expectTellsNothing(told)
  })

  test('a dump of the database without the secret matches none of the million codes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-dump-'))
    const path = join(folder, 'dump.db')
    const clock = new FakeClock()
    const store = openSqlite({ path, synchronous: 'normal', retentionDays: 30, clock })
    const id = makeId('ver_', clock.now())
    const code = deriveCode(keys, id, 6)
    const opened = draft(clock, { id, digest: digestCode(keys, id, code), keyId: keys.id })
    await store.verifications.open(opened)
    await store.close()
    const dump = new DatabaseSync(path, { readOnly: true })
    const row = dump.prepare('SELECT * FROM verifications').get() ?? {}
    dump.close()
    rmSync(folder, { recursive: true })
    const stored = Buffer.from(row['digest'] as Uint8Array)
    expect(stored).toHaveLength(32)
    expect(timingSafeEqual(stored, digestCode(keys, id, code))).toBe(true)

    // Everything a thief has besides the code is in the row; these are the ways to put them together without a key.
    const keyId = String(row['key_id'])
    const ways: Record<string, (guess: string) => Buffer> = {
      'SHA-256 of the code': (guess) => hash('sha256', guess, 'buffer'),
      'SHA-256 of id and code': (guess) => hash('sha256', `${id}.${guess}`, 'buffer'),
      'HMAC under the key id': (guess) => createHmac('sha256', keyId).update(`${id}.${guess}`).digest(),
    }
    // Every way would find the code where it was the one used; so would this loop with the key.
    const withKey = (guess: string) => digestCode(keys, id, guess)
    const find = (way: (guess: string) => Buffer, wanted: Buffer, from = 0, to = 1_000_000) => {
      for (let n = from; n < to; n++) {
        const guess = String(n).padStart(6, '0')
        if (way(guess).equals(wanted)) return guess
      }
      return undefined
    }
    const near = Number(code)
    expect(find(withKey, stored, Math.max(0, near - 500), near + 500)).toBe(code)
    for (const [name, way] of Object.entries(ways)) expect(find(way, stored), name).toBeUndefined()
  }, 120_000)
})
