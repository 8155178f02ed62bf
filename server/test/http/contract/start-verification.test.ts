import { describe, expect, test } from 'vitest'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { PK, phoneOf, startServer } from '../../helpers/server.ts'
import { check, read, start, type WireProblem, type WireVerification } from '../../helpers/wire.ts'

const TO = phoneOf(0)
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

describe('POST /v1/verifications', () => {
  test('answers 201 with every member of the contract, its defaults and the send', async () => {
    const server = await startServer()
    const { status, body } = await server.api<WireVerification>('POST', '/v1/verifications', {
      body: { to: TO },
    })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^ver_[0-9a-z]{36,}$/),
      status: 'pending',
      to: TO,
      channel: 'sms',
      purpose: 'verify',
      expires_at: new Date(server.clock.now() + 600_000).toISOString(),
      resend_at: new Date(server.clock.now() + 30_000).toISOString(),
      checks_left: 5,
      sends_left: 4,
      created_at: new Date(server.clock.now()).toISOString(),
      decided_at: null,
      metadata: {},
      sends: [
        {
          id: expect.stringMatching(/^snd_/),
          provider: 'mock',
          channel: 'sms',
          status: 'accepted',
          error: null,
          at: expect.stringMatching(ISO),
          delivered_at: null,
          price: null,
          currency: null,
        },
      ],
      preview_code: expect.stringMatching(/^\d{6}$/),
    })
  })

  test('sends one message, and the code in it is the preview code', async () => {
    const server = await startServer()
    const { code } = await start(server, TO)
    const messages = server.inbox.list({ to: TO })
    expect(messages).toHaveLength(1)
    expect(messages[0]?.body).toContain(code)
  })

  test('A37: without DEV_MODE no answer holds the code', async () => {
    const server = await startServer({ settings: { DEV_MODE: 'false' } })
    const { status, body, text } = await server.api('POST', '/v1/verifications', { body: { to: TO } })
    expect(status).toBe(201)
    expect(body).not.toHaveProperty('preview_code')
    const code = /\d{6}/.exec(server.inbox.list({ to: TO })[0]?.body ?? '')?.[0] ?? 'none'
    expect(text).not.toContain(code)
  })

  test('takes every member of the contract at once and gives back what it may', async () => {
    const server = await startServer()
    const { body } = await server.api<WireVerification>('POST', '/v1/verifications', {
      body: {
        to: '(415) 555-2671',
        country: 'US',
        channel: 'call',
        purpose: 'second_factor',
        locale: 'pt-BR',
        ip: '198.51.100.7',
        nonce: 'n-1',
        metadata: { order: '17', note: 'Zoë\n \u{1f600}' },
      },
    })
    expect(body).toMatchObject({
      to: '+14155552671',
      channel: 'call',
      purpose: 'second_factor',
      expires_at: new Date(server.clock.now() + 300_000).toISOString(),
      metadata: { order: '17', note: 'Zoë\n \u{1f600}' },
    })
    expect(await read(server, body.id)).toMatchObject({ metadata: body.metadata })
  })

  test('writes the message in the language asked for', async () => {
    const server = await startServer()
    await start(server, phoneOf(1), { locale: 'en' })
    await start(server, phoneOf(2), { locale: 'de-AT' })
    const [german, english] = server.inbox.list().map((message) => message.body.replace(/\d/g, ''))
    expect(german).not.toBe(english)
  })

  test('keeps purposes apart: one number may have a pending verification of each', async () => {
    const server = await startServer()
    const first = await start(server, TO, { purpose: 'login' })
    const tooSoon = await server.api<WireProblem>('POST', '/v1/verifications', {
      body: { to: TO, purpose: 'reset' },
    })
    expect({ status: tooSoon.status, limit: tooSoon.body.limit }).toEqual({
      status: 429,
      limit: 'resend_cooldown',
    })
    server.clock.advance(30)
    const second = await start(server, TO, { purpose: 'reset' })
    expect(second.id).not.toBe(first.id)
    expect(await read(server, first.id)).toMatchObject({ status: 'pending', purpose: 'login' })
  })

  test('answers 200 with the same id and code when a pending one is sent again, guesses kept', async () => {
    const server = await startServer()
    const first = await start(server, TO)
    await check(server, first.id, first.code === '000000' ? '000001' : '000000')
    server.clock.advance(30)
    const again = await server.api<WireVerification>('POST', '/v1/verifications', { body: { to: TO } })
    expect(again.status).toBe(200)
    expect(again.body).toMatchObject({
      id: first.id,
      preview_code: first.code,
      checks_left: 4,
      sends_left: 3,
      created_at: first.created_at,
      expires_at: first.expires_at,
      resend_at: new Date(server.clock.now() + 60_000).toISOString(),
    })
    expect(again.body.sends).toHaveLength(2)
    expect(server.inbox.list({ to: TO }).every((message) => message.body.includes(first.code))).toBe(true)
  })

  test('opens a new one, with a new code, once the old one has ended', async () => {
    const server = await startServer()
    const first = await start(server, TO)
    server.clock.advance(600)
    const second = await server.api<WireVerification>('POST', '/v1/verifications', { body: { to: TO } })
    expect(second.status).toBe(201)
    expect(second.body.id).not.toBe(first.id)
    expect(await read(server, first.id)).toMatchObject({ status: 'expired', checks_left: 0, sends_left: 0 })
  })

  test('R43, R84: refuses members that are the server’s to decide, naming each', async () => {
    const server = await startServer()
    for (const field of ['code', 'body', 'text', 'template', 'message', 'friendly_name', 'friendlyName'])
      await refused({ to: TO, [field]: '123456' }, field)
    for (const field of [
      'status',
      'id',
      'service',
      'checks_left',
      'guesses',
      'verified_at',
      'phone_verified',
    ])
      await refused({ to: TO, [field]: 'approved' }, field)
    expect(server.inbox.list()).toEqual([])

    async function refused(body: object, field: string) {
      const answer = await server.api<WireProblem>('POST', '/v1/verifications', { body })
      expect(answer.status).toBe(400)
      expect(answer.body).toMatchObject({ code: 'invalid_request', field })
    }
  })

  test('names the member that is missing or wrong', async () => {
    const server = await startServer()
    const cases: [object, string, string][] = [
      [{}, 'to', 'invalid_request'],
      [{ to: 14155552671 }, 'to', 'invalid_request'],
      [{ to: '' }, 'to', 'invalid_request'],
      [{ to: '12345' }, 'to', 'invalid_phone'],
      [{ to: '4155552671' }, 'to', 'invalid_phone'],
      [{ to: `+${'1'.repeat(40)}` }, 'to', 'invalid_phone'],
      [{ to: '1'.repeat(65) }, 'to', 'invalid_request'],
      [{ to: TO, country: 'USA' }, 'country', 'invalid_request'],
      [{ to: TO, country: 'XX' }, 'country', 'invalid_request'],
      [{ to: TO, channel: 'pigeon' }, 'channel', 'invalid_request'],
      [{ to: TO, purpose: 'fun' }, 'purpose', 'invalid_request'],
      [{ to: TO, locale: 'english' }, 'locale', 'invalid_request'],
      [{ to: TO, ip: 'here' }, 'ip', 'invalid_request'],
      [{ to: TO, ip: '1.2.3' }, 'ip', 'invalid_request'],
      [{ to: TO, nonce: '' }, 'nonce', 'invalid_request'],
      [{ to: TO, nonce: 'x'.repeat(129) }, 'nonce', 'invalid_request'],
      [{ to: TO, metadata: 'x' }, 'metadata', 'invalid_request'],
      [{ to: TO, metadata: { a: 1 } }, 'metadata.a', 'invalid_request'],
      [{ to: TO, metadata: { a: { b: 'c' } } }, 'metadata.a', 'invalid_request'],
      [{ to: TO, metadata: { a: 'x'.repeat(501) } }, 'metadata.a', 'invalid_request'],
      [{ to: TO, metadata: { a: 'x\u0000' } }, 'metadata.a', 'invalid_request'],
      [{ to: TO, nonce: 'x\u0000' }, 'nonce', 'invalid_request'],
      [
        { to: TO, metadata: Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`k${n}`, 'v'])) },
        'metadata',
        'invalid_request',
      ],
    ]
    for (const [body, field, code] of cases) {
      const answer = await server.api<WireProblem>('POST', '/v1/verifications', { body })
      expect({ status: answer.status, code: answer.body.code, field: answer.body.field, body }).toEqual({
        status: 400,
        code,
        field,
        body,
      })
    }
    expect(server.inbox.list()).toEqual([])
  })

  test('R42: a locale or a country with a line break, a link or 500 characters is refused', async () => {
    const server = await startServer()
    for (const text of [
      'en\nhttps://evil.example',
      'https://evil.example',
      'e'.repeat(500),
      'en ',
      '../en',
    ]) {
      for (const field of ['locale', 'country']) {
        const { status, body } = await server.api<WireProblem>('POST', '/v1/verifications', {
          body: { to: TO, [field]: text },
        })
        expect({ status, field: body.field }).toEqual({ status: 400, field })
      }
    }
    expect(server.inbox.list()).toEqual([])
  })

  test('a channel that no provider carries is refused, naming it, and nothing is charged', async () => {
    const provider = makeScriptedProvider('only-sms', ['sms'])
    const server = await startServer({ overrides: { providers: [provider] } })
    const { status, body } = await server.api<WireProblem>('POST', '/v1/verifications', {
      body: { to: TO, channel: 'whatsapp' },
    })
    expect({ status, code: body.code, field: body.field }).toEqual({
      status: 400,
      code: 'invalid_request',
      field: 'channel',
    })
    expect((await start(server, TO)).status).toBe('pending')
  })

  test('409 and 422 are only of Idempotency-Key: a start never conflicts with a pending one', async () => {
    const server = await startServer()
    await start(server, TO)
    const { status } = await server.api('POST', '/v1/verifications', { body: { to: TO } })
    expect(status).toBe(429)
  })

  test('R28: thirty spellings of one number meet one limit', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    const national = TO.slice(2)
    const [a, b, c] = [national.slice(0, 3), national.slice(3, 6), national.slice(6)]
    const digitsFrom = (zero: number) =>
      TO.replace(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)))
    const wide = digitsFrom(0xff10).replace('+', '＋')
    const arabic = digitsFrom(0x660)
    const spellings: object[] = [
      ...[
        TO,
        ` ${TO} `,
        `+1 ${a} ${b} ${c}`,
        `+1-${a}-${b}-${c}`,
        `+1.${a}.${b}.${c}`,
        `+1 (${a}) ${b}-${c}`,
        `+1(${a})${b}${c}`,
        `+1/${a}/${b}/${c}`,
        `+1${a}\u00a0${b}\u00a0${c}`,
        `\u202a${TO}\u202c`,
        `+1 ${a}\u2010${b}\u2011${c}`,
        `+1\u200b${national}`,
        wide,
        arabic,
        `tel:${TO}`,
        `TEL:${TO}`,
        `tel:+1-${a}-${b}-${c}`,
        `tel:${TO};ext=12`,
        `${TO};ext=5`,
        `${TO} ext. 7`,
        `${TO} x7`,
        `${TO}#9`,
        `001${national}`,
        `00 1 ${a} ${b} ${c}`,
        `tel:${national};phone-context=+1`,
      ].map((to) => ({ to })),
      ...[
        national,
        `1${national}`,
        `(${a}) ${b}-${c}`,
        `${a}.${b}.${c}`,
        `0111${national}`,
        `${national} x3`,
      ].map((to) => ({ to, country: 'US' })),
    ]
    expect(spellings.length).toBeGreaterThanOrEqual(30)
    const expectLimited = async (body: object) => {
      const answer = await server.api<WireProblem>('POST', '/v1/verifications', { body })
      expect({ body, status: answer.status, limit: answer.body.limit }).toEqual({
        body,
        status: 429,
        limit: 'resend_cooldown',
      })
    }
    for (const body of spellings) await expectLimited(body)
    // Without a pending one to find, it is the limit alone that knows the number.
    await server.api('POST', `/v1/verifications/${id}/cancel`)
    for (const body of spellings) await expectLimited(body)
    expect(server.inbox.list()).toHaveLength(1)
  })

  test('R28: old forms of Mexico and Argentina are the number they became', async () => {
    const server = await startServer()
    for (const forms of [
      ['+525512345678', '+5215512345678', '+52 1 55 1234 5678'],
      ['+5491123456789', '+541123456789', '+54 11 15 2345 6789', '+54 9 11 2345 6789'],
    ]) {
      const [first, ...others] = forms
      await start(server, first ?? '')
      for (const to of others)
        expect((await server.api('POST', '/v1/verifications', { body: { to } })).status).toBe(429)
    }
    expect(server.inbox.list()).toHaveLength(2)
  })
})

