import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noPrices, parsePrices } from '../../src/messaging/prices.ts'
import type { Channel, Provider } from '../../src/messaging/provider.ts'
import {
  avoiding,
  type Candidate,
  defaultRoute,
  parseRoutes,
  type RoutingTable,
} from '../../src/messaging/routes.ts'
import { Dice } from '../history/random.ts'

const NAMES = ['twilio', 'vonage', 'sns', 'verify']

const provider = (name: string, channels: readonly Channel[], ownsCode = false): Provider => ({
  name,
  channels,
  ownsCode,
  send: async () => ({ ok: false, why: 'unavailable' }),
})
const PROVIDERS = [
  provider('twilio', ['sms', 'call', 'whatsapp']),
  provider('vonage', ['sms']),
  provider('sns', ['sms']),
  provider('verify', ['sms', 'call'], true),
]
const PRICES = parsePrices({
  currency: 'EUR',
  prices: [
    { provider: 'vonage', price: '0.07' },
    { provider: 'twilio', country: 'DE', price: '0.0699' },
    { provider: 'sns', sender: 'CHEAP', price: '0.01' },
  ],
})

/** Candidates in one word each: `vonage`, `vonage/ACME`. */
function ways(table: RoutingTable, to: Partial<Parameters<RoutingTable['candidates']>[0]> = {}, seed = 1) {
  const dice = new Dice(seed)
  return table
    .candidates(
      { country: 'DE', channel: 'sms', segments: 1, hasCode: true, ...to },
      { providers: PROVIDERS, prices: PRICES, random: (max) => dice.within(0, max) },
    )
    .map(nameOf)
}

const nameOf = ({ provider, sender }: Candidate) =>
  sender === null ? provider.name : `${provider.name}/${sender}`
const routes = (...list: readonly unknown[]) => parseRoutes({ routes: list }, NAMES)

describe('without a matching route', () => {
  test('messages go by the providers in their order', () => {
    for (const table of [
      defaultRoute(['sns', 'twilio']),
      parseRoutes({ routes: [{ countries: ['FR'], through: [{ provider: 'sns' }] }] }, ['sns', 'twilio']),
    ]) {
      expect(ways(table)).toEqual(['sns', 'twilio'])
      expect(ways(table, { channel: 'call' })).toEqual(['twilio'])
    }
  })

  test('a name that this process has no provider for is passed over', () => {
    expect(ways(defaultRoute(['smpp', 'twilio']))).toEqual(['twilio'])
  })
})

