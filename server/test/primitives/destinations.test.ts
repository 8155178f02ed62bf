import { describe, expect, test } from 'vitest'
import { makeReach } from '../../src/primitives/destinations.ts'

const reachOf = makeReach()

/** The first and the last address of each range, and what lies right beside it. */
const ranges = {
  private: [
    ['10.0.0.0', '10.255.255.255'],
    ['100.64.0.0', '100.127.255.255'],
    ['127.0.0.0', '127.255.255.255'],
    ['172.16.0.0', '172.31.255.255'],
    ['192.168.0.0', '192.168.255.255'],
    ['::1', '::1'],
    ['fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ],
  never: [
    ['0.0.0.0', '0.255.255.255'],
    ['169.254.0.0', '169.254.255.255'],
    ['192.0.0.0', '192.0.0.255'],
    ['192.0.2.0', '192.0.2.255'],
    ['192.88.99.0', '192.88.99.255'],
    ['198.18.0.0', '198.19.255.255'],
    ['198.51.100.0', '198.51.100.255'],
    ['203.0.113.0', '203.0.113.255'],
    ['224.0.0.0', '239.255.255.255'],
    ['240.0.0.0', '255.255.255.255'],
    ['::', '::'],
    ['::2', '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['100::', '100::ffff:ffff:ffff:ffff'],
    ['2001::', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2002::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['4000::', 'fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['ff00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ],
  public: [
    ['1.0.0.0', '9.255.255.255'],
    ['11.0.0.0', '100.63.255.255'],
    ['100.128.0.0', '126.255.255.255'],
    ['128.0.0.0', '169.253.255.255'],
    ['169.255.0.0', '172.15.255.255'],
    ['172.32.0.0', '191.255.255.255'],
    ['192.0.1.0', '192.0.1.255'],
    ['192.0.3.0', '192.88.98.255'],
    ['192.88.100.0', '192.167.255.255'],
    ['192.169.0.0', '198.17.255.255'],
    ['198.20.0.0', '198.51.99.255'],
    ['198.51.101.0', '203.0.112.255'],
    ['203.0.114.0', '223.255.255.255'],
    ['2000::', '2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:200::', '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db9::', '2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2003::', '3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['3fff:1000::', '3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ],
} as const

describe('where an address leads (R48)', () => {
  for (const [reach, list] of Object.entries(ranges)) {
    test.each(list.map(([first, last]) => [first, last]))(`%s to %s: ${reach}`, (first, last) => {
      expect([reachOf(first), reachOf(last)]).toEqual([reach, reach])
    })
  }

  test.each([
    ['AWS, GCP, Azure, Oracle, DigitalOcean', '169.254.169.254'],
    ['containers of ECS', '169.254.170.2'],
    ['pods of EKS', '169.254.170.23'],
    ['Alibaba', '100.100.100.200'],
    ['the host of Azure', '168.63.129.16'],
    ['Oracle, of old', '192.0.0.192'],
    ['AWS by IPv6', 'fd00:ec2::254'],
    ['pods of EKS by IPv6', 'fd00:ec2::23'],
    ['GCP by IPv6', 'fd20:ce::254'],
  ])('never to the metadata of %s', (_cloud, address) => {
    expect(reachOf(address)).toBe('never')
  })

  test('an IPv4 address inside IPv6 is judged as what it is', () => {
    for (const inside of ['::ffff:', '64:ff9b::']) {
      expect(reachOf(`${inside}8.8.8.8`)).toBe('public')
      expect(reachOf(`${inside}127.0.0.1`)).toBe('private')
      expect(reachOf(`${inside}169.254.169.254`)).toBe('never')
    }
    expect(reachOf('::ffff:7f00:1')).toBe('private')
    // 6to4, Teredo, the deprecated form, and a NAT64 gateway's own range.
    for (const address of ['2002:7f00:1::', '2001:0:7f00:1::', '::127.0.0.1', '64:ff9b:1::7f00:1'])
      expect(reachOf(address)).toBe('never')
  })

  test('a zone changes nothing, and what is no address leads nowhere', () => {
    expect(reachOf('fe80::1%eth0')).toBe('never')
    for (const text of [
      '',
      'localhost',
      '127.1',
      '0x7f.0.0.1',
      '2130706433',
      '1.2.3.4:80',
      '[::1]',
      '10.0.0.0/8',
    ])
      expect(reachOf(text)).toBe('never')
  })
})
