import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'

/** The key of every caller whose address is not known: they share one bucket and are never let past. */
export const UNKNOWN_ADDRESS = 'unknown'

/** The longest IPv6 text is 45 characters; the rest is room for a zone. */
const TEXT_MAX = 64

/**
 * Reads an IP address into its one canonical spelling, or gives `undefined`. IPv6 follows RFC 5952; an IPv4
 * address inside IPv6 (`::ffff:1.2.3.4`, or `64:ff9b::1.2.3.4` from a NAT64 gateway, RFC 6052) becomes that
 * IPv4 address; a zone (`%eth0`) is dropped, for it names an interface of this machine and not the caller.
 */
export function parseIp(text: string): string | undefined {
  if (text.length > TEXT_MAX) return undefined
  if (isIPv4(text)) return text
  if (!isIPv6(text)) return undefined
  const groups = expand(text)
  return embeddedIpv4(groups) ?? format(groups)
}

/**
 * The key a limit counts an address by: an IPv4 address as it is, an IPv6 address as the first address of its
 * /64, since one customer commonly holds a whole /64 and may use any of its 2^64 addresses. Anything else is
 * `unknown`. A key is its own key.
 */
export function addressKey(address: string): string {
  const ip = parseIp(address)
  if (ip === undefined) return UNKNOWN_ADDRESS
  return isIPv4(ip) ? ip : format([...expand(ip).slice(0, 4), 0, 0, 0, 0])
}

/**
 * Whether the text names a network: `10.0.0.0/8`, `fd00::/8`, or one address alone. A prefix length of 0 is
 * refused: a list with it holds everybody, and trusting everybody is never what was meant.
 */
export function isCidr(text: string): boolean {
  return parseCidr(text) !== undefined
}

/**
 * Makes a test of whether an address lies in one of the networks. Text that is no address lies in none.
 *
 * @throws TypeError when a network is not one that `isCidr` accepts.
 */
export function makeNetworks(cidrs: readonly string[]): (address: string) => boolean {
  // One list a family: a single list would find 1.2.3.4, as ::ffff:1.2.3.4, in a network like ::/8.
  const networks = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const text of cidrs) {
    const cidr = parseCidr(text)
    if (cidr === undefined) throw new TypeError(`Not a network: ${JSON.stringify(text)}`)
    networks[cidr.family].addSubnet(cidr.address, cidr.prefix, cidr.family)
  }
  return (address) => {
    const ip = parseIp(address)
    if (ip === undefined) return false
    const family = familyOf(ip)
    return networks[family].check(ip, family)
  }
}

type Cidr = { readonly address: string; readonly prefix: number; readonly family: 'ipv4' | 'ipv6' }

function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const written = slash === -1 ? text : text.slice(0, slash)
  const address = parseIp(written)
  if (address === undefined || written.includes('%')) return undefined
  const family = familyOf(address)
  const bits = family === 'ipv4' ? 32 : 128
  if (slash === -1) return { address, prefix: bits, family }
  const length = text.slice(slash + 1)
  if (!/^[1-9]\d{0,2}$/.test(length)) return undefined
  // The length of a network written `::ffff:10.0.0.0/104` counts the 96 bits that its IPv4 spelling leaves out.
  const prefix = Number(length) - (isIPv6(written) && family === 'ipv4' ? 96 : 0)
  return prefix >= 1 && prefix <= bits ? { address, prefix, family } : undefined
}

function familyOf(ip: string): 'ipv4' | 'ipv6' {
  return isIP(ip) === 4 ? 'ipv4' : 'ipv6'
}

/** The eight groups of text that `isIPv6` accepts. */
function expand(text: string): number[] {
  const [address = ''] = text.split('%')
  const [head = '', tail] = address.split('::')
  const left = toGroups(head)
  if (tail === undefined) return left
  const right = toGroups(tail)
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
}

function toGroups(text: string): number[] {
  const groups: number[] = []
  for (const part of text === '' ? [] : text.split(':')) {
    if (part.includes('.')) {
      const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
      groups.push(a * 256 + b, c * 256 + d)
    } else {
      groups.push(Number.parseInt(part, 16))
    }
  }
  return groups
}

function embeddedIpv4(groups: readonly number[]): string | undefined {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, high = 0, low = 0] = groups
  const isMapped = (a | b | c | d | e) === 0 && f === 0xffff
  const isNat64 = a === 0x64 && b === 0xff9b && (c | d | e | f) === 0
  if (!isMapped && !isNat64) return undefined
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

/** RFC 5952 §4: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function format(groups: readonly number[]): string {
  let start = 0
  let length = 0
  for (let at = 0; at < 8; at++) {
    let end = at
    while (end < 8 && groups[end] === 0) end++
    if (end - at > length) [start, length] = [at, end - at]
  }
  const hex = groups.map((group) => group.toString(16))
  if (length < 2) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
}
