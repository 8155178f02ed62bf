import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { By } from '../../../src/auth/events.ts'
import type { UserStatus } from '../../../src/auth/user.ts'
import { type Json, makeTempDir, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { withGap } from './gap.ts'
import { ask, codeTo, PASSWORD, PLAIN, register, settled, signIn, type Tokens } from './people.ts'

const DAY = 86_400
const [A, B, C] = [phoneOf(1), phoneOf(2), phoneOf(3)]
const OTHER_PASSWORD = 'Cobalt-Heron-47-ferry'

const ADMIN: By = { actor: 'admin', address: null, agent: null }

type Started = { readonly verification_id: string }

/** What nobody may set by naming it. */
const FORGED: Readonly<Record<string, unknown>> = {
  id: 'usr_1',
  user_id: 'usr_1',
  userId: 'usr_1',
  role: 'admin',
  is_admin: true,
  status: 'active',
  phone_verified: true,
  phone_verified_at: '2026-01-01T00:00:00.000Z',
  verified_at: '2026-01-01T00:00:00.000Z',
  phoneVerifiedAt: 1,
  attempts: 0,
  checks_left: 99,
  guesses_max: 99,
  purpose: 'login',
  service: 'auth',
  isDecoy: false,
  isQuiet: true,
  password_hash: '$argon2id$v=19$m=7168,t=1,p=1$c2FsdHNhbHQ$aGFzaA',
  passwordHash: 'x',
  amr: ['pwd'],
  auth_at: 1,
  session: 'ses_1',
  sid: 'ses_1',
  constructor: { prototype: { isAdmin: true } },
}

/** A body that each route takes, to be forged. */
const BODIES: readonly (readonly [method: 'POST' | 'PATCH', path: string, body: object])[] = [
  ['POST', 'auth/otp/request', { phone: B }],
  ['POST', 'auth/verify-otp', { phone: B, otp: '000000' }],
  ['POST', 'auth/register', { phone: B, password: PASSWORD }],
  ['POST', 'auth/register/resend', { verification_id: 'ver_1' }],
  ['POST', 'auth/register/verify', { verification_id: 'ver_1', code: '000000' }],
  ['POST', 'auth/login', { identifier: B, password: PASSWORD }],
  ['POST', 'auth/refresh', { refresh_token: 'rt_1' }],
  ['POST', 'auth/logout', { refresh_token: 'rt_1' }],
  ['POST', 'auth/password/reset/request', { phone: B }],
  ['POST', 'auth/password/reset/verify', { phone: B, code: '000000' }],
  ['POST', 'auth/password/reset', { reset_token: `rst_${'0'.repeat(43)}`, password: PASSWORD }],
  ['POST', 'auth/password/change', { current_password: PASSWORD, password: OTHER_PASSWORD }],
  ['POST', 'auth/phone', { phone: B }],
  ['POST', 'auth/phone/verify', { verification_id: 'ver_1', code: '000000' }],
  ['POST', 'auth/phone/undo/request', { phone: B }],
  ['POST', 'auth/phone/undo', { phone: B, code: '000000' }],
  ['POST', 'auth/2fa/send', { challenge_token: 'cht_1' }],
  ['POST', 'auth/2fa/verify', { challenge_token: 'cht_1', factor: 'totp', code: '000000' }],
  ['POST', 'auth/2fa/start-over', { challenge_token: 'cht_1' }],
  ['POST', 'auth/2fa/enable', { method: 'app' }],
  ['POST', 'auth/2fa/confirm', { code: '000000' }],
  ['POST', 'auth/2fa/disable', { method: 'app' }],
  ['POST', 'sms/send-verification', { phoneNumber: B }],
  ['POST', 'sms/send-2fa', { phoneNumber: A }],
  ['PATCH', 'auth/me', { name: 'A' }],
]

/** The account as its owner sees it. */
async function meOf(server: TestServer, token: string) {
  return ask<Tokens['user'] & Json>(server, 'auth/me', undefined, { method: 'GET', token })
}

/** What happened, oldest first, as `type user`. */
async function eventsOf(server: TestServer): Promise<string[]> {
  const { data } = await server.countersign.auth.administration.events({ limit: 100 })
  return data.map(({ type, userId }) => `${type} ${userId}`).toReversed()
}

describe('R84, A30: what a body may not set', () => {
  test('is refused by every route, by name, and nothing has come of it', async () => {
    const server = await startServer({
      settings: { ...PLAIN, CALLS_PER_SESSION_MINUTE: '10000', SIGN_IN_CALLS_PER_ADDRESS_HOUR: '10000' },
    })
    const { access_token: token, user } = await register(server, A)
    const before = (await meOf(server, token)).text
    const messages = server.inbox.list().length
    for (const [method, path, body] of BODIES) {
      for (const [member, value] of Object.entries(FORGED)) {
        if (member in body || (path === 'auth/login' && member === 'device_token')) continue
        const { status, body: problem } = await ask(
          server,
          path,
          { ...body, [member]: value },
          { method, token },
        )
        expect({ path, member, status, code: problem['code'], field: problem['field'] }).toEqual({
          path,
          member,
          status: 400,
          code: 'invalid_request',
          field: member,
        })
      }
    }
    expect(server.inbox.list()).toHaveLength(messages)
    expect((await meOf(server, token)).text).toBe(before)
    expect((await server.countersign.auth.administration.users({ limit: 10 })).data).toMatchObject([
      { id: user.id },
    ])
  })
})

describe('A34: somebody else’s pending verification', () => {
  test('of a change of number is found by nobody but the user it is for, right code or wrong', async () => {
    const server = await startServer({ settings: PLAIN })
    const a = await signIn(server, A)
    const b = await signIn(server, B)
    const started = await ask<Started>(server, 'auth/phone', { phone: C }, { token: a.access_token })
    expect(started.status).toBe(202)
    const proof = { verification_id: started.body.verification_id, code: codeTo(server, C) }
    const stolen = await ask(server, 'auth/phone/verify', proof, { token: b.access_token })
    const wrongId = { ...proof, verification_id: `ver_${'0'.repeat(44)}` }
    const none = await ask(server, 'auth/phone/verify', wrongId, { token: b.access_token })
    expect(stolen.status).toBe(400)
    expect({ ...stolen.body, request_id: '' }).toEqual({ ...none.body, request_id: '' })
    // Nor by a door that is not for it.
    for (const [path, body] of [
      ['auth/register/verify', proof],
      ['auth/verify-otp', { phone: C, otp: proof.code }],
      ['auth/password/reset/verify', { phone: C, code: proof.code }],
      ['auth/phone/undo', { phone: C, code: proof.code }],
    ] as const) {
      expect((await ask(server, path, body)).status, path).toBe(400)
    }
    const keyed = await server.api('POST', `/v1/verifications/${proof.verification_id}/check`, {
      body: { code: proof.code },
    })
    expect(keyed.status).toBe(404)
    // None of that was counted as a guess.
    const own = await ask<Tokens['user']>(server, 'auth/phone/verify', proof, { token: a.access_token })
    expect(own.status, own.text).toBe(200)
    expect(own.body.phone).toBe(C)
    expect((await meOf(server, b.access_token)).body.phone).toBe(B)
  })

  test('of a registration opens with its own id and code alone, and a code of another purpose opens nothing', async () => {
    const server = await startServer({ settings: { ...PLAIN, RESEND_COOLDOWN_SECONDS: '1' } })
    const b = await signIn(server, B)
    server.clock.advance(60)
    const started = await ask<Started>(server, 'auth/register', { phone: A, password: PASSWORD })
    const code = codeTo(server, A)
    const id = started.body.verification_id
    const token = b.access_token
    expect((await ask(server, 'auth/phone/verify', { verification_id: id, code }, { token })).status).toBe(
      400,
    )
    expect((await ask(server, 'auth/verify-otp', { phone: A, otp: code })).status).toBe(400)
    expect((await ask(server, 'auth/password/reset/verify', { phone: A, code })).status).toBe(400)
    server.clock.advance(60)
    await ask(server, 'auth/otp/request', { phone: A })
    const login = codeTo(server, A)
    expect(login).not.toBe(code)
    expect((await ask(server, 'auth/register/verify', { verification_id: id, code: login })).status).toBe(400)
    expect((await ask(server, 'auth/register/verify', { verification_id: id, code })).status).toBe(201)
  })

  test('A11: what is used once for one purpose is not there for another, though its id be the same', async () => {
    const server = await startServer({ settings: PLAIN })
    await register(server, A)
    server.clock.advance(60)
    await ask(server, 'auth/password/reset/request', { phone: A })
    await settled()
    const proven = await ask<{ reset_token: string }>(server, 'auth/password/reset/verify', {
      phone: A,
      code: codeTo(server, A),
    })
    const token = proven.body.reset_token
    expect(token).toMatch(/^rst_/)
    for (const id of [token, token.slice(4)]) {
      expect(
        (await ask(server, 'auth/register/verify', { verification_id: id, code: '000000' })).status,
      ).toBe(400)
      expect((await ask(server, 'auth/register/resend', { verification_id: id })).status).toBe(404)
      expect((await ask(server, 'auth/refresh', { refresh_token: id })).status).toBe(401)
    }
    const set = await ask(server, 'auth/password/reset', { reset_token: token, password: OTHER_PASSWORD })
    expect(set.status, set.text).toBe(200)
  })
})

test('R59: of two who register one number each has a code of their own, and who has the phone gets in with their own password', async () => {
  const server = await startServer({ settings: { ...PLAIN, RESEND_COOLDOWN_SECONDS: '1' } })
  const theirs = await ask<Started>(server, 'auth/register', {
    phone: A,
    password: OTHER_PASSWORD,
    name: 'Thief',
  })
  const thiefCode = codeTo(server, A)
  server.clock.advance(60)
  const own = await ask<Started>(server, 'auth/register', { phone: A, password: PASSWORD, name: 'Owner' })
  const code = codeTo(server, A)
  expect(own.body.verification_id).not.toBe(theirs.body.verification_id)
  expect(code).not.toBe(thiefCode)
  // The owner types the code that came last into their own page; the thief has no phone to read.
  const crossed = { verification_id: theirs.body.verification_id, code }
  expect((await ask(server, 'auth/register/verify', crossed)).status).toBe(400)
  const entered = await ask<Tokens>(server, 'auth/register/verify', {
    verification_id: own.body.verification_id,
    code,
  })
  expect(entered.status).toBe(201)
  expect(entered.body.user.name).toBe('Owner')
  const login = (password: string) => ask(server, 'auth/login', { identifier: A, password })
  expect((await login(OTHER_PASSWORD)).status).toBe(401)
  expect((await login(PASSWORD)).status).toBe(200)
  // Even the owner, with the thief's code, brings in nothing of the thief's.
  const late = await ask<Tokens>(server, 'auth/register/verify', { ...crossed, code: thiefCode })
  expect(late.status).toBe(200)
  expect(late.body.user).toMatchObject({ id: entered.body.user.id, name: 'Owner' })
  expect((await login(OTHER_PASSWORD)).status).toBe(401)
})

test('R86: a number proven by B after A’s proof is too old goes to a new account; A keeps everything but the number', async () => {
  const server = await startServer({
    settings: { ...PLAIN, PHONE_PROOF_DAYS: '30', SESSION_IDLE_DAYS: '90' },
  })
  const a = await register(server, A, { email: 'a@example.org', name: 'A' })
  // On the last day it is A's still.
  server.clock.advance(30 * DAY)
  const login = await ask<Tokens>(server, 'auth/login', { identifier: A, password: PASSWORD })
  expect(login.status).toBe(200)
  server.clock.advance(60)
  const b = await signIn(server, A, { remoteAddress: '192.0.2.2' })
  expect(b.user.id).not.toBe(a.user.id)
  expect(b.user).toMatchObject({ phone: A, name: null })
  const { body: me } = await meOf(server, login.body.access_token)
  expect(me).toMatchObject({
    id: a.user.id,
    phone: null,
    phone_verified: false,
    phone_verified_at: null,
    email: 'a@example.org',
    name: 'A',
  })
  expect((await ask(server, 'auth/login', { identifier: 'a@example.org', password: PASSWORD })).status).toBe(
    200,
  )
  expect(await eventsOf(server)).toContain(`phone.detached ${a.user.id}`)
  // Neither the number nor a code to it opens A's account any more.
  expect((await ask(server, 'auth/login', { identifier: A, password: PASSWORD })).status).toBe(401)
  server.clock.advance(60)
  await ask(server, 'auth/password/reset/request', { phone: A })
  await settled()
  const { body: proven } = await ask<{ reset_token: string }>(server, 'auth/password/reset/verify', {
    phone: A,
    code: codeTo(server, A),
  })
  await ask(server, 'auth/password/reset', { reset_token: proven.reset_token, password: OTHER_PASSWORD })
  expect(
    (await ask(server, 'auth/login', { identifier: 'a@example.org', password: OTHER_PASSWORD })).status,
  ).toBe(401)
})

test('R86: an account whose proof is too old has no code sent to set its password, and a token won before is void once B has the number', async () => {
  const server = await startServer({ settings: { ...PLAIN, PHONE_PROOF_DAYS: '1' } })
  await register(server, A, { email: 'a@example.org' })
  server.clock.advance(DAY - 300)
  await ask(server, 'auth/password/reset/request', { phone: A })
  await settled()
  const { body } = await ask<{ reset_token: string }>(server, 'auth/password/reset/verify', {
    phone: A,
    code: codeTo(server, A),
  })
  server.clock.advance(301)
  await signIn(server, A)
  const set = await ask(server, 'auth/password/reset', {
    reset_token: body.reset_token,
    password: OTHER_PASSWORD,
  })
  expect(set.status).toBe(400)
  const login = { identifier: 'a@example.org', password: PASSWORD }
  expect((await ask(server, 'auth/login', login)).status).toBe(200)
})

test('R83: a token that a number has won to set the password is void once the account has another number', async () => {
  const server = await startServer({ settings: PLAIN })
  const a = await register(server, A)
  server.clock.advance(60)
  await ask(server, 'auth/password/reset/request', { phone: A })
  await settled()
  const { body } = await ask<{ reset_token: string }>(server, 'auth/password/reset/verify', {
    phone: A,
    code: codeTo(server, A),
  })
  const token = a.access_token
  const started = await ask<Started>(server, 'auth/phone', { phone: B }, { token })
  const proof = { verification_id: started.body.verification_id, code: codeTo(server, B) }
  expect((await ask(server, 'auth/phone/verify', proof, { token })).status).toBe(200)
  const reset = { reset_token: body.reset_token, password: OTHER_PASSWORD }
  expect((await ask(server, 'auth/password/reset', reset)).status).toBe(400)
  expect((await ask(server, 'auth/login', { identifier: B, password: PASSWORD })).status).toBe(200)
})

describe('A41: an account that is shut while somebody is on the way in', () => {
  const setStatus = (server: TestServer, id: string, status: UserStatus) =>
    server.countersign.auth.administration.setStatus(id, status, ADMIN)
  const shut = (server: TestServer, id: string) => setStatus(server, id, 'disabled')

  test('between the code and the entry gives no tokens, by whatever code', async () => {
    const server = await startServer({ settings: { ...PLAIN, RESEND_COOLDOWN_SECONDS: '1' } })
    const { user } = await register(server, A)
    server.clock.advance(60)
    await ask(server, 'auth/otp/request', { phone: A })
    const otp = codeTo(server, A)
    server.clock.advance(60)
    const { body } = await ask<Started>(server, 'auth/register', { phone: A, password: PASSWORD })
    const code = codeTo(server, A)
    server.clock.advance(60)
    await ask(server, 'auth/password/reset/request', { phone: A })
    await settled()
    const reset = codeTo(server, A)
    await shut(server, user.id)
    const answers = [
      await ask(server, 'auth/verify-otp', { phone: A, otp }),
      await ask(server, 'auth/register/verify', { verification_id: body.verification_id, code }),
      await ask(server, 'auth/password/reset/verify', { phone: A, code: reset }),
      await ask(server, 'auth/login', { identifier: A, password: PASSWORD }),
    ]
    expect(answers.map(({ status, body: { code: what } }) => `${status} ${String(what)}`)).toEqual([
      '403 account_disabled',
      '403 account_disabled',
      '400 invalid_code',
      '403 account_disabled',
    ])
    for (const { text } of answers) expect(text).not.toMatch(/token/)
    const { sessions } = await server.countersign.auth.administration.read(user.id)
    expect(sessions).toEqual([])
  })

  test('between the comparison of its password and the session gives no tokens, nor when the password changes then', async () => {
    const { server, store, between } = await withGap('openSession', PLAIN)
    const { user } = await register(server, A)
    const login = () => ask(server, 'auth/login', { identifier: A, password: PASSWORD })
    const sessions = async () => (await store.sessionsOf(user.id)).length
    expect((await login()).status).toBe(200)
    expect(await sessions()).toBe(2)
    between(() => shut(server, user.id))
    const refused = await login()
    expect(refused.status, refused.text).toBe(401)
    expect(refused.text).not.toMatch(/token/)
    await setStatus(server, user.id, 'active')
    expect(await sessions()).toBe(0)
    between(async () => {
      const account = await store.account({ id: user.id })
      await store.setPassword(user.id, {
        from: account?.passwordHash ?? null,
        to: 'x',
        keep: { session: null },
      })
    })
    expect((await login()).status).toBe(401)
    expect(await sessions()).toBe(0)
  })

  test('while its code is judged: the approved code gives no session', async () => {
    const { server, store, between } = await withGap('enter', PLAIN)
    const { user } = await register(server, A)
    server.clock.advance(60)
    await ask(server, 'auth/otp/request', { phone: A })
    between(() => shut(server, user.id))
    const refused = await ask(server, 'auth/verify-otp', { phone: A, otp: codeTo(server, A) })
    expect(refused.status).toBe(403)
    expect(await store.sessionsOf(user.id)).toEqual([])
  })

  test('while a new password is chosen with a token: the password stays', async () => {
    const { server, store, between } = await withGap('changeAccount', PLAIN)
    const { user } = await register(server, A)
    server.clock.advance(60)
    await ask(server, 'auth/password/reset/request', { phone: A })
    await settled()
    const { body } = await ask<{ reset_token: string }>(server, 'auth/password/reset/verify', {
      phone: A,
      code: codeTo(server, A),
    })
    const before = await store.account({ id: user.id })
    between(() => shut(server, user.id))
    const set = await ask(server, 'auth/password/reset', {
      reset_token: body.reset_token,
      password: OTHER_PASSWORD,
    })
    expect(set.status).toBe(400)
    expect((await store.account({ id: user.id }))?.passwordHash).toBe(before?.passwordHash)
  })

  test('A40: and every token of it is dead at once, also after it is opened again', async () => {
    const server = await startServer({ settings: PLAIN })
    const first = await register(server, A)
    server.clock.advance(60)
    const second = await signIn(server, A, { remoteAddress: '192.0.2.2' })
    const rotated = await ask<Tokens>(server, 'auth/refresh', { refresh_token: first.refresh_token })
    expect(rotated.status).toBe(200)
    await shut(server, first.user.id)
    const dead = async () => {
      for (const { access_token: token, refresh_token } of [first, second, rotated.body]) {
        expect((await meOf(server, token)).status).toBe(401)
        expect((await ask(server, 'auth/refresh', { refresh_token })).status).toBe(401)
        expect((await ask(server, 'auth/phone', { phone: C }, { token })).status).toBe(401)
      }
    }
    await dead()
    await setStatus(server, first.user.id, 'active')
    await dead()
  })
})

describe('R83, A32: the number of an account', () => {
  test('is the new one only after that is proven, with the old one told, and comes back by the old one', async () => {
    const server = await startServer({ settings: PLAIN })
    const a = await register(server, A)
    const elsewhere = await ask<Tokens>(server, 'auth/login', { identifier: A, password: PASSWORD })
    const token = a.access_token
    const started = await ask<Started>(server, 'auth/phone', { phone: B }, { token })
    expect(started.status, started.text).toBe(202)
    // Until then the number is the old one, for everybody.
    expect((await meOf(server, token)).body).toMatchObject({ phone: A, phone_verified: true })
    expect((await ask(server, 'auth/login', { identifier: B, password: PASSWORD })).status).toBe(401)
    expect((await ask(server, 'auth/login', { identifier: A, password: PASSWORD })).status).toBe(200)
    const proof = { verification_id: started.body.verification_id, code: codeTo(server, B) }
    const wrongly = { ...proof, code: proof.code.slice(0, 5) }
    expect((await ask(server, 'auth/phone/verify', wrongly, { token })).status).toBe(400)
    expect((await meOf(server, token)).body.phone).toBe(A)
    const changed = await ask<Tokens['user']>(server, 'auth/phone/verify', proof, { token })
    expect(changed.body.phone).toBe(B)
    await settled()
    expect(server.inbox.list()[0]).toMatchObject({ to: A })
    expect(server.inbox.list()[0]?.body).not.toContain(B)
    // The session that did it goes on, the others do not.
    expect((await meOf(server, token)).status).toBe(200)
    expect((await meOf(server, elsewhere.body.access_token)).status).toBe(401)
    expect((await ask(server, 'auth/phone/verify', proof, { token })).status).toBe(400)

    server.clock.advance(DAY - 60)
    await ask(server, 'auth/phone/undo/request', { phone: A })
    await settled()
    const undo = { phone: A, code: codeTo(server, A) }
    expect((await ask(server, 'auth/phone/undo', { ...undo, phone: B })).status).toBe(400)
    expect((await ask(server, 'auth/phone/undo', undo)).status).toBe(200)
    expect((await meOf(server, token)).status).toBe(401)
    const login = await ask<Tokens>(server, 'auth/login', { identifier: A, password: PASSWORD })
    expect(login.body.user).toMatchObject({ id: a.user.id, phone: A })
    expect((await ask(server, 'auth/login', { identifier: B, password: PASSWORD })).status).toBe(401)
    // Once.
    server.clock.advance(60)
    await ask(server, 'auth/phone/undo/request', { phone: A })
    await settled()
    expect((await ask(server, 'auth/phone/undo', { phone: A, code: codeTo(server, A) })).status).toBe(400)
  })

  test('wants a sign-in that was fresh when it was asked for, in the session that proves it', async () => {
    const server = await startServer({ settings: PLAIN })
    const { access_token: old } = await signIn(server, A)
    server.clock.advance(301)
    for (const [path, body] of [
      ['auth/phone', { phone: B }],
      ['sms/send-verification', { phoneNumber: B }],
    ] as const) {
      const refused = await ask(server, path, body, { token: old })
      expect(refused.body['code'], path).toBe('fresh_sign_in_required')
    }
    const { access_token: fresh } = await signIn(server, A)
    server.clock.advance(299)
    const started = await ask<Started>(server, 'auth/phone', { phone: B }, { token: fresh })
    expect(started.status).toBe(202)
    // A message may take a while.
    server.clock.advance(200)
    const proof = { verification_id: started.body.verification_id, code: codeTo(server, B) }
    const late = await ask(server, 'auth/phone/verify', proof, { token: old })
    expect(late.body['code']).toBe('fresh_sign_in_required')
    expect((await meOf(server, fresh)).body.phone).toBe(A)
    expect((await ask(server, 'auth/phone/verify', proof, { token: fresh })).status).toBe(200)
    expect((await meOf(server, fresh)).body.phone).toBe(B)
  })

  test('is not another’s for the asking: sending a code to it takes it from nobody', async () => {
    const server = await startServer({ settings: PLAIN })
    const a = await signIn(server, A)
    const b = await signIn(server, B)
    expect((await ask(server, 'auth/phone', { phone: A }, { token: b.access_token })).status).toBe(429)
    server.clock.advance(60)
    expect((await ask(server, 'auth/phone', { phone: A }, { token: b.access_token })).status).toBe(202)
    expect((await ask(server, 'sms/send-2fa', { phoneNumber: A }, { token: b.access_token })).status).toBe(
      403,
    )
    expect((await meOf(server, a.access_token)).body.phone).toBe(A)
    expect((await meOf(server, b.access_token)).body.phone).toBe(B)
  })
})

test('R82: a password that is reset by phone ends every session, opens none, and is told', async () => {
  const server = await startServer({ settings: PLAIN })
  const a = await register(server, A)
  server.clock.advance(60)
  await ask(server, 'auth/password/reset/request', { phone: A })
  await settled()
  const proven = await ask<{ reset_token: string }>(server, 'auth/password/reset/verify', {
    phone: A,
    code: codeTo(server, A),
  })
  expect(Object.keys(proven.body)).toEqual(['reset_token'])
  const reset = { reset_token: proven.body.reset_token, password: OTHER_PASSWORD }
  expect((await ask(server, 'auth/password/reset', { ...reset, password: 'password1' })).body['code']).toBe(
    'weak_password',
  )
  const set = await ask(server, 'auth/password/reset', reset)
  expect(set.body).toEqual({ status: 'ok' })
  expect(set.headers['set-cookie']).toBeUndefined()
  expect((await meOf(server, a.access_token)).status).toBe(401)
  expect((await ask(server, 'auth/refresh', { refresh_token: a.refresh_token })).status).toBe(401)
  await settled()
  expect(server.inbox.list()[0]?.to).toBe(A)
  expect(server.inbox.list()[0]?.body).not.toMatch(/\d{6}/)
  expect((await ask(server, 'auth/login', { identifier: A, password: PASSWORD })).status).toBe(401)
  expect((await ask(server, 'auth/login', { identifier: A, password: OTHER_PASSWORD })).status).toBe(200)
})

test('a user who is deleted leaves no number, e-mail, name, address or password behind among users, sessions, tickets and events', async () => {
  const dataDir = makeTempDir()
  const server = await startServer({ settings: PLAIN, dataDir })
  const [address, agent] = ['203.0.113.99', 'agent-of-the-deleted']
  const from = { remoteAddress: address, headers: { 'user-agent': agent } }
  const a = await register(server, A, { email: 'gone@example.org', name: 'Goneril' }, from)
  await ask(server, 'auth/login', { identifier: A, password: 'not the password' }, from)
  const { body } = await ask<Started>(server, 'auth/phone', { phone: B }, { ...from, token: a.access_token })
  const proof = { verification_id: body.verification_id, code: codeTo(server, B) }
  await ask(server, 'auth/phone/verify', proof, { ...from, token: a.access_token })
  const path = join(dataDir, 'test.db')
  const secrets = [A, B, 'gone@example.org', 'Goneril', address, agent, '$argon2id$']
  // All of it is there until then.
  for (const secret of secrets) expect(dumpOf(path), secret).toContain(secret)
  await server.countersign.auth.administration.delete(a.user.id, ADMIN)
  for (const secret of secrets) expect(dumpOf(path), secret).not.toContain(secret)
  const left = await eventsOf(server)
  expect(left).toContain(`user.created ${a.user.id}`)
  expect(left).toContain(`user.deleted ${a.user.id}`)
  expect((await meOf(server, a.access_token)).status).toBe(401)
})

/** Everything in the tables of this room. */
function dumpOf(path: string): string {
  const db = new DatabaseSync(path, { readOnly: true })
  const tables = db
    .prepare(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
    .all()
    .map(({ name }) => String(name))
    .filter((name) => /user|session|ticket|event/.test(name))
  expect(tables.length).toBeGreaterThanOrEqual(4)
  const rows = tables.flatMap((name) => db.prepare(`SELECT * FROM "${name}"`).all())
  db.close()
  return JSON.stringify(rows)
}