describe('what a provider says', () => {
  test.each(['bad_number', 'opted_out', 'wrong_channel', 'blocked'] as const)(
    '%s: the verification is failed, and a check of it says not_sent',
    async (why) => {
      const provider = makeScriptedProvider()
      provider.answer(why)
      const server = await startServer({ overrides: { providers: [provider] } })
      const { status, body } = await server.api<WireVerification>('POST', '/v1/verifications', {
        body: { to: TO },
      })
      expect(status).toBe(201)
      expect(body).toMatchObject({
        status: 'failed',
        decided_at: expect.stringMatching(ISO),
        checks_left: 0,
        sends_left: 0,
        sends: [{ provider: 'scripted', status: 'refused', error: why }],
      })
      expect(body).not.toHaveProperty('preview_code')
      const checked = await check(server, body.id, '123456')
      expect(checked.status).toBe(200)
      expect(checked.body).toMatchObject({ valid: false, reason: 'not_sent' })
      expect(JSON.stringify([body, checked.body])).not.toContain('VENDOR-CODE')
    },
  )

  test('unknown: the verification stays pending, and its code is good', async () => {
    const provider = makeScriptedProvider()
    provider.answer('unknown')
    const server = await startServer({ overrides: { providers: [provider] } })
    const started = await start(server, TO)
    expect(started).toMatchObject({ status: 'pending', sends: [{ status: 'unknown', error: 'unknown' }] })
    expect((await check(server, started.id, started.code)).body).toMatchObject({ reason: 'approved' })
    expect(provider.messages).toHaveLength(1)
  })

  test('R40, R61: a provider that throws is as good as unknown, and says nothing to the caller', async () => {
    const server = await startServer({
      overrides: {
        providers: [
          {
            name: 'broken',
            channels: ['sms'],
            send: () => Promise.reject(new Error('SECRET at /srv/app.js:1')),
          },
        ],
      },
    })
    const { status, body, text } = await server.api('POST', '/v1/verifications', { body: { to: TO } })
    expect({ status, of: body['status'] }).toEqual({ status: 201, of: 'pending' })
    expect(text).not.toContain('SECRET')
  })

  test.each(['unavailable', 'throttled', 'misconfigured'] as const)(
    'F16: %s everywhere is 503, the verification is kept, nothing is charged, and a resend works',
    async (why) => {
      const provider = makeScriptedProvider()
      provider.answer(why)
      const server = await startServer({ overrides: { providers: [provider] } })
      const failed = await server.api<WireProblem>('POST', '/v1/verifications', { body: { to: TO } })
      expect(failed.status).toBe(503)
      expect(failed.body).toMatchObject({
        code: 'delivery_unavailable',
        retry_after: 1,
        verification_id: expect.stringMatching(/^ver_/),
      })
      const id = failed.body.verification_id ?? ''
      expect(await read(server, id)).toMatchObject({
        status: 'pending',
        checks_left: 5,
        sends_left: 5,
        resend_at: new Date(server.clock.now()).toISOString(),
      })
      const { body: limits } = await server.api<{ limits: { limit: number; remaining: number }[] }>(
        'GET',
        `/v1/phones/${TO}/limits`,
      )
      for (const { limit, remaining } of limits.limits) expect(remaining).toBe(limit)
      provider.answer('ok')
      const resent = await server.api<WireVerification>('POST', `/v1/verifications/${id}/resend`)
      expect(resent.status).toBe(200)
      expect(resent.body).toMatchObject({ id, status: 'pending', sends_left: 4 })
    },
  )

  test('F16: a start after a 503 sends the kept verification', async () => {
    const provider = makeScriptedProvider()
    provider.answer('unavailable')
    const server = await startServer({ overrides: { providers: [provider] } })
    const failed = await server.api<WireProblem>('POST', '/v1/verifications', { body: { to: TO } })
    provider.answer('ok')
    expect(await start(server, TO)).toMatchObject({ id: failed.body.verification_id, status: 'pending' })
  })

  test('the wait a provider asked for is what Retry-After says', async () => {
    const provider = makeScriptedProvider()
    provider.answer({ ok: false, why: 'throttled', retryAfterSeconds: 17 })
    const server = await startServer({ overrides: { providers: [provider] } })
    const { headers } = await server.api('POST', '/v1/verifications', { body: { to: TO } })
    expect(headers['retry-after']).toBe('17')
  })

  test('R36, R37: what says nothing of the number goes to the next provider, what does stops', async () => {
    const [first, second] = [makeScriptedProvider('first'), makeScriptedProvider('second')]
    const server = await startServer({ overrides: { providers: [first, second] } })
    first.answer('unavailable')
    const failedOver = await start(server, phoneOf(1))
    expect(failedOver.sends).toMatchObject([
      { provider: 'first', status: 'refused', error: 'unavailable' },
      { provider: 'second', status: 'accepted' },
    ])
    for (const why of ['blocked', 'bad_number', 'opted_out', 'unknown'] as const) {
      first.answer(why)
      await server.api('POST', '/v1/verifications', { body: { to: phoneOf(10 + why.length) } })
    }
    expect(second.messages).toHaveLength(1)
  })
})