describe('a route', () => {
  test('that comes first wins, by country and channel; * and nothing are all', () => {
    const table = routes(
      { countries: ['DE', 'AT'], channel: 'sms', through: [{ provider: 'vonage', sender: 'ACME' }] },
      { countries: ['DE'], through: [{ provider: 'twilio', sender: '+4915112345678' }] },
      { countries: '*', channel: 'sms', through: [{ provider: 'sns' }] },
      { countries: ['*'], through: [{ provider: 'verify' }] },
    )
    expect(ways(table)).toEqual(['vonage/ACME'])
    expect(ways(table, { country: 'AT' })).toEqual(['vonage/ACME'])
    expect(ways(table, { channel: 'call' })).toEqual(['twilio/+4915112345678'])
    expect(ways(table, { country: 'ZZ' })).toEqual(['sns'])
    expect(ways(table, { country: 'FR', channel: 'call' })).toEqual(['verify'])
  })

  test('is not gone around: where none of its providers carries the message, nobody does', () => {
    const table = routes({ countries: ['DE'], through: [{ provider: 'vonage' }, { provider: 'verify' }] })
    expect(ways(table, { channel: 'whatsapp' })).toEqual([])
    expect(ways(table, { hasCode: false })).toEqual(['vonage'])
    expect(ways(table, { channel: 'call', hasCode: false })).toEqual([])
  })

  test('by price takes the cheapest first, unknown prices last as they are listed', () => {
    const through = ['sns', 'verify', 'vonage', 'twilio'].map((name) => ({ provider: name }))
    const table = routes({ order: 'price', through: [...through, { provider: 'sns', sender: 'CHEAP' }] })
    expect(ways(table)).toEqual(['sns/CHEAP', 'twilio', 'vonage', 'sns', 'verify'])
    expect(ways(table, { country: 'FR' })).toEqual(['sns/CHEAP', 'vonage', 'sns', 'verify', 'twilio'])
  })

  test('tells what each way costs', () => {
    const means = { providers: PROVIDERS, prices: PRICES, random: () => 0 }
    const message = { country: 'DE', channel: 'sms', segments: 3, hasCode: false } as const
    const [twilio, vonage] = defaultRoute(['twilio', 'sns', 'vonage'])
      .candidates(message, means)
      .filter(({ price }) => price !== null)
    expect(twilio?.price).toEqual({ amount: '0.2097', currency: 'EUR' })
    expect(vonage?.price).toEqual({ amount: '0.21', currency: 'EUR' })
    const none = defaultRoute(['twilio']).candidates(message, { ...means, prices: noPrices() })
    expect(none[0]?.price).toBeNull()
  })

  test('by weight leaves nobody out and draws each place by weight', () => {
    const through = [
      { provider: 'vonage', weight: 3 },
      { provider: 'twilio' },
      { provider: 'sns', weight: 0.5 },
    ]
    const table = routes({ order: 'weight', through })
    const counts: Record<string, number> = {}
    for (let seed = 0; seed < 20_000; seed++) {
      const order = ways(table, {}, seed)
      expect(order.toSorted()).toEqual(['sns', 'twilio', 'vonage'])
      counts[order.join()] = (counts[order.join()] ?? 0) + 1
    }
    const share = (order: string) => (counts[order] ?? 0) / 20_000
    expect(share('vonage,twilio,sns')).toBeCloseTo((3 / 4.5) * (1 / 1.5), 1.5)
    expect(share('vonage,sns,twilio')).toBeCloseTo((3 / 4.5) * (0.5 / 1.5), 1.5)
    expect(share('twilio,vonage,sns')).toBeCloseTo((1 / 4.5) * (3 / 3.5), 1.5)
    expect(share('sns,twilio,vonage')).toBeCloseTo((0.5 / 4.5) * (1 / 4), 1.5)
  })

  test('gives the same set whatever the dice and the order are', () => {
    const through = fc.uniqueArray(
      fc.record(
        {
          provider: fc.constantFrom(...NAMES),
          sender: fc.constantFrom('A1', 'B2'),
          weight: fc.double({ min: 0.001, max: 1_000, noNaN: true }),
        },
        { requiredKeys: ['provider'] },
      ),
      { minLength: 1, selector: ({ provider, sender }) => `${provider}/${sender}` },
    )
    const orders = fc.constantFrom('listed', 'price', 'weight')
    fc.assert(
      fc.property(through, orders, fc.nat(), fc.boolean(), (through, order, seed, hasCode) => {
        const table = routes({ order, through })
        const expected = through
          .filter(({ provider }) => hasCode || provider !== 'verify')
          .map(({ provider, sender }) => (sender === undefined ? provider : `${provider}/${sender}`))
        const found = ways(table, { hasCode }, seed)
        expect(found.toSorted()).toEqual(expected.toSorted())
        if (order === 'listed') expect(found).toEqual(expected)
      }),
    )
  })
})

describe('a resend', () => {
  const all = PROVIDERS.slice(0, 3).map((provider): Candidate => ({ provider, sender: null, price: null }))
  const after = (...tried: readonly string[]) =>
    avoiding(
      all,
      tried.map((name) => ({ provider: name, sender: null })),
    ).map(nameOf)

  test('takes another way than those that did not get through, and the same when there is no other', () => {
    expect(after()).toEqual(['twilio', 'vonage', 'sns'])
    expect(after('twilio')).toEqual(['vonage', 'sns', 'twilio'])
    expect(after('twilio', 'sns')).toEqual(['vonage', 'twilio', 'sns'])
    expect(after('twilio', 'vonage', 'sns')).toEqual(['twilio', 'vonage', 'sns'])
    expect(after('twilio', 'vonage', 'sns', 'twilio')).toEqual(['vonage', 'sns', 'twilio'])
    expect(after('smpp')).toEqual(['twilio', 'vonage', 'sns'])
  })

  test('by the same provider from another sender is another way', () => {
    const senders = ['A1', 'B2'].map((sender): Candidate => ({ ...all[0]!, sender }))
    expect(avoiding(senders, [{ provider: 'twilio', sender: 'A1' }]).map(nameOf)).toEqual([
      'twilio/B2',
      'twilio/A1',
    ])
  })
})

