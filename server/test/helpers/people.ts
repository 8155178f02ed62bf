import { expect } from 'vitest'
import type { Answer, Call, TestServer } from './server.ts'
import type { WireProblem } from './wire.ts'

/** A user as they come over the wire. */
export type WireUser = {
  readonly id: string
  readonly email: string | null
  readonly name: string | null
  readonly phone: string | null
  readonly phone_verified: boolean
  readonly phone_verified_at: string | null
  readonly two_factor_enabled: boolean
  readonly two_factor_method: string
  readonly two_factor_methods: readonly string[]
  readonly backup_codes_left: number
  readonly created_at: string
}

/** Tokens as they come over the wire. */
export type WireTokens = {
  readonly access_token: string
  readonly token_type: string
  readonly refresh_token: string
  readonly expires_in: number
  readonly user: WireUser
}

/** A session as it comes over the wire. */
export type WireSession = {
  readonly id: string
  readonly current: boolean
  readonly amr: readonly string[]
  readonly address: string
  readonly agent: string
  readonly created_at: string
  readonly last_used_at: string
  readonly signed_in_at: string
  readonly expires_at: string
}

/** A code on its way, as it comes over the wire. */
export type WireStartedCode = {
  readonly status: string
  readonly verification_id: string
  readonly resend_at: string
  readonly expires_at: string
  readonly preview_code: string
}

/** Settings under which a password is hashed in a few milliseconds. */
export const QUICK = { ARGON2_MEMORY_KIB: '7168', ARGON2_PASSES: '1' }
/** A password that is good enough. */
export const PASSWORD = 'violet anchor 91 mosaic'

/** Posts to the sign-in API as somebody who has no key. */
export function post<T = WireProblem>(
  server: TestServer,
  path: string,
  body?: object | string,
  call: Call = {},
): Promise<Answer<T>> {
  return server.api<T>('POST', path, { key: 'none', ...call, body })
}

/** Signs in with a code, and expects that to work. The server must be in development. */
export async function signIn(server: TestServer, phone: string, call: Call = {}): Promise<WireTokens> {
  const asked = await post<{ preview_code: string }>(server, '/api/auth/otp/request', { phone }, call)
  expect(asked.status, asked.text).toBe(200)
  // So that the number may be sent the next code at once, and rows have an order.
  server.clock.advanceMs(1)
  const body = { phone, otp: asked.body.preview_code }
  const answer = await post<WireTokens>(server, '/api/auth/verify-otp', body, call)
  expect(answer.status, answer.text).toBe(200)
  server.clock.advanceMs(1)
  return answer.body
}

/** Registers with a password, and expects that to work. */
export async function register(
  server: TestServer,
  person: {
    readonly phone: string
    readonly password?: string
    readonly email?: string
    readonly name?: string
  },
  call: Call = {},
): Promise<WireTokens> {
  const started = await post<WireStartedCode>(
    server,
    '/api/auth/register',
    { password: PASSWORD, ...person },
    call,
  )
  expect(started.status, started.text).toBe(202)
  server.clock.advanceMs(1)
  const { verification_id, preview_code: code } = started.body
  const answer = await post<WireTokens>(server, '/api/auth/register/verify', { verification_id, code }, call)
  expect([200, 201], answer.text).toContain(answer.status)
  server.clock.advanceMs(1)
  return answer.body
}

/** Tries a password. */
export function login<T = WireTokens>(
  server: TestServer,
  identifier: string,
  password = PASSWORD,
  call: Call = {},
): Promise<Answer<T>> {
  return post<T>(server, '/api/auth/login', { identifier, password }, call)
}

/** Whether an access token is still good here: 200 or 401. */
export async function statusOf(server: TestServer, { access_token: key }: WireTokens): Promise<number> {
  return (await server.api('GET', '/api/auth/me', { key })).status
}

/** Expects a refusal with exactly these members besides those that every problem has. */
export function expectRefused(
  answer: Answer<unknown>,
  refusal: {
    readonly status: number
    readonly code: string
    readonly detail: unknown
    readonly field?: string
    readonly verification_id?: unknown
  },
): void {
  expect(answer.body).toEqual({
    ...refusal,
    type: `/docs/errors#${refusal.code}`,
    title: expect.any(String),
    request_id: expect.stringMatching(/^req_/),
  })
  expect(answer.status).toBe(refusal.status)
}

/** What an answer says, without what is new each time: ids, tokens and codes. */
export function shapeOf({ status, headers, text }: Answer<unknown>): unknown {
  const { 'x-request-id': _id, date: _date, ...rest } = headers
  const sameText = text
    .replace(/(?:ver|req|usr|rst|evt|ses)_[\w-]+/g, '<id>')
    .replace(/"preview_code":"\d+"/, '"preview_code":"<code>"')
  return { status, headers: rest, text: sameText }
}
