import { describe, expect, test } from 'vitest'
import {
  expectRefused,
  login,
  post,
  QUICK,
  register,
  signIn,
  statusOf,
  type WireStartedCode,
  type WireTokens,
  type WireUser,
} from '../../helpers/people.ts'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { as, challenged, pass, someone, type WireChallenge } from '../../helpers/second-factors.ts'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { start, type WireProblem } from '../../helpers/wire.ts'

const OLD = phoneOf(0)
const NEW = phoneOf(1)
const INVALID_CODE = { status: 400, code: 'invalid_code', detail: 'Invalid code' }
const STALE = { status: 403, code: 'fresh_sign_in_required', detail: 'Sign in again to do this' }

function call<T = WireProblem>(
  server: TestServer,
  { access_token: key }: WireTokens,
  path: string,
  body?: object,
) {
  return server.api<T>('POST', path, { key, body })
}

async function begun(server: TestServer, who: WireTokens, phone = NEW): Promise<WireStartedCode> {
  const { status, body, text } = await call<WireStartedCode>(server, who, '/api/auth/phone', { phone })
  expect(status, text).toBe(202)
  server.clock.advanceMs(1)
  return body
}

function verify<T = WireUser>(
  server: TestServer,
  who: WireTokens,
  { verification_id, preview_code }: WireStartedCode,
) {
  return call<T>(server, who, '/api/auth/phone/verify', { verification_id, code: preview_code })
}

async function moved(server: TestServer, who: WireTokens, phone = NEW): Promise<void> {
  const { status, text } = await verify(server, who, await begun(server, who, phone))
  expect(status, text).toBe(200)
}

/** The codes that the inbox has for a number, the newest first; notices hold none. */
function codesTo(server: TestServer, phone: string): string[] {
  return server.inbox.list().flatMap(({ to, body }) => (to === phone && /\b\d{6}\b/.exec(body)?.[0]) || [])
}

/** Asks for a code to the old number, waits for it, and undoes the change with it. */
async function undo(server: TestServer, phone = OLD) {
  return post(server, '/api/auth/phone/undo', { phone, code: await undoCode(server, phone) })
}

async function undoCode(server: TestServer, phone = OLD) {
  const before = codesTo(server, phone).length
  const asked = await post(server, '/api/auth/phone/undo/request', { phone })
  expect(asked.text).toBe('{"status":"ok"}')
  // The answer waits for no provider.
  await expect.poll(() => codesTo(server, phone).length).toBe(before + 1)
  return codesTo(server, phone)[0]
}

/** Asks for a code to a number that has nothing to undo: the answer is the same, and no code comes. */
async function noUndo(server: TestServer, phone = OLD) {
  const before = codesTo(server, phone).length
  const asked = await post(server, '/api/auth/phone/undo/request', { phone })
  expect(asked.text).toBe('{"status":"ok"}')
  expectRefused(await post(server, '/api/auth/phone/undo', { phone, code: '000000' }), INVALID_CODE)
  expect(codesTo(server, phone)).toHaveLength(before)
}

