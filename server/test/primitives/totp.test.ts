import { execFileSync } from 'node:child_process'
import type { createHmac as CreateHmac, timingSafeEqual as TimingSafeEqual } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { findOathtool } from '../../../scripts/services/foreign.ts'
import { APP } from '../../src/auth/totp.ts'
import {
  codeOf as codeBy,
  fromBase32,
  newSecret,
  otpauthUrl,
  stepOf as stepBy,
  type TotpRules,
} from '../../src/primitives/totp.ts'
import { describeWith } from '../helpers/services.ts'

/** How many codes were derived, and how many comparisons made. */
const watched = vi.hoisted(() => ({ derived: 0, compared: 0 }))

vi.mock('node:crypto', async (original) => {
  const crypto = await original<{ createHmac: typeof CreateHmac; timingSafeEqual: typeof TimingSafeEqual }>()
  const createHmac: typeof CreateHmac = (...given) => {
    watched.derived += 1
    return crypto.createHmac(...given)
  }
  const timingSafeEqual: typeof TimingSafeEqual = (...given) => {
    watched.compared += 1
    return crypto.timingSafeEqual(...given)
  }
  return { ...crypto, createHmac, timingSafeEqual }
})

/** `12345678901234567890`, the secret of RFC 6238's examples. */
const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const PERIOD_MS = 30_000

const codeOf = (secret: string, step: number) => codeBy(APP, secret, step)
const stepOf = (secret: string, code: string, nowMs: number, rules: Partial<TotpRules> = {}) =>
  stepBy({ ...APP, ...rules }, secret, code, nowMs)

describe('RFC 6238, appendix B (SHA-1, the last six of eight digits)', () => {
  test.each([
    [59, '94287082'],
    [1_111_111_109, '07081804'],
    [1_111_111_111, '14050471'],
    [1_234_567_890, '89005924'],
    [2_000_000_000, '69279037'],
    [20_000_000_000, '65353130'],
  ])('at %d s it is %s', (seconds, digits) => {
    const step = Math.floor(seconds / 30)
    expect(codeOf(SECRET, step)).toBe(digits.slice(-6))
    expect(stepOf(SECRET, digits.slice(-6), seconds * 1_000)).toBe(step)
    expect(stepOf(SECRET, digits.slice(0, 6), seconds * 1_000)).toBeUndefined()
  })
})

describe('RFC 6238, appendix B (eight digits)', () => {
  const SECRET_OF = {
    sha1: SECRET,
    sha256: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA',
    sha512: `${'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'.repeat(3)}GEZDGNA`,
  }

  test.each([
    [59, '94287082', '46119246', '90693936'],
    [1_111_111_109, '07081804', '68084774', '25091201'],
    [1_111_111_111, '14050471', '67062674', '99943326'],
    [1_234_567_890, '89005924', '91819424', '93441116'],
    [2_000_000_000, '69279037', '90698825', '38618901'],
    [20_000_000_000, '65353130', '77737706', '47863826'],
  ])('at %d s it is %s, %s and %s', (seconds, sha1, sha256, sha512) => {
    for (const [algorithm, code] of Object.entries({ sha1, sha256, sha512 })) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are those of the table
      const name = algorithm as keyof typeof SECRET_OF
      const step = Math.floor(seconds / 30)
      const rules: TotpRules = { algorithm: name, digits: 8, periodSeconds: 30, window: 0 }
      expect([name, codeBy(rules, SECRET_OF[name], step)]).toEqual([name, code])
      expect(stepBy(rules, SECRET_OF[name], code, seconds * 1_000)).toBe(step)
      // Fewer digits are the last of them.
      for (const digits of [3, 4, 5, 6, 7]) {
        expect(codeBy({ ...rules, digits }, SECRET_OF[name], step)).toBe(code.slice(-digits))
      }
    }
  })
})

