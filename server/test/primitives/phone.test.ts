import * as fc from 'fast-check'
import gl from 'google-libphonenumber'
import { describe, expect, test } from 'vitest'
import { CountersignError } from '../../src/primitives/errors.ts'
import { maskPhone, parsePhone, tryParsePhone } from '../../src/primitives/phone.ts'
import { cpuMsOf } from '../helpers/cpu-time.ts'

function refusal(read: () => unknown): CountersignError {
  try {
    read()
  } catch (error) {
    if (error instanceof CountersignError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

/** The spellings of each number that must share one key; a pair carries the country to read it in. */
const SPELLINGS: Record<string, readonly (string | readonly [string, string])[]> = {
  '+14155552671': [
    '+14155552671',
    '+1 415 555 2671',
    '+1-415-555-2671',
    '+1.415.555.2671',
    '+1 (415) 555-2671',
    '(+1) 415 555 2671',
    ' +1 415 555 2671 ',
    '+ 1 415 555 2671',
    '+1\u00a0415\u00a0555\u00a02671',
    '+1\u2011415\u2011555\u20112671',
    '\u202a+1 (415) 555-2671\u202c',
    '+1 [415] 555/2671',
    'tel:+1-415-555-2671',
    'TEL:+14155552671',
    'tel:+1-415-555-2671;ext=123',
    'tel:+1(415)555.2671;isub=12;ext=3',
    'tel:415-555-2671;phone-context=+1',
    'tel:555-2671;phone-context=+1-415',
    '+14155552671;ext=123',
    '+14155552671x123',
    '+1 415 555 2671 x 123',
    '+1 415 555 2671 ext. 123',
    '+1 415 555 2671 Extension 123',
    '+1 415 555 2671 #123',
    '0014155552671',
    '00 1 415 555 2671',
    '\uff0b\uff11\uff14\uff11\uff15\uff15\uff15\uff15\uff12\uff16\uff17\uff11',
    '\uff0b1\uff08415\uff09555\uff0d2671',
    '+١٤١٥٥٥٥٢٦٧١',
    '+۱۴۱۵۵۵۵۲۶۷۱',
    '+१४१५५५५२६७१',
    '+১৪১৫৫৫৫২৬৭১',
    '٠٠١٤١٥٥٥٥٢٦٧١',
    ['4155552671', 'US'],
    ['(415) 555-2671', 'us'],
    ['1 415 555 2671', 'CA'],
    ['011 1 415 555 2671', 'US'],
    ['001 415 555 2671', 'DE'],
    ['001 415 555 2671', 'US'],
    ['0011 1 415 555 2671', 'AU'],
    ['+14155552671', 'DE'],
    ['४१५५५५२६७१', 'US'],
  ],
  '+442079460958': [
    '+44 (0) 20 7946 0958',
    '0044 20 7946 0958',
    ['020 7946 0958', 'GB'],
    '+44 020 7946 0958',
  ],
  '+390612345678': ['+39 06 1234 5678', ['06 1234 5678', 'IT'], '0039 06 12345678'],
  '+3780549886377': ['+378 0549 886377', '+378 886377', ['886377', 'SM']],
  '+74951234567': ['+7 495 123-45-67', ['8 (495) 123-45-67', 'RU'], ['8~10~7 495 123 45 67', 'RU']],
  '+5511997654321': ['+55 11 99765-4321', ['011 99765-4321', 'BR'], ['0 15 11 99765-4321', 'BR']],
  '+525512345678': [
    '+52 55 1234 5678',
    '+521 55 1234 5678',
    '+5215512345678',
    '00521 55 1234 5678',
    '+52 01 55 1234 5678',
    '+52 044 55 1234 5678',
    '+52 045 55 1234 5678',
    ['55 1234 5678', 'MX'],
    ['1 55 1234 5678', 'MX'],
    ['01 55 1234 5678', 'MX'],
    ['044 55 1234 5678', 'MX'],
    ['045 55 1234 5678', 'MX'],
  ],
  '+5491123456789': [
    '+54 9 11 2345 6789',
    '+549 11 2345-6789',
    '+54 11 2345 6789',
    '+54 11 15 2345 6789',
    '+54 9 11 15 2345 6789',
    '0054 11 2345 6789',
    ['011 15-2345-6789', 'AR'],
    ['11 15 2345 6789', 'AR'],
    ['011 2345 6789', 'AR'],
    ['11 2345 6789', 'AR'],
    ['9 11 2345 6789', 'AR'],
    ['0 9 11 2345 6789', 'AR'],
  ],
  '+5492214567890': [
    '+54 9 221 456-7890',
    '+54 221 456 7890',
    ['0221 15-456-7890', 'AR'],
    '+54 221 15 456 7890',
  ],
}

describe('R28 every spelling of one number has one key', () => {
  for (const [e164, spellings] of Object.entries(SPELLINGS)) {
    test(`R28 ${spellings.length} spellings of ${e164}`, () => {
      const keys = spellings.map((spelling) => {
        const [input, country] = typeof spelling === 'string' ? [spelling] : spelling
        return [input, tryParsePhone(input, country)?.e164]
      })
      expect(keys).toEqual(keys.map(([input]) => [input, e164]))
    })
  }

  test('R28 an accepted key, and its national form in its country, read back to the same phone', () => {
    for (const e164 of Object.keys(SPELLINGS)) {
      const phone = parsePhone(e164)
      expect(parsePhone(phone.e164)).toEqual(phone)
      expect(parsePhone(phone.national, { country: phone.country })).toEqual(phone)
    }
  })

  test('R28 punctuation, script and prefix put in at random do not change the key', () => {
    const spelling = fc
      .tuple(
        fc.constantFrom('+1', '001', '\uff0b1', 'tel:+1', '+\u0661'),
        fc.array(fc.constantFrom('', ' ', '-', '.', '\u00a0', '\u2013', '\u200e', '(', ')', '\u3000'), {
          minLength: 10,
          maxLength: 10,
        }),
        fc.constantFrom(0x30, 0x660, 0x6f0, 0x966, 0x9e6, 0xff10),
        fc.constantFrom('', 'x1', ' ext. 22', ';ext=333', '#4'),
      )
      .map(([prefix, marks, zero, extension]) => {
        const digits = '4155552671'.split('').map((digit) => String.fromCharCode(zero + Number(digit)))
        return prefix + digits.map((digit, at) => (marks[at] ?? '') + digit).join('') + extension
      })
    fc.assert(fc.property(spelling, (text) => tryParsePhone(text)?.e164 === '+14155552671'))
  })
})

describe('what a phone tells', () => {
  test('a number carries its country, calling code, line type and national form', () => {
    expect(parsePhone('+44 7400 123456')).toEqual({
      e164: '+447400123456',
      country: 'GB',
      callingCode: '44',
      type: 'mobile',
      national: '07400 123456',
    })
    expect(parsePhone('+14155552671')).toMatchObject({ country: 'US', type: 'fixed_line_or_mobile' })
    expect(parsePhone('+1 900 234 5678').type).toBe('premium_rate')
    expect(parsePhone('+44 20 7946 0958').type).toBe('fixed_line')
  })

  test('a number of no country has the country ZZ', () => {
    expect(parsePhone('+800 1234 5678')).toMatchObject({
      country: 'ZZ',
      callingCode: '800',
      type: 'toll_free',
    })
    expect(parsePhone('+881 612345678')).toMatchObject({ country: 'ZZ', callingCode: '881', type: 'mobile' })
  })

  test('Argentine freephone numbers are left as they are', () => {
    expect(parsePhone('+54 800 123 4567')).toMatchObject({ e164: '+548001234567', type: 'toll_free' })
  })

  test('00 is read as it is dialled in the country before it is read as a plus', () => {
    // Colombia dials abroad with 005, 007 and 009; elsewhere 0057… is a Colombian number.
    expect(parsePhone('009 1 268 464 1234', { country: 'CO' }).e164).toBe('+12684641234')
    expect(parsePhone('0057 310 123 4567', { country: 'DE' }).e164).toBe('+573101234567')
    expect(parsePhone('0057 310 123 4567').e164).toBe('+573101234567')
  })
})

describe('what is refused', () => {
  const junk: readonly string[] = [
    '',
    ' ',
    '+',
    '00',
    '000000000000',
    '1',
    'abc',
    'tel:',
    ';ext=1',
    'x123',
    '4155552671',
    '14155552671',
    '+1415555267',
    '+141555526711',
    '+04155552671',
    '+0014155552671',
    '000014155552671',
    '++14155552671',
    '+1+4155552671',
    '+14155552671+',
    '+1 415 FLOWERS',
    '1-800-FLOWERS',
    '+14155552671\0',
    '\0+14155552671',
    '+1415\u00005552671',
    '+14155552671\n',
    '+1415\t5552671',
    '+1415\u007f5552671',
    '+1415\u00855552671',
    '+1415\u20285552671',
    '+14155552671,+14155552672',
    '+14155552671;+14155552672',
    '+14155552671 +14155552672',
    '+14155552671/+14155552672',
    '+14155552671 or 4155552672',
    '+14155552671 14155552672',
    '+1415555267\u00b9',
    '+1415555267\u2460',
    '+14155552671%00',
    '%2B14155552671',
    "+14155552671' OR 1=1",
    'tel:863-1234;phone-context=example.com',
    'tel:+14155552671;phone-context=+44',
    'tel:+14155552671;unknown=1',
    'tel:5552671;phone-context=+1415;phone-context=+1415',
    'tel:+14155552671;ext=',
    'tel:tel:+14155552671',
    'sms:+14155552671',
    '+14155552671 ext. 12345678',
    '+14155552671x1x2',
    '+44 7700 900123',
    '+1 555 555 5555',
    '+999 123456789',
    '+55 11 8765 4321',
    '+55 11 9765 4321',
    '+1415555\ud8002671',
    `${' '.repeat(60)}+14155552671`,
    '+1'.repeat(40),
    '1'.repeat(1_000_000),
    '(('.repeat(500_000),
  ]

  test.each(junk.map((input) => [JSON.stringify(input.slice(0, 50)), input]))(
    '%s is no number',
    (_, input) => {
      const error = refusal(() => parsePhone(input))
      expect([error.code, error.help]).toEqual(['invalid_phone', { field: 'to' }])
      expect(error.detail).not.toContain('5552671')
      expect(tryParsePhone(input)).toBeUndefined()
    },
  )

  test('the caller names the field', () => {
    expect(refusal(() => parsePhone('1', { field: 'phone_number' })).help).toEqual({ field: 'phone_number' })
  })

  test('a text of exactly 64 characters is read, one of 65 is not', () => {
    const number = '+14155552671'
    expect(tryParsePhone(number.padStart(64))?.e164).toBe(number)
    expect(tryParsePhone(number.padStart(65))).toBeUndefined()
  })

  test('a megabyte is refused without being read', () => {
    const text = '(1'.repeat(500_000)
    const ms = cpuMsOf(() => {
      for (let i = 0; i < 1000; i++) tryParsePhone(text, 'US')
    })
    expect(ms).toBeLessThan(200)
  })

  const countries = [
    '__proto__',
    'constructor',
    'toString',
    'XX',
    'ZZ',
    '001',
    '',
    'U',
    'USA',
    'U\0',
    'uſ',
    '🇺🇸',
  ]
  test.each(countries)('%j is no country, for national and international numbers', (country) => {
    for (const input of ['4155552671', '+14155552671']) {
      const error = refusal(() => parsePhone(input, { country }))
      expect([error.code, error.help]).toEqual(['invalid_request', { field: 'country' }])
      expect(tryParsePhone(input, country)).toBeUndefined()
    }
  })
})

describe('whatever comes in', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '+',
      '00',
      '1',
      '54',
      '52',
      '9',
      '15',
      '044',
      'x',
      ';ext=',
      'tel:',
      ';phone-context=+',
      ' ',
      '(',
      '/',
      '\0',
    ),
    fc.string({ maxLength: 6, unit: 'binary' }),
    fc.integer({ min: 0, max: 1e12 }).map(String),
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.array(piece, { maxLength: 12 }).map((all) => all.join('')),
  )
  const country = fc.option(
    fc.oneof(fc.constantFrom('US', 'AR', 'MX', 'BR', 'DE', 'JP', 'ru'), fc.string({ maxLength: 12 })),
    {
      nil: undefined,
    },
  )

  test('nothing but a CountersignError is thrown, and what is accepted is stable E.164 (R28)', () => {
    fc.assert(
      fc.property(text, country, (input, country) => {
        const phone = tryParsePhone(input, country)
        if (phone === undefined) {
          refusal(() => parsePhone(input, { country }))
          return
        }
        expect(phone.e164).toMatch(/^\+[1-9]\d{4,14}$/)
        expect(phone.country).toMatch(/^[A-Z]{2}$/)
        expect(parsePhone(phone.e164)).toEqual(phone)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('against the reference implementation', () => {
  const util = gl.PhoneNumberUtil.getInstance()

  /** Ranges of Benin and Zimbabwe on which the two packages' copies of the numbering plan are of different age. */
  const OTHER_AGE = /^\+(?:2298|26313)/

  /** Example numbers of every type of every country, and two neighbours of each, as E.164. */
  function sample(): { e164: string; region: string }[] {
    const numbers: { e164: string; region: string }[] = []
    const types = Object.values(gl.PhoneNumberType).filter((type) => typeof type === 'number')
    for (const region of util.getSupportedRegions()) {
      for (const type of types) {
        const example = util.getExampleNumberForType(region, type)
        if (!example) continue
        const e164 = util.format(example, gl.PhoneNumberFormat.E164)
        const last = Number(e164.at(-1))
        if (OTHER_AGE.test(e164)) continue
        for (const step of [0, 3, 7]) numbers.push({ e164: e164.slice(0, -1) + ((last + step) % 10), region })
      }
    }
    return numbers
  }

  /** Our rule over the reference: a number of Argentina takes the mobile form where that is valid. */
  function canonical(e164: string): string {
    if (!e164.startsWith('+54') || e164.startsWith('+549')) return e164
    const mobile = `+549${e164.slice(3)}`
    return util.isValidNumber(util.parse(mobile)) ? mobile : e164
  }

  const numbers = sample()

  test(`R28 ${numbers.length} numbers of all countries: validity, key and country agree`, () => {
    expect(numbers.length).toBeGreaterThan(2000)
    const differences = numbers.filter(({ e164 }) => {
      const reference = util.parse(e164)
      const expected = util.isValidNumber(reference)
        ? canonical(util.format(reference, gl.PhoneNumberFormat.E164))
        : undefined
      const phone = tryParsePhone(e164)
      const country = expected && util.getRegionCodeForNumber(reference)
      return phone?.e164 !== expected || (phone !== undefined && phone.country !== country)
    })
    expect(differences).toEqual([])
  })

  test('R28 the national and the international spelling of each are one key', () => {
    const formats = [
      gl.PhoneNumberFormat.NATIONAL,
      gl.PhoneNumberFormat.INTERNATIONAL,
      gl.PhoneNumberFormat.RFC3966,
    ]
    const differences = numbers.flatMap(({ e164, region }) => {
      const reference = util.parse(e164)
      if (!util.isValidNumber(reference)) return []
      const spellings = formats.map((format) => util.format(reference, format))
      return [...spellings, `00${e164.slice(1)}`]
        .map((text, at) => [text, at === 0 ? region : undefined] as const)
        .filter(([text, country]) => tryParsePhone(text, country)?.e164 !== canonical(e164))
    })
    expect(differences).toEqual([])
  })
})

describe('maskPhone', () => {
  test('shows the last four digits in one shape whatever the length', () => {
    expect(maskPhone('+14155552671')).toBe('+******2671')
    expect(maskPhone('+37255512671')).toBe('+******2671')
    expect(maskPhone('+8835100012671')).toBe('+******2671')
  })

  test('shows nothing of what is short or no number', () => {
    for (const text of [
      '',
      '+',
      '1234',
      '+1234',
      '+6834002',
      '14155552671',
      'secret 1234',
      '+1415555267a',
      '+14155552671\n',
    ]) {
      expect(maskPhone(text)).toBe('+******')
    }
  })
})