describe('POST /api/auth/phone', () => {
  test('sends a code to the new number: 202 with every member; nothing is changed yet', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    const { status, body } = await call(server, tokens, '/api/auth/phone', { phone: ' +1 415 555 2001' })
    expect(status).toBe(202)
    expect(body).toEqual({
      status: 'verification_required',
      verification_id: expect.stringMatching(/^ver_/),
      resend_at: new Date(server.clock.now() + 30_000).toISOString(),
      expires_at: new Date(server.clock.now() + 600_000).toISOString(),
      preview_code: expect.stringMatching(/^\d{6}$/),
    })
    expect(server.inbox.list()[0]?.to).toBe(NEW)
    expect((await server.api<WireUser>('GET', '/api/auth/me', { key: tokens.access_token })).body.phone).toBe(
      OLD,
    )
  })

  test('R83: wants a sign-in at most 5 minutes old, which a refresh is not; the own number may be proven again', async () => {
    const server = await startServer()
    let tokens = await signIn(server, OLD)
    server.clock.advance(299)
    expect((await call(server, tokens, '/api/auth/phone', { phone: NEW })).status).toBe(202)
    server.clock.advance(2)
    tokens = (await post<WireTokens>(server, '/api/auth/refresh', { refresh_token: tokens.refresh_token }))
      .body
    expectRefused(await call(server, tokens, '/api/auth/phone', { phone: phoneOf(2) }), STALE)
    await moved(server, tokens, OLD)
    tokens = await signIn(server, OLD)
    expect((await call(server, tokens, '/api/auth/phone', { phone: phoneOf(2) })).status).toBe(202)
  })

  test('R59: a number that is somebody else’s gets the same answer', async () => {
    const server = await startServer()
    await signIn(server, phoneOf(2))
    const tokens = await signIn(server, OLD)
    const free = await call(server, tokens, '/api/auth/phone', { phone: NEW })
    const taken = await call(server, tokens, '/api/auth/phone', { phone: phoneOf(2) })
    expect([taken.status, Object.keys(taken.body)]).toEqual([free.status, Object.keys(free.body)])
  })

  test.each([
    [{}, 'invalid_request', 'phone'],
    [{ phone: 1 }, 'invalid_request', 'phone'],
    [{ phone: [NEW] }, 'invalid_request', 'phone'],
    [{ phone: '+1' }, 'invalid_phone', 'phone'],
    [{ phone: NEW, code: '123456' }, 'invalid_request', 'code'],
    [{ phone: NEW, phone_verified: true }, 'invalid_request', 'phone_verified'],
    [{ phone: NEW, user_id: 'usr_1' }, 'invalid_request', 'user_id'],
  ])('%j is 400 and named', async (body, code, field) => {
    const server = await startServer()
    const answer = await call(server, await signIn(server, OLD), '/api/auth/phone', body)
    expect({ status: answer.status, code: answer.body.code, field: answer.body.field }).toEqual({
      status: 400,
      code,
      field,
    })
  })

  test('every provider refuses: 500; too soon: 429', async () => {
    const provider = makeScriptedProvider()
    const server = await startServer({ overrides: { providers: [provider] } })
    const tokens = await signIn(server, OLD)
    await begun(server, tokens)
    const again = await call(server, tokens, '/api/auth/phone', { phone: NEW })
    expect(again.body).toMatchObject({ status: 429, limit: 'resend_cooldown' })
    provider.answer('unavailable')
    expectRefused(await call(server, tokens, '/api/auth/phone', { phone: phoneOf(2) }), {
      status: 500,
      code: 'send_failed',
      detail: 'Failed to send verification code',
    })
  })
})

