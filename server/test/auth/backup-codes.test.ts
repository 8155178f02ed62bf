import type { argon2 as Argon2, Argon2Parameters, timingSafeEqual as TimingSafeEqual } from 'node:crypto'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import {
  findBackupCode,
  hashBackupCodes,
  newBackupCodes,
  readBackupCode,
} from '../../src/auth/backup-codes.ts'
import { PasswordHasher } from '../../src/auth/password-hasher.ts'

/** What the runtime was asked to derive, and how many comparisons were made. */
const watched = vi.hoisted(() => ({ made: [] as Argon2Parameters[], compared: 0 }))

vi.mock('node:crypto', async (original) => {
  const crypto = await original<{ argon2: typeof Argon2; timingSafeEqual: typeof TimingSafeEqual }>()
  const argon2: typeof Argon2 = (algorithm, parameters, done) => {
    watched.made.push(parameters)
    crypto.argon2(algorithm, parameters, done)
  }
  const timingSafeEqual: typeof TimingSafeEqual = (...given) => {
    watched.compared += 1
    return crypto.timingSafeEqual(...given)
  }
  return { ...crypto, argon2, timingSafeEqual }
})

const COST = { memoryKib: 7_168, passes: 1, atOnce: 2 }
const hasher = new PasswordHasher(COST)
const LETTERS = '0123456789abcdefghjkmnpqrstvwxyz'

describe('new backup codes', () => {
  const sets = Array.from({ length: 1_000 }, newBackupCodes)
  const codes = sets.flat()

  test('are ten, and none of 10,000 is made twice', () => {
    for (const set of sets) expect(set).toHaveLength(10)
    expect(new Set(codes).size).toBe(10_000)
    for (const code of codes) expect(code).toMatch(/^[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}$/)
  })

  test('use each letter of the alphabet as much, at each place and among all', () => {
    const chiSquare = (letters: readonly string[]) => {
      const expected = letters.length / LETTERS.length
      const counts = LETTERS.split('').map((letter) => letters.filter((one) => one === letter).length)
      return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    }
    const plain = codes.map((code) => code.replace('-', ''))
    // 31 degrees of freedom: more than 100 comes once in 10^9 runs.
    expect(chiSquare(plain.flatMap((code) => code.split('')))).toBeLessThan(100)
    for (let at = 0; at < 10; at++) expect(chiSquare(plain.map((code) => code.charAt(at)))).toBeLessThan(100)
    // Neighbours do not depend on each other: 1,023 degrees of freedom.
    const pairs = new Map<string, number>()
    for (const code of plain) pairs.set(code.slice(0, 2), (pairs.get(code.slice(0, 2)) ?? 0) + 1)
    const expected = plain.length / 1_024
    const missing = (1_024 - pairs.size) * expected
    const sum = [...pairs.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, missing)
    expect(sum).toBeLessThan(1_023 + 7 * Math.sqrt(2 * 1_023))
  })
})

describe('a code that a person types', () => {
  test('is read as it was shown', () => {
    for (const code of newBackupCodes()) expect(readBackupCode(code)).toBe(code)
    expect(readBackupCode('01234-56789')).toBe('01234-56789')
    expect(readBackupCode('abcde-fghjk')).toBe('abcde-fghjk')
    expect(readBackupCode('mnpqr-stvwx')).toBe('mnpqr-stvwx')
    expect(readBackupCode('yyyyy-zzzzz')).toBe('yyyyy-zzzzz')
  })

  test('may be in capitals, with spaces and dashes of any kind anywhere, or without', () => {
    for (const text of [
      'abcdefghjk',
      'ABCDE-FGHJK',
      'AbCdEfGhJk',
      ' abcde fghjk ',
      'abc def ghjk',
      'a-b-c-d-e-f-g-h-j-k',
      '\tabcde\u00a0-\u3000fghjk\r\n',
      ...'\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d\u00ad\u200b\u2060\ufeff\u202f\u058a'
        .split('')
        .map((dash) => `abcde${dash}fghjk`),
      '\u200eabcde-fghjk\u200f',
      'abcde\u2014 fghjk',
    ])
      expect([text, readBackupCode(text)]).toEqual([text, 'abcde-fghjk'])
  })

  test('may have letters for the digits they look like', () => {
    expect(readBackupCode('oOiIl-LoOi1')).toBe('00111-10011')
    expect(readBackupCode('01234O5678')).toBe('01234-05678')
  })

  test('is none when it has other letters, too few or too many', () => {
    for (const text of [
      '',
      '-',
      'abcde-fghj',
      'abcde-fghjkm',
      'abcde-fghju',
      'ABCDE-FGHJU',
      'abcde-fghj\u00e9',
      'abcde-fghj!',
      'abcde_fghjk',
      'abcde.fghjk',
      'abcde-fghj\u0000',
      // They become ASCII letters once they are small ones or digits.
      'abcde-fghj\u212a',
      'abcde-fghj\u0130',
      'abcde-fghj\uff4b',
      '٠١٢٣٤-٥٦٧٨٩',
      '123456',
      'a'.repeat(100_000),
    ])
      expect([text, readBackupCode(text)]).toEqual([text, undefined])
  })
})