const OK = [{ provider: 'twilio' }]
test.each([
  [undefined, 'the file must be an object'],
  [{ route: [] }, 'the file has a member "route"; there is routes'],
  [{}, 'routes must be a list'],
  [{ routes: [] }, 'routes must not be empty'],
  [['DE'], 'routes[0] must be an object'],
  [[{ through: OK }, {}], 'routes[1].through must be a list'],
  [[{ through: [] }], 'routes[0].through must not be empty'],
  [[{ countries: [], through: OK }], 'routes[0].countries must not be empty'],
  [
    [{ countries: ['DE', 'XX'], through: OK }],
    'routes[0].countries[1] must be a country such as "DE"; "XX" is not',
  ],
  [
    [{ countries: ['*', 'DE'], through: OK }],
    'routes[0].countries[0] must be a country such as "DE"; "*" is not',
  ],
  [[{ channel: 'mms', through: OK }], 'routes[0].channel must be one of sms, whatsapp, call; "mms" is not'],
  [[{ order: 'cheap', through: OK }], 'routes[0].order must be one of listed, price, weight; "cheap" is not'],
  [
    [{ country: 'DE', through: OK }],
    'routes[0] has a member "country"; there is countries, channel, order, through',
  ],
  [
    [{ through: [{ provider: 'twillio' }] }],
    'routes[0].through[0].provider must be one of twilio, vonage, sns, verify; "twillio" is not',
  ],
  [[{ through: ['twilio'] }], 'routes[0].through[0] must be an object'],
  [
    [{ through: [{ provider: 'twilio', from: 'A' }] }],
    'routes[0].through[0] has a member "from"; there is provider, sender, weight',
  ],
  ...['', ' A', 'A\n', 'Ä', 7, 'x'.repeat(65)].map(
    (sender) =>
      [
        [{ through: [{ provider: 'twilio', sender }] }],
        'routes[0].through[0].sender must be a number, a short code or a name, of at most 64 characters',
      ] as const,
  ),
  ...[0, -1, '3', null, 1e7].map(
    (weight) =>
      [
        [{ order: 'weight', through: [{ provider: 'twilio', weight }] }],
        'routes[0].through[0].weight must be a number above 0, up to 1000000',
      ] as const,
  ),
  [
    [{ through: [{ provider: 'twilio', weight: 3 }] }],
    'routes[0].order must be given where there are weights; "weight" is what they are for',
  ],
  [[{ through: [...OK, { provider: 'vonage' }, ...OK] }], 'routes[0].through[2] is the same as through[0]'],
  [
    [
      { countries: ['DE', 'AT'], through: OK },
      { countries: ['AT'], channel: 'sms', through: OK },
    ],
    'routes[1] is never used: routes[0] matches all of it',
  ],
  [
    [{ through: OK }, { countries: ['AT'], through: OK }],
    'routes[1] is never used: routes[0] matches all of it',
  ],
] as readonly (readonly [unknown, string])[])('a wrong table says where: %j', (given, message) => {
  const json = Array.isArray(given) ? { routes: given as unknown[] } : given
  expect(() => parseRoutes(json, NAMES)).toThrow(new Error(message))
})

test('any JSON is read or refused with words', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      for (const tried of [json, { routes: [json] }, { routes: [{ through: [json] }] }]) {
        expect(() => parseRoutes(tried, NAMES)).toThrow(/^(the file|routes)/)
      }
    }),
  )
})

test('the examples of the manual are read', () => {
  const page = readFileSync(new URL('../../../docs/routing.md', import.meta.url), 'utf8')
  const [routing, pricing, ...more] = [...page.matchAll(/^```json\n([\s\S]*?)^```/gm)].map(
    ([, text]): unknown => JSON.parse(text ?? ''),
  )
  expect(more).toEqual([])
  const table = parseRoutes(routing, ['vonage', 'twilio', 'sns'])
  const means = { providers: PROVIDERS, prices: parsePrices(pricing), random: () => 0 }
  const message = { country: 'US', channel: 'sms', segments: 1, hasCode: true } as const
  const toUs = table.candidates(message, means)
  expect(toUs.map(nameOf)).toEqual(['twilio/+15551234567', 'twilio/+15557654321', 'sns'])
  expect(toUs.map(({ price }) => price?.amount)).toEqual(['0.0079', '0.0079', undefined])
  const toFrance = table.candidates({ ...message, country: 'FR', segments: 2 }, means)
  expect(toFrance.map(({ price }) => price?.amount)).toEqual(['0.10', '0.1300', undefined])
})