describe('POST /api/auth/phone/verify', () => {
  test('changes the number: 200 with the user; other sessions end, and the old number is told', async () => {
    const server = await startServer({ settings: QUICK })
    const other = await register(server, { phone: OLD })
    const { body: tokens } = await login(server, OLD)
    const { status, body } = await verify(server, tokens, await begun(server, tokens))
    expect(status).toBe(200)
    expect(body).toEqual({
      ...tokens.user,
      phone: NEW,
      email: `${NEW}@example.com`,
      phone_verified: true,
      phone_verified_at: new Date(server.clock.now()).toISOString(),
    })
    expect(await statusOf(server, tokens)).toBe(200)
    expect(await statusOf(server, other)).toBe(401)
    expect((await login(server, OLD)).status).toBe(401)
    expect((await login(server, NEW)).body.user.id).toBe(tokens.user.id)
    await expect.poll(() => server.inbox.list()[0]?.to).toBe(OLD)
    const notice = server.inbox.list()[0]?.body ?? ''
    expect(notice).toMatch(/phone number was changed to one ending in 01\b.*24 hours/)
    expect(notice).not.toContain(NEW)
  })

  test('whoever had the number has it no more', async () => {
    const server = await startServer()
    const theirs = await signIn(server, NEW)
    await moved(server, await signIn(server, OLD))
    const { body } = await server.api<{ user: WireUser }>('GET', `/admin/users/${theirs.user.id}`)
    expect(body.user).toMatchObject({ phone: null, phone_verified: false, phone_verified_at: null })
  })

  test('R83: wants the sign-in to have been fresh when it was asked for, whichever session proves it', async () => {
    const server = await startServer()
    const old = await signIn(server, OLD)
    server.clock.advance(301)
    const tokens = await signIn(server, OLD)
    const begin = await begun(server, tokens)
    server.clock.advance(300)
    expectRefused(await verify(server, old, begin), STALE)
    expect((await verify(server, tokens, begin)).status).toBe(200)
  })

  test('A34: another user’s verification is invalid_code with the right code, and stays good for its owner', async () => {
    const server = await startServer()
    const hers = await signIn(server, OLD)
    const his = await signIn(server, phoneOf(5))
    const begin = await begun(server, hers)
    for (let n = 0; n < 6; n++) expectRefused(await verify(server, his, begin), INVALID_CODE)
    expect((await verify(server, hers, begin)).status).toBe(200)
  })

  test('A34: a verification of the Verify API, of a registration or of a second factor is none of these', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await signIn(server, OLD)
    const foreign = await start(server, NEW, { purpose: 'phone_change' })
    const own = await call<{ verification_id: string }>(server, tokens, '/api/sms/send-2fa', {
      phoneNumber: OLD,
    })
    const signup = await post<WireStartedCode>(server, '/api/auth/register', {
      phone: phoneOf(3),
      password: 'violet anchor 91',
    })
    for (const [verification_id, preview_code] of [
      [foreign.id, foreign.code],
      [own.body.verification_id, codesTo(server, OLD)[0] ?? ''],
      [signup.body.verification_id, signup.body.preview_code],
    ] as const)
      expectRefused(
        await verify(server, tokens, { ...signup.body, verification_id, preview_code }),
        INVALID_CODE,
      )
  })

  test('a vendor that owns the code has its word, and is 500 while it cannot be asked', async () => {
    const owner = makeScriptedProvider('owner', { ownsCode: true })
    const server = await startServer({ overrides: { providers: [owner] } })
    const tokens = await signIn(server, OLD)
    const begin = { ...(await begun(server, tokens)), preview_code: '246810' }
    owner.rule('unavailable')
    expectRefused(await verify(server, tokens, begin), {
      status: 500,
      code: 'check_failed',
      detail: 'Failed to verify code',
    })
    owner.rule('right')
    expect((await verify(server, tokens, begin)).body.phone).toBe(NEW)
  })

  test('wrong, used, expired and unknown are one refusal; the fifth wrong code ends it', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    const begin = await begun(server, tokens)
    for (let n = 0; n < 5; n++)
      expectRefused(
        await verify(server, tokens, {
          ...begin,
          preview_code: begin.preview_code.replace(/./g, (d) => String((Number(d) + n + 1) % 10)),
        }),
        INVALID_CODE,
      )
    expectRefused(await verify(server, tokens, begin), INVALID_CODE)
    for (const verification_id of ['x', 'ver_none', `ver_${'0'.repeat(36)}`, '__proto__'])
      expectRefused(await verify(server, tokens, { ...begin, verification_id }), INVALID_CODE)
  })

  test('R16: a code that is no code is 400 naming it; members that are unknown or missing, too', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    const { verification_id, preview_code } = await begun(server, tokens)
    for (const code of [
      123_456,
      [preview_code],
      { $ne: null },
      null,
      '',
      '１２３４５６',
      '1'.repeat(10_000),
    ]) {
      const answer = await call(server, tokens, '/api/auth/phone/verify', { verification_id, code })
      expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field: 'code' })
    }
    for (const [body, field] of [
      [{ code: preview_code }, 'verification_id'],
      [{ verification_id }, 'code'],
      [{ verification_id, code: preview_code, phone: phoneOf(9) }, 'phone'],
    ] as const) {
      const answer = await call(server, tokens, '/api/auth/phone/verify', body)
      expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field })
    }
    const right = { verification_id, code: preview_code }
    expect((await call(server, tokens, '/api/auth/phone/verify', right)).status).toBe(200)
  })
})

