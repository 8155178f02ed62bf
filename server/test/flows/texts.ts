import { expect } from 'vitest'
import { PASSWORD, post, type WireStartedCode, type WireTokens } from '../helpers/people.ts'
import type { TestServer } from '../helpers/server.ts'

/** The newest code that lies in the inbox for a number. */
export function codeTo(server: TestServer, phone: string): string | undefined {
  const texts = server.inbox.list().filter(({ to }) => to === phone)
  return texts.map(({ body }) => /\b\d{6}\b/.exec(body)?.[0]).find((code) => code !== undefined)
}

/** Waits until a number has been told something. */
export async function noticeTo(server: TestServer, phone: string, words: RegExp): Promise<void> {
  await expect
    .poll(() => server.inbox.list().some(({ to, body }) => to === phone && words.test(body)))
    .toBe(true)
}

/** Registers with the code that lies in the inbox. */
export async function registered(
  server: TestServer,
  person: { readonly phone: string; readonly email?: string },
): Promise<WireTokens> {
  const { verification_id } = (
    await post<WireStartedCode>(server, '/api/auth/register', { password: PASSWORD, ...person })
  ).body
  const code = codeTo(server, person.phone)
  return (await post<WireTokens>(server, '/api/auth/register/verify', { verification_id, code })).body
}

/** Proves a number for a new password, by the code that lies in the inbox; resolves with what sets one. */
export async function resetProven(server: TestServer, phone: string): Promise<string> {
  const before = server.inbox.list().length
  expect((await post(server, '/api/auth/password/reset/request', { phone })).text).toBe('{"status":"ok"}')
  // The answer waits for no provider.
  await expect.poll(() => server.inbox.list().length).toBe(before + 1)
  const code = codeTo(server, phone)
  const proven = await post<{ reset_token: string }>(server, '/api/auth/password/reset/verify', {
    phone,
    code,
  })
  expect(proven.status, proven.text).toBe(200)
  return proven.body.reset_token
}
