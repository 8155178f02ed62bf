import { describe, expect, test } from 'vitest'
import {
  expectRefused,
  login,
  PASSWORD,
  post,
  QUICK,
  register,
  shapeOf,
  signIn,
  type WireStartedCode,
  type WireTokens,
} from '../../helpers/people.ts'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { start, type WireProblem } from '../../helpers/wire.ts'

const PATH = '/api/auth/register'
const TO = phoneOf(0)
const INVALID_CODE = { status: 400, code: 'invalid_code', detail: 'Invalid code' }

async function begun(server: TestServer, body: object = {}): Promise<WireStartedCode> {
  const answer = await post<WireStartedCode>(server, PATH, { phone: TO, password: PASSWORD, ...body })
  expect(answer.status, answer.text).toBe(202)
  server.clock.advanceMs(1)
  return answer.body
}

function verify<T = WireTokens>(server: TestServer, { verification_id, preview_code }: WireStartedCode) {
  return post<T>(server, `${PATH}/verify`, { verification_id, code: preview_code })
}

async function usersOf(server: TestServer): Promise<unknown[]> {
  return (await server.api<{ data: unknown[] }>('GET', '/admin/users')).body.data
}

describe('POST /api/auth/register', () => {
  test('sends a code and answers 202 with every member of the contract; there is no account yet', async () => {
    const server = await startServer({ settings: QUICK })
    const { status, body } = await post(server, PATH, { phone: TO, password: PASSWORD })
    expect(status).toBe(202)
    expect(body).toEqual({
      status: 'verification_required',
      verification_id: expect.stringMatching(/^ver_[0-9a-z]{20,}$/),
      resend_at: new Date(server.clock.now() + 30_000).toISOString(),
      expires_at: new Date(server.clock.now() + 600_000).toISOString(),
      preview_code: expect.stringMatching(/^\d{6}$/),
    })
    expect(server.inbox.list()).toMatchObject([{ to: TO }])
    expect(await usersOf(server)).toEqual([])
    expect((await login(server, TO)).status).toBe(401)
  })

  test('outside of development answers no code', async () => {
    const server = await startServer({ settings: { ...QUICK, DEV_MODE: 'false' } })
    const { body } = await post(server, PATH, { phone: TO, password: PASSWORD })
    expect(Object.keys(body)).toEqual(['status', 'verification_id', 'resend_at', 'expires_at'])
  })

  test('R57, R59: the same answer, to the byte apart from what is new each time, whoever owns the number', async () => {
    const server = await startServer({ settings: { ...QUICK, DEV_MODE: 'false', ALLOW_VOIP: 'true' } })
    const dev = server
    const known = phoneOf(1)
    await post(dev, '/api/auth/otp/request', { phone: known })
    dev.clock.advance(1)
    const otp = /\d{6}/.exec(dev.inbox.list()[0]?.body ?? '')?.[0]
    await post(dev, '/api/auth/verify-otp', { phone: known, otp })
    dev.clock.advance(1)
    const answers = []
    for (const phone of [known, phoneOf(2), '+19005551234'])
      answers.push(shapeOf(await post(dev, PATH, { phone, password: PASSWORD, email: 'a@b.example' })))
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
  })

  test('the e-mail of somebody else is not told either', async () => {
    const server = await startServer({ settings: QUICK })
    await register(server, { phone: phoneOf(1), email: 'ada@example.org' })
    const free = await post(server, PATH, { phone: TO, password: PASSWORD, email: 'free@example.org' })
    server.clock.advance(30)
    const taken = await post(server, PATH, { phone: TO, password: PASSWORD, email: 'ADA@example.org' })
    expect(Object.keys(taken.body)).toEqual(Object.keys(free.body))
    expect(taken.status).toBe(202)
  })

  test.each([
    ['too short', 'aB3$xyz'],
    ['common', 'password123'],
    ['common in capitals', 'PASSWORD123'],
    ['the number', TO],
    ['the number as people write it', '(415) 555-2000'],
    ['the e-mail', 'ada.lovelace@example.org'],
    ['the name', 'adalovelace1'],
    ['the service', 'countersign1'],
    ['one letter', 'zzzzzzzzzzzz'],
    ['a run', 'abcdefghijkl'],
    ['too long', 'x1'.repeat(129)],
  ])('a weak password (%s) is 400 weak_password naming it, and nothing is sent', async (_why, password) => {
    const server = await startServer({ settings: { ...QUICK, SERVICE_NAME: 'Countersign' } })
    const body = { phone: TO, password, email: 'ada.lovelace@example.org', name: 'Ada Lovelace' }
    const answer = await post(server, PATH, body)
    expectRefused(answer, {
      status: 400,
      code: 'weak_password',
      detail: expect.stringMatching(/password/),
      field: 'password',
    })
    expect(answer.text).not.toContain(password)
    expect(server.inbox.list()).toEqual([])
  })

  test.each([
    ['no phone', { password: PASSWORD }, 'invalid_request', 'phone'],
    ['no password', { phone: TO }, 'invalid_request', 'password'],
    ['a number that is none', { phone: '+1', password: PASSWORD }, 'invalid_phone', 'phone'],
    ['a national number', { phone: '4155552000', password: PASSWORD }, 'invalid_phone', 'phone'],
    ['a number of another type', { phone: 1, password: PASSWORD }, 'invalid_request', 'phone'],
    ['a password of another type', { phone: TO, password: [PASSWORD] }, 'invalid_request', 'password'],
    ['an operator', { phone: TO, password: { $ne: '' } }, 'invalid_request', 'password'],
    ['an e-mail that is none', { phone: TO, password: PASSWORD, email: 'a b@c' }, 'invalid_request', 'email'],
    [
      'an e-mail that stands for a number',
      { phone: TO, password: PASSWORD, email: `${phoneOf(1)}@example.com` },
      'invalid_request',
      'email',
    ],
    [
      'a name with a line break',
      { phone: TO, password: PASSWORD, name: 'a\r\nX: y' },
      'invalid_request',
      'name',
    ],
    ['a null e-mail', { phone: TO, password: PASSWORD, email: null }, 'invalid_request', 'email'],
  ])('%s is 400 and named', async (_what, body, code, field) => {
    const server = await startServer({ settings: QUICK })
    const answer = await post(server, PATH, body)
    expect({ status: answer.status, code: answer.body.code, field: answer.body.field }).toEqual({
      status: 400,
      code,
      field,
    })
    expect(server.inbox.list()).toEqual([])
  })

  test('R84: id, role, phone_verified and their like are refused and named', async () => {
    const server = await startServer({ settings: QUICK })
    for (const member of ['id', 'role', 'phone_verified', 'verified_at', 'attempts', 'code', 'status']) {
      const { status, body } = await post(server, PATH, { phone: TO, password: PASSWORD, [member]: true })
      expect({ status, field: body.field }).toEqual({ status: 400, field: member })
    }
  })

  test('every provider refuses: 500 send_failed', async () => {
    const provider = makeScriptedProvider()
    provider.answer('unavailable')
    const server = await startServer({ settings: QUICK, overrides: { providers: [provider] } })
    expectRefused(await post(server, PATH, { phone: TO, password: PASSWORD }), {
      status: 500,
      code: 'send_failed',
      detail: 'Failed to send verification code',
    })
  })

  test('a number is limited over all its registrations: 429', async () => {
    const server = await startServer({ settings: QUICK })
    await begun(server)
    const { status, body } = await post(server, PATH, { phone: TO, password: PASSWORD })
    expect({ status, limit: body.limit }).toEqual({ status: 429, limit: 'resend_cooldown' })
  })

  test('503 when the store is down', async () => {
    const server = await startServer({ settings: QUICK })
    await server.countersign.close()
    const { body } = await post(server, PATH, { phone: TO, password: PASSWORD })
    expect(body).toMatchObject({ status: 503, code: 'store_unavailable' })
  })
})