describe('a slow provider', () => {
  test('F13: a start is answered by its deadline as pending, and the send goes on', async () => {
    const late = Promise.withResolvers<void>()
    const server = await startServer({
      settings: { START_DEADLINE_MS: '500' },
      overrides: {
        providers: [
          {
            name: 'slow',
            channels: ['sms'],
            send: async () => {
              await late.promise
              return { ok: true, ref: 'late' }
            },
          },
        ],
      },
    })
    const started = await start(server, TO)
    expect(started).toMatchObject({ status: 'pending', sends: [{ status: 'sending', error: null }] })
    late.resolve()
    await expect
      .poll(async () => (await read(server, started.id)).sends)
      .toMatchObject([{ provider: 'slow', status: 'accepted' }])
    expect((await check(server, started.id, started.code)).body).toMatchObject({ valid: true })
  })
})

describe('the guard', () => {
  test.each([
    ['premium rate', '+19005551234'],
    ['toll free', '+18005551234'],
    ['a fixed line of Germany', '+493012345678'],
    ['a fixed line of Great Britain', '+442079460123'],
    ['shared cost of Great Britain', '+448431234567'],
    ['premium rate of Great Britain', '+449012345678'],
  ])('R51: %s is blocked before any send, and a check of it says so', async (_what, to) => {
    const server = await startServer()
    const { status, body } = await server.api<WireVerification>('POST', '/v1/verifications', { body: { to } })
    expect({ status, of: body.status, sends: body.sends }).toEqual({ status: 201, of: 'blocked', sends: [] })
    expect(body).not.toHaveProperty('preview_code')
    expect(body).toMatchObject({ checks_left: 0, sends_left: 0, decided_at: expect.stringMatching(ISO) })
    expect(server.inbox.list()).toEqual([])
    expect((await check(server, body.id, '123456')).body).toMatchObject({ valid: false, reason: 'blocked' })
  })

  test('a fixed line may be called', async () => {
    const server = await startServer()
    expect(await start(server, '+493012345678', { channel: 'call' })).toMatchObject({ status: 'pending' })
  })

  test('R52: a country that is not on the list is blocked, others are not', async () => {
    const server = await startServer({ settings: { ALLOWED_COUNTRIES: 'US,GB' } })
    expect(await start(server, '+447400123456')).toMatchObject({ status: 'pending' })
    expect(await start(server, '+4915112345678')).toMatchObject({ status: 'blocked', sends: [] })
  })

  test('R56: with a publishable key a block has the same members as a pending one, and no reason', async () => {
    const server = await startServer({ settings: { DEV_MODE: 'false' } })
    const sent = await start(server, phoneOf(1), {}, { key: 'pk' })
    const blocked = await start(server, '+19005551234', {}, { key: 'pk' })
    expect(Object.keys(blocked)).toEqual(Object.keys(sent))
    expect(JSON.stringify(blocked)).not.toMatch(/premium/)
  })
})

