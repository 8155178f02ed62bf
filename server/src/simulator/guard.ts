import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'

const ASKED_MAX = 100

/** Endings that no public name has, as networks of containers use them. */
const PRIVATE = /\.(?:localhost|local|internal|test|svc)$/

/**
 * Makes the check that says why a request is kept out, and nothing when it may come in. Codes are read here, so no web page of another site may
 * read, and no name that somebody could have rebound to this machine (DNS rebinding) is answered: an address, a name
 * without dots such as a container's, or one of `hosts` is.
 */
export function makeGuard(hosts: ReadonlySet<string>): (headers: IncomingHttpHeaders) => string | undefined {
  // The same few names come with every request, and an address is slow to read.
  const asked = new Map<string, boolean>()
  const isOurs = (host: string): boolean => {
    const known = asked.get(host)
    if (known !== undefined) return known
    if (asked.size >= ASKED_MAX) asked.clear()
    const answer = isOwn(URL.parse(`http://${host}`)?.hostname ?? '', hosts)
    asked.set(host, answer)
    return answer
  }
  return (headers) => {
    const { host, origin } = headers
    if (host === undefined || !isOurs(host)) {
      return 'The simulator answers on local names only; start it with --allow-host to add one'
    }
    const isSame =
      origin === undefined || /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase()
    return isSame && !isForeign(headers) ? undefined : 'The simulator does not answer other sites'
  }
}

function isOwn(name: string, hosts: ReadonlySet<string>): boolean {
  if (name === '') return false
  const isAddress = isIP(name.replace(/^\[|\]$/g, '')) !== 0
  return isAddress || !name.includes('.') || PRIVATE.test(name) || hosts.has(name)
}

/** A link from elsewhere may open the page: it shows nothing to the site it was on. It may fetch nothing. */
function isForeign(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return !(headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document')
}