describe('POST /api/auth/register/verify', () => {
  test('makes the account and signs in: 201 with tokens and the user', async () => {
    const server = await startServer({ settings: QUICK })
    const started = await begun(server, { email: ' Ada@Example.org ', name: 'Ada Lovelace' })
    const { status, body } = await verify(server, started)
    expect(status).toBe(201)
    const at = new Date(server.clock.now()).toISOString()
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'bearer',
      refresh_token: expect.stringMatching(/^rt_/),
      expires_in: 900,
      user: {
        id: expect.stringMatching(/^usr_/),
        email: 'ada@example.org',
        name: 'Ada Lovelace',
        phone: TO,
        phone_verified: true,
        phone_verified_at: at,
        two_factor_enabled: false,
        two_factor_method: 'none',
        two_factor_methods: [],
        backup_codes_left: 0,
        created_at: at,
      },
    })
    expect((await login(server, 'ada@example.org')).status).toBe(200)
  })

  test('a number with an account comes into that account, unchanged: 200', async () => {
    const server = await startServer({ settings: QUICK })
    const first = await register(server, { phone: TO, email: 'ada@example.org', name: 'Ada' })
    const started = await begun(server, { password: 'another good one 17', email: 'b@c.example', name: 'B' })
    const { status, body } = await verify(server, started)
    expect(status).toBe(200)
    expect(body.user).toEqual({ ...first.user, phone_verified_at: expect.any(String) })
    expect((await login(server, TO, 'another good one 17')).status).toBe(401)
    expect((await login(server, TO)).status).toBe(200)
  })

  test('an e-mail that is another’s is left out: 201, and the account is shown by its number', async () => {
    const server = await startServer({ settings: QUICK })
    const first = await register(server, { phone: phoneOf(1), email: 'ada@example.org' })
    const second = await verify(server, await begun(server, { email: 'ADA@example.org' }))
    expect([second.status, second.body.user.email]).toEqual([201, `${TO}@example.com`])
    const { body } = await login(server, 'ada@example.org')
    expect(body.user.id).toBe(first.user.id)
  })

  test('wrong, expired, used and unknown are one refusal, and no account is made', async () => {
    const server = await startServer({ settings: QUICK })
    const started = await begun(server)
    expectRefused(await verify(server, { ...started, preview_code: '000000' }), INVALID_CODE)
    for (const id of ['ver_none', `ver_${'0'.repeat(36)}`, 'x', '__proto__', "' OR 1=1"])
      expectRefused(await verify(server, { ...started, verification_id: id }), INVALID_CODE)
    expect(await usersOf(server)).toEqual([])
    server.clock.advance(600)
    expectRefused(await verify(server, started), INVALID_CODE)
    expect(await usersOf(server)).toEqual([])
    const again = await begun(server)
    expect((await verify(server, again)).status).toBe(201)
    expectRefused(await verify(server, again), INVALID_CODE)
  })

  test('R6: the fifth wrong code ends it', async () => {
    const server = await startServer({ settings: QUICK })
    const started = await begun(server)
    for (let n = 0; n < 5; n++)
      expectRefused(await verify(server, { ...started, preview_code: `00000${n}` }), INVALID_CODE)
    expectRefused(await verify(server, started), INVALID_CODE)
  })

  test('R4: of twenty concurrent right codes one makes the account', async () => {
    const server = await startServer({ settings: QUICK })
    const started = await begun(server)
    const all = await Promise.all(Array.from({ length: 20 }, () => verify(server, started)))
    expect(all.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(await usersOf(server)).toHaveLength(1)
  })

  test('of two who register one number each has a code of their own, which opens nothing of the other', async () => {
    const server = await startServer({ settings: QUICK })
    const hers = await begun(server, { name: 'Ada' })
    server.clock.advance(30)
    const his = await begun(server, { name: 'Bob' })
    expect(his.verification_id).not.toBe(hers.verification_id)
    if (his.preview_code !== hers.preview_code)
      expectRefused(await verify(server, { ...hers, preview_code: his.preview_code }), INVALID_CODE)
    expect((await verify(server, hers)).body.user.name).toBe('Ada')
  })

  test('A34: a verification of the Verify API, or of a sign-in, is none of a registration', async () => {
    const server = await startServer({ settings: QUICK })
    const { id, code } = await start(server, TO, { purpose: 'signup' })
    expectRefused(await verify(server, started(id, code)), INVALID_CODE)
    const { verification_id, preview_code } = await begun(server, { phone: phoneOf(1) })
    for (const key of ['sk', 'pk'] as const) {
      const path = `/v1/verifications/${verification_id}/check`
      expect((await server.api('POST', path, { key, body: { code: preview_code } })).status).toBe(404)
    }
  })

  test('a vendor that owns the code has its word, and is 500 while it cannot be asked', async () => {
    const owner = makeScriptedProvider('owner', { ownsCode: true })
    const server = await startServer({ settings: QUICK, overrides: { providers: [owner] } })
    const begin = { ...(await begun(server)), preview_code: '246810' }
    owner.rule('unavailable')
    expectRefused(await verify(server, begin), {
      status: 500,
      code: 'check_failed',
      detail: 'Failed to verify code',
    })
    owner.rule('right')
    expect((await verify(server, begin)).status).toBe(201)
  })

  test('a code that is no code is 400 naming it, and costs no guess', async () => {
    const server = await startServer({ settings: QUICK })
    const begin = await begun(server)
    for (const code of [
      123_456,
      ['123456'],
      { $ne: null },
      null,
      true,
      '',
      ' 123456',
      '１２３４５６',
      '1'.repeat(10_000),
    ]) {
      const answer = await post(server, `${PATH}/verify`, { verification_id: begin.verification_id, code })
      expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field: 'code' })
    }
    expect((await verify(server, begin)).status).toBe(201)
  })

  test('a member that is unknown or missing is 400 and named', async () => {
    const server = await startServer({ settings: QUICK })
    for (const [body, field] of [
      [{ code: '123456' }, 'verification_id'],
      [{ verification_id: 'ver_1' }, 'code'],
      [{ verification_id: 'ver_1', code: '123456', phone: TO }, 'phone'],
      [{ verification_id: 'ver_1', code: '123456', role: 'admin' }, 'role'],
      [{ verification_id: ['ver_1'], code: '123456' }, 'verification_id'],
    ] as const) {
      const answer = await post(server, `${PATH}/verify`, body)
      expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field })
    }
  })

  test('A41: an account that is disabled meanwhile gets no tokens: 403', async () => {
    const server = await startServer({ settings: QUICK })
    const { user } = await signIn(server, TO)
    const begin = await begun(server)
    await server.api('POST', `/admin/users/${user.id}/disable`)
    expectRefused(await verify(server, begin), {
      status: 403,
      code: 'account_disabled',
      detail: 'This account is disabled',
    })
  })

  test('guesses of an address are limited: 429', async () => {
    const server = await startServer({ settings: QUICK })
    const begin = await begun(server)
    for (let n = 0; n < 30; n++) await verify(server, { ...begin, preview_code: '000000' })
    const { status, body } = await verify<WireProblem>(server, begin)
    expect({ status, limit: body.limit }).toEqual({ status: 429, limit: 'checks_per_address' })
  })
})

