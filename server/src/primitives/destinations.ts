import { makeNetworks, parseIp } from './address.ts'

/**
 * Where an address leads: into the `public` internet, to a `private` network or this machine, or to what nobody has
 * a reason to call: link-local addresses, among them the metadata services of clouds, and reserved ones.
 */
export type Reach = 'public' | 'private' | 'never'

/** Private use, carriers' NAT, this machine (RFC 1918, 6598, 4193, 1122, 4291). */
const PRIVATE = [
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::1',
  'fc00::/7',
]

/** What clouds tell their machines at, where it lies in one of those networks or in a public one. */
const METADATA = ['100.100.100.200', '168.63.129.16', 'fd00:ec2::/32', 'fd20:ce::254']

/** The special-purpose registries of IANA for IPv4: link-local, multicast, documentation, benchmarks, reserved. */
const SPECIAL_IPV4 = [
  '0.0.0.0/8',
  '169.254.0.0/16',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]

/** All of IPv6 that is assigned to the internet; what is not in it leads nowhere. */
const GLOBAL_IPV6 = ['2000::/3']

/** The part of it that is not: Teredo and protocols, documentation, 6to4, which carries an IPv4 address. */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

/**
 * Makes a judge of addresses. An IPv4 address inside IPv6 (mapped, or a NAT64 gateway's) is judged as that IPv4
 * address. Text that is no address leads `never` anywhere.
 */
export function makeReach(): (address: string) => Reach {
  const isPrivate = makeNetworks(PRIVATE)
  const isNever = makeNetworks([...METADATA, ...SPECIAL_IPV4, ...SPECIAL_IPV6])
  const isGlobalIpv6 = makeNetworks(GLOBAL_IPV6)
  return (address) => {
    const ip = parseIp(address)
    if (ip === undefined || isNever(ip)) return 'never'
    if (isPrivate(ip)) return 'private'
    return !ip.includes(':') || isGlobalIpv6(ip) ? 'public' : 'never'
  }
}