describe('POST /api/auth/phone/undo', () => {
  test('within 24 h a code to the old number gives it back, and ends every session', async () => {
    const server = await startServer({ settings: QUICK })
    const { user } = await register(server, { phone: OLD })
    const { body: thief } = await login(server, OLD)
    await moved(server, thief)
    server.clock.advance(86_400 - 60)
    const { status, body } = await undo(server)
    expect([status, body]).toEqual([200, { status: 'ok' }])
    expect((await server.api<{ user: WireUser }>('GET', `/admin/users/${user.id}`)).body.user.phone).toBe(OLD)
    const { refresh_token } = thief
    expect((await post(server, '/api/auth/refresh', { refresh_token })).status).toBe(401)
    server.clock.advance(30)
    expect((await signIn(server, OLD)).user.id).toBe(user.id)
  })

  test('after 24 h no more: invalid_code, and the number stays changed', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    await moved(server, tokens)
    server.clock.advance(86_400 - 60)
    const code = await undoCode(server)
    server.clock.advance(60)
    expectRefused(await post(server, '/api/auth/phone/undo', { phone: OLD, code }), INVALID_CODE)
    await noUndo(server)
    const { body } = await server.api<{ user: WireUser }>('GET', `/admin/users/${tokens.user.id}`)
    expect(body.user.phone).toBe(NEW)
  })

  test('once; then the number would have to be changed again', async () => {
    const server = await startServer()
    await moved(server, await signIn(server, OLD))
    expect((await undo(server)).status).toBe(200)
    server.clock.advance(60)
    await noUndo(server)
  })

  test('the first of two changes can be undone; the second then not any more', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    await moved(server, tokens)
    await moved(server, tokens, phoneOf(2))
    expect((await undo(server)).status).toBe(200)
    await noUndo(server, NEW)
    const { body } = await server.api<{ user: WireUser }>('GET', `/admin/users/${tokens.user.id}`)
    expect(body.user.phone).toBe(OLD)
  })

  test('not where somebody else has the old number by now', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    await moved(server, tokens)
    server.clock.advance(60)
    const next = await signIn(server, OLD)
    expect(next.user.id).not.toBe(tokens.user.id)
    server.clock.advance(60)
    expectRefused(await undo(server), INVALID_CODE)
    const { body } = await server.api<{ user: WireUser }>('GET', `/admin/users/${next.user.id}`)
    expect(body.user.phone).toBe(OLD)
  })

  test('a number that was never changed gets the same answer to its request, and its code undoes nothing', async () => {
    const server = await startServer()
    await moved(server, await signIn(server, OLD))
    for (const phone of [OLD, phoneOf(7)])
      expect((await post(server, '/api/auth/phone/undo/request', { phone })).text).toBe('{"status":"ok"}')
    await expect.poll(() => codesTo(server, OLD)).toHaveLength(2)
    expect(codesTo(server, phoneOf(7))).toEqual([])
    for (const code of ['000000', '123456']) {
      const answer = await post(server, '/api/auth/phone/undo', { phone: phoneOf(7), code })
      expectRefused(answer, INVALID_CODE)
    }
  })

  test('a wrong code undoes nothing; what is no number or no code is 400 and named', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    await moved(server, tokens)
    expectRefused(await post(server, '/api/auth/phone/undo', { phone: OLD, code: '000000' }), INVALID_CODE)
    for (const [path, body, field] of [
      ['/request', {}, 'phone'],
      ['/request', { phone: '+1' }, 'phone'],
      ['/request', { phone: OLD, code: '123456' }, 'code'],
      ['', { phone: '+1', code: '123456' }, 'phone'],
      ['', { phone: OLD, code: 123_456 }, 'code'],
      ['', { phone: OLD, code: ['123456'] }, 'code'],
      ['', { phone: OLD }, 'code'],
      ['', { phone: OLD, code: '123456', user_id: tokens.user.id }, 'user_id'],
    ] as const) {
      const answer = await post(server, `/api/auth/phone/undo${path}`, body)
      expect({ body, status: answer.status, field: answer.body.field }).toEqual({ body, status: 400, field })
    }
  })
})