describe('publishable keys', () => {
  test('start, without sends and without a provider’s name', async () => {
    const server = await startServer()
    const answer = await server.api('POST', '/v1/verifications', { key: 'pk', body: { to: TO } })
    expect(answer.status).toBe(201)
    expect(answer.body).not.toHaveProperty('sends')
    expect(answer.text).not.toMatch(/mock|provider/)
  })

  test('may not name an address', async () => {
    const server = await startServer()
    const { status, body } = await server.api<WireProblem>('POST', '/v1/verifications', {
      key: 'pk',
      body: { to: TO, ip: '198.51.100.7' },
    })
    expect({ status, field: body.field }).toEqual({ status: 400, field: 'ip' })
    expect(server.inbox.list()).toEqual([])
  })

  test('count on the address of the connection; a secret key without ip counts on none', async () => {
    const server = await startServer()
    for (let n = 0; n < 15; n++) await start(server, phoneOf(n), {}, { key: 'pk' })
    const { status, body, headers } = await server.api<WireProblem>('POST', '/v1/verifications', {
      key: 'pk',
      body: { to: phoneOf(20) },
    })
    expect(status).toBe(429)
    expect(body).toMatchObject({ code: 'rate_limited', limit: 'starts_per_address', retry_after: 3600 })
    expect(headers).toMatchObject({
      'retry-after': '3600',
      'ratelimit-policy': '"starts_per_address";q=15;w=3600',
      ratelimit: '"starts_per_address";r=0;t=3600',
      'cache-control': 'no-store',
    })
    await start(server, phoneOf(20), {}, { key: 'pk', remoteAddress: '192.0.2.2' })
    for (let n = 21; n < 60; n++) await start(server, phoneOf(n))
  })

  test('a secret key with ip counts on that address, 30 an hour', async () => {
    const server = await startServer()
    const ip = '2001:db8::1'
    for (let n = 0; n < 30; n++) await start(server, phoneOf(n), { ip })
    const { status, body } = await server.api<WireProblem>('POST', '/v1/verifications', {
      body: { to: phoneOf(30), ip },
    })
    expect({ status, limit: body.limit }).toEqual({ status: 429, limit: 'starts_per_address' })
    await start(server, phoneOf(30), { ip: '2001:db8:0:1::1' })
  })

  test('work from the origins they were made for, and from pages of no other', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: 'https://app.example' } })
    const { token } = await server.countersign.keys.create('publishable', {
      origins: ['https://own.example'],
    })
    const from = async (key: string, origin: string | undefined, n: number) => {
      const headers: Record<string, string> = origin === undefined ? {} : { origin }
      const answer = await server.api('POST', '/v1/verifications', { key, headers, body: { to: phoneOf(n) } })
      return answer.status === 201 ? 201 : answer.body['code']
    }
    expect(await from(PK, 'https://app.example', 1)).toBe(201)
    expect(await from(PK, undefined, 2)).toBe(201)
    expect(await from(PK, 'https://evil.example', 3)).toBe('origin_not_allowed')
    expect(await from(PK, 'https://app.example.evil.example', 3)).toBe('origin_not_allowed')
    expect(await from(PK, 'null', 3)).toBe('origin_not_allowed')
    expect(await from(token, 'https://own.example', 4)).toBe(201)
    expect(await from(token, 'https://app.example', 5)).toBe('origin_not_allowed')
    expect(server.inbox.list()).toHaveLength(3)
  })

  test('of one service never meet another’s verifications', async () => {
    const server = await startServer()
    const { token } = await server.countersign.keys.create('secret', { service: 'other' })
    const mine = await start(server, TO)
    for (const [method, path, body] of [
      ['GET', `/v1/verifications/${mine.id}`, undefined],
      ['POST', `/v1/verifications/${mine.id}/check`, { code: mine.code }],
      ['POST', `/v1/verifications/${mine.id}/resend`, {}],
      ['POST', `/v1/verifications/${mine.id}/cancel`, {}],
      ['POST', '/v1/checks', { to: TO, code: mine.code }],
    ] as const)
      expect((await server.api(method, path, { key: token, body })).status).toBe(404)
    expect(await read(server, mine.id)).toMatchObject({ status: 'pending', checks_left: 5 })
  })
})

