import { describe, expect, test } from 'vitest'
import {
  expectRefused,
  login,
  PASSWORD,
  QUICK,
  register,
  signIn,
  statusOf,
  type WireTokens,
  type WireUser,
} from '../../helpers/people.ts'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import type { WireProblem } from '../../helpers/wire.ts'

const TO = phoneOf(0)
const NEW = 'another good one 17'

function patch<T = WireUser>(server: TestServer, { access_token: key }: WireTokens, body: object | string) {
  return server.api<T>('PATCH', '/api/auth/me', { key, body })
}

function change(server: TestServer, { access_token: key }: WireTokens, body: object) {
  return server.api<WireProblem>('POST', '/api/auth/password/change', { key, body })
}

describe('GET /api/auth/me', () => {
  test('is the user, as at the sign-in', async () => {
    const server = await startServer({ settings: QUICK })
    const { access_token: key, user } = await register(server, {
      phone: TO,
      email: 'a@b.example',
      name: 'Ada',
    })
    const { status, body } = await server.api('GET', '/api/auth/me', { key })
    expect([status, body]).toEqual([200, user])
  })
})

describe('PATCH /api/auth/me', () => {
  test('changes the name, the e-mail or both; null takes one away', async () => {
    const server = await startServer()
    const tokens = await signIn(server, TO)
    const named = await patch(server, tokens, { name: 'Ada Lovelace' })
    expect([named.status, named.body]).toEqual([200, { ...tokens.user, name: 'Ada Lovelace' }])
    const both = await patch(server, tokens, { name: 'Ada', email: ' ADA@Example.org' })
    expect(both.body).toMatchObject({ name: 'Ada', email: 'ada@example.org' })
    const none = await patch(server, tokens, { name: null, email: null })
    expect(none.body).toEqual(tokens.user)
    expect((await server.api('GET', '/api/auth/me', { key: tokens.access_token })).body).toEqual(tokens.user)
  })

  test('an e-mail that is another’s is 409 email_taken, and nothing is changed', async () => {
    const server = await startServer({ settings: QUICK })
    await register(server, { phone: phoneOf(1), email: 'ada@example.org' })
    const tokens = await signIn(server, TO)
    expectRefused(await patch(server, tokens, { name: 'New', email: 'ADA@example.org' }), {
      status: 409,
      code: 'email_taken',
      detail: expect.stringMatching(/e-mail/),
      field: 'email',
    })
    expect((await server.api('GET', '/api/auth/me', { key: tokens.access_token })).body).toEqual(tokens.user)
    expect((await patch(server, tokens, { email: 'own@example.org' })).status).toBe(200)
    expect((await patch(server, tokens, { email: 'own@example.org' })).status).toBe(200)
  })

  test.each([
    'id',
    'role',
    'phone',
    'phone_verified',
    'phone_verified_at',
    'verified_at',
    'attempts',
    'status',
    'two_factor_enabled',
    'password',
    'password_hash',
    'created_at',
    'constructor',
  ])('R84: %s is refused and named, and nothing is changed', async (member) => {
    const server = await startServer()
    const tokens = await signIn(server, TO)
    const { status, body } = await patch<WireProblem>(server, tokens, `{"name":"New","${member}":"x"}`)
    expect({ status, code: body.code, field: body.field }).toEqual({
      status: 400,
      code: 'invalid_request',
      field: member,
    })
    expect((await server.api('GET', '/api/auth/me', { key: tokens.access_token })).body).toEqual(tokens.user)
  })

  test.each([
    [{ name: '' }, 'name'],
    [{ name: 'a\u0000b' }, 'name'],
    [{ name: 'a\nb' }, 'name'],
    [{ name: 'x'.repeat(201) }, 'name'],
    [{ name: 1 }, 'name'],
    [{ name: { $set: 'x' } }, 'name'],
    [{ email: 'nobody' }, 'email'],
    [{ email: 'a@b' }, 'email'],
    [{ email: 'a b@c.example' }, 'email'],
    [{ email: `${phoneOf(3)}@example.com` }, 'email'],
    [{ email: 'a\u0000@b.example' }, 'email'],
    [{ email: ['a@b.example'] }, 'email'],
  ])('%j is 400 and named', async (body, field) => {
    const server = await startServer()
    const tokens = await signIn(server, TO)
    const answer = await patch<WireProblem>(server, tokens, body)
    expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field })
  })

  test('a body over 64 KB is 413, one that is not JSON 415', async () => {
    const server = await startServer()
    const { access_token: key } = await signIn(server, TO)
    expect(
      (await server.api('PATCH', '/api/auth/me', { key, body: `{"name":"${'x'.repeat(70_000)}"}` })).status,
    ).toBe(413)
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await server.api('PATCH', '/api/auth/me', { key, body: 'name=x', headers })).status).toBe(415)
  })
})

describe('POST /api/auth/password/change', () => {
  test('200; the new one is taken and the old one not; other sessions end, and the number is told', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await register(server, { phone: TO })
    const { body: other } = await login(server, TO)
    const { status, body } = await change(server, tokens, { current_password: PASSWORD, password: NEW })
    expect([status, body]).toEqual([200, { status: 'ok' }])
    expect(await statusOf(server, tokens)).toBe(200)
    expect(await statusOf(server, other)).toBe(401)
    expect((await login(server, TO)).status).toBe(401)
    expect((await login(server, TO, NEW)).status).toBe(200)
    await expect
      .poll(() => server.inbox.list()[0])
      .toMatchObject({ to: TO, body: expect.stringMatching(/password was changed/) })
  })

  test('a wrong current password, or none to compare it with, is 401 and changes nothing', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await register(server, { phone: TO })
    const without = await signIn(server, phoneOf(1))
    for (const who of [tokens, without])
      expectRefused(await change(server, who, { current_password: 'wrong wrong', password: NEW }), {
        status: 401,
        code: 'invalid_credentials',
        detail: 'The password is wrong',
        field: 'current_password',
      })
    expect((await login(server, TO)).status).toBe(200)
    expect((await login(server, phoneOf(1), NEW)).status).toBe(401)
  })

  test('a weak one is 400 weak_password, and the old one stays', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await register(server, { phone: TO, name: 'Ada Lovelace' })
    for (const password of ['short', 'password123', TO, 'lovelace1815']) {
      const answer = await change(server, tokens, { current_password: PASSWORD, password })
      expectRefused(answer, {
        status: 400,
        code: 'weak_password',
        detail: expect.stringMatching(/password/),
        field: 'password',
      })
    }
    expect((await login(server, TO)).status).toBe(200)
  })

  test('guesses of the current password are limited: 429', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await register(server, { phone: TO })
    for (let n = 0; n < 10; n++)
      await change(server, tokens, { current_password: `wrong ${n} wrong`, password: NEW })
    const { body } = await change(server, tokens, { current_password: PASSWORD, password: NEW })
    expect(body).toMatchObject({ status: 429, limit: 'wrong_passwords_per_account_and_address' })
  })

  test('a member that is unknown or missing is 400 and named', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await register(server, { phone: TO })
    for (const [body, field] of [
      [{ password: NEW }, 'current_password'],
      [{ current_password: PASSWORD }, 'password'],
      [{ current_password: PASSWORD, password: NEW, user_id: 'usr_1' }, 'user_id'],
      [{ current_password: { $ne: '' }, password: NEW }, 'current_password'],
    ] as const) {
      const answer = await change(server, tokens, body)
      expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field })
    }
  })
})