describe('POST /api/sms/send-verification', () => {
  const PATH = '/api/sms/send-verification'

  test('sends a code that the server makes: 200 with success; it changes the number', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    const { status, body } = await call(server, tokens, PATH, { phoneNumber: NEW })
    expect(status).toBe(200)
    expect(body).toEqual({
      success: true,
      verification_id: expect.stringMatching(/^ver_/),
      resend_at: new Date(server.clock.now() + 30_000).toISOString(),
      expires_at: new Date(server.clock.now() + 600_000).toISOString(),
    })
    const { verification_id } = body as unknown as WireStartedCode
    const proven = await call<WireUser>(server, tokens, '/api/auth/phone/verify', {
      verification_id,
      code: codesTo(server, NEW)[0],
    })
    expect([proven.status, proven.body.phone]).toEqual([200, NEW])
  })

  test('a code in the body is refused and named, and nothing is sent', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    const before = server.inbox.list().length
    for (const code of ['123456', 123_456, null, '']) {
      const answer = await call(server, tokens, PATH, { phoneNumber: NEW, code })
      expect(answer.body).toMatchObject({ status: 400, code: 'invalid_request', field: 'code' })
    }
    expect(server.inbox.list()).toHaveLength(before)
  })

  test('what is no number is 400 naming phoneNumber; a sign-in that is not fresh 403', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    for (const body of [
      {},
      { phoneNumber: 1 },
      { phoneNumber: '+1' },
      { phoneNumber: [NEW] },
      { phoneNumber: 'x' },
    ])
      expect((await call(server, tokens, PATH, body)).body).toMatchObject({
        status: 400,
        field: 'phoneNumber',
      })
    server.clock.advance(301)
    expectRefused(await call(server, tokens, PATH, { phoneNumber: NEW }), STALE)
  })
})

