import type { FastifyRequest } from 'fastify'
import type { ApiKey } from '../keys/keys.ts'
import { addressKey, parseIp } from '../primitives/address.ts'
import { CountersignError } from '../primitives/errors.ts'
import type { Caller } from '../verify/rules.ts'
import type { Services } from './services.ts'

/**
 * Who may call a route: nobody asked (`open`); any key, or a secret key only; of the sign-in API `anyone`, who is counted
 * by address, or a `user` with an access token; of Twilio Verify's API the credentials of an `account`.
 */
export type Access = 'open' | 'any' | 'secret' | 'anyone' | 'user' | 'account'

/** The service of keys that are made without naming one. */
const DEFAULT_SERVICE = 'default'
const LOCALHOST = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/

/** Whether a browser page from this origin may call at all. */
export function isAllowedOrigin(settings: Services['settings'], origin: string): boolean {
  if (settings.corsOrigins === '*') return true
  if (settings.corsOrigins.includes(origin) || origin === originOf(settings.publicUrl)) return true
  return settings.devMode && settings.corsOrigins.length === 0 && LOCALHOST.test(origin)
}

/** The server's own pages call it, too. */
function originOf(publicUrl: string): string | undefined {
  return URL.parse(publicUrl)?.origin
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

/** Finds the credentials of an account (Basic, RFC 7617), or throws `unauthorized`. */
export async function authenticateAccount(services: Services, request: FastifyRequest): Promise<ApiKey> {
  const encoded = /^Basic +([\w+/=-]{1,1000}) *$/i.exec(request.headers.authorization ?? '')?.[1]
  const pair = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString()
  const at = pair.indexOf(':')
  const key = await services.keys.findCredentials(pair.slice(0, Math.max(at, 0)), pair.slice(at + 1))
  if (!key) throw new CountersignError('unauthorized', 'The credentials are not known or were revoked')
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
 * As `callerOf`, of the service that a call names: the secret key of the server's own service (`default`) may act for
 * any. Throws `invalid_request` naming `service` for a publishable key and where there is no such service, and
 * `forbidden` for the key of another.
 */
export async function callerFor(
  services: Services,
  request: FastifyRequest,
  service: string | undefined,
  ip?: string,
): Promise<Caller> {
  const caller = callerOf(request, ip)
  if (service === undefined) return caller
  const refused = (detail: string) => new CountersignError('invalid_request', detail, { field: 'service' })
  if (caller.publishable) throw refused('service needs a secret key')
  if (service === caller.service) return caller
  if (caller.service !== DEFAULT_SERVICE)
    throw new CountersignError('forbidden', 'This key is of one service and acts for no other')
  if (!(await isService(services, service))) throw refused('There is no such service')
  return { ...caller, service }
}

/** One of an account is there until it is deleted; a name is one as long as some live key is of it. */
async function isService({ directory, keys }: Services, service: string): Promise<boolean> {
  return service.startsWith('VA') ? (await directory.find(service)) !== undefined : keys.namesService(service)
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
