import { isIPv4, isIPv6 } from 'node:net'
import { UNKNOWN_ADDRESS, makeNetworks, parseIp } from '../primitives/address.ts'

/** Real chains have two or three proxies; a longer one is somebody's play. */
const HOPS_MAX = 16
/** An IPv6 address in brackets with a port fits; reading stops at a longer hop. */
const HOP_LENGTH_MAX = 64

/**
 * Who is calling: takes the socket's address and the value of `X-Forwarded-For`, and no other header, since
 * any other can be set by the caller himself. Gives one canonical address, or `unknown`, and never throws.
 */
export type ClientAddress = (
  peer: string | undefined,
  xForwardedFor: string | readonly string[] | undefined,
) => string

/**
 * Makes the rule that finds the caller behind the trusted proxies.
 *
 * Only a trusted peer's `X-Forwarded-For` is read. It is read from the right, because each proxy adds the
 * address it saw at the right end and the caller can forge all that stands left of it; the first address that
 * is not a trusted proxy is the caller. Reading stops at a hop that is no address and after 16 hops; the caller
 * is then the last trusted address seen, so a broken header joins a shared bucket and never escapes its limit.
 *
 * @param trusted the proxies' networks; an empty list trusts nobody.
 * @throws TypeError when a network is not one that `isCidr` accepts.
 */
export function makeClientAddress(trusted: readonly string[]): ClientAddress {
  const isTrusted = makeNetworks(trusted)
  return (peer, xForwardedFor) => {
    let address = peer === undefined ? undefined : parseIp(peer)
    if (address === undefined) return UNKNOWN_ADDRESS
    if (xForwardedFor === undefined || !isTrusted(address)) return address
    for (const hop of hopsFromRight(xForwardedFor)) {
      const seen = parseHop(hop)
      if (seen === undefined) return address
      address = seen
      if (!isTrusted(address)) return address
    }
    return address
  }
}

/** The last hops, rightmost first. The left of a long header is never looked at. */
function* hopsFromRight(header: string | readonly string[]): Generator<string> {
  const text = typeof header === 'string' ? header : header.join(',')
  let end = text.length
  for (let hops = 0; hops < HOPS_MAX && end >= 0; hops++) {
    const comma = end === 0 ? -1 : text.lastIndexOf(',', end - 1)
    yield text.slice(comma + 1, end)
    end = comma
  }
}

/** An address, with a port behind it where the proxy (Azure's among them) writes one. */
function parseHop(hop: string): string | undefined {
  if (hop.length > HOP_LENGTH_MAX) return undefined
  const text = hop.replace(/^[ \t]+|[ \t]+$/g, '')
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text)?.[1]
  if (bracketed !== undefined) return isIPv6(bracketed) ? parseIp(bracketed) : undefined
  const beforePort = /^([\d.]+):\d{1,5}$/.exec(text)?.[1]
  if (beforePort !== undefined) return isIPv4(beforePort) ? beforePort : undefined
  return parseIp(text)
}
