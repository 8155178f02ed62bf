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
  statusOf,
} from '../../helpers/people.ts'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'

const PATH = '/api/auth/password/reset'
const TO = phoneOf(0)
const NEW = 'another good one 17'
const INVALID_CODE = { status: 400, code: 'invalid_code', detail: 'Invalid code' }
const INVALID_TOKEN = {
  status: 400,
  code: 'invalid_code',
  detail: 'The reset token is not valid any more',
  field: 'reset_token',
}

async function codeFor(server: TestServer, phone: string): Promise<string> {
  const { status, body, text } = await post<{ preview_code: string }>(server, `${PATH}/request`, { phone })
  expect(status, text).toBe(200)
  server.clock.advanceMs(1)
  return body.preview_code
}

async function tokenFor(server: TestServer, phone: string): Promise<string> {
  const code = await codeFor(server, phone)
  const { status, body, text } = await post<{ reset_token: string }>(server, `${PATH}/verify`, {
    phone,
    code,
  })
  expect(status, text).toBe(200)
  return body.reset_token
}

describe('POST /api/auth/password/reset/request', () => {
  test('R57: known, unknown and disabled numbers get the same answer; a message goes to the first alone', async () => {
    const server = await startServer({ settings: { ...QUICK, DEV_MODE: 'false' } })
    const person = async (phone: string) => {
      await post(server, '/api/auth/otp/request', { phone })
      server.clock.advance(1)
      const otp = /\d{6}/.exec(server.inbox.list()[0]?.body ?? '')?.[0]
      return post<{ user: { id: string } }>(server, '/api/auth/verify-otp', { phone, otp })
    }
    await person(TO)
    const { body } = await person(phoneOf(1))
    await server.api('POST', `/admin/users/${body.user.id}/disable`)
    server.clock.advance(30)
    const before = server.inbox.list().length
    const answers = []
    for (const phone of [TO, phoneOf(1), phoneOf(2), '+19005551234'])
      answers.push(await post(server, `${PATH}/request`, { phone }))
    expect(answers[0]?.text).toBe('{"status":"ok"}')
    for (const answer of answers) expect(shapeOf(answer)).toEqual(shapeOf(answers[0] ?? answer))
    await expect.poll(() => server.inbox.list().length).toBe(before + 1)
    expect(server.inbox.list()[0]?.to).toBe(TO)
  })

  test('R57: a second within 30 s is 429 for all of them', async () => {
    const server = await startServer()
    await signIn(server, TO)
    for (const phone of [TO, phoneOf(2)]) {
      await codeFor(server, phone)
      const { status, body } = await post(server, `${PATH}/request`, { phone })
      expect({ status, limit: body.limit }).toEqual({ status: 429, limit: 'resend_cooldown' })
    }
  })

  test('R57: a provider that refuses is told nobody', async () => {
    const provider = makeScriptedProvider()
    const server = await startServer({ overrides: { providers: [provider] } })
    await signIn(server, TO)
    provider.answer('unavailable')
    const known = await post(server, `${PATH}/request`, { phone: TO })
    const unknown = await post(server, `${PATH}/request`, { phone: phoneOf(1) })
    expect(known.status).toBe(200)
    expect(shapeOf(known)).toEqual(shapeOf(unknown))
  })

  test('in dev mode answers the code, also for a number without an account', async () => {
    const server = await startServer()
    await signIn(server, TO)
    for (const phone of [TO, phoneOf(1)])
      expect((await post(server, `${PATH}/request`, { phone })).body).toEqual({
        status: 'ok',
        preview_code: expect.stringMatching(/^\d{6}$/),
      })
  })

  test.each([
    [{}, 'invalid_request', 'phone'],
    [{ phone: '' }, 'invalid_request', 'phone'],
    [{ phone: 1 }, 'invalid_request', 'phone'],
    [{ phone: [TO] }, 'invalid_request', 'phone'],
    [{ phone: '+1' }, 'invalid_phone', 'phone'],
    [{ phone: TO, user_id: 'usr_1' }, 'invalid_request', 'user_id'],
    [{ phone: TO, email: 'a@b.example' }, 'invalid_request', 'email'],
  ])('%j is 400 and named', async (body, code, field) => {
    const server = await startServer()
    const answer = await post(server, `${PATH}/request`, body)
    expect({ status: answer.status, code: answer.body.code, field: answer.body.field }).toEqual({
      status: 400,
      code,
      field,
    })
  })
})