describe('test numbers', () => {
  const TEST_TO = '+15005550006'
  const settings = { TEST_PHONE_NUMBERS: `${TEST_TO}=424242` }

  test('have their fixed code, send nothing and meet no limit', async () => {
    const server = await startServer({ settings })
    for (let n = 0; n < 40; n++) {
      const { code, id, sends } = await start(server, TEST_TO)
      expect({ code, sends }).toEqual({ code: '424242', sends: [] })
      server.clock.advanceMs(1)
      if (n % 2 === 0) continue
      expect((await check(server, id, '424242')).body).toMatchObject({ valid: true, reason: 'approved' })
    }
    expect(server.inbox.list()).toEqual([])
    const { body } = await server.api('GET', `/v1/phones/${TEST_TO}/limits`)
    expect(body['limited']).toBe(false)
  })

  test('lock after five wrong codes like any other', async () => {
    const server = await startServer({ settings })
    const { id } = await start(server, TEST_TO)
    for (let n = 0; n < 5; n++) await check(server, id, '000000')
    expect((await check(server, id, '424242')).body).toMatchObject({ valid: false, reason: 'locked' })
  })

  test('their code opens no other number', async () => {
    const server = await startServer({ settings })
    const { id, code } = await start(server, TO)
    if (code !== '424242') expect((await check(server, id, '424242')).body).toMatchObject({ valid: false })
  })
})