describe('the hashes of a set', () => {
  const codes = newBackupCodes()
  let set: Awaited<ReturnType<typeof hashBackupCodes>>
  beforeAll(async () => {
    watched.made = []
    set = await hashBackupCodes(hasher, codes)
  })

  test('are argon2id under one salt of 128 bits, at the cost of passwords', async () => {
    expect(watched.made).toHaveLength(10)
    for (const made of watched.made)
      expect(made).toMatchObject({ memory: 7_168, passes: 1, parallelism: 1, tagLength: 32 })
    const salts = watched.made.map(({ nonce }) => (nonce as Buffer).toString('hex'))
    expect(new Set(salts).size).toBe(1)
    expect(salts[0]).toMatch(/^[0-9a-f]{32}$/)
    expect(set.salt).toMatch(/^\$argon2id\$v=19\$m=7168,t=1,p=1\$[A-Za-z0-9+/]{22}$/)
    expect(new Set(set.hashes).size).toBe(10)
    for (const hash of set.hashes) expect(hash).toMatch(/^[A-Za-z0-9+/]{43}$/)
    const other = await hashBackupCodes(hasher, codes.slice(0, 1))
    expect(other.salt).not.toBe(set.salt)
    expect(set.hashes).not.toContain(other.hashes[0])
  })

  test('tell nothing of the codes', () => {
    const kept = JSON.stringify(set)
    for (const code of codes)
      for (const form of [code, code.replace('-', '')]) expect(kept).not.toContain(form)
  })

  test('find each code, and no other', async () => {
    for (const [n, code] of codes.entries())
      expect(await findBackupCode(hasher, set, code)).toBe(set.hashes[n])
    for (const code of newBackupCodes()) expect(await findBackupCode(hasher, set, code)).toBeUndefined()
    expect(await findBackupCode(hasher, set, codes[0]?.slice(0, -1) ?? '')).toBeUndefined()
  })

  test('find none that was taken out, and the others still', async () => {
    const [first = '', second = ''] = codes
    const left = { ...set, hashes: set.hashes.slice(1) }
    expect(await findBackupCode(hasher, left, first)).toBeUndefined()
    expect(await findBackupCode(hasher, left, second)).toBe(set.hashes[1])
  })

  test('are found by a hasher of another cost: the salt tells theirs', async () => {
    const dearer = new PasswordHasher({ ...COST, memoryKib: 8_192, passes: 2 })
    expect(await findBackupCode(dearer, set, codes[3] ?? '')).toBe(set.hashes[3])
  })

  test('cost one derivation and a comparison with each, whichever matches or none; none left, the derivation', async () => {
    const work = async (hashes: readonly string[], code: string, salt = set.salt) => {
      Object.assign(watched, { made: [], compared: 0 })
      const found = await findBackupCode(hasher, { salt, hashes }, code)
      const made = watched.made.map(({ message: _, nonce, ...cost }) => ({
        ...cost,
        salt: (nonce as Buffer).byteLength,
      }))
      return { found, made, compared: watched.compared }
    }
    const made = [{ parallelism: 1, tagLength: 32, memory: 7_168, passes: 1, salt: 16 }]
    for (const [n, code] of codes.entries())
      expect(await work(set.hashes, code)).toEqual({ found: set.hashes[n], made, compared: 10 })
    expect(await work(set.hashes, '00000-00000')).toEqual({ found: undefined, made, compared: 10 })
    expect(await work([], codes[0] ?? '')).toEqual({ found: undefined, made, compared: 0 })
    expect(await work([], codes[0] ?? '', '')).toEqual({ found: undefined, made, compared: 0 })
  })

  test('that cannot be read are an error', async () => {
    for (const salt of ['', 'salt', set.salt.slice(1), `${set.salt}$`, set.salt.replace('2id', '2i')])
      await expect(findBackupCode(hasher, { ...set, salt }, '00000-00000')).rejects.toThrow('cannot be read')
  })
})
