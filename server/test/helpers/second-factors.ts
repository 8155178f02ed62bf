import { expect } from 'vitest'
import { APP } from '../../src/auth/totp.ts'
import { codeOf } from '../../src/primitives/totp.ts'
import { login, PASSWORD, post, QUICK, register, type WireTokens } from './people.ts'
import { type Answer, type Call, phoneOf, startServer, type TestServer } from './server.ts'
import type { WireProblem } from './wire.ts'

/** A challenge as it comes over the wire. */
export type WireChallenge = {
  readonly status: 'second_factor_required'
  readonly challenge_token: string
  readonly factors: readonly ('sms' | 'totp' | 'backup_code')[]
  readonly phone_hint: string | null
  readonly expires_at: string
}

/** Somebody who has a second factor. */
export type Person = {
  readonly server: TestServer
  readonly phone: string
  /** What they held when it was turned on. */
  readonly tokens: WireTokens
  /** Of the app, where that is what was turned on. */
  readonly secret: string
  readonly backupCodes: readonly string[]
  /** The code that the app shows now. */
  code(): string
}

/** Calls as the user of these tokens. */
export function as<T = WireProblem>(
  server: TestServer,
  { access_token: key }: Pick<WireTokens, 'access_token'>,
  path: string,
  body: object = {},
): Promise<Answer<T>> {
  return server.api<T>('POST', `/api/auth/${path}`, { key, body })
}

/** The code that an app with this secret shows now; time goes on by a step for the next one. */
export function appCode(server: TestServer, secret: string): string {
  return codeOf(APP, secret, Math.floor(server.clock.now() / 30_000))
}

/** Turns an app on for a user; resolves with its secret and the backup codes. */
export async function enableApp(server: TestServer, tokens: WireTokens) {
  const begun = await as<{ secret: string }>(server, tokens, '2fa/enable', { method: 'app' })
  expect(begun.status, begun.text).toBe(200)
  const { secret } = begun.body
  const answer = await as<{ backup_codes: string[] }>(server, tokens, '2fa/confirm', {
    code: appCode(server, secret),
  })
  expect(answer.status, answer.text).toBe(200)
  // The step of that code is taken.
  server.clock.advance(30)
  return { secret, backupCodes: answer.body.backup_codes }
}

/** Turns texts on for a user; resolves with the backup codes. */
export async function enableSms(server: TestServer, tokens: WireTokens) {
  server.clock.advance(60)
  const begun = await as<{ preview_code: string }>(server, tokens, '2fa/enable', { method: 'sms' })
  expect(begun.status, begun.text).toBe(200)
  const answer = await as<{ backup_codes: string[] }>(server, tokens, '2fa/confirm', {
    code: begun.body.preview_code,
  })
  expect(answer.status, answer.text).toBe(200)
  server.clock.advance(60)
  return { backupCodes: answer.body.backup_codes }
}

/** Somebody with a password and a second factor, on a server of their own. */
export async function someone(method: 'app' | 'sms', settings: Record<string, string> = {}): Promise<Person> {
  const server = await startServer({ settings: { ...QUICK, ...settings } })
  const phone = phoneOf(0)
  const tokens = await register(server, { phone })
  const enabled =
    method === 'app' ? await enableApp(server, tokens) : { secret: '', ...(await enableSms(server, tokens)) }
  const { secret } = enabled
  return {
    server,
    phone,
    tokens,
    secret,
    backupCodes: enabled.backupCodes,
    code: () => appCode(server, secret),
  }
}

/** Signs in with the password, and expects to be asked for a second factor. */
export async function challenged(
  server: TestServer,
  phone: string,
  password = PASSWORD,
): Promise<WireChallenge> {
  const answer = await login<WireChallenge>(server, phone, password)
  expect(answer.status, answer.text).toBe(200)
  expect(answer.body.status).toBe('second_factor_required')
  return answer.body
}

/** Shows a second factor. */
export function pass<T = WireTokens & { device_token?: string }>(
  server: TestServer,
  challenge: Pick<WireChallenge, 'challenge_token'>,
  given: { readonly factor: string; readonly code: string; readonly remember_device?: boolean },
  call: Call = {},
): Promise<Answer<T>> {
  const { challenge_token } = challenge
  return post<T>(server, '/api/auth/2fa/verify', { challenge_token, ...given }, call)
}
