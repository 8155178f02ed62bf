import { afterAll, describe, expect, test } from 'vitest'
import { APP } from '../../../src/auth/totp.ts'
import { codeOf } from '../../../src/primitives/totp.ts'
import { describeBackends, MONGODB, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import {
  login,
  PASSWORD,
  post,
  QUICK,
  register,
  shapeOf,
  statusOf,
  type WireStartedCode,
  type WireTokens,
  type WireUser,
} from '../../helpers/people.ts'
import { endProcesses } from '../../helpers/process.ts'
import {
  appCode,
  as,
  challenged,
  enableApp,
  enableSms,
  pass,
  type Person,
  someone,
  type WireChallenge,
} from '../../helpers/second-factors.ts'
import { type Answer, type Call, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { serverOn } from '../../flows/backends.ts'
import { withGap } from './gap.ts'
import { settled } from './people.ts'

const OTHER_PASSWORD = 'seven otters ate 12 pears'
const B = phoneOf(1)
/** Limits are not what these tests are of. */
const ROOMY = {
  CALLS_PER_SESSION_MINUTE: '10000',
  SIGN_IN_CALLS_PER_ADDRESS_HOUR: '10000',
  PASSWORDS_PER_ADDRESS_HOUR: '10000',
  SMS_RATE_LIMIT_PER_PHONE: '1000',
  SMS_MAX_PER_PHONE_DAY: '1000',
}

afterAll(endProcesses)

const meOf = async (server: TestServer, { access_token: key }: Pick<WireTokens, 'access_token'>) =>
  (await server.api<WireUser>('GET', '/api/auth/me', { key })).body

/** Calls any route as the user of these tokens. */
const own = (server: TestServer, { access_token: key }: WireTokens, path: string, body: object) =>
  server.api('POST', `/api/${path}`, { key, body })

const told = ({ status, body }: Answer<unknown>) => `${status} ${String((body as { code?: string }).code)}`

/** The number of the account, as whoever holds its phone can show it: by a sign-in, a registration, or a reset. */
async function byCode(server: TestServer, phone: string): Promise<Answer<WireChallenge & WireTokens>> {
  server.clock.advance(60)
  const { body } = await post<{ preview_code: string }>(server, '/api/auth/otp/request', { phone })
  return post(server, '/api/auth/verify-otp', { phone, otp: body.preview_code })
}

/** The code of the newest message to a number; those that tell of something have none. */
async function codeTo(server: TestServer, phone: string): Promise<string> {
  await settled()
  const texts = server.inbox.list({ to: phone }).map(({ body }) => /\b\d{6}\b/.exec(body)?.[0])
  return texts.find((code) => code !== undefined) ?? 'no code was sent'
}

/** Sets a new password by a code to the number. */
async function resetByPhone(server: TestServer, phone: string, password: string) {
  server.clock.advance(60)
  await post(server, '/api/auth/password/reset/request', { phone })
  const code = await codeTo(server, phone)
  const proven = await post<{ reset_token: string }>(server, '/api/auth/password/reset/verify', {
    phone,
    code,
  })
  expect(proven.status, proven.text).toBe(200)
  const { reset_token } = proven.body
  const set = await post(server, '/api/auth/password/reset', { reset_token, password })
  expect(set.status, set.text).toBe(200)
  return { code, reset_token, set }
}

/** Signs in by the password and a text. */
async function byText(server: TestServer, phone: string, password = PASSWORD) {
  const challenge = await challenged(server, phone, password)
  const { challenge_token } = challenge
  const sent = await post<{ preview_code: string }>(server, '/api/auth/2fa/send', { challenge_token })
  expect(sent.status, sent.text).toBe(200)
  return pass(server, challenge, { factor: 'sms', code: sent.body.preview_code })
}

/** Signs in by the password and the app. */
async function byApp({ server, phone, code }: Person, password = PASSWORD) {
  const answer = await pass(server, await challenged(server, phone, password), {
    factor: 'totp',
    code: code(),
  })
  expect(answer.status, answer.text).toBe(200)
  server.clock.advance(30)
  return answer.body
}

describe('R75, A14: who has shown the first factor alone', () => {
  test('is told of a challenge and nothing else, in a cookie neither', async () => {
    const { server, phone } = await someone('app')
    for (const answer of [
      await login<WireChallenge>(server, phone, PASSWORD, { headers: { 'x-session-mode': 'cookie' } }),
      await byCode(server, phone),
    ]) {
      expect(Object.keys(answer.body).sort()).toEqual([
        'challenge_token',
        'expires_at',
        'factors',
        'phone_hint',
        'status',
      ])
      expect(answer.headers['set-cookie']).toBeUndefined()
    }
  })

  test('has no refresh token, device, key or ticket in the challenge, however it is shown', async () => {
    const { server, phone, tokens } = await someone('app')
    // What is held of a session that is there opens nothing for the other one.
    expect(await statusOf(server, tokens)).toBe(200)
    const { challenge_token: token } = await challenged(server, phone)
    const cookie = (name: string): Call => ({
      headers: { cookie: `__Host-countersign_${name}=${token}`, 'x-session-mode': 'cookie' },
    })
    const given = { identifier: phone, password: PASSWORD }
    const answers = [
      await post(server, '/api/auth/refresh', { refresh_token: token }),
      await post(server, '/api/auth/refresh', undefined, cookie('refresh')),
      await post(server, '/api/auth/logout', { refresh_token: token }),
      await post(server, '/api/auth/login', { ...given, device_token: token }),
      await post(server, '/api/auth/login', given, cookie('device')),
      await post(server, '/api/auth/password/reset', { reset_token: token, password: OTHER_PASSWORD }),
      await post(server, '/api/auth/register/verify', { verification_id: token, code: '123456' }),
      // It is the sign-in by a code that begins an account of its own.
      await post(server, '/api/auth/2fa/start-over', { challenge_token: token }),
      await server.api('GET', '/api/auth/me', { key: 'none', ...cookie('refresh') }),
      await server.api('GET', '/admin/users', { key: token }),
      await server.api('GET', '/v1/verifications', { key: token }),
    ]
    expect(answers.map(told)).toEqual([
      '401 unauthorized',
      '401 unauthorized',
      '401 unauthorized',
      '200 undefined',
      '200 undefined',
      '400 invalid_code',
      '400 invalid_code',
      '401 challenge_ended',
      '401 unauthorized',
      '401 unauthorized',
      '401 unauthorized',
    ])
    for (const { text } of answers) expect(text).not.toMatch(/access_token|refresh_token/)
    const { sessions } = await server.countersign.auth.administration.read(tokens.user.id)
    expect(sessions).toHaveLength(1)
  })

  test('cannot end with another’s challenge what they began: each is of one account, and of one session', async () => {
    const { server, phone, tokens, code } = await someone('app')
    const other = await register(server, { phone: B })
    const theirs = await enableApp(server, other)
    const { body: challenge } = await as<WireChallenge>(server, tokens, '2fa/challenge')
    const theirCode = { factor: 'totp', code: appCode(server, theirs.secret) }
    expect(told(await pass(server, challenge, theirCode))).toBe('400 invalid_code')
    // What was asked for in a session that has ended since opens none.
    await server.api('POST', '/api/auth/logout', { key: tokens.access_token })
    expect(told(await pass(server, challenge, { factor: 'totp', code: code() }))).toBe('401 challenge_ended')
    expect(told(await pass(server, await challenged(server, phone), theirCode))).toBe('400 invalid_code')
  })
})

describe('A17: the tokens that a second factor opens', () => {
  test('are of one family each, whichever way they came: an old one ends all of it', async () => {
    const person = await someone('app')
    const { server, phone, code, tokens } = person
    const { body: step } = await as<WireChallenge>(server, tokens, '2fa/challenge')
    const stepped = await pass(server, step, { factor: 'totp', code: code(), remember_device: true })
    server.clock.advance(30)
    const { device_token } = stepped.body
    const byDevice = await post<WireTokens>(server, '/api/auth/login', {
      identifier: phone,
      password: PASSWORD,
      device_token,
    })
    const { challenge_token } = (await byCode(server, phone)).body
    const over = await post<WireTokens>(server, '/api/auth/2fa/start-over', { challenge_token })
    for (const { body: held } of [stepped, byDevice, over]) {
      const refresh = (refresh_token: string) =>
        post<WireTokens>(server, '/api/auth/refresh', { refresh_token })
      const next = await refresh(held.refresh_token)
      expect(next.status, next.text).toBe(200)
      server.clock.advance(11)
      expect((await refresh(held.refresh_token)).status).toBe(401)
      expect((await refresh(next.body.refresh_token)).status).toBe(401)
      expect(await statusOf(server, next.body)).toBe(401)
    }
  })
})

describe('R77, A15: a code of the app', () => {
  test('is worth nothing a second time, at no door', async () => {
    const server = await startServer({ settings: { ...QUICK, ...ROOMY } })
    const phone = phoneOf(0)
    const first = await register(server, { phone, email: 'ada@example.org' })
    const { body: begun } = await as<{ secret: string }>(server, first, '2fa/enable', { method: 'app' })
    const code = () => appCode(server, begun.secret)
    const confirmed = code()
    expect((await as(server, first, '2fa/confirm', { code: confirmed })).status).toBe(200)
    // The one that it was turned on with turns nothing on again, and lets nobody in.
    expect(told(await as(server, first, '2fa/confirm', { code: confirmed }))).toBe(
      '403 second_factor_required',
    )
    const replay = { factor: 'totp', code: confirmed }
    expect(told(await pass(server, await challenged(server, phone), replay))).toBe('400 invalid_code')
    server.clock.advance(30)
    const given = { factor: 'totp', code: code() }
    const { body: held } = await pass(server, await challenged(server, phone), given)
    const doors = async () => [
      await challenged(server, phone),
      await challenged(server, 'ada@example.org'),
      (await byCode(server, phone)).body,
      (await as<WireChallenge>(server, held, '2fa/challenge')).body,
    ]
    for (const door of await doors()) expect(told(await pass(server, door, given))).toBe('400 invalid_code')
  })

  test('of an older step is refused after a newer one, and none is taken twice, from the same challenge either', async () => {
    const { server, phone, secret } = await someone('app', ROOMY)
    const step = Math.floor(server.clock.now() / 30_000)
    const show = async (of: number) =>
      told(
        await pass(server, await challenged(server, phone), {
          factor: 'totp',
          code: codeOf(APP, secret, of),
        }),
      )
    // A clock that is half a minute fast.
    expect(await show(step + 1)).toBe('200 undefined')
    for (const of of [step + 1, step, step - 1]) expect(await show(of)).toBe('400 invalid_code')
    server.clock.advance(30)
    for (const of of [step + 1, step]) expect(await show(of)).toBe('400 invalid_code')
    server.clock.advance(30)
    expect(await show(step + 1)).toBe('400 invalid_code')
    expect(await show(step + 2)).toBe('200 undefined')
    // Out of the window, however right.
    expect(await show(step + 4)).toBe('400 invalid_code')
  })

  test('that was seen but not used ends with the step after its own', async () => {
    const { server, phone, code } = await someone('app')
    const seen = { factor: 'totp', code: code() }
    server.clock.advance(60)
    expect(told(await pass(server, await challenged(server, phone), seen))).toBe('400 invalid_code')
  })

  test('of an app that was taken off, or was never proven, opens nothing', async () => {
    const person = await someone('app')
    const { server, phone } = person
    const held = await byApp(person)
    const { body: begun } = await as<{ secret: string }>(server, held, '2fa/enable', { method: 'app' })
    const show = async (secret: string) =>
      told(
        await pass(server, await challenged(server, phone), {
          factor: 'totp',
          code: appCode(server, secret),
        }),
      )
    expect(await show(begun.secret)).toBe('400 invalid_code')
    const confirmed = await as(server, held, '2fa/confirm', { code: appCode(server, begun.secret) })
    expect(confirmed.status, confirmed.text).toBe(200)
    server.clock.advance(30)
    expect(await show(person.secret)).toBe('400 invalid_code')
    expect(await show(begun.secret)).toBe('200 undefined')
  })
})

describe('R78: the time is the server’s', () => {
  test('what a client says of it, in a header or a body, brings back no code, challenge or freshness', async () => {
    const person = await someone('app', ROOMY)
    const { server, phone } = person
    const held = await byApp(person)
    const challenge = await challenged(server, phone)
    const seen = { factor: 'totp', code: person.code() }
    const then = server.clock.now()
    server.clock.advance(301)
    const date = new Date(then).toUTCString()
    const headers = Object.fromEntries(
      ['date', 'x-date', 'x-timestamp', 'x-client-time', 'if-modified-since'].map((name) => [name, date]),
    )
    expect(told(await pass(server, challenge, seen, { headers }))).toBe('401 challenge_ended')
    const fresh = await challenged(server, phone)
    expect(told(await pass(server, fresh, seen, { headers }))).toBe('400 invalid_code')
    const renew = { key: held.access_token, headers, body: { now: then } }
    expect(told(await server.api('POST', '/api/auth/2fa/backup-codes', renew))).toBe(
      '403 second_factor_required',
    )
    const { challenge_token } = fresh
    for (const member of ['now', 'time', 'timestamp', 'step', 'date', 'auth_time', 'expires_at']) {
      const body = { challenge_token, ...seen, [member]: then }
      const answer = await post(server, '/api/auth/2fa/verify', body, { headers })
      expect([answer.status, answer.body.field]).toEqual([400, member])
    }
  })
})

describe('R81, A31: a phone is never both factors', () => {
  /** What whoever has the phone tries with a challenge that offers no text. */
  const expectNoText = async (server: TestServer, challenge: WireChallenge, codes: readonly string[]) => {
    expect(challenge.factors).not.toContain('sms')
    expect(challenge.phone_hint).toBeNull()
    const { challenge_token } = challenge
    const before = server.inbox.list().length
    expect(told(await post(server, '/api/auth/2fa/send', { challenge_token }))).toBe('400 factor_not_offered')
    expect(server.inbox.list()).toHaveLength(before)
    for (const code of codes)
      expect(told(await pass(server, challenge, { factor: 'sms', code }))).toBe('400 invalid_code')
  }

  test('whoever came in by a code to it has no use for another, however they came by that', async () => {
    const { server, phone } = await someone('sms', ROOMY)
    // The owner is about to sign in: their text goes to the phone that was taken.
    const { challenge_token } = await challenged(server, phone)
    const { body: sent } = await post<{ preview_code: string }>(server, '/api/auth/2fa/send', {
      challenge_token,
    })
    const { body: byLogin } = await byCode(server, phone)
    await expectNoText(server, byLogin, [sent.preview_code, await codeTo(server, phone)])
    server.clock.advance(120)
    const { body: started } = await post<WireStartedCode>(server, '/api/auth/register', {
      phone,
      password: OTHER_PASSWORD,
    })
    const { verification_id, preview_code: code } = started
    const registered = await post<WireChallenge>(server, '/api/auth/register/verify', {
      verification_id,
      code,
    })
    await expectNoText(server, registered.body, [sent.preview_code, code])
    // Nor has the account got the password that was registered with.
    expect((await login(server, phone, OTHER_PASSWORD)).status).toBe(401)
    server.clock.advance(60)
    expect((await byText(server, phone)).status).toBe(200)
  })

  test('nor whoever set the password by a code to it, and a text to the owner is worth nothing to them', async () => {
    const { server, phone, backupCodes } = await someone('sms', ROOMY)
    const { code } = await resetByPhone(server, phone, OTHER_PASSWORD)
    await expectNoText(server, await challenged(server, phone, OTHER_PASSWORD), [code])
    // Until what they do not have is shown after that password.
    const given = { factor: 'backup_code', code: backupCodes[0] ?? '' }
    expect((await pass(server, await challenged(server, phone, OTHER_PASSWORD), given)).status).toBe(200)
    server.clock.advance(60)
    expect((await byText(server, phone, OTHER_PASSWORD)).status).toBe(200)
  })

  test('nor when the owner signs in meanwhile, by a code and the app: that says nothing of the password', async () => {
    const person = await someone('app', ROOMY)
    const { server, phone } = person
    await enableSms(server, await byApp(person))
    await resetByPhone(server, phone, OTHER_PASSWORD)
    const { body: challenge } = await byCode(server, phone)
    expect((await pass(server, challenge, { factor: 'totp', code: person.code() })).status).toBe(200)
    await expectNoText(server, await challenged(server, phone, OTHER_PASSWORD), [])
  })

  test('nor at a step-up: a session that a code began wants something else', async () => {
    const { server, phone, tokens, backupCodes } = await someone('sms', ROOMY)
    const { body: challenge } = await byCode(server, phone)
    const given = { factor: 'backup_code', code: backupCodes[0] ?? '' }
    const { body: byPhone } = await pass(server, challenge, given)
    const stepUp = async (held: WireTokens) => (await as<WireChallenge>(server, held, '2fa/challenge')).body
    await expectNoText(server, await stepUp(byPhone), [])
    expect(told(await own(server, byPhone, 'sms/send-2fa', { phoneNumber: phone }))).toBe(
      '400 factor_not_offered',
    )
    const { body: again } = await pass(server, await stepUp(byPhone), {
      factor: 'backup_code',
      code: backupCodes[1] ?? '',
    })
    await expectNoText(server, await stepUp(again), [])
    // The one that began by registering with the number as well.
    await expectNoText(server, await stepUp(tokens), [])
    server.clock.advance(60)
    const { body: byPassword } = await byText(server, phone)
    expect((await stepUp(byPassword)).factors).toContain('sms')
  })

  test('nor with a number that was changed after the text was sent, or taken back', async () => {
    const person = await someone('app', ROOMY)
    const { server, phone } = person
    const { secret } = person
    await enableSms(server, await byApp(person))
    const challenge = await challenged(server, phone)
    const { challenge_token } = challenge
    const { body: sent } = await post<{ preview_code: string }>(server, '/api/auth/2fa/send', {
      challenge_token,
    })
    server.clock.advance(30)
    const held = (
      await pass(server, await challenged(server, phone), { factor: 'totp', code: appCode(server, secret) })
    ).body
    const { body: begun } = await as<WireStartedCode>(server, held, 'phone', { phone: B })
    const { verification_id, preview_code: code } = begun
    expect((await as(server, held, 'phone/verify', { verification_id, code })).status).toBe(200)
    const old = { factor: 'sms', code: sent.preview_code }
    expect(told(await pass(server, challenge, old))).toBe('400 invalid_code')
    // Whoever has the old number takes it back, and with it a password. It opens nothing.
    server.clock.advance(60)
    await post(server, '/api/auth/phone/undo/request', { phone })
    const undo = { phone, code: await codeTo(server, phone) }
    expect((await post(server, '/api/auth/phone/undo', undo)).status).toBe(200)
    await resetByPhone(server, phone, OTHER_PASSWORD)
    await expectNoText(server, await challenged(server, phone, OTHER_PASSWORD), [])
    await expectNoText(server, (await byCode(server, phone)).body, [])
  })

  test('nor does a text open what it was not sent for, or once texts are off', async () => {
    const person = await someone('app', ROOMY)
    const { server, phone } = person
    await enableSms(server, await byApp(person))
    const [asked, other] = [await challenged(server, phone), await challenged(server, phone)]
    const { challenge_token } = asked
    const { body: sent } = await post<{ preview_code: string }>(server, '/api/auth/2fa/send', {
      challenge_token,
    })
    const given = { factor: 'sms', code: sent.preview_code }
    expect(told(await pass(server, other, given))).toBe('400 invalid_code')
    const owner = await byApp(person)
    expect((await as(server, owner, '2fa/disable', { method: 'sms' })).status).toBe(200)
    expect(told(await pass(server, asked, given))).toBe('400 invalid_code')
    expect((await byApp(person)).user.two_factor_method).toBe('app')
  })

  test('whoever has texts alone, and no backup code left, still comes in by the password', async () => {
    const { server, phone, backupCodes } = await someone('sms', ROOMY)
    for (const code of backupCodes) {
      const given = { factor: 'backup_code', code }
      expect((await pass(server, (await byCode(server, phone)).body, given)).status).toBe(200)
      server.clock.advance(3_600)
    }
    expect((await byCode(server, phone)).body).toMatchObject({ factors: [], phone_hint: null })
    server.clock.advance(60)
    expect((await byText(server, phone)).body.user).toMatchObject({ phone, backup_codes_left: 0 })
  })
})

describe('R82, A16: whoever resets a password with a phone that was taken', () => {
  test('has no session, and no second factor less against them; the owner’s sessions end, and they are told', async () => {
    const person = await someone('app', ROOMY)
    const { server, phone, backupCodes } = person
    const challenge = await challenged(server, phone)
    const given = { factor: 'totp', code: person.code(), remember_device: true }
    const { body: held } = await pass(server, challenge, given)
    server.clock.advance(30)
    const begun = await challenged(server, phone)
    server.inbox.clear()
    const { code, reset_token, set } = await resetByPhone(server, phone, OTHER_PASSWORD)
    expect(set.body).toEqual({ status: 'ok' })
    expect(set.headers['set-cookie']).toBeUndefined()
    await settled()
    expect(server.inbox.list({ to: phone })[0]?.body).toMatch(/password/i)
    expect(await statusOf(server, held)).toBe(401)
    const { refresh_token, device_token } = held
    expect((await post(server, '/api/auth/refresh', { refresh_token })).status).toBe(401)
    expect(told(await pass(server, begun, { factor: 'totp', code: person.code() }))).toBe(
      '401 challenge_ended',
    )
    const entered = await post<WireChallenge>(server, '/api/auth/login', {
      identifier: phone,
      password: OTHER_PASSWORD,
      device_token,
    })
    expect(entered.body).toMatchObject({
      status: 'second_factor_required',
      factors: ['totp', 'backup_code'],
    })
    // Neither the token nor the code sets another one.
    for (const [path, body] of [
      ['', { reset_token, password: 'nine herons left 40 nests' }],
      ['/verify', { phone, code }],
    ] as const)
      expect(told(await post(server, `/api/auth/password/reset${path}`, body))).toBe('400 invalid_code')
    // What the owner has is what it was.
    const own = await pass(server, entered.body, { factor: 'backup_code', code: backupCodes[0] ?? '' })
    expect(own.body.user).toMatchObject({ two_factor_method: 'app', backup_codes_left: 9 })
    await byApp(person, OTHER_PASSWORD)
  })
})

describe('R83, A32: what a stolen session may not change', () => {
  const change = [
    ['auth/2fa/enable', { method: 'app' }],
    ['auth/2fa/enable', { method: 'sms' }],
    ['auth/2fa/disable', {}],
    ['auth/2fa/disable', { method: 'app' }],
    ['auth/2fa/backup-codes', {}],
    ['auth/phone', { phone: B }],
    ['sms/send-verification', { phoneNumber: B }],
    ['auth/password/change', { current_password: PASSWORD, password: OTHER_PASSWORD }],
  ] as const

  test('the number, the factors, the codes and the password, however it was opened and refreshed', async () => {
    const person = await someone('app', ROOMY)
    const { server, phone, tokens } = person
    const challenge = await challenged(server, phone)
    const given = { factor: 'totp', code: person.code(), remember_device: true }
    const { body: owner } = await pass(server, challenge, given)
    const stepsUpUntil = server.clock.now() + 300_000
    const { body: onDevice } = await post<WireTokens>(server, '/api/auth/login', {
      identifier: phone,
      password: PASSWORD,
      device_token: owner.device_token,
    })
    server.clock.advanceMs(stepsUpUntil + 1 - server.clock.now())
    const { refresh_token } = owner
    const { body: refreshed } = await post<WireTokens>(server, '/api/auth/refresh', { refresh_token })
    const before = await meOf(server, tokens)
    const messages = server.inbox.list().length
    for (const stolen of [tokens, onDevice, owner, refreshed])
      for (const [path, body] of change)
        expect([path, told(await own(server, stolen, path, body))]).toEqual([
          path,
          '403 second_factor_required',
        ])
    expect(server.inbox.list()).toHaveLength(messages)
    expect(await meOf(server, tokens)).toEqual(before)
  })

  test('nor does it end what the owner has begun, whose code it may have seen', async () => {
    const person = await someone('app', ROOMY)
    const { server, tokens: stolen } = person
    const stranger = await register(server, { phone: phoneOf(7) })
    const owner = await byApp(person)
    const { body: setup } = await as<{ secret: string }>(server, owner, '2fa/enable', { method: 'app' })
    const code = appCode(server, setup.secret)
    expect(told(await as(server, stolen, '2fa/confirm', { code }))).toBe('403 second_factor_required')
    expect(told(await as(server, stranger, '2fa/confirm', { code }))).toBe('400 invalid_code')
    const { body: begun } = await as<WireStartedCode>(server, owner, 'phone', { phone: B })
    const proof = { verification_id: begun.verification_id, code: begun.preview_code }
    expect(told(await as(server, stolen, 'phone/verify', proof))).toBe('403 second_factor_required')
    expect(told(await as(server, stranger, 'phone/verify', proof))).toBe('400 invalid_code')
    expect(await meOf(server, owner)).toMatchObject({ phone: person.phone })
    // A message may take a while: what counts is when it was asked for.
    server.clock.advance(290)
    expect((await as(server, owner, 'phone/verify', proof)).status).toBe(200)
  })

  test('the number changes when the new one has been proven, by who has shown a second factor, and the old one is told', async () => {
    const person = await someone('app', ROOMY)
    const { server, phone } = person
    const owner = await byApp(person)
    const { body: begun } = await as<WireStartedCode>(server, owner, 'phone', { phone: B })
    const { verification_id, preview_code: code } = begun
    const wrong = { verification_id, code: code === '000000' ? '000001' : '000000' }
    expect(told(await as(server, owner, 'phone/verify', wrong))).toBe('400 invalid_code')
    expect((await login(server, B)).status).toBe(401)
    server.inbox.clear()
    expect((await as(server, owner, 'phone/verify', { verification_id, code })).status).toBe(200)
    await settled()
    expect(server.inbox.list({ to: phone })).toHaveLength(1)
    expect(server.inbox.list({ to: phone })[0]?.body).not.toContain(B)
    // It is none of the second factors that changed.
    expect((await challenged(server, B)).factors).toEqual(['totp', 'backup_code'])
  })

  test('the owner is told of a factor that is turned on or off', async () => {
    const person = await someone('app', ROOMY)
    const { server, phone } = person
    const texts = () => server.inbox.list({ to: phone }).map(({ body }) => body)
    await settled()
    const on = texts()
    expect(on).toHaveLength(2)
    expect((await as(server, await byApp(person), '2fa/disable')).status).toBe(200)
    await settled()
    expect(texts()).toHaveLength(3)
    expect(on).not.toContain(texts()[0])
  })
})

describe('R84: what a body of these routes may not set', () => {
  const FORGED = {
    secret: 'A'.repeat(32),
    phone_verified: true,
    two_factor_enabled: false,
    two_factor_method: 'none',
    backup_codes: ['aaaaa-aaaaa'],
    backup_codes_left: 99,
    lastStep: 0,
    isPasswordBySms: false,
    secondFactors: null,
    second_factors: null,
    devices: '[]',
    version: 0,
    role: 'admin',
    user_id: 'usr_1',
    id: 'usr_1',
    first: 'pwd',
    mark: '',
    stepsUp: null,
    factor_at: 9_999_999_999,
    factorAt: 9_999_999_999_999,
    amr: ['pwd', 'mfa'],
    attempts: 0,
    verified_at: '2026-01-01T00:00:00Z',
  }

  test('is refused and named where there is a body, and read nowhere', async () => {
    const person = await someone('app', ROOMY)
    const { server, phone } = person
    const held = await byApp(person)
    const { challenge_token } = await challenged(server, phone)
    const before = await meOf(server, held)
    const account = JSON.stringify(await server.countersign.auth.administration.read(held.user.id))
    for (const [path, body] of [
      ['2fa/send', { challenge_token }],
      ['2fa/verify', { challenge_token, factor: 'totp', code: person.code() }],
      ['2fa/start-over', { challenge_token }],
      ['2fa/enable', { method: 'sms' }],
      ['2fa/confirm', { code: person.code() }],
      ['2fa/disable', {}],
      ['login', { identifier: phone, password: PASSWORD, device_token: 'dt_x' }],
    ] as const)
      for (const [member, value] of Object.entries(FORGED)) {
        const { status, body: problem } = await as(server, held, path, { ...body, [member]: value })
        expect([path, member, status, problem.field]).toEqual([path, member, 400, member])
      }
    expect(await meOf(server, held)).toEqual(before)
    expect(JSON.stringify(await server.countersign.auth.administration.read(held.user.id))).toBe(account)
    const renewed = await as<{ backup_codes: string[] }>(server, held, '2fa/backup-codes', FORGED)
    expect(renewed.body.backup_codes).toHaveLength(10)
    expect(renewed.body.backup_codes).not.toContain(FORGED.backup_codes[0])
    const stepped = await as<WireChallenge>(server, held, '2fa/challenge', FORGED)
    expect(stepped.body).toMatchObject({ factors: ['totp', 'backup_code'] })
    const me = await server.api('PATCH', '/api/auth/me', { key: held.access_token, body: FORGED })
    expect(me.status).toBe(400)
    expect(await meOf(server, held)).toEqual(before)
  })
})

describeBackends([SQLITE, POSTGRES, MONGODB], 'A41: an account that is shut on the way in, on', (backend) => {
  const shut = (server: TestServer, { id }: { id: string }) =>
    server.api('POST', `/admin/users/${id}/disable`)

  test('before the text, and between the text and its code: no tokens, by the right code either', async () => {
    const server = await serverOn(backend)
    const phone = phoneOf(0)
    const { user, ...tokens } = await register(server, { phone })
    const { backupCodes } = await enableSms(server, { ...tokens, user })
    const challenge = await challenged(server, phone)
    const { challenge_token } = challenge
    const { body: step } = await as<WireChallenge>(server, { ...tokens }, '2fa/challenge')
    const sent = await post<{ preview_code: string }>(server, '/api/auth/2fa/send', { challenge_token })
    await shut(server, user)
    const given = { factor: 'sms', code: sent.body.preview_code }
    const backup = { factor: 'backup_code', code: backupCodes[0] ?? '' }
    const answers = [
      await pass(server, challenge, given),
      await pass(server, challenge, backup),
      await pass(server, step, backup),
      await post(server, '/api/auth/2fa/send', { challenge_token }),
      await post(server, '/api/auth/2fa/start-over', { challenge_token }),
    ]
    expect(answers.map(told)).toEqual(Array<string>(5).fill('401 challenge_ended'))
    for (const { text } of answers) expect(text).not.toMatch(/_token/)
    // Opened again, it is as it was: nothing of it was used, and nobody came in.
    await server.api('POST', `/admin/users/${user.id}/enable`)
    expect((await server.countersign.auth.administration.read(user.id)).sessions).toEqual([])
    server.clock.advance(60)
    expect((await pass(server, await challenged(server, phone), backup)).status).toBe(200)
  })
})

describe('A41: an account that is shut while its second factor is judged', () => {
  test.each(['totp', 'backup_code', 'sms'] as const)(
    'by %s: the right one gives no session',
    async (factor) => {
      const { server, between } = await withGap('changeAccount', QUICK)
      const phone = phoneOf(0)
      const tokens = await register(server, { phone })
      const { secret } = await enableApp(server, tokens)
      const { body: fresh } = await pass(server, await challenged(server, phone), {
        factor: 'totp',
        code: appCode(server, secret),
      })
      server.clock.advance(30)
      const { backupCodes } = await enableSms(server, fresh)
      const challenge = await challenged(server, phone)
      const { challenge_token } = challenge
      const { body: sent } = await post<{ preview_code: string }>(server, '/api/auth/2fa/send', {
        challenge_token,
      })
      const code = {
        totp: appCode(server, secret),
        backup_code: backupCodes[0] ?? '',
        sms: sent.preview_code,
      }[factor]
      between(() => server.api('POST', `/admin/users/${tokens.user.id}/disable`))
      const answer = await pass(server, challenge, { factor, code, remember_device: true })
      expect(told(answer)).toBe('401 challenge_ended')
      await server.api('POST', `/admin/users/${tokens.user.id}/enable`)
      expect((await server.countersign.auth.administration.read(tokens.user.id)).sessions).toEqual([])
    },
  )

  test('and on a device that is remembered, or with an account of their own: none either', async () => {
    const { server, between } = await withGap('changeAccount', QUICK)
    const phone = phoneOf(0)
    const tokens = await register(server, { phone })
    const { secret } = await enableApp(server, tokens)
    const { body } = await pass(server, await challenged(server, phone), {
      factor: 'totp',
      code: appCode(server, secret),
      remember_device: true,
    })
    between(() => server.api('POST', `/admin/users/${tokens.user.id}/disable`))
    const given = { identifier: phone, password: PASSWORD, device_token: body.device_token }
    const entered = await post(server, '/api/auth/login', given)
    expect(entered.text).not.toMatch(/access_token/)
    await server.api('POST', `/admin/users/${tokens.user.id}/enable`)
    expect((await server.countersign.auth.administration.read(tokens.user.id)).sessions).toEqual([])
  })
})

describeBackends([SQLITE, POSTGRES, MONGODB], 'R86: whoever has A’s number by now, on', (backend) => {
  test('comes in as A by nothing they have, and has an account of their own, once, that tells nothing of A', async () => {
    const server = await serverOn(backend, { settings: ROOMY })
    const phone = phoneOf(0)
    const a = await register(server, { phone, email: 'a@example.org', name: 'Ada' })
    const { secret } = await enableApp(server, a)
    const remembered = await pass(server, await challenged(server, phone), {
      factor: 'totp',
      code: appCode(server, secret),
      remember_device: true,
    })
    server.clock.advance(30)
    const { body: fresh } = remembered
    const { backupCodes } = await enableSms(server, fresh)

    const { body: challenge } = await byCode(server, phone)
    expect(challenge.access_token).toBeUndefined()
    for (const [factor, code] of [
      ['sms', await codeTo(server, phone)],
      ['totp', '000000'],
      ['backup_code', 'aaaaa-aaaaa'],
    ] as const)
      expect(told(await pass(server, challenge, { factor, code }))).toBe('400 invalid_code')
    const { challenge_token } = challenge
    const overs = await Promise.all(
      Array.from({ length: 5 }, () =>
        post<WireTokens>(server, '/api/auth/2fa/start-over', { challenge_token }),
      ),
    )
    const [over, ...more] = overs.filter(({ status }) => status === 200)
    expect(more).toEqual([])
    expect(over?.body.user).toMatchObject({ phone, name: null, two_factor_enabled: false })
    expect(over?.body.user.id).not.toBe(a.user.id)
    expect(over?.text).not.toMatch(/Ada|a@example/)

    // A has everything but the number, and is told of it where they look.
    const me = await meOf(server, fresh)
    expect(me).toMatchObject({
      id: a.user.id,
      phone: null,
      phone_verified: false,
      email: 'a@example.org',
      name: 'Ada',
      two_factor_enabled: true,
      backup_codes_left: 10,
    })
    const events = await server.countersign.auth.administration.events({ limit: 50, userId: a.user.id })
    expect(events.data.map(({ type }) => type)).toContain('phone.detached')
    // No text of A's goes to B.
    const own = await post<WireChallenge>(server, '/api/auth/login', {
      identifier: 'a@example.org',
      password: PASSWORD,
      device_token: fresh.device_token,
    })
    expect(own.body).toMatchObject({ factors: ['totp', 'backup_code'], phone_hint: null })
    const code = backupCodes[0] ?? ''
    expect((await pass(server, own.body, { factor: 'backup_code', code })).body.user.id).toBe(a.user.id)
    // Nor does the number lead to A again.
    expect((await login(server, phone)).status).toBe(401)
    expect((await byCode(server, phone)).body.user.id).toBe(over?.body.user.id)
  })
})

describe('R57: who has a second factor', () => {
  const FLOWS: Readonly<Record<string, (server: TestServer) => Promise<Answer<unknown>>>> = {
    'a wrong password': (server) => login(server, phoneOf(0), 'not the password'),
    'a wrong password by e-mail': (server) => login(server, 'ada@example.org', 'not the password'),
    'a wrong password with a device': (server) =>
      post(server, '/api/auth/login', {
        identifier: phoneOf(0),
        password: 'not the password',
        device_token: `dt_${'0'.repeat(44)}_0_${'A'.repeat(43)}`,
      }),
    'a code that is asked for': (server) => post(server, '/api/auth/otp/request', { phone: phoneOf(0) }),
    'a wrong code': (server) => post(server, '/api/auth/verify-otp', { phone: phoneOf(0), otp: '0000' }),
    'a registration': (server) =>
      post(server, '/api/auth/register', { phone: phoneOf(0), password: PASSWORD }),
    'a reset that is asked for': (server) =>
      post(server, '/api/auth/password/reset/request', { phone: phoneOf(0) }),
    'a wrong code of a reset': (server) =>
      post(server, '/api/auth/password/reset/verify', { phone: phoneOf(0), code: '0000' }),
    'a number to take back': (server) => post(server, '/api/auth/phone/undo/request', { phone: phoneOf(0) }),
  }

  test.each(Object.entries(FLOWS))('is not told by %s, up to the limit and past it', async (_, flow) => {
    const [withOne, without] = await Promise.all(
      [true, false].map(async (isOn) => {
        const settings = { ...QUICK, WRONG_PASSWORDS_PER_ACCOUNT_DAY: '10' }
        const server = await startServer({ settings })
        const tokens = await register(server, { phone: phoneOf(0), email: 'ada@example.org' })
        if (isOn) await enableApp(server, tokens)
        else server.clock.advance(30)
        server.clock.advance(86_400)
        return server
      }),
    )
    if (!withOne || !without) throw new Error('no server')
    const statuses = new Set<number>()
    for (let n = 0; n < 12; n++) {
      const [one, other] = [await flow(withOne), await flow(without)]
      expect(shapeOf(one)).toEqual(shapeOf(other))
      statuses.add(one.status)
    }
    expect([...statuses].every((status) => status < 500)).toBe(true)
  })

  test('an ended challenge is answered as one that never was', async () => {
    const { server } = await someone('app')
    const { challenge_token } = (await byCode(server, phoneOf(0))).body
    server.clock.advance(300)
    const send = (token: string) => post(server, '/api/auth/2fa/send', { challenge_token: token })
    const never = await send(`cht_${'A'.repeat(43)}`)
    expect(told(never)).toBe('401 challenge_ended')
    expect(shapeOf(await send(challenge_token))).toEqual(shapeOf(never))
  })
})
