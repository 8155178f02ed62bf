import type { FastifyReply, FastifyRequest } from 'fastify'
import { CountersignError } from '../../primitives/errors.ts'
import { isAllowedOrigin } from '../access.ts'
import type { Services } from '../services.ts'

/** A page that sends this header with `cookie` has its refresh token in a cookie that no script can read. */
export const COOKIE_HEADER = 'x-session-mode'
/** RFC 6265bis §4.1.3.2: such a cookie is bound to this host, to TLS and to no domain. */
const REFRESH = '__Host-countersign_refresh'
const DEVICE = '__Host-countersign_device'
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Lax'

/** Whether a page wants its refresh token in a cookie. */
export function wantsCookie(request: FastifyRequest): boolean {
  return request.headers[COOKIE_HEADER] === 'cookie'
}

/** Sets the cookie that holds the refresh token. */
export function setRefreshCookie(reply: FastifyReply, token: string, lifeSeconds: number): void {
  reply.header('set-cookie', `${REFRESH}=${token}; ${ATTRIBUTES}; Max-Age=${lifeSeconds}`)
}

/** Takes that cookie away. */
export function clearRefreshCookie(reply: FastifyReply): void {
  reply.header('set-cookie', `${REFRESH}=; ${ATTRIBUTES}; Max-Age=0`)
}

/** Sets the cookie by which a device is remembered; it outlives sign-outs. */
export function setDeviceCookie(reply: FastifyReply, token: string, lifeSeconds: number): void {
  reply.header('set-cookie', `${DEVICE}=${token}; ${ATTRIBUTES}; Max-Age=${lifeSeconds}`)
}

/** The device token of a page's cookie. It opens nothing without a password, so that no page is asked for more. */
export function readDeviceCookie(request: FastifyRequest): string | undefined {
  return wantsCookie(request) ? readCookie(request, DEVICE) : undefined
}

/**
 * The refresh token of a page's cookie; undefined where there is none. Throws `cross_site` for a call that another
 * site's page may have made: it must carry the header, which no form can and no foreign script may, and an origin that
 * is ours or allowed.
 */
export function readRefreshCookie(services: Services, request: FastifyRequest): string | undefined {
  const token = readCookie(request, REFRESH)
  if (token === undefined) return undefined
  if (!wantsCookie(request))
    throw crossSite(`A call with the cookie needs the header ${COOKIE_HEADER}: cookie`)
  const { origin } = request.headers
  if (origin !== undefined && !isOurs(services, origin)) throw crossSite('This page may not use the cookie')
  return token
}

/** Whether somebody seems to be signed in. It opens nothing, and a page may be told. */
export function hasRefreshCookie(request: FastifyRequest): boolean {
  return readCookie(request, REFRESH) !== undefined
}

function readCookie(request: FastifyRequest, name: string): string | undefined {
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim())
  const found = pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1)
  return found === '' ? undefined : found
}

/** A wildcard is not enough here: it says nothing about whom the cookie is for. */
function isOurs({ settings }: Services, origin: string): boolean {
  if (URL.canParse(settings.publicUrl) && new URL(settings.publicUrl).origin === origin) return true
  return settings.corsOrigins !== '*' && isAllowedOrigin(settings, origin)
}

function crossSite(detail: string): CountersignError {
  return new CountersignError('cross_site', detail)
}
