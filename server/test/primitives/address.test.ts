import { SocketAddress } from 'node:net'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UNKNOWN_ADDRESS, addressKey, isCidr, makeNetworks, parseIp } from '../../src/primitives/address.ts'

const NOT_ADDRESSES: readonly string[] = [
  '',
  ' ',
  'a',
  'unknown',
  'localhost',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '01.2.3.4',
  '0x7f.0.0.1',
  '2130706433',
  '1.2.3.4 ',
  ' 1.2.3.4',
  '1.2.3.4\0',
  '1.2.3.4\n',
  '1.2.3.4:99',
  '[::1]',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '12345::',
  'g::',
  '::1.2.3',
  '::1%',
  '::1%a b',
  '::/64',
  '１.２.３.４',
  `::1%${'a'.repeat(100)}`,
  '1'.repeat(1_000_000),
  ':'.repeat(1_000_000),
]

/** Any address as eight groups, zero groups common, so that every place of `::` is met. */
const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
  minLength: 8,
  maxLength: 8,
})

function toKeys(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses.map(addressKey))]
}

describe('addressKey', () => {
  test('R25 A21 a thousand addresses of one /64 are one key', () => {
    const spread = Array.from(
      { length: 1000 },
      (_, i) => `2001:db8:1:2:${i.toString(16)}:0:7:${(i * 7).toString(16)}`,
    )
    expect(new Set(spread).size).toBe(1000)
    expect(toKeys(spread)).toEqual(['2001:db8:1:2::'])
  })

  test('R25 neighbouring /64s are different keys', () => {
    const keys = toKeys(Array.from({ length: 1000 }, (_, i) => `2001:db8:1:${i.toString(16)}::1`))
    expect(keys).toHaveLength(1000)
  })

  test('R25 A21 thirteen spellings of one IPv6 address are one key and one address', () => {
    const spellings = [
      '2001:db8::1:0:0:1',
      '2001:DB8::1:0:0:1',
      '2001:0db8::1:0:0:1',
      '2001:0db8:0000:0000:0001:0000:0000:0001',
      '2001:db8:0:0:1:0:0:1',
      '2001:db8:0:0:1::1',
      '2001:db8:0::1:0:0:1',
      '2001:db8::0:1:0:0:1',
      '2001:Db8:0000:0:01:00:000:0001',
      '2001:db8::1:0:0.0.0.1',
      '2001:db8:0:0:1::0.0.0.1',
      '2001:db8::1:0:0:1%eth0',
      '2001:db8::1:0:0:1%25',
    ]
    expect(toKeys(spellings)).toEqual(['2001:db8::'])
    expect(new Set(spellings.map(parseIp))).toEqual(new Set(['2001:db8::1:0:0:1']))
  })

  test('R26 A22 an IPv4 address inside IPv6 is that IPv4 address, in every spelling', () => {
    const spellings = [
      '1.2.3.4',
      '::ffff:1.2.3.4',
      '::FFFF:1.2.3.4',
      '::ffff:102:304',
      '::ffff:0102:0304',
      '0:0:0:0:0:ffff:1.2.3.4',
      '0000:0000:0000:0000:0000:ffff:0102:0304',
      '::ffff:1.2.3.4%eth0',
      '64:ff9b::1.2.3.4',
      '64:ff9b::102:304',
    ]
    expect(toKeys(spellings)).toEqual(['1.2.3.4'])
  })

  test('R26 A22 two callers with mapped IPv4 addresses are two keys', () => {
    expect(addressKey('::ffff:1.2.3.4')).not.toBe(addressKey('::ffff:1.2.3.5'))
    expect(addressKey('64:ff9b::1.2.3.4')).not.toBe(addressKey('64:ff9b::1.2.3.5'))
    expect(toKeys(Array.from({ length: 256 }, (_, i) => `::ffff:10.0.${i}.1`))).toHaveLength(256)
  })

  test('what only looks like a mapped address is an IPv6 address', () => {
    expect(addressKey('::1:ffff:1.2.3.4')).toBe('::')
    expect(addressKey('::ffff:0:1.2.3.4')).toBe('::')
    expect(addressKey('64:ff9b:1::1.2.3.4')).toBe('64:ff9b:1::')
  })

  test('A48 what is no address has the one shared key, never none', () => {
    expect(toKeys(NOT_ADDRESSES)).toEqual([UNKNOWN_ADDRESS])
  })

  test('a key is its own key', () => {
    for (const text of ['1.2.3.4', '2001:db8::1', '::ffff:1.2.3.4', 'junk', '::', 'fe80::1%eth0']) {
      expect(addressKey(addressKey(text))).toBe(addressKey(text))
    }
  })
})