describe('POST /api/auth/password/reset/verify', () => {
  test('changes the code into a token: 200 with reset_token and nothing else', async () => {
    const server = await startServer()
    await signIn(server, TO)
    const code = await codeFor(server, TO)
    const { status, body } = await post(server, `${PATH}/verify`, { phone: TO, code })
    expect([status, body]).toEqual([200, { reset_token: expect.stringMatching(/^rst_[\w-]{43}$/) }])
  })

  test('R82: wrong, used, expired, never sent and a decoy’s are one refusal', async () => {
    const server = await startServer()
    for (const phone of [TO, phoneOf(1)]) await signIn(server, phone)
    const refused = async (phone: string, code: string) =>
      expectRefused(await post(server, `${PATH}/verify`, { phone, code }), INVALID_CODE)
    const code = await codeFor(server, TO)
    await refused(TO, code === '000000' ? '000001' : '000000')
    expect((await post(server, `${PATH}/verify`, { phone: TO, code })).status).toBe(200)
    await refused(TO, code)
    await refused(phoneOf(5), '123456')
    // A code of a number without an account, as only dev mode tells it.
    await refused(phoneOf(2), await codeFor(server, phoneOf(2)))
    const late = await codeFor(server, phoneOf(1))
    server.clock.advance(600)
    await refused(phoneOf(1), late)
  })

  test('a number that was proven over a year ago resets nothing, and nobody is told', async () => {
    const server = await startServer({ settings: QUICK })
    await register(server, { phone: TO })
    server.clock.advance(366 * 86_400)
    const before = server.inbox.list().length
    const code = await codeFor(server, TO)
    expectRefused(await post(server, `${PATH}/verify`, { phone: TO, code }), INVALID_CODE)
    expect(server.inbox.list()).toHaveLength(before)
  })

  test('a sign-in code resets nothing, and a reset code signs nobody in', async () => {
    const server = await startServer()
    await signIn(server, TO)
    await post(server, '/api/auth/otp/request', { phone: TO })
    expectRefused(await post(server, `${PATH}/verify`, { phone: TO, code: '123456' }), INVALID_CODE)
    server.clock.advance(60)
    const otp = await codeFor(server, TO)
    if (otp !== '123456')
      expect((await post(server, '/api/auth/verify-otp', { phone: TO, otp })).body.detail).toBe('Invalid OTP')
  })

  test('R16: a code that is no code is 400 naming it, and costs no guess', async () => {
    const server = await startServer()
    await signIn(server, TO)
    const code = await codeFor(server, TO)
    for (const bad of [
      123_456,
      [code],
      { $ne: null },
      null,
      '',
      ` ${code}`,
      '１２３４５６',
      '1'.repeat(10_000),
    ]) {
      const answer = await post(server, `${PATH}/verify`, { phone: TO, code: bad })
      expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field: 'code' })
    }
    expect((await post(server, `${PATH}/verify`, { phone: TO, code })).status).toBe(200)
  })

  test('R6: the fifth wrong code ends it', async () => {
    const server = await startServer()
    await signIn(server, TO)
    const code = await codeFor(server, TO)
    for (let n = 0; n < 5; n++)
      await post(server, `${PATH}/verify`, {
        phone: TO,
        code: String((code.startsWith('9') ? 1e5 : 9e5) + n),
      })
    expectRefused(await post(server, `${PATH}/verify`, { phone: TO, code }), INVALID_CODE)
  })

  test('a vendor that owns the code and cannot be asked: 500', async () => {
    const owner = makeScriptedProvider('owner', { ownsCode: true })
    const server = await startServer({ overrides: { providers: [owner] } })
    await signIn(server, TO)
    await codeFor(server, TO)
    await expect.poll(() => owner.messages.length).toBe(2)
    owner.rule('unavailable')
    expectRefused(await post(server, `${PATH}/verify`, { phone: TO, code: '246810' }), {
      status: 500,
      code: 'check_failed',
      detail: 'Failed to verify code',
    })
  })
})

