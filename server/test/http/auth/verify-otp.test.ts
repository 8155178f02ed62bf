import { describe, expect, test } from 'vitest'
import { expectRefused, post, signIn, type WireTokens } from '../../helpers/people.ts'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { makeTempDir, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { start } from '../../helpers/wire.ts'

const REQUEST = '/api/auth/otp/request'
const PATH = '/api/auth/verify-otp'
const TO = phoneOf(0)
const OTP = '123456'
const INVALID_OTP = { status: 400, code: 'invalid_code', detail: 'Invalid OTP' }

/** R16: what a code is not. */
const BAD_CODES: readonly (readonly [string, unknown])[] = [
  ['a number', 123_456],
  ['an array of one', [OTP]],
  ['an array of a thousand', Array.from({ length: 1000 }, (_, n) => String(n).padStart(6, '0'))],
  ['an operator', { $ne: null }],
  ['an object with a length', { length: 6, 0: '1' }],
  ['true', true],
  ['false', false],
  ['0', 0],
  ['a space before', ` ${OTP}`],
  ['a space behind', `${OTP} `],
  ['spaces alone', '   '],
  ['a line break behind', `${OTP}\n`],
  ['full-width digits', '１２３４５６'],
  ['Arabic digits', '١٢٣٤٥٦'],
  ['a NUL behind', `${OTP}\u0000`],
  ['a sign', `+${OTP}`],
  ['an exponent', '1e5'],
  ['three digits', '123'],
  ['eleven digits', '12345678901'],
  ['ten kilobytes', '1'.repeat(10_000)],
  ['SQL', "' OR 1=1--"],
]

async function asked(server: TestServer, phone = TO): Promise<void> {
  const answer = await post(server, REQUEST, { phone })
  expect(answer.status, answer.text).toBe(200)
}

describe('POST /api/auth/verify-otp', () => {
  test('signs in, with every member of the contract; a new number makes an account', async () => {
    const server = await startServer()
    await asked(server)
    server.clock.advance(5)
    const at = new Date(server.clock.now()).toISOString()
    const { status, body } = await post<WireTokens>(server, PATH, { phone: TO, otp: OTP })
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'bearer',
      refresh_token: expect.stringMatching(/^rt_\S{43,}$/),
      expires_in: 900,
      user: {
        id: expect.stringMatching(/^usr_[0-9a-z]{20,}$/),
        email: `${TO}@example.com`,
        name: null,
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
    const { body: me } = await server.api('GET', '/api/auth/me', { key: body.access_token })
    expect(me).toEqual(body.user)
  })

  test('the same number comes into the same account, in a new session, whatever its spelling', async () => {
    const server = await startServer()
    const first = await signIn(server, TO)
    const second = await signIn(server, '+1 (415) 555-2000')
    expect(second.user).toEqual({ ...first.user, phone_verified_at: expect.any(String) })
    expect(second.refresh_token).not.toBe(first.refresh_token)
    const { body } = await server.api<{ data: unknown[] }>('GET', '/admin/users')
    expect(body.data).toHaveLength(1)
  })

  test.each([
    ['no body', undefined],
    ['null', 'null'],
    ['nothing', '{}'],
    ['no otp', { phone: TO }],
    ['no phone', { otp: OTP }],
    ['an empty otp', { phone: TO, otp: '' }],
    ['an empty phone', { phone: '', otp: OTP }],
    ['a null otp', { phone: TO, otp: null }],
    ['a null phone', { phone: null, otp: OTP }],
    ['a phone that is a number', { phone: 14_155_552_000, otp: OTP }],
    ['a list of phones', { phone: [TO], otp: OTP }],
    ['an operator for a phone', { phone: { $gt: '' }, otp: OTP }],
  ] as const)('%s: phone and otp required', async (_what, body) => {
    const server = await startServer()
    await asked(server)
    const answer = await post(server, PATH, body)
    expectRefused(answer, {
      status: 400,
      code: 'invalid_request',
      detail: 'phone and otp required',
      field: expect.stringMatching(/^(?:phone|otp)$/) as string,
    })
  })

  test('a number that is none: Invalid phone number', async () => {
    const server = await startServer()
    for (const phone of ['abc', '+1', '4155552000', `${TO}\u0000`, '1'.repeat(10_000)]) {
      const answer = await post(server, PATH, { phone, otp: OTP })
      expectRefused(answer, {
        status: 400,
        code: 'invalid_phone',
        detail: 'Invalid phone number',
        field: 'phone',
      })
    }
  })

  test('wrong, expired, used and never sent are one body: Invalid OTP', async () => {
    const server = await startServer()
    const refused = async (phone: string, otp: string) => {
      const answer = await post(server, PATH, { phone, otp })
      expectRefused(answer, INVALID_OTP)
      return answer.text.replace(/req_\w+/, '')
    }
    await asked(server, phoneOf(1))
    await asked(server, phoneOf(2))
    await signIn(server, phoneOf(3))
    const bodies = [
      await refused(phoneOf(1), '654321'),
      await refused(phoneOf(3), OTP),
      await refused(phoneOf(4), OTP),
      await refused('+19005551234', OTP),
    ]
    server.clock.advance(600)
    bodies.push(await refused(phoneOf(2), OTP))
    expect(new Set(bodies).size).toBe(1)
  })

  test.each(BAD_CODES)('R16: %s is Invalid OTP, and costs no guess', async (_what, otp) => {
    const server = await startServer()
    await asked(server)
    for (let n = 0; n < 6; n++) expectRefused(await post(server, PATH, { phone: TO, otp }), INVALID_OTP)
    expect((await post(server, PATH, { phone: TO, otp: OTP })).status).toBe(200)
  })

  test('a member that is unknown is refused and named, and costs no guess', async () => {
    const server = await startServer()
    await asked(server)
    for (const member of ['code', 'id', 'role', 'phone_verified', 'user_id', 'email', 'attempts', 'mode']) {
      const { status, body } = await post(server, PATH, { phone: TO, otp: OTP, [member]: 'x' })
      expect({ status, field: body.field }).toEqual({ status: 400, field: member })
    }
    for (const body of ['[]', '"x"', '{"phone":', `[{"phone":"${TO}","otp":"${OTP}"}]`])
      expect((await post(server, PATH, body)).body).toMatchObject({ status: 400, code: 'invalid_request' })
    expect((await post(server, PATH, { phone: TO, otp: OTP })).status).toBe(200)
  })

  test('a body over 64 KB is 413, one that is not JSON 415', async () => {
    const server = await startServer()
    await asked(server)
    const json = `{"phone":"${TO}","otp":"${OTP}"`
    expect((await post(server, PATH, `${json}${' '.repeat(70_000)}}`)).body).toMatchObject({ status: 413 })
    for (const type of [
      'application/x-www-form-urlencoded',
      'text/plain',
      'multipart/form-data; boundary=x',
    ]) {
      const answer = await post(server, PATH, `${json}}`, { headers: { 'content-type': type } })
      expect(answer.body).toMatchObject({ status: 415, code: 'unsupported_media_type' })
    }
    expect((await post(server, PATH, `${json}}`)).status).toBe(200)
  })

  test('R6: the fifth wrong code ends it; the right one after that is Invalid OTP like any other', async () => {
    const server = await startServer()
    await asked(server)
    for (let n = 0; n < 5; n++)
      expectRefused(await post(server, PATH, { phone: TO, otp: `00000${n}` }), INVALID_OTP)
    expectRefused(await post(server, PATH, { phone: TO, otp: OTP }), INVALID_OTP)
  })

  test('R13: a code signs in once, also after a restart', async () => {
    const dataDir = makeTempDir()
    const first = await startServer({ dataDir })
    await signIn(first, TO)
    expectRefused(await post(first, PATH, { phone: TO, otp: OTP }), INVALID_OTP)
    await first.close()
    const second = await startServer({ dataDir, overrides: { clock: first.clock } })
    expectRefused(await post(second, PATH, { phone: TO, otp: OTP }), INVALID_OTP)
  })

  test('R4: of fifty concurrent right codes one signs in', async () => {
    const server = await startServer({
      settings: { CHECKS_PER_ADDRESS_HOUR: '1000', PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '1000' },
    })
    await asked(server)
    const all = await Promise.all(
      Array.from({ length: 50 }, () => post(server, PATH, { phone: TO, otp: OTP })),
    )
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(all.filter(({ status }) => status === 400)).toHaveLength(49)
  })

  test('in dev mode the preview code is the only one that is taken', async () => {
    const server = await startServer({ settings: { DEV_PREVIEW_CODE: '777777' } })
    await asked(server)
    expectRefused(await post(server, PATH, { phone: TO, otp: OTP }), INVALID_OTP)
    expect((await post(server, PATH, { phone: TO, otp: '777777' })).status).toBe(200)
  })

  test('R11: a code of the Verify API, or of another purpose, signs nobody in', async () => {
    const server = await startServer()
    const { code } = await start(server, TO, { purpose: 'login' })
    const other = await post<{ preview_code: string }>(server, '/api/auth/password/reset/request', {
      phone: phoneOf(1),
    })
    expectRefused(await post(server, PATH, { phone: TO, otp: code }), INVALID_OTP)
    expectRefused(await post(server, PATH, { phone: phoneOf(1), otp: other.body.preview_code }), INVALID_OTP)
  })

  test('R29: the 31st guess of an address in an hour is 429, with every header', async () => {
    const server = await startServer()
    await asked(server)
    for (let n = 0; n < 30; n++) await post(server, PATH, { phone: TO, otp: '000000' })
    const { status, body, headers } = await post(server, PATH, { phone: TO, otp: '000000' })
    expect({ status, limit: body.limit }).toEqual({ status: 429, limit: 'checks_per_address' })
    expect(headers).toMatchObject({
      'retry-after': '3600',
      'ratelimit-policy': '"checks_per_address";q=30;w=3600',
      ratelimit: '"checks_per_address";r=0;t=3600',
    })
  })

  test('503 when the store is down', async () => {
    const server = await startServer()
    await asked(server)
    await server.countersign.close()
    const answer = await post(server, PATH, { phone: TO, otp: OTP })
    expect(answer.body).toMatchObject({ status: 503, code: 'store_unavailable', retry_after: 1 })
  })

  test('A41: an account that is disabled between the request and the code gets no tokens', async () => {
    const server = await startServer()
    const { user } = await signIn(server, TO)
    await asked(server)
    await server.api('POST', `/admin/users/${user.id}/disable`)
    expectRefused(await post(server, PATH, { phone: TO, otp: OTP }), {
      status: 403,
      code: 'account_disabled',
      detail: 'This account is disabled',
    })
    const { body } = await server.api<{ sessions: unknown[] }>('GET', `/admin/users/${user.id}`)
    expect(body.sessions).toEqual([])
  })

  test('R86: a number that was proven over a year ago is another person’s: a new account, and the old one loses it', async () => {
    const server = await startServer()
    const old = await signIn(server, TO)
    server.clock.advance(364 * 86_400)
    const renewed = await signIn(server, TO)
    expect(renewed.user.id).toBe(old.user.id)
    server.clock.advance(365 * 86_400 + 1)
    const { user } = await signIn(server, TO)
    expect(user.id).not.toBe(old.user.id)
    const { body } = await server.api<{ user: object }>('GET', `/admin/users/${old.user.id}`)
    expect(body.user).toMatchObject({ phone: null, phone_verified: false, email: null, status: 'active' })
    const { body: log } = await server.api<{ data: object[] }>('GET', `/admin/events?user_id=${old.user.id}`)
    expect(log.data[0]).toMatchObject({
      type: 'phone.detached',
      data: { phone: expect.stringMatching(/…|\*/) },
    })
  })
})

describe('where a vendor owns the code', () => {
  const THEIRS = '246810'

  async function owned(settings: Record<string, string> = { DEV_MODE: 'false' }) {
    const owner = makeScriptedProvider('owner', { ownsCode: true })
    owner.rule((code) => (code === THEIRS ? 'right' : 'wrong'))
    const server = await startServer({ settings, overrides: { providers: [owner] } })
    return { owner, server }
  }

  test('sign-in is by its word', async () => {
    const { owner, server } = await owned()
    await asked(server)
    expectRefused(await post(server, PATH, { phone: TO, otp: '111111' }), INVALID_OTP)
    const { status, body } = await post<WireTokens>(server, PATH, { phone: TO, otp: THEIRS })
    expect({ status, phone: body.user.phone }).toEqual({ status: 200, phone: TO })
    expect(owner.guesses).toEqual(['111111', THEIRS])
    expectRefused(await post(server, PATH, { phone: TO, otp: THEIRS }), INVALID_OTP)
  })

  test('a vendor that cannot be asked: 500, Failed to verify code; the code is good afterwards', async () => {
    const { owner, server } = await owned()
    await asked(server)
    owner.rule('unavailable')
    const answer = await post(server, PATH, { phone: TO, otp: THEIRS })
    expectRefused(answer, { status: 500, code: 'check_failed', detail: 'Failed to verify code' })
    expect(answer.text).not.toMatch(/owner/)
    owner.rule('right')
    expect((await post(server, PATH, { phone: TO, otp: THEIRS })).status).toBe(200)
  })

  test('in dev mode the preview code alone is taken, and the vendor is not asked', async () => {
    const { owner, server } = await owned({})
    await asked(server)
    expectRefused(await post(server, PATH, { phone: TO, otp: THEIRS }), INVALID_OTP)
    expect((await post(server, PATH, { phone: TO, otp: OTP })).status).toBe(200)
    expect(owner.guesses).toEqual([])
  })
})