describe('parseIp', () => {
  test.each(NOT_ADDRESSES.map((text) => [JSON.stringify(text.slice(0, 40)), text]))(
    '%s is no address',
    (_, text) => {
      expect(parseIp(text)).toBeUndefined()
    },
  )

  test('R25 every spelling of any address has the spelling the system gives it', () => {
    fc.assert(
      fc.property(groups, fc.boolean(), fc.boolean(), (groups, padded, upper) => {
        const hex = groups.map((group) => group.toString(16).padStart(padded ? 4 : 1, '0')).join(':')
        const text = upper ? hex.toUpperCase() : hex
        const system = new SocketAddress({ address: text, family: 'ipv6' }).address
        const ip = parseIp(text)
        // The system writes addresses below 2^32 in the long obsolete form ::1.2.3.4; RFC 5952 §5 does not.
        if (system.includes('.')) expect(parseIp(system)).toBe(ip)
        else expect(ip).toBe(system)
        expect(parseIp(ip ?? '')).toBe(ip)
      }),
      { numRuns: 2000 },
    )
  })

  test('any text gives an address or undefined, and any key is stable', () => {
    const piece = fc.constantFrom('::', ':', '.', '1', '0', 'ffff', '255', '%', 'a', '/', '[', ']', '1.2.3.4')
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(piece, { maxLength: 20 }).map((all) => all.join('')),
      fc.ipV4(),
      fc.ipV6(),
    )
    fc.assert(
      fc.property(text, (text) => {
        const key = addressKey(text)
        expect(key === UNKNOWN_ADDRESS).toBe(parseIp(text) === undefined)
        expect(addressKey(key)).toBe(key)
      }),
      { numRuns: 3000 },
    )
  })
})

describe('networks', () => {
  test('isCidr takes networks and bare addresses', () => {
    for (const text of [
      '10.0.0.0/8',
      '10.0.0.1',
      '10.0.0.1/32',
      '::1',
      'fd00::/8',
      '::1/128',
      '::ffff:10.0.0.0/104',
      '0.0.0.0/1',
    ]) {
      expect([text, isCidr(text)]).toEqual([text, true])
    }
  })

  test('A46 isCidr refuses junk, and a network that holds everybody', () => {
    const bad = [
      '',
      '/',
      '/8',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/08',
      '10.0.0.0/+8',
      '10.0.0.0/8/8',
      '10.0.0.0/8 ',
      '10.0.0.0/8.0',
    ]
    const bad6 = [
      '::/129',
      '::/-1',
      'fe80::%eth0/64',
      '::ffff:10.0.0.0/95',
      '10.0.0/8',
      'loopback',
      'true',
      '*',
      '1',
    ]
    const everybody = ['0.0.0.0/0', '::/0', '::ffff:0.0.0.0/96', '1.2.3.4/0', '10.0.0.0/00']
    for (const text of [...bad, ...bad6, ...everybody]) {
      expect([text, isCidr(text)]).toEqual([text, false])
      expect(() => makeNetworks(['10.0.0.0/8', text])).toThrow(TypeError)
    }
  })

  test('R26 a network holds its addresses in every spelling and no others', () => {
    const inside = makeNetworks(['10.0.0.5/8', '192.168.1.1', 'fd00::/8', '::ffff:172.16.0.0/108'])
    for (const text of [
      '10.255.0.1',
      '::ffff:10.1.1.1',
      '::ffff:a01:101',
      '192.168.1.1',
      'fd12::1%eth0',
      '172.31.0.1',
    ]) {
      expect([text, inside(text)]).toEqual([text, true])
    }
    for (const text of [
      '11.0.0.1',
      '192.168.1.2',
      'fe00::1',
      '172.32.0.1',
      '::1',
      '::10.1.1.1',
      'unknown',
      '',
      '10.0.0.1:1',
    ]) {
      expect([text, inside(text)]).toEqual([text, false])
    }
  })

  test('A46 an empty list holds nobody', () => {
    const inside = makeNetworks([])
    for (const text of ['127.0.0.1', '::1', '10.0.0.1', '1.2.3.4']) expect(inside(text)).toBe(false)
  })

  test('an IPv6 network near zero does not take in IPv4', () => {
    expect(makeNetworks(['::/1'])('1.2.3.4')).toBe(false)
  })
})