describe('POST /api/auth/password/reset', () => {
  test('R82: sets the password, ends every session, opens none, and tells the number', async () => {
    const server = await startServer({ settings: QUICK })
    const first = await register(server, { phone: TO })
    const second = await signIn(server, TO)
    server.clock.advance(30)
    const reset_token = await tokenFor(server, TO)
    const answer = await post(server, PATH, { reset_token, password: NEW })
    expect([answer.status, answer.body]).toEqual([200, { status: 'ok' }])
    expect(answer.headers).not.toHaveProperty('set-cookie')
    for (const tokens of [first, second]) {
      expect(await statusOf(server, tokens)).toBe(401)
      const { refresh_token } = tokens
      expect((await post(server, '/api/auth/refresh', { refresh_token })).status).toBe(401)
    }
    expect((await login(server, TO)).status).toBe(401)
    expect((await login(server, TO, NEW)).status).toBe(200)
    await expect
      .poll(() => server.inbox.list()[0])
      .toMatchObject({ to: TO, body: expect.stringMatching(/password was changed/) })
  })

  test('an account without a password gets its first', async () => {
    const server = await startServer({ settings: QUICK })
    await signIn(server, TO)
    await post(server, PATH, { reset_token: await tokenFor(server, TO), password: NEW })
    expect((await login(server, TO, NEW)).status).toBe(200)
  })

  test('a token is good once, for 15 minutes, and for nobody else', async () => {
    const server = await startServer({ settings: QUICK })
    await register(server, { phone: TO })
    await register(server, { phone: phoneOf(1) })
    server.clock.advance(30)
    const used = await tokenFor(server, TO)
    expect((await post(server, PATH, { reset_token: used, password: NEW })).status).toBe(200)
    expectRefused(await post(server, PATH, { reset_token: used, password: NEW }), INVALID_TOKEN)
    const late = await tokenFor(server, phoneOf(1))
    server.clock.advance(901)
    expectRefused(await post(server, PATH, { reset_token: late, password: NEW }), INVALID_TOKEN)
    for (const reset_token of ['x', 'rst_', `rst_${'x'.repeat(43)}`, `${used}x`])
      expectRefused(await post(server, PATH, { reset_token, password: NEW }), INVALID_TOKEN)
    expect((await login(server, phoneOf(1))).status).toBe(200)
  })

  test('of ten concurrent uses one sets the password', async () => {
    const server = await startServer({ settings: QUICK })
    await register(server, { phone: TO })
    server.clock.advance(30)
    const reset_token = await tokenFor(server, TO)
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, n) => post(server, PATH, { reset_token, password: `${NEW} ${n}` })),
    )
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(all.filter(({ status }) => status === 400)).toHaveLength(9)
  })

  test('a weak password is 400, and the token is still good', async () => {
    const server = await startServer({ settings: QUICK })
    await register(server, { phone: TO })
    server.clock.advance(30)
    const reset_token = await tokenFor(server, TO)
    for (const password of ['short', 'password123', 'zzzzzzzzzz']) {
      expectRefused(await post(server, PATH, { reset_token, password }), {
        status: 400,
        code: 'weak_password',
        detail: expect.stringMatching(/password/),
        field: 'password',
      })
    }
    expect((await post(server, PATH, { reset_token, password: NEW })).status).toBe(200)
  })

  test('a password that is the number is weak here too, and the token is still good', async () => {
    const server = await startServer({ settings: QUICK })
    await register(server, { phone: TO, email: 'ada.lovelace@example.org', name: 'Ada Lovelace' })
    server.clock.advance(30)
    const reset_token = await tokenFor(server, TO)
    for (const password of [TO, 'lovelace1815', 'ada.lovelace@example.org'])
      expect((await post(server, PATH, { reset_token, password })).body).toMatchObject({
        status: 400,
        code: 'weak_password',
      })
    expect((await post(server, PATH, { reset_token, password: NEW })).status).toBe(200)
  })

  test('a number that has gone to somebody else, or an account that is disabled meanwhile, resets nothing', async () => {
    const server = await startServer({ settings: QUICK })
    const { user } = await register(server, { phone: TO })
    server.clock.advance(30)
    const reset_token = await tokenFor(server, TO)
    await server.api('POST', `/admin/users/${user.id}/disable`)
    expectRefused(await post(server, PATH, { reset_token, password: NEW }), INVALID_TOKEN)
    await server.api('POST', `/admin/users/${user.id}/enable`)
    expect((await login(server, TO)).status).toBe(200)
    expect((await login(server, TO, NEW)).status).toBe(401)
  })

  test('a member that is unknown or missing is 400 and named', async () => {
    const server = await startServer()
    for (const [body, field] of [
      [{ password: NEW }, 'reset_token'],
      [{ reset_token: 'x' }, 'password'],
      [{ reset_token: ['x'], password: NEW }, 'reset_token'],
      [{ reset_token: 'x', password: NEW, phone: TO }, 'phone'],
      [{ reset_token: 'x', password: NEW, user_id: 'usr_1' }, 'user_id'],
      [{ reset_token: 'x'.repeat(10_000), password: PASSWORD }, 'reset_token'],
    ] as const) {
      const answer = await post(server, PATH, body)
      expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field })
    }
  })
})
