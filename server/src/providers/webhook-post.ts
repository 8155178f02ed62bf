import type { Connector, Destinations, Lookup } from './webhook-connect.ts'

/** For one request as a whole, connecting included. */
const TIMEOUT_MS = 10_000

/** One request to an address that somebody else has told. */
export type Posted = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Makes what posts to addresses that tenants tell: where each leads is judged at every connection, redirects are not
 * followed, and of an answer 64 KB are read. Resolves with whether it was taken, which a 2xx says.
 */
export function makePost(options: {
  readonly destinations: Destinations
  /** Instead of the system's. */
  readonly lookup?: Lookup | undefined
}): (request: Posted) => Promise<boolean> {
  let connector: Connector | undefined
  return async ({ url, headers, body }) => {
    const { origin, pathname, search } = new URL(url)
    // Loaded with the first request: the HTTP client is a tenth of what a start loads, and most servers tell nobody.
    const { Way } = await import('./shared/way.ts')
    connector ??= (await import('./webhook-connect.ts')).makeConnector(TIMEOUT_MS, options)
    const way = new Way(origin, { timeoutMs: TIMEOUT_MS, connections: 1, connector })
    const { status = 0 } = await way.ask({ method: 'POST', path: pathname + search, headers, body })
    // Nothing is kept open to where somebody else said.
    void way.close()
    return status >= 200 && status < 300
  }
}
