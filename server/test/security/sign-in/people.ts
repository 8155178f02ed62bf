import { expect } from 'vitest'
import type { Answer, Json, TestServer } from '../../helpers/server.ts'

/** What somebody who has signed in is told. */
export type Tokens = {
  readonly access_token: string
  readonly refresh_token: string
  readonly user: {
    readonly id: string
    readonly phone: string | null
    readonly email: string | null
    readonly name: string | null
  }
}

/** A password that the rules take. */
export const PASSWORD = 'Maroon-Otter-91-lantern'
/** Settings of a server that tells no codes and hashes as fast as is allowed. */
export const PLAIN = { DEV_MODE: 'false', ARGON2_MEMORY_KIB: '7168', ARGON2_PASSES: '1' }

/** How a call is made: from where, and with which access token. */
export type From = {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE'
  readonly token?: string
  readonly remoteAddress?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Calls the sign-in API as a stranger does, or with an access token. */
export async function ask<T = Json>(
  { app }: TestServer,
  path: string,
  body?: object,
  { method = 'POST', token, remoteAddress = '192.0.2.1', headers = {} }: From = {},
): Promise<Answer<T>> {
  const answer = await app.inject({
    method,
    url: `/api/${path}`,
    remoteAddress,
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
    ...(body === undefined ? {} : { payload: body }),
  })
  const { statusCode: status, headers: answered, body: text } = answer
  return { status, headers: answered, text, body: (text === '' ? {} : JSON.parse(text)) as T }
}

/** The code of the newest message to a number. */
export function codeTo(server: TestServer, phone: string): string {
  const sent = server.inbox.list().find(({ to }) => to === phone)
  const code = /\b\d{6}\b/.exec(sent?.body ?? '')?.[0]
  if (code === undefined) throw new Error('no code was sent')
  return code
}

/** Signs in by code; makes the account where there is none. */
export async function signIn(server: TestServer, phone: string, from: From = {}): Promise<Tokens> {
  const asked = await ask(server, 'auth/otp/request', { phone }, from)
  expect(asked.status, asked.text).toBe(200)
  const entered = await ask<Tokens>(server, 'auth/verify-otp', { phone, otp: codeTo(server, phone) }, from)
  expect(entered.status, entered.text).toBe(200)
  return entered.body
}

/** Registers with a password and proves the number. */
export async function register(
  server: TestServer,
  phone: string,
  more: object = {},
  from: From = {},
): Promise<Tokens> {
  const started = await ask<{ verification_id: string }>(
    server,
    'auth/register',
    { phone, password: PASSWORD, ...more },
    from,
  )
  expect(started.status, started.text).toBe(202)
  const entered = await ask<Tokens>(
    server,
    'auth/register/verify',
    { verification_id: started.body.verification_id, code: codeTo(server, phone) },
    from,
  )
  expect(entered.status, entered.text).toBe(201)
  return entered.body
}

/** Lets everything that nobody waits for come to its end, as far as it needs no timer. */
export async function settled(): Promise<void> {
  for (let n = 0; n < 20; n++) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}
