import type { FastifyRequest } from 'fastify'
import { CountersignError } from '../../primitives/errors.ts'

const LOCAL = ['localhost', '127.0.0.1', '[::1]']

/**
 * Makes the check that keeps other sites away from the codes in the inbox. It throws `forbidden` unless the
 * request names this server by a name of its own (a rebound DNS name does not), and was made by a page of this
 * server or by no page at all.
 */
export function makeSameSiteCheck(publicUrl: string): (request: FastifyRequest) => void {
  const hostnames = new Set([...LOCAL, new URL(publicUrl).hostname])
  const publicOrigin = new URL(publicUrl).origin

  return (request) => {
    const { host, origin } = request.headers
    if (host === undefined || !hostnames.has(hostnameOf(host))) {
      throw new CountersignError(
        'forbidden',
        'The inbox answers only on localhost and on the host name of PUBLIC_URL',
      )
    }
    const own = origin === undefined || origin === publicOrigin || hostOf(origin) === host.toLowerCase()
    if (!own || isForeign(request)) {
      throw new CountersignError('forbidden', 'The inbox does not answer other sites')
    }
  }
}

/** A link from elsewhere may open a page: it shows nothing to the site it was on. It may fetch nothing. */
function isForeign({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return !(headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document')
}

function hostnameOf(host: string): string {
  return URL.parse(`http://${host}`)?.hostname ?? ''
}

function hostOf(origin: string): string {
  return /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]?.toLowerCase() ?? ''
}