describe('POST /api/auth/register/resend', () => {
  test('sends the same code again: 202 with the same members', async () => {
    const server = await startServer({ settings: QUICK })
    const first = await begun(server)
    server.clock.advance(30)
    const { status, body } = await post<WireStartedCode>(server, `${PATH}/resend`, {
      verification_id: first.verification_id,
    })
    expect(status).toBe(202)
    expect(body).toEqual({ ...first, resend_at: expect.any(String) })
    expect(Date.parse(body.resend_at)).toBeGreaterThan(server.clock.now())
    expect(server.inbox.list()).toHaveLength(2)
    expect((await verify(server, first)).status).toBe(201)
  })

  test('too soon is 429; what never was, or is of somebody else, 404; what has ended, 409', async () => {
    const server = await startServer({ settings: QUICK })
    const { verification_id } = await begun(server)
    const resend = (id: string) => post(server, `${PATH}/resend`, { verification_id: id })
    expect((await resend(verification_id)).body).toMatchObject({ status: 429, limit: 'resend_cooldown' })
    const foreign = await start(server, phoneOf(1))
    for (const id of ['ver_none', foreign.id])
      expect((await resend(id)).body).toMatchObject({ status: 404, code: 'not_found' })
    server.clock.advance(600)
    expect((await resend(verification_id)).body).toMatchObject({ status: 409, code: 'verification_ended' })
  })

  test('a member that is unknown is 400 and named; every provider refusing is 500', async () => {
    const provider = makeScriptedProvider()
    const server = await startServer({ settings: QUICK, overrides: { providers: [provider] } })
    const { verification_id } = await begun(server)
    const bad = await post(server, `${PATH}/resend`, { verification_id, phone: phoneOf(9) })
    expect(bad.body).toMatchObject({ status: 400, field: 'phone' })
    server.clock.advance(30)
    provider.answer('unavailable')
    expectRefused(await post(server, `${PATH}/resend`, { verification_id }), {
      status: 500,
      code: 'send_failed',
      detail: 'Failed to send verification code',
    })
  })
})

function started(verification_id: string, preview_code: string): WireStartedCode {
  return { status: '', verification_id, resend_at: '', expires_at: '', preview_code }
}