describeWith('oathtool', 'oathtool', () => {
  test('gives the codes we give and take, for 100 secrets at 1,000 times', () => {
    // Ten steps in a row of each: starting the program costs more than a code does.
    const steps = Array.from({ length: 10 }, (_, step) => step)
    const begun = Array.from({ length: 100 }, (_, n) => ({
      secret: newSecret(),
      // From the epoch on, and beyond what 32 bits hold.
      seconds: n < 10 ? n * 7 : Math.floor(Math.random() * 2 ** (n % 2 === 0 ? 31 : 34)),
    }))
    const drawn = begun.flatMap(({ secret, seconds }) =>
      steps.map((step) => ({ secret, seconds: seconds + step * 30 })),
    )
    const input = begun.map(({ secret, seconds }) => `@${seconds} ${secret}\n`).join('')
    const command = [findOathtool() ?? 'oathtool', '--totp', '-b', '-w', String(steps.length - 1), '-N']
    const codes = execFileSync('xargs', ['-n', '2', ...command], { input, encoding: 'utf8' })
      .trim()
      .split('\n')
    expect(codes).toHaveLength(drawn.length)
    for (const [n, { secret, seconds }] of drawn.entries()) {
      const step = Math.floor(seconds / 30)
      const code = codes[n] ?? ''
      expect([secret, seconds, codeOf(secret, step)]).toEqual([secret, seconds, code])
      expect(stepOf(secret, code, seconds * 1_000 + 999, { window: 0 })).toBe(step)
    }
  })

  test('gives the codes we give for other digests, lengths and periods', () => {
    const drawn = (['sha1', 'sha256', 'sha512'] as const).flatMap((algorithm) =>
      [6, 7, 8].flatMap((digits) =>
        [20, 30, 45, 60].map((periodSeconds) => ({
          rules: { algorithm, digits, periodSeconds, window: 0 },
          secret: newSecret(),
          seconds: 1_700_000_000 + Math.floor(Math.random() * 1e9),
        })),
      ),
    )
    const input = drawn
      .map(
        ({ rules: { algorithm, digits, periodSeconds }, secret, seconds }) =>
          `--totp=${algorithm} --digits=${digits} --time-step-size=${periodSeconds}s -N @${seconds} ${secret}\n`,
      )
      .join('')
    const codes = execFileSync('xargs', ['-L', '1', findOathtool() ?? 'oathtool', '-b'], {
      input,
      encoding: 'utf8',
    })
      .trim()
      .split('\n')
    const ours = drawn.map(({ rules, secret, seconds }) =>
      codeBy(rules, secret, Math.floor(seconds / rules.periodSeconds)),
    )
    expect(ours).toEqual(codes)
  })
})

describe('the window', () => {
  const step = 37_037_036
  const code = codeOf(SECRET, step)
  const start = step * PERIOD_MS
  const at = (ms: number, window?: number) =>
    stepOf(SECRET, code, start + ms, window === undefined ? {} : { window })

  test('takes a code from one step before its own to one after, to the millisecond', () => {
    expect(at(-PERIOD_MS - 1)).toBeUndefined()
    expect(at(-PERIOD_MS - 1_000)).toBeUndefined()
    for (const ms of [-PERIOD_MS, -1_000, -1, 0, 1, 29_000, 29_999, 30_000, 59_000, 2 * PERIOD_MS - 1])
      expect([ms, at(ms)]).toEqual([ms, step])
    expect(at(2 * PERIOD_MS)).toBeUndefined()
    expect(at(2 * PERIOD_MS + 1_000)).toBeUndefined()
  })

  test('is as wide as it is asked to be', () => {
    expect([at(-1, 0), at(0, 0), at(29_999, 0), at(30_000, 0)]).toEqual([undefined, step, step, undefined])
    expect([at(-2 * PERIOD_MS - 1, 2), at(-2 * PERIOD_MS, 2)]).toEqual([undefined, step])
    expect([at(3 * PERIOD_MS - 1, 2), at(3 * PERIOD_MS, 2)]).toEqual([step, undefined])
  })

  test('begins with the epoch', () => {
    expect(stepOf(SECRET, codeOf(SECRET, 0), 0)).toBe(0)
    expect(stepOf(SECRET, codeOf(SECRET, 1), 0)).toBe(1)
    expect(stepOf(SECRET, codeOf(SECRET, 0), PERIOD_MS)).toBe(0)
  })

  test('gives the newest of several steps that have the code', () => {
    // Two steps in a row with one code.
    const first = 910_737
    const twin = codeOf(SECRET, first)
    expect(codeOf(SECRET, first + 1)).toBe(twin)
    for (const now of [first, first + 1, first + 2])
      expect(stepOf(SECRET, twin, now * PERIOD_MS)).toBe(first + 1)
    expect(stepOf(SECRET, twin, (first - 1) * PERIOD_MS)).toBe(first)
  })

  test('costs the same whichever step matches, or none does', () => {
    const work = (given: string) => {
      Object.assign(watched, { derived: 0, compared: 0 })
      const found = stepOf(SECRET, given, start)
      return { found, ...watched }
    }
    const all = [-1, 0, 1].map((offset) => step + offset)
    for (const found of all) expect(work(codeOf(SECRET, found))).toEqual({ found, derived: 3, compared: 3 })
    const none = ['000000', '000001', '000002', '000003'].find(
      (given) => !all.map((one) => codeOf(SECRET, one)).includes(given),
    )
    expect(work(none ?? '')).toEqual({ found: undefined, derived: 3, compared: 3 })
  })
})

