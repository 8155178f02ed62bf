import { afterAll, expect, test } from 'vitest'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, REDIS, SQLITE } from '../helpers/backends.ts'
import {
  login,
  PASSWORD,
  post,
  register,
  signIn,
  statusOf,
  type WireStartedCode,
  type WireTokens,
  type WireUser,
} from '../helpers/people.ts'
import { endProcesses } from '../helpers/process.ts'
import { makeScriptedProvider } from '../helpers/scripted-provider.ts'
import { phoneOf } from '../helpers/server.ts'
import type { WireProblem } from '../helpers/wire.ts'
import { serverOn } from './backends.ts'
import { codeTo, noticeTo, registered, resetProven } from './texts.ts'

// The plan: phones at registration, at a password reset, and in the profile (sections 1, 6 and 7). Its second factor
// has a file of its own.

const TO = phoneOf(0)
const NEW = phoneOf(1)
const NEW_PASSWORD = 'another good one 17'

afterAll(endProcesses)

describeBackends([SQLITE, REDIS, MONGODB, ...inLongRuns(POSTGRES)], 'plan 4 on', (backend) => {
  test('registration: enters phone, SMS sent, enters code, verified, account created', async () => {
    const server = await serverOn(backend, { settings: { DEV_MODE: 'false' } })
    const started = await post<WireStartedCode>(server, '/api/auth/register', {
      phone: '+1 (415) 555-2000',
      password: PASSWORD,
      email: 'Ada@Example.org',
      name: 'Ada',
    })
    expect(started.status).toBe(202)
    const { verification_id } = started.body
    expect((await login(server, TO)).status).toBe(401)

    // A code that did not come is asked for again; it is the same one.
    server.clock.advance(30)
    expect((await post(server, '/api/auth/register/resend', { verification_id })).status).toBe(202)
    expect(server.inbox.list()).toHaveLength(2)
    const code = codeTo(server, TO) ?? ''
    const wrong = { verification_id, code: code === '000000' ? '000001' : '000000' }
    expect((await post(server, '/api/auth/register/verify', wrong)).body.code).toBe('invalid_code')

    const made = await post<WireTokens>(server, '/api/auth/register/verify', { verification_id, code })
    expect(made.status).toBe(201)
    expect(made.body.user).toMatchObject({
      name: 'Ada',
      email: 'ada@example.org',
      phone: TO,
      phone_verified: true,
      phone_verified_at: new Date(server.clock.now()).toISOString(),
      two_factor_enabled: false,
      two_factor_method: 'none',
    })
    expect((await post(server, '/api/auth/register/verify', { verification_id, code })).status).toBe(400)

    // Signs in with the e-mail or the number, and by a code.
    for (const identifier of ['ada@example.org', TO])
      expect((await login(server, identifier)).body.user).toEqual(made.body.user)
  })

  test('the number is not taken by who only typed it: of two registrations the one that is proven is the account', async () => {
    const server = await serverOn(backend)
    const begin = async (name: string) =>
      (await post<WireStartedCode>(server, '/api/auth/register', { phone: TO, password: PASSWORD, name }))
        .body
    const squatter = await begin('Squatter')
    server.clock.advance(30)
    const { verification_id, preview_code: code } = await begin('Owner')
    const made = await post<WireTokens>(server, '/api/auth/register/verify', { verification_id, code })
    expect([made.status, made.body.user.name]).toEqual([201, 'Owner'])
    const late = await post(server, '/api/auth/register/verify', {
      verification_id: squatter.verification_id,
      code: squatter.preview_code === code ? '000000' : code,
    })
    expect(late.body.code).toBe('invalid_code')
  })

  test('password reset by phone: enters phone, SMS sent, enters code, sets the password', async () => {
    const server = await serverOn(backend, { settings: { DEV_MODE: 'false' } })
    const session = await registered(server, { phone: TO })
    server.clock.advance(30)
    expect((await post(server, '/api/auth/password/reset/request', { phone: phoneOf(7) })).text).toBe(
      '{"status":"ok"}',
    )
    const reset_token = await resetProven(server, TO)
    const weak = await post(server, '/api/auth/password/reset', { reset_token, password: 'password123' })
    expect(weak.body).toMatchObject({ status: 400, code: 'weak_password', field: 'password' })
    const done = await post(server, '/api/auth/password/reset', { reset_token, password: NEW_PASSWORD })
    expect([done.status, done.body]).toEqual([200, { status: 'ok' }])
    expect(
      (await post(server, '/api/auth/password/reset', { reset_token, password: NEW_PASSWORD })).status,
    ).toBe(400)

    // Every session has ended, the number is told, and the new password is the one.
    expect(await statusOf(server, session)).toBe(401)
    await noticeTo(server, TO, /password was changed/)
    expect((await login(server, TO)).status).toBe(401)
    expect((await login(server, TO, NEW_PASSWORD)).body.user.id).toBe(session.user.id)
  })

  test('the profile: a new number is proven before it is the user’s; the old one is told and can take it back', async () => {
    const server = await serverOn(backend)
    const first = await register(server, { phone: TO, email: 'ada@example.org' })
    server.clock.advance(600)
    const stale = await server.api<WireProblem>('POST', '/api/auth/phone', {
      key: first.access_token,
      body: { phone: NEW },
    })
    expect(stale.body).toMatchObject({ status: 403, code: 'fresh_sign_in_required' })

    const { body: fresh } = await login(server, 'ada@example.org')
    const key = fresh.access_token
    const started = await server.api<WireStartedCode>('POST', '/api/auth/phone', {
      key,
      body: { phone: NEW },
    })
    expect(started.status).toBe(202)
    expect((await server.api<WireUser>('GET', '/api/auth/me', { key })).body.phone).toBe(TO)
    const { verification_id, preview_code: code } = started.body
    const changed = await server.api<WireUser>('POST', '/api/auth/phone/verify', {
      key,
      body: { verification_id, code },
    })
    expect([changed.status, changed.body.phone, changed.body.phone_verified]).toEqual([200, NEW, true])
    expect(await statusOf(server, first)).toBe(401)
    await noticeTo(server, TO, /phone number was changed to one ending in 01/)

    // It was not the owner: a code to the old number gives it back.
    server.clock.advance(3_600)
    expect((await post(server, '/api/auth/phone/undo/request', { phone: TO })).status).toBe(200)
    await expect.poll(() => codeTo(server, TO)).toMatch(/^\d{6}$/)
    await expect
      .poll(
        async () =>
          (await post(server, '/api/auth/phone/undo', { phone: TO, code: codeTo(server, TO) })).status,
      )
      .toBe(200)
    expect(await statusOf(server, fresh)).toBe(401)
    server.clock.advance(60)
    expect((await login(server, TO)).body.user).toMatchObject({ id: first.user.id, phone: TO })
    expect((await login(server, NEW)).status).toBe(401)
  })

  test('a number that moves to another person makes a new account, and takes nothing of the old one along', async () => {
    const server = await serverOn(backend)
    const old = await register(server, { phone: TO, email: 'ada@example.org', name: 'Ada' })
    server.clock.advance(366 * 86_400)
    const next = await signIn(server, TO)
    expect(next.user).toMatchObject({ name: null, email: `${TO}@example.com`, phone: TO })
    expect(next.user.id).not.toBe(old.user.id)
    const { body } = await login(server, 'ada@example.org')
    expect(body.user).toMatchObject({ id: old.user.id, phone: null, phone_verified: false })
  })

  test('/api/sms: for who is signed in; the server makes the code, and 5 an hour go to a number', async () => {
    const server = await serverOn(backend)
    let tokens = await signIn(server, TO)
    const send = (path: string, body: object, key = tokens.access_token) =>
      server.api<WireProblem>('POST', `/api/sms/${path}`, { key, body })
    expect((await send('send-verification', { phoneNumber: NEW }, 'none')).status).toBe(401)
    expect((await send('send-verification', {})).status).toBe(400)
    expect((await send('send-verification', { phoneNumber: NEW, code: '123456' })).body.field).toBe('code')
    const sent = await send('send-verification', { phoneNumber: NEW })
    expect(sent.body).toMatchObject({ success: true, verification_id: expect.stringMatching(/^ver_/) })
    expect(codeTo(server, NEW)).toMatch(/^\d{6}$/)

    expect((await send('send-2fa', { phoneNumber: NEW })).body.code).toBe('forbidden')
    // With the one that signed in, this is the second message to the number.
    expect((await send('send-2fa', { phoneNumber: TO })).status).toBe(200)
    const statuses: number[] = []
    for (let n = 0; n < 5; n++) {
      server.clock.advance(299)
      statuses.push((await send('send-verification', { phoneNumber: TO })).status)
      const { refresh_token } = tokens
      tokens = (await post<WireTokens>(server, '/api/auth/refresh', { refresh_token })).body
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429])
  })

  test('/api/sms: a vendor that fails is 500, without a word of it', async () => {
    const provider = makeScriptedProvider()
    const server = await serverOn(backend, { overrides: { providers: [provider] } })
    const { access_token: key } = await signIn(server, TO)
    provider.answer('unavailable')
    const { status, body, text } = await server.api<WireProblem>('POST', '/api/sms/send-verification', {
      key,
      body: { phoneNumber: NEW },
    })
    expect([status, body.detail]).toEqual([500, 'Failed to send verification code'])
    expect(text).not.toMatch(/scripted|VENDOR/)
  })
})
