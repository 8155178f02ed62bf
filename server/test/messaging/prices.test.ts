import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareAmounts, noPrices, parsePrices } from '../../src/messaging/prices.ts'

const prices = (...entries: readonly unknown[]) => parsePrices({ currency: 'USD', prices: entries })
const sms = { provider: 'twilio', country: 'US', channel: 'sms', segments: 1 } as const

describe('a price', () => {
  test('is that of a segment times the segments, with the places of the table', () => {
    const table = prices(
      { provider: 'twilio', price: '0.0079' },
      { provider: 'vonage', price: '0.0050' },
      { provider: 'sns', price: '3' },
    )
    expect(table.of({ ...sms, segments: 2 })).toEqual({ amount: '0.0158', currency: 'USD' })
    expect(table.of({ ...sms, provider: 'vonage', segments: 2 })?.amount).toBe('0.0100')
    expect(table.of({ ...sms, provider: 'sns', segments: 4 })?.amount).toBe('12')
    expect(table.of({ ...sms, provider: 'smpp' })).toBeNull()
  })

  test('of a call and a WhatsApp message does not depend on the length of a text', () => {
    const table = prices({ provider: 'twilio', price: '0.013' })
    for (const channel of ['call', 'whatsapp'] as const) {
      expect(table.of({ ...sms, channel, segments: 5 })?.amount).toBe('0.013')
    }
  })

  test('is exact for every decimal and length, against whole numbers', () => {
    const decimal = fc.tuple(fc.nat(999_999_999), fc.stringMatching(/^\d{1,12}$/))
    fc.assert(
      fc.property(decimal, fc.integer({ min: 1, max: 20 }), ([whole, fraction], segments) => {
        const table = prices({ provider: 'twilio', price: `${whole}.${fraction}` })
        const { amount } = table.of({ ...sms, segments }) ?? { amount: '' }
        const [ours = '', places = ''] = amount.split('.')
        expect(places).toHaveLength(fraction.length)
        expect(BigInt(ours + places)).toBe(BigInt(`${whole}${fraction}`) * BigInt(segments))
        expect(amount).toMatch(/^(0|[1-9]\d*)\.\d+$/)
      }),
    )
  })

  test('is that of the most precise entry, wherever it stands: sender, then country, then channel', () => {
    const entries = [
      { provider: 'twilio', price: '1' },
      { provider: 'twilio', channel: 'sms', price: '2' },
      { provider: 'twilio', country: ['DE', 'US'], price: '3' },
      { provider: 'twilio', country: 'US', channel: 'sms', price: '4' },
      { provider: 'twilio', sender: '12345', price: '5' },
      { provider: 'twilio', sender: '12345', country: 'US', price: '6' },
    ]
    fc.assert(
      fc.property(fc.shuffledSubarray(entries, { minLength: entries.length }), (shuffled) => {
        const table = prices(...shuffled)
        expect(table.of({ ...sms, country: 'FR', channel: 'call' })?.amount).toBe('1')
        expect(table.of({ ...sms, country: 'FR' })?.amount).toBe('2')
        expect(table.of({ ...sms, country: 'DE' })?.amount).toBe('3')
        expect(table.of({ ...sms, sender: null })?.amount).toBe('4')
        expect(table.of({ ...sms, country: 'FR', sender: '12345' })?.amount).toBe('5')
        expect(table.of({ ...sms, sender: '12345' })?.amount).toBe('6')
      }),
    )
  })

  test('that is not known comes last', () => {
    const usd = (amount: string) => ({ amount, currency: 'USD' })
    const table = prices({ provider: 'twilio', price: '1' })
    const mixed = [null, usd('0.1'), usd('0.0999999'), null, usd('10'), usd('9')]
    expect(mixed.toSorted((a, b) => table.compare(a, b)).map((price) => price?.amount)).toEqual([
      '0.0999999',
      '0.1',
      '9',
      '10',
      undefined,
      undefined,
    ])
    expect(() => table.compare(usd('1'), { amount: '1', currency: 'EUR' })).toThrow('no order')
    expect(noPrices().of(sms)).toBeNull()
  })

  test('compares as whole numbers of the same places do', () => {
    const amount = fc.tuple(fc.nat(3), fc.stringMatching(/^[019]{1,6}$/))
    const whole = ([a, b]: [number, string]) => BigInt(a + b.padEnd(6, '0'))
    fc.assert(
      fc.property(amount, amount, (a, b) => {
        const [one, other] = [whole(a), whole(b)]
        const expected = one < other ? -1 : one > other ? 1 : 0
        expect(compareAmounts(a.join('.'), b.join('.'))).toBe(expected)
      }),
    )
  })
})

