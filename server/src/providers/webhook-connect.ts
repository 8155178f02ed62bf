import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import { isIP } from 'node:net'
import { buildConnector } from 'undici'
import { makeReach } from '../primitives/destinations.ts'
import { wordOf } from './shared/exchange.ts'
import { REFUSED_ADDRESS } from './webhook-answers.ts'

/** Which addresses may be connected to; link-local, metadata and reserved ones are none of them. */
export type Destinations = 'public' | 'private' | 'any'

/** Finds the addresses of a name. */
export type Lookup = (
  name: string,
  options: { readonly all: true; readonly family?: number | 'IPv4' | 'IPv6'; readonly hints?: number },
  found: (error: Error | null, addresses: LookupAddress[]) => void,
) => void

/** What a connection is held to. */
export type ConnectRules = {
  readonly destinations: Destinations
  /** Instead of the system's. */
  readonly lookup?: Lookup | undefined
}

/** Opens one connection, with TLS where the protocol says so. */
export type Connector = buildConnector.connector

/**
 * Makes a connector that looks at where each connection goes. A name is looked up once a connection, and the very
 * addresses that were judged are connected to, so a name whose answer changes in between (DNS rebinding) gains
 * nothing by it.
 */
export function makeConnector(
  timeoutMs: number,
  { destinations, lookup = lookUpBySystem }: ConnectRules,
): Connector {
  const reachOf = makeReach()
  const mayConnect = (address: string) => {
    const reach = reachOf(address)
    return reach === destinations || (destinations === 'any' && reach !== 'never')
  }
  const connect = buildConnector({
    timeout: timeoutMs,
    lookup(name, options, found) {
      const { family, hints } = options
      const ask = {
        all: true,
        ...(family === undefined ? {} : { family }),
        ...(hints === undefined ? {} : { hints }),
      } as const
      lookup(name, ask, (error, addresses) => {
        const allowed = error === null ? addresses.filter(({ address }) => mayConnect(address)) : []
        const [first] = allowed
        if (first === undefined) found(error ?? new RefusedAddress(), [])
        else if (options.all === true) found(null, allowed)
        else found(null, first.address, first.family)
      })
    },
  })
  return (options, opened) => {
    const host = options.hostname.replace(/^\[(.*)\]$/, '$1')
    // A socket looks no address up, so one that stands in the URL is judged here.
    if (isIP(host) !== 0 && !mayConnect(host)) opened(new RefusedAddress(), null)
    else connect(options, opened)
  }
}

const lookUpBySystem: Lookup = (name, options, found) =>
  systemLookup(name, options, (error, addresses) => found(error, addresses))

/** Opens a connection, with TLS where the origin says so, and closes it; tells what broke. */
export function reach(origin: URL, connect: Connector, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const onAbort = () => resolve('aborted')
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    const { protocol, hostname, host, port } = origin
    connect({ protocol, hostname, host, port }, (error, socket) => {
      signal.removeEventListener('abort', onAbort)
      socket?.destroy()
      resolve(error === null ? undefined : wordOf(error))
    })
    return undefined
  })
}

class RefusedAddress extends Error {
  readonly code = REFUSED_ADDRESS

  constructor() {
    super('The address may not be connected to')
    this.name = 'RefusedAddress'
  }
}
