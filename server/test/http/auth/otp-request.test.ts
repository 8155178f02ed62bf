import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { expectRefused, post, shapeOf, signIn, type WireTokens } from '../../helpers/people.ts'
import { makeScriptedProvider, type ScriptedProvider } from '../../helpers/scripted-provider.ts'
import { makeTempDir, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'

const PATH = '/api/auth/otp/request'
const TO = phoneOf(0)

/** What a client writes where the number should be, and is none at all. */
const NOTHING: readonly (readonly [string, unknown])[] = [
  ['no member', undefined],
  ['an empty text', ''],
  ['spaces', '   '],
  ['null', null],
  ['a number', 14_155_552_000],
  ['true', true],
  ['a list', [TO]],
  ['an object', { $ne: null }],
]

const BAD_NUMBERS = [
  'abc',
  '+1',
  '+1415555',
  '4155552000',
  '+999999999999999',
  '123456',
  '+1415555200０0',
  `${TO},${phoneOf(1)}`,
  `${TO}\u0000`,
  "+1' OR 1=1--",
  '__proto__',
  '1'.repeat(10_000),
]

function oneProvider(settings: Record<string, string> = {}) {
  const provider = makeScriptedProvider()
  const start = () =>
    startServer({ settings: { DEV_MODE: 'false', ...settings }, overrides: { providers: [provider] } })
  return { provider, start }
}

/** A server as it is outside of development, but for what carries the messages. */
function production(provider: ScriptedProvider): Promise<TestServer> {
  const dataDir = makeTempDir()
  return startServer({
    dataDir,
    settings: {
      NODE_ENV: 'production',
      DEV_MODE: 'false',
      DATA_DIR: dataDir,
      SMS_PROVIDER: 'webhook',
      WEBHOOK_URL: 'https://sms.example.com/send',
      WEBHOOK_SECRET: `whsec_${randomBytes(32).toString('base64')}`,
      SECRET_KEY: randomBytes(48).toString('base64'),
      API_KEYS: undefined,
      PUBLIC_URL: 'https://verify.example.com',
    },
    overrides: { providers: [provider] },
  })
}

describe('POST /api/auth/otp/request', () => {
  test('sends a code and answers status ok, and nothing else', async () => {
    const { provider, start } = oneProvider()
    const server = await start()
    const answer = await post(server, PATH, { phone: TO })
    expect([answer.status, answer.text]).toEqual([200, '{"status":"ok"}'])
    expect(provider.messages).toMatchObject([
      { to: TO, channel: 'sms', body: expect.stringMatching(/\d{6}/) },
    ])
  })

  test('in dev mode answers preview_code, which the message in the inbox carries', async () => {
    const server = await startServer()
    const answer = await post(server, PATH, { phone: TO })
    expect([answer.status, answer.text]).toEqual([200, '{"status":"ok","preview_code":"123456"}'])
    expect(server.inbox.list()).toMatchObject([{ to: TO, body: expect.stringContaining('123456') }])
  })

  test('DEV_PREVIEW_CODE is the code of dev mode', async () => {
    const server = await startServer({ settings: { DEV_PREVIEW_CODE: '90210777' } })
    const answer = await post(server, PATH, { phone: TO })
    expect(answer.body).toEqual({ status: 'ok', preview_code: '90210777' })
    expect(server.inbox.list()[0]?.body).toContain('90210777')
  })

  test('in production answers no code, and the code is not that of dev mode', async () => {
    const provider = makeScriptedProvider()
    const server = await production(provider)
    for (let n = 0; n < 5; n++) {
      const answer = await post(server, PATH, { phone: phoneOf(n) })
      expect(answer.text).toBe('{"status":"ok"}')
      const otp = /\d{6}/.exec(provider.messages[n]?.body ?? '')?.[0]
      expect(otp).toBeDefined()
      const asked = await post(server, '/api/auth/verify-otp', { phone: phoneOf(n), otp: '123456' })
      expect(asked.status).toBe(otp === '123456' ? 200 : 400)
    }
  })

  test('reads every usual spelling as one number', async () => {
    const server = await startServer()
    await post(server, PATH, { phone: ' +1 (415) 555-2000 ' })
    expect(server.inbox.list()).toMatchObject([{ to: TO }])
    // One number, so one wait.
    expect((await post(server, PATH, { phone: 'tel:+1-415-555-2000' })).status).toBe(429)
  })

  test.each(NOTHING)('%s in the place of the number: phone required', async (_what, phone) => {
    const server = await startServer()
    const answer = await post(server, PATH, { phone })
    expectRefused(answer, { status: 400, code: 'invalid_request', detail: 'phone required', field: 'phone' })
    expect(server.inbox.list()).toEqual([])
  })

  test('no body, an empty one and null: phone required', async () => {
    const server = await startServer()
    for (const body of [undefined, '', 'null', '{}']) {
      const answer = await post(server, PATH, body)
      expectRefused(answer, {
        status: 400,
        code: 'invalid_request',
        detail: 'phone required',
        field: 'phone',
      })
    }
  })

  test.each(BAD_NUMBERS)('%#: what is no number: Invalid phone number', async (phone) => {
    const server = await startServer()
    const answer = await post(server, PATH, { phone })
    expectRefused(answer, {
      status: 400,
      code: 'invalid_phone',
      detail: 'Invalid phone number',
      field: 'phone',
    })
    expect(server.inbox.list()).toEqual([])
  })

  test('a member that is unknown is refused and named; a list, a text and broken JSON are 400', async () => {
    const server = await startServer()
    for (const member of ['code', 'otp', 'country', 'phoneNumber', 'channel', 'attempts']) {
      const { status, body } = await post(server, PATH, { phone: TO, [member]: '123456' })
      expect({ status, code: body.code, field: body.field }).toEqual({
        status: 400,
        code: 'invalid_request',
        field: member,
      })
    }
    for (const body of ['[]', `["${TO}"]`, '"x"', '1', '{"phone":', `[{"phone":"${TO}"}]`]) {
      const { status, body: problem } = await post(server, PATH, body)
      expect({ body, status, code: problem.code }).toEqual({ body, status: 400, code: 'invalid_request' })
    }
    expect(server.inbox.list()).toEqual([])
  })

  test('a body over 64 KB is 413, one that is not JSON 415', async () => {
    const server = await startServer()
    const large = await post(server, PATH, `{"phone":"${TO}"${' '.repeat(70_000)}}`)
    expect(large.body).toMatchObject({ status: 413, code: 'payload_too_large' })
    const form = await post(server, PATH, `phone=${encodeURIComponent(TO)}`, {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect(form.body).toMatchObject({ status: 415, code: 'unsupported_media_type' })
    expect(server.inbox.list()).toEqual([])
  })

  test.each(['unavailable', 'throttled', 'misconfigured', 'bad_number', 'opted_out'] as const)(
    'every provider refuses (%s): 500, Failed to send verification code, and nothing of the provider',
    async (why) => {
      const { provider, start } = oneProvider()
      provider.answer(why)
      const server = await start()
      const answer = await post(server, PATH, { phone: TO })
      expectRefused(answer, {
        status: 500,
        code: 'send_failed',
        detail: 'Failed to send verification code',
      })
      expect(answer.text).not.toMatch(/scripted|VENDOR/)
    },
  )

  test('a provider that comes back sends at the next try', async () => {
    const { provider, start } = oneProvider()
    const server = await start()
    provider.answer('unavailable')
    expect((await post(server, PATH, { phone: TO })).status).toBe(500)
    provider.answer('ok')
    expect((await post(server, PATH, { phone: TO })).text).toBe('{"status":"ok"}')
    const otp = /\d{6}/.exec(provider.messages.at(-1)?.body ?? '')?.[0]
    expect((await post(server, '/api/auth/verify-otp', { phone: TO, otp })).status).toBe(200)
  })

  test('R57: known, new and disabled numbers get the same answer, and so does one that may not be sent to', async () => {
    const { provider, start } = oneProvider()
    const server = await start()
    await post(server, PATH, { phone: TO })
    server.clock.advance(1)
    const otp = /\d{6}/.exec(provider.messages[0]?.body ?? '')?.[0]
    const { body } = await post<WireTokens>(server, '/api/auth/verify-otp', { phone: TO, otp })
    server.clock.advance(1)
    const known = await post(server, PATH, { phone: TO })
    server.clock.advance(600)
    await server.api('POST', `/admin/users/${body.user.id}/disable`)
    const disabled = await post(server, PATH, { phone: TO })
    const fresh = await post(server, PATH, { phone: phoneOf(1) })
    const blocked = await post(server, PATH, { phone: '+19005551234' })
    expect(known.status).toBe(200)
    for (const answer of [disabled, fresh, blocked]) expect(shapeOf(answer)).toEqual(shapeOf(known))
    expect(provider.messages.map(({ to }) => to)).toEqual([TO, TO, TO, phoneOf(1)])
  })

  test('a number that may not be sent to answers no preview_code in dev mode either', async () => {
    const server = await startServer()
    expect((await post(server, PATH, { phone: '+19005551234' })).text).toBe('{"status":"ok"}')
  })

  test('503 when the store is down', async () => {
    const server = await startServer()
    await server.countersign.close()
    const answer = await post(server, PATH, { phone: TO })
    expect(answer.body).toMatchObject({ status: 503, code: 'store_unavailable', retry_after: 1 })
  })
})

describe('limits of a request for a code', () => {
  test('the second for a number within 30 s is 429 with every header', async () => {
    const server = await startServer()
    await post(server, PATH, { phone: TO })
    server.clock.advance(10)
    const { status, body, headers } = await post(server, PATH, { phone: TO })
    expect(status).toBe(429)
    expect(body).toMatchObject({ code: 'rate_limited', limit: 'resend_cooldown', retry_after: 20 })
    expect(headers).toMatchObject({
      'retry-after': '20',
      'ratelimit-policy': '"resend_cooldown";q=1;w=30',
      ratelimit: '"resend_cooldown";r=0;t=20',
    })
  })

  test('after the wait the same code comes again', async () => {
    const { provider, start } = oneProvider()
    const server = await start()
    await post(server, PATH, { phone: TO })
    server.clock.advance(30)
    expect((await post(server, PATH, { phone: TO })).status).toBe(200)
    const codes = provider.messages.map(({ body }) => /\d{6}/.exec(body ?? '')?.[0])
    expect(codes).toHaveLength(2)
    expect(new Set(codes).size).toBe(1)
  })

  test('SMS_RATE_LIMIT_PER_PHONE: the sixth of a number in an hour is 429', async () => {
    const server = await startServer()
    for (let n = 0; n < 5; n++) await signIn(server, TO)
    const { status, body } = await post(server, PATH, { phone: TO })
    expect({ status, limit: body.limit }).toEqual({ status: 429, limit: 'sends_per_phone' })
    expect((await post(server, PATH, { phone: phoneOf(1) })).status).toBe(200)
  })

  test('R29: numbers of one address are limited too, those of another are not; IPv6 counts by /64', async () => {
    const server = await startServer()
    const statuses: number[] = []
    for (let n = 0; n < 16; n++) {
      const call = { remoteAddress: `2001:db8:1:2::${n + 1}` }
      statuses.push((await post(server, PATH, { phone: phoneOf(n) }, call)).status)
    }
    expect(statuses).toEqual([...Array.from({ length: 15 }, () => 200), 429])
    const other = { remoteAddress: '2001:db8:1:3::1' }
    expect((await post(server, PATH, { phone: phoneOf(20) }, other)).status).toBe(200)
  })

  test('SIGN_IN_CALLS_PER_ADDRESS_HOUR: calls of an address, whatever they come to', async () => {
    const server = await startServer({ settings: { SIGN_IN_CALLS_PER_ADDRESS_HOUR: '3' } })
    for (let n = 0; n < 3; n++)
      expect((await post(server, '/api/auth/verify-otp', { phone: TO, otp: '000000' })).status).toBe(400)
    const { status, body } = await post(server, PATH, { phone: TO })
    expect({ status, limit: body.limit }).toEqual({ status: 429, limit: 'sign_in_calls_per_address' })
  })
})
