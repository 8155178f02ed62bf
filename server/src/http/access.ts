import type { FastifyRequest } from 'fastify'
import type { ApiKey } from '../keys/keys.ts'
import { addressKey, parseIp } from '../primitives/address.ts'
import { CountersignError } from '../primitives/errors.ts'
import type { Caller } from '../verify/rules.ts'
import type { Services } from './services.ts'

/**
 * Who may call a route: nobody asked (`open`); any key, or a secret key only; of the sign-in API `anyone`, who is counted
 * by address, or a `user` with an access token.
 */
export type Access = 'open' | 'any' | 'secret' | 'anyone' | 'user'

const LOCALHOST = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/

/** Whether a browser page from this origin may call at all. */
export function isAllowedOrigin(settings: Services['settings'], origin: string): boolean {
  if (settings.corsOrigins === '*') return true
  if (settings.corsOrigins.includes(origin)) return true
  return settings.devMode && settings.corsOrigins.length === 0 && LOCALHOST.test(origin)
}

/**
 * Finds the key of a request, or throws `unauthorized`, `forbidden` (a publishable key where a secret one is
 * needed) or `origin_not_allowed`.
 */
export async function authenticate(
  services: Services,
  request: FastifyRequest,
  access: 'any' | 'secret',
): Promise<ApiKey> {
  const header = request.headers.authorization ?? ''
  const token = /^Bearer +([^\s]+) *$/i.exec(header)?.[1]
  if (token === undefined) throw new CountersignError('unauthorized', 'An API key is needed')
  const key = await services.keys.find(token)
  if (!key) throw new CountersignError('unauthorized', 'The API key is not known or was revoked')
  if (key.kind === 'publishable') {
    if (access === 'secret') {
      throw new CountersignError('forbidden', 'This call needs a secret key')
    }
    checkOrigin(services, key, request.headers.origin)
  }
  return key
}

function checkOrigin(services: Services, key: ApiKey, origin: string | undefined): void {
  // Only browsers send it, and pages cannot forge it; an app on a phone has none.
  if (origin === undefined) return
  const allowed =
    key.origins.length > 0 ? key.origins.includes(origin) : isAllowedOrigin(services.settings, origin)
  if (!allowed) throw new CountersignError('origin_not_allowed', 'This page may not use this key')
}

/**
 * Who a request's limits are counted on: with a publishable key the connection's address, with a secret key the
 * end user's address the backend named, or none.
 */
export function callerOf(request: FastifyRequest, ip?: string): Caller {
  const { key, address } = request.access
  if (key.kind === 'publishable') {
    if (ip !== undefined) {
      throw new CountersignError('invalid_request', 'ip needs a secret key', { field: 'ip' })
    }
    return { service: key.service, address: addressKey(address), publishable: true }
  }
  if (ip === undefined) return { service: key.service, publishable: false }
  const parsed = parseIp(ip)
  if (parsed === undefined) {
    throw new CountersignError('invalid_request', 'ip is not an address', { field: 'ip' })
  }
  return { service: key.service, address: addressKey(parsed), publishable: false }
}