describe('POST /api/sms/send-2fa', () => {
  const PATH = '/api/sms/send-2fa'

  test('sends a code of five minutes to the user’s own number', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    const { status, body } = await call(server, tokens, PATH, { phoneNumber: '+1 (415) 555-2000' })
    expect([status, body]).toEqual([
      200,
      {
        success: true,
        verification_id: expect.stringMatching(/^ver_/),
        resend_at: new Date(server.clock.now() + 30_000).toISOString(),
        expires_at: new Date(server.clock.now() + 300_000).toISOString(),
      },
    ])
    expect(server.inbox.list()[0]?.to).toBe(OLD)
  })

  test.each(['offered', 'required'])(
    'while there is no second factor, its code turns texts on; %s',
    async (how) => {
      const server = await startServer({ settings: { SECOND_FACTOR: how } })
      const tokens = await signIn(server, OLD)
      expect((await call(server, tokens, PATH, { phoneNumber: OLD })).status).toBe(200)
      const on = await as<{ backup_codes: string[] }>(server, tokens, '2fa/confirm', {
        code: codesTo(server, OLD)[0],
      })
      expect(on.body.backup_codes).toHaveLength(10)
      const { body } = await server.api<WireUser>('GET', '/api/auth/me', { key: tokens.access_token })
      expect(body.two_factor_method).toBe('sms')
    },
  )

  test('where texts are one, it is a challenge: its code opens a session that may do what wants one', async () => {
    const { server, backupCodes } = await someone('sms')
    const given = { factor: 'backup_code', code: backupCodes[0] ?? '' }
    const { body: tokens } = await pass(server, await challenged(server, OLD), given)
    server.clock.advance(301)
    expect((await as(server, tokens, '2fa/disable')).body.code).toBe('second_factor_required')
    const sent = await call<WireChallenge>(server, tokens, PATH, { phoneNumber: OLD })
    expect([sent.status, sent.body]).toEqual([
      200,
      {
        success: true,
        verification_id: expect.stringMatching(/^ver_/),
        resend_at: new Date(server.clock.now() + 30_000).toISOString(),
        expires_at: new Date(server.clock.now() + 300_000).toISOString(),
        challenge_token: expect.stringMatching(/^cht_[\w-]{43}$/),
      },
    ])
    // One that did not come is the same again.
    server.clock.advance(30)
    const { challenge_token } = sent.body
    expect((await post(server, '/api/auth/2fa/send', { challenge_token })).status).toBe(200)
    const [code = '', first] = codesTo(server, OLD)
    expect(code).toBe(first)
    const { body: another } = await as<WireChallenge>(server, tokens, '2fa/challenge')
    expectRefused(await pass(server, another, { factor: 'sms', code }), INVALID_CODE)
    const { body } = await pass(server, sent.body, { factor: 'sms', code })
    expect([await statusOf(server, tokens), await statusOf(server, body)]).toEqual([401, 200])
    expect((await as(server, body, '2fa/disable')).status).toBe(200)
  })

  test('sends nothing that no call would take', async () => {
    const sendsNothing = async (server: TestServer, who: WireTokens, code: string, phoneNumber = OLD) => {
      server.clock.advance(60)
      const before = server.inbox.list().length
      expect((await call(server, who, PATH, { phoneNumber })).body.code).toBe(code)
      expect(server.inbox.list()).toHaveLength(before)
    }
    // A phone is never both factors.
    const { server, phone, backupCodes } = await someone('sms')
    const { preview_code: otp } = (await post<WireStartedCode>(server, '/api/auth/otp/request', { phone }))
      .body
    const { body: challenge } = await post<WireChallenge>(server, '/api/auth/verify-otp', { phone, otp })
    const given = { factor: 'backup_code', code: backupCodes[0] ?? '' }
    // What is told of the backup code is a text, too.
    const { body: byText } = await pass(server, challenge, given)
    await expect.poll(() => server.inbox.list()[0]?.body).toMatch(/9 left/)
    await sendsNothing(server, byText, 'factor_not_offered')
    // What turns a second factor on wants what that does.
    const other = await signIn(server, NEW)
    server.clock.advance(300)
    await sendsNothing(server, other, 'fresh_sign_in_required', NEW)
    for (const [settings, code] of [
      [{ SECOND_FACTOR: 'off' }, 'forbidden'],
      [{ SECOND_FACTOR_SMS: 'off' }, 'factor_not_offered'],
    ] as const) {
      const without = await startServer({ settings })
      await sendsNothing(without, await signIn(without, OLD), code)
    }
    const app = await someone('app')
    await expect.poll(() => app.server.inbox.list()[0]?.body).toMatch(/turned on/)
    await sendsNothing(app.server, app.tokens, 'second_factor_required')
  })

  test('any other number is 403, whoever it is of, and nothing is sent', async () => {
    const server = await startServer()
    await signIn(server, NEW)
    const tokens = await signIn(server, OLD)
    const before = server.inbox.list().length
    for (const phoneNumber of [NEW, phoneOf(7)])
      expectRefused(await call(server, tokens, PATH, { phoneNumber }), {
        status: 403,
        code: 'forbidden',
        detail: 'This is not your number',
        field: 'phoneNumber',
      })
    expect(server.inbox.list()).toHaveLength(before)
  })

  test('what is no number is 400 naming it; a code in the body, too', async () => {
    const server = await startServer()
    const tokens = await signIn(server, OLD)
    for (const [body, field] of [
      [{}, 'phoneNumber'],
      [{ phoneNumber: '+1' }, 'phoneNumber'],
      [{ phoneNumber: OLD, code: '123456' }, 'code'],
    ] as const)
      expect((await call(server, tokens, PATH, body)).body).toMatchObject({ status: 400, field })
  })
})
