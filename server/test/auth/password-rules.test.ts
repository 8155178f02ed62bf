import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { normalizePassword, passwordFault } from '../../src/auth/password-rules.ts'
import { cpuMsOf } from '../helpers/cpu-time.ts'

const fault = (password: string, ...about: string[]) => passwordFault(password, { about })

describe('length', () => {
  test('is 8 to 256 characters, however many bytes or UTF-16 units one takes', () => {
    expect(fault('hX4!qz7')).toBe('too_short')
    expect(fault('hX4!qz7w')).toBeUndefined()
    expect(fault('🐴🔋🧷🎈🎁🚲🪁')).toBe('too_short')
    expect(fault('🐴🔋🧷🎈🎁🚲🪁🧦')).toBeUndefined()
    const long = Array.from({ length: 256 }, (_, i) => String.fromCodePoint(0x4e00 + i * 7)).join('')
    expect(fault(long)).toBeUndefined()
    expect(fault(`${long}x`)).toBe('too_long')
  })

  test('is counted after NFKC: a letter and its accent are one, a ligature is two', () => {
    const decomposed = 'e\u0301'.repeat(3) + 'a\u0300vïx'
    expect(Array.from(decomposed).length).toBeGreaterThanOrEqual(8)
    expect(fault(decomposed)).toBe('too_short')
    expect(fault('ﬀhX4!qz')).toBeUndefined()
    expect(normalizePassword('ｐａｓｓ e\u0301')).toBe('pass é')
  })

  test('can be asked to be more', () => {
    expect(passwordFault('hX4!qz7wmk9-Lp', { about: [], lengthMin: 15 })).toBe('too_short')
    expect(passwordFault('hX4!qz7wmk9-Lpe', { about: [], lengthMin: 15 })).toBeUndefined()
  })

  test('a text of a megabyte is refused before any work is done on it', () => {
    const ms = cpuMsOf(() => {
      for (let i = 0; i < 10; i++) fault('ﷺ'.repeat(1_000_000))
    })
    expect(ms).toBeLessThan(1_000)
    expect(fault('ﷺ'.repeat(1_000_000))).toBe('too_long')
  })
})

test('any character is fine and none is asked for', () => {
  for (const password of [
    'lower only words',
    '82640193755',
    '        x ',
    'Ærøskøbing',
    'пароль-вода',
    '\t\u0001ab cd ef',
  ])
    expect(fault(password), password).toBeUndefined()
})

describe('the common ones', () => {
  const list = readFileSync(new URL('../../src/auth/common-passwords.txt', import.meta.url), 'utf8')
  const lines = list.trimEnd().split('\n')

  test('are a sorted list of 10,000 and more, each of 8 characters and more, in one spelling', () => {
    expect(lines.length).toBeGreaterThan(10_000)
    expect(Buffer.byteLength(list)).toBeLessThan(300_000)
    expect(lines).toEqual([...new Set(lines)].toSorted())
    expect(lines.filter((line) => !/^[ -~]{8,64}$/.test(line) || line !== line.toLowerCase())).toEqual([])
  })

  test('are refused, each of them, whatever the case and the width of their letters', () => {
    expect(lines.filter((line) => fault(line) !== 'common')).toEqual([])
    for (const password of [
      'password',
      'PassWord',
      'ｐａｓｓｗｏｒｄ',
      '1Qaz2wsx',
      'iloveyou',
      'TRUSTNO1',
      'qwertyuiop',
    ])
      expect(fault(password), password).toBe('common')
    expect(fault('password of mine')).toBeUndefined()
  })
})

describe('what is about the account', () => {
  test('is its number, however written, with digits behind it or not', () => {
    const phone = '+4917012345987'
    for (const password of [
      '+4917012345987',
      '004917012345987',
      '017012345987',
      '17012345987',
      '0170 12345-987',
      '(0170) 12345987',
      '12345987',
      '49170123459871990',
      '+4917012345987 01',
    ])
      expect(fault(password, phone), password).toBe('about_you')
    for (const password of ['92345987104', '017012345988', 'x4917012345987', '87945321'])
      expect(fault(password, phone), password).toBeUndefined()
  })

  test('is its e-mail, the name in it, its owner’s name and the service’s, with digits behind it or not', () => {
    const about = ['ada.lovelace+shop@example.org', 'Ada Märta King-Noel', 'Acme Verify', 'Bo']
    for (const password of [
      'ada.lovelace+shop@example.org',
      'ADA.Lovelace+Shop@Example.org1',
      'adalovelaceshop',
      'Lovelace7',
      'lovelace1815',
      'AdaMärtaKingNoel',
      'ada ma\u0308rta king noel 7',
      'Märta2024',
      'acmeverify',
      'ACME-Verify-01',
      'Acme20262026',
      'Bo15121815',
    ])
      expect(fault(password, ...about), password).toBe('about_you')
    for (const password of [
      'lovelace likes hats',
      'my acme verify',
      'Boat15121815',
      'xAcme20262026',
      'märta🐴🔋🧷',
    ])
      expect(fault(password, ...about), password).toBeUndefined()
  })

  test('is nothing where nothing is known, or a name is of signs alone', () => {
    expect(fault('82640193755', '', '  ', '...', '+', '-')).toBeUndefined()
  })
})

describe('repetition', () => {
  test('of a character or of a sequence too short to be a password is refused', () => {
    for (const password of [
      'zzzzzzzzz',
      '🐴'.repeat(9),
      'xYxYxYxYx',
      'horseHORSEhorse',
      'kq7!kq7!kq',
      'pelican'.repeat(3),
    ])
      expect(fault(password), password).toBe('repetitive')
    for (const password of ['pelicans'.repeat(2), 'zzzzzzzzy', 'horse horse mule'])
      expect(fault(password), password).toBeUndefined()
  })

  test('and so is a row of the alphabet or of digits, up or down', () => {
    for (const password of ['bcdefghijk', 'zyxwvutsrqp', '34567890123', '5432109876', 'αβγδεζηθ'])
      expect(fault(password), password).toBe('repetitive')
    expect(fault('acegikmoq')).toBeUndefined()
  })
})