describe('a code', () => {
  // 081804: its leading zero counts.
  const nowMs = 1_111_111_109_000

  test('keeps its leading zeros', () => {
    expect(stepOf(SECRET, '081804', nowMs)).toBe(37_037_036)
    expect(stepOf(SECRET, '005924', 1_234_567_890_000)).toBe(41_152_263)
    for (const short of ['81804', '5924', '0081804', '00081804'])
      expect(stepOf(SECRET, short, nowMs)).toBeUndefined()
  })

  test('is six ASCII digits and nothing around them', () => {
    const digits = (zero: number) =>
      Array.from('081804', (digit) => String.fromCodePoint(zero + Number(digit))).join('')
    expect(digits(0x30)).toBe('081804')
    // Arabic-Indic, Persian, Devanagari, Bengali, full-width, mathematical bold.
    for (const zero of [0x660, 0x6f0, 0x966, 0x9e6, 0xff10, 0x1d7ce])
      expect(stepOf(SECRET, digits(zero), nowMs)).toBeUndefined()
    for (const text of [
      '',
      ' 081804',
      '081804 ',
      '081804\n',
      '\n081804',
      '081 804',
      '081-804',
      '08180O',
      '08180\u0664',
      '081804\u0000',
      '+81804',
      '-81804',
      '8180.4',
      '0x1804',
      '8.1e04',
      '07081804',
      '0'.repeat(100_000),
    ])
      expect(stepOf(SECRET, text, nowMs)).toBeUndefined()
  })

  test('is of one secret alone', () => {
    const codes = Array.from({ length: 20 }, () => codeOf(newSecret(), 1))
    expect(new Set(codes).size).toBeGreaterThan(15)
    for (const wrong of ['', 'GEZDGNBV=', 'gezdgnbv', 'GEZDGNB1', 'GEZDG NBV'])
      expect(() => stepOf(wrong, '081804', nowMs)).toThrow('not base32')
  })
})

test('base32 is read as RFC 4648 writes it, and nothing else is', () => {
  expect(fromBase32('MZXW6YTBOI').toString()).toBe('foobar')
  expect(fromBase32(SECRET).toString()).toBe('12345678901234567890')
  expect(fromBase32(newSecret())).toHaveLength(20)
  for (const wrong of ['', 'MZXW6===', 'mzxw6', 'MZXW 6', 'MZXW1']) expect(() => fromBase32(wrong)).toThrow()
})

test('a new secret is 160 bits of its own, in base32', () => {
  const all = Array.from({ length: 10_000 }, newSecret)
  expect(new Set(all).size).toBe(all.length)
  const counts = new Map<string, number>()
  for (const secret of all) {
    expect(secret).toMatch(/^[A-Z2-7]{32}$/)
    for (const letter of secret) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  }
  // 320,000 letters of 32: six standard deviations of 10,000 each.
  expect(counts.size).toBe(32)
  for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(600)
})

describe('the URL for an app', () => {
  const url = (issuer: string, account: string) => otpauthUrl(APP, { secret: SECRET, issuer, account })

  test('is as the Key URI Format has it', () => {
    expect(url('Example', '+12025550123')).toBe(
      `otpauth://totp/Example:%2B12025550123?secret=${SECRET}&issuer=Example&algorithm=SHA1&digits=6&period=30`,
    )
    expect(url('ACME Co', 'john.doe@email.com')).toBe(
      `otpauth://totp/ACME%20Co:john.doe%40email.com?secret=${SECRET}&issuer=ACME%20Co&algorithm=SHA1&digits=6&period=30`,
    )
  })

  test.each([
    ['Café Zürich', 'jürgen@bücher.example'],
    ['R&D? #1 / 100%', 'a+b@example.com'],
    ['\u{1f510} Vault', '李雷'],
    ["It's (new)!", 'a=b&secret=AAAA'],
  ])('says %s and %s so that it is read again', (issuer, account) => {
    const made = new URL(url(issuer, account))
    expect([made.protocol, made.host, made.hash]).toEqual(['otpauth:', 'totp', ''])
    expect(made.pathname.slice(1).split(':').map(decodeURIComponent)).toEqual([issuer, account])
    expect([...made.searchParams]).toEqual([
      ['secret', SECRET],
      ['issuer', issuer],
      ['algorithm', 'SHA1'],
      ['digits', '6'],
      ['period', '30'],
    ])
    expect(made.href).not.toContain('+')
  })

  test('tells how the codes are made', () => {
    const rules: TotpRules = { algorithm: 'sha512', digits: 8, periodSeconds: 60, window: 2 }
    expect(otpauthUrl(rules, { secret: SECRET, issuer: 'Example', account: 'ann' })).toBe(
      `otpauth://totp/Example:ann?secret=${SECRET}&issuer=Example&algorithm=SHA512&digits=8&period=60`,
    )
  })

  test('has no colon in a name, which would part it', () => {
    const made = url('ACME: Shop', 'urn:ann:1')
    expect(made).toMatch(/^otpauth:\/\/totp\/ACME%20Shop:urn%20ann%201\?/)
    expect(made).toContain('&issuer=ACME%20Shop&')
    expect(made).not.toMatch(/%3A/i)
  })

  test('is made of half a character too', () => {
    expect(url('A\ud83d', 'ann')).toContain('/A%EF%BF%BD:ann?')
  })
})