test.each([
  [null, 'the file must be an object'],
  [[], 'the file must be an object'],
  [{ currency: 'USD', price: [] }, 'the file has a member "price"; there is currency, prices'],
  [{ prices: [] }, 'currency must be three capital letters, such as "USD"'],
  [{ currency: 'usd', prices: [] }, 'currency must be three capital letters, such as "USD"'],
  [{ currency: 'USD' }, 'prices must be a list'],
  [{ currency: 'USD', prices: [] }, 'prices must not be empty'],
  [[7], 'prices[0] must be an object'],
  [[{ price: '1' }], 'prices[0].provider must be one of twilio, vonage'],
  [[{ provider: 'sns', price: '1' }], 'prices[0].provider must be one of twilio, vonage; "sns" is not'],
  [[{ provider: 'twilio', price: 0.0079 }], 'prices[0].price must be a decimal such as "0.0079"'],
  [[{ provider: 'twilio', price: '-1' }], 'prices[0].price must be a decimal such as "0.0079"'],
  [[{ provider: 'twilio', price: '1e3' }], 'prices[0].price must be a decimal such as "0.0079"'],
  [[{ provider: 'twilio', price: '.5' }], 'prices[0].price must be a decimal such as "0.0079"'],
  [[{ provider: 'twilio', price: '1,5' }], 'prices[0].price must be a decimal such as "0.0079"'],
  [[{ provider: 'twilio' }], 'prices[0].price must be a decimal such as "0.0079"'],
  [
    [{ provider: 'twilio', price: '1', countries: ['US'] }],
    'prices[0] has a member "countries"; there is provider, country, channel, sender, price',
  ],
  [
    [{ provider: 'twilio', country: 'UK', price: '1' }],
    'prices[0].country must be a country such as "DE"; "UK" is not',
  ],
  [
    [{ provider: 'twilio', country: ['US', 'de'], price: '1' }],
    'prices[0].country[1] must be a country such as "DE"; "de" is not',
  ],
  [[{ provider: 'twilio', country: [], price: '1' }], 'prices[0].country must not be empty'],
  [[{ provider: 'twilio', country: ['US', 'US'], price: '1' }], 'prices[0].country[1] has US again'],
  [
    [{ provider: 'twilio', channel: 'voice', price: '1' }],
    'prices[0].channel must be one of sms, whatsapp, call; "voice" is not',
  ],
  [
    [
      { provider: 'twilio', country: '*', price: '1' },
      { provider: 'twilio', price: '2' },
    ],
    'prices[1] is for the same as prices[0]',
  ],
  [
    [
      { provider: 'twilio', country: ['DE', 'AT'], price: '1' },
      { provider: 'vonage', country: 'AT', price: '1' },
      { provider: 'twilio', country: ['CH', 'AT'], price: '2' },
    ],
    'prices[2] is for the same as prices[0], in AT',
  ],
] as readonly (readonly [unknown, string])[])('a wrong table says where: %j', (given, message) => {
  const json =
    Array.isArray(given) && given.length > 0 ? { currency: 'USD', prices: given as unknown[] } : given
  expect(() => parsePrices(json, ['twilio', 'vonage'])).toThrow(new Error(message))
})

test('any JSON is read or refused with words', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      try {
        parsePrices(json)
        parsePrices({ currency: 'USD', prices: [json] })
      } catch (error) {
        expect((error as Error).message).toMatch(/^(the file|currency|prices)/)
      }
    }),
  )
})
