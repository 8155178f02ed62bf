import { expect } from 'vitest'
import { makeKeyRing, type SecretKeys } from '../../../src/primitives/secrets.ts'
import type { ServerProcess } from '../../helpers/process.ts'
import type { TestServer } from '../../helpers/server.ts'

/** Limits out of the way of tests that call often. */
export const ROOMY = {
  STARTS_PER_ADDRESS_HOUR: '1000',
  PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '1000',
  PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '1000',
  CHECKS_PER_ADDRESS_HOUR: '1000',
  WRONG_CHECKS_PER_ADDRESS_DAY: '1000',
  SIGN_IN_CALLS_PER_ADDRESS_HOUR: '50000',
  PASSWORDS_PER_ADDRESS_HOUR: '50000',
  CALLS_PER_SESSION_MINUTE: '50000',
  ARGON2_MEMORY_KIB: '7168',
  ARGON2_PASSES: '1',
}

/** A server in this process or another. */
export type AnyServer = TestServer | ServerProcess

/** A call of a person's browser. */
type PersonCall = { readonly token?: string | undefined; readonly body?: object; readonly agent?: string }

/** What somebody who has signed in holds, as it came over the wire. */
export type Holder = {
  readonly access: string
  readonly refresh: string
  readonly expiresIn: number
  readonly userId: string
  readonly sessionId: string
  /** The token of their device, where that is remembered. */
  readonly device?: string
}

/** What a refresh was answered. */
export type Refreshed = {
  readonly status: number
  readonly text: string
  readonly holder: Holder | undefined
}

/** What a line of the audit log tells. */
export type LoggedEvent = {
  readonly type: string
  readonly user_id: string | null
  readonly session_id: string | null
  readonly actor: string
  readonly address: string | null
  readonly agent: string | null
  readonly data: Readonly<Record<string, string>>
}

/** Makes a call with an access token, or with nothing. */
export async function callAs(
  server: AnyServer,
  method: string,
  path: string,
  { token, body, agent = 'Firefox' }: PersonCall = {},
): Promise<{ status: number; text: string; body: unknown }> {
  const call = {
    key: token ?? 'none',
    headers: { 'user-agent': agent },
    ...(body === undefined ? {} : { body }),
  }
  return 'api' in server ? server.api<unknown>(method, path, call) : server.call(method, path, call)
}

/** Makes a call of the operator's backend. */
export async function callAsAdmin(
  server: AnyServer,
  method: string,
  path: string,
): Promise<{ status: number; text: string; body: unknown }> {
  return 'api' in server ? server.api<unknown>(method, path) : server.call(method, path)
}

/** Signs in with a code; a new number makes an account. */
export async function signIn(server: AnyServer, phone: string, agent?: string): Promise<Holder> {
  const with_ = agent === undefined ? {} : { agent }
  const asked = await callAs(server, 'POST', '/api/auth/otp/request', { ...with_, body: { phone } })
  expect(asked.status, asked.text).toBe(200)
  const { preview_code: otp } = asked.body as { preview_code: string }
  const entered = await callAs(server, 'POST', '/api/auth/verify-otp', { ...with_, body: { phone, otp } })
  expect(entered.status, entered.text).toBe(200)
  return holderOf(entered.body)
}

/** Registers a number with a password, and signs in by that. */
export async function register(server: AnyServer, phone: string, password: string): Promise<Holder> {
  const asked = await callAs(server, 'POST', '/api/auth/register', { body: { phone, password } })
  expect(asked.status, asked.text).toBe(202)
  const { verification_id, preview_code: code } = asked.body as Record<string, string>
  const path = '/api/auth/register/verify'
  const entered = await callAs(server, 'POST', path, { body: { verification_id, code } })
  expect(entered.status, entered.text).toBe(201)
  return holderOf(entered.body)
}

/** Signs in with a password. */
export async function login(server: AnyServer, identifier: string, password: string): Promise<Holder> {
  const entered = await callAs(server, 'POST', '/api/auth/login', { body: { identifier, password } })
  expect(entered.status, entered.text).toBe(200)
  return holderOf(entered.body)
}

/** Uses a refresh token. */
export async function refresh(server: AnyServer, token: string, agent?: string): Promise<Refreshed> {
  const body = { refresh_token: token }
  const answer = await callAs(server, 'POST', '/api/auth/refresh', {
    body,
    ...(agent === undefined ? {} : { agent }),
  })
  const { status, text } = answer
  return { status, text, holder: status === 200 ? holderOf(answer.body) : undefined }
}

/** Uses a refresh token that is good. */
export async function refreshed(server: AnyServer, token: string, agent?: string): Promise<Holder> {
  const { holder, text } = await refresh(server, token, agent)
  if (holder === undefined) throw new Error(`a refresh was refused: ${text}`)
  return holder
}

/** What an access token is answered: 200 while its session lives. */
export async function statusOf(server: AnyServer, { access }: Holder): Promise<number> {
  return (await callAs(server, 'GET', '/api/auth/me', { token: access })).status
}

/** Asserts that both tokens of a holder are dead: the session is over. */
export async function expectOver(server: AnyServer, holder: Holder): Promise<void> {
  expect(await statusOf(server, holder)).toBe(401)
  expect((await refresh(server, holder.refresh)).status).toBe(401)
}

/** The lines of the audit log about a user, the newest first. */
export async function eventsOf(server: AnyServer, userId: string, type: string): Promise<LoggedEvent[]> {
  const { body, status, text } = await callAsAdmin(
    server,
    'GET',
    `/admin/events?user_id=${userId}&type=${type}&limit=100`,
  )
  expect(status, text).toBe(200)
  return (body as { data: LoggedEvent[] }).data
}

/** The header and the claims of a JWT, unverified. */
export function partsOf(token: string): {
  header: Record<string, unknown>
  claims: Record<string, unknown>
} {
  const [header = '', claims = ''] = token.split('.')
  return { header: decode(header), claims: decode(claims) }
}

/** The keys that a secret stands for. */
export function keysOf(secret: string): SecretKeys {
  return makeKeyRing(secret).current
}

/** Reads the tokens of an answer. */
export function holderOf(body: unknown): Holder {
  const wire = body as {
    access_token: string
    refresh_token: string
    expires_in: number
    device_token?: string
    user: { id: string }
  }
  return {
    access: wire.access_token,
    refresh: wire.refresh_token,
    expiresIn: wire.expires_in,
    userId: wire.user.id,
    sessionId: String(partsOf(wire.access_token).claims['sid']),
    ...(wire.device_token === undefined ? {} : { device: wire.device_token }),
  }
}

function decode(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
}
