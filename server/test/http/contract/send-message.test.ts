import { describe, expect, test } from 'vitest'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { type Call, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { start, type WireProblem, type WireSend } from '../../helpers/wire.ts'

const TO = phoneOf(0)

type WireMessage = {
  readonly id: string
  readonly status: string
  readonly to: string
  readonly provider: string | null
  readonly segments: number
  readonly sends: readonly WireSend[]
}

function send<T = WireMessage>(server: TestServer, body: object, call: Call = {}) {
  return server.api<T>('POST', '/v1/messages', { ...call, body })
}

describe('POST /v1/messages', () => {
  test('F13: is answered by the deadline, and the send goes on', async () => {
    const late = Promise.withResolvers<void>()
    const slow = makeScriptedProvider('slow')
    const provider = {
      ...slow,
      send: async (...given: Parameters<typeof slow.send>) => {
        await late.promise
        return slow.send(...given)
      },
    }
    const server = await startServer({
      settings: { START_DEADLINE_MS: '500' },
      overrides: { providers: [provider] },
    })
    const { status, body } = await send(server, { to: TO, body: 'hello' })
    expect({ status, sent: body.status }).toEqual({ status: 202, sent: 'sending' })
    late.resolve()
    await expect
      .poll(async () => (await server.api<WireMessage>('GET', `/v1/messages/${body.id}`)).body.status)
      .toBe('accepted')
  })

  test('answers 202 with every member of the contract, and the text arrives as it was written', async () => {
    const server = await startServer()
    const text = 'Your table is ready.\nSee you – Zoë \u{1f374}'
    const { status, body } = await send(server, { to: TO, body: text })
    expect(status).toBe(202)
    expect(body).toEqual({
      id: expect.stringMatching(/^msg_/),
      status: 'accepted',
      to: TO,
      channel: 'sms',
      template: null,
      provider: 'mock',
      segments: 1,
      price: null,
      currency: null,
      created_at: new Date(server.clock.now()).toISOString(),
      sends: [
        {
          id: expect.stringMatching(/^snd_/),
          provider: 'mock',
          channel: 'sms',
          status: 'accepted',
          error: null,
          at: new Date(server.clock.now()).toISOString(),
          delivered_at: null,
          price: null,
          currency: null,
          cause: 'start',
          sender: null,
          vendor_code: null,
          history: [],
        },
      ],
    })
    expect(server.inbox.list({ to: TO }).map((message) => message.body)).toEqual([text])
  })

  test('tells the price a provider told', async () => {
    const provider = makeScriptedProvider()
    provider.answer({ ok: true, ref: 'r', price: { amount: '0.0079', currency: 'USD' } })
    const server = await startServer({ overrides: { providers: [provider] } })
    const { body } = await send(server, { to: TO, body: 'x' })
    expect(body).toMatchObject({
      price: '0.0079',
      currency: 'USD',
      sends: [{ price: '0.0079', currency: 'USD' }],
    })
  })

  test('counts segments as the vendor bills them', async () => {
    const server = await startServer()
    for (const [to, text, segments] of [
      [phoneOf(0), 'a'.repeat(160), 1],
      [phoneOf(1), 'a'.repeat(161), 2],
      [phoneOf(2), 'ж'.repeat(70), 1],
      [phoneOf(3), 'ж'.repeat(71), 2],
    ] as const)
      expect((await send(server, { to, body: text })).body.segments).toBe(segments)
  })

  test('writes a template in a language, and tells its name', async () => {
    const server = await startServer()
    const { status, body } = await send(server, {
      to: TO,
      template: 'phone_changed',
      values: { service: 'Acme', ending: '2671' },
      locale: 'de-AT',
    })
    expect(status).toBe(202)
    expect(body).toMatchObject({ template: 'phone_changed', status: 'accepted' })
    expect(server.inbox.list({ to: TO })[0]?.body).toMatch(/^Acme: Ihre Telefonnummer .*2671/)
  })

  test('R42: a value with a line break, a link or 500 characters is refused, and nothing is sent', async () => {
    const server = await startServer()
    for (const service of [
      'Acme\nhttps://evil.example',
      'https://evil.example',
      'www.evil',
      'evil.example',
      'evil。example',
      'a\u2028b',
      'a\u0000b',
      'a\u202eb',
      'x'.repeat(65),
      'x'.repeat(500),
      '',
      '   ',
    ]) {
      const { status, body } = await send<WireProblem>(server, {
        to: TO,
        template: 'password_changed',
        values: { service },
      })
      expect({ service, status, code: body.code }).toEqual({ service, status: 400, code: 'invalid_request' })
      expect(body.field).toBe('values.service')
    }
    expect(server.inbox.list()).toEqual([])
  })

  test('R43: no template carries a code: the words of a verification are not to be had here', async () => {
    const server = await startServer()
    for (const template of ['verify', 'code', 'login', 'otp', '__proto__', 'constructor', 'toString'])
      expect((await send(server, { to: TO, template, values: {} })).status).toBe(400)
  })

  test('400 names the member that is wrong', async () => {
    const server = await startServer()
    const values = { service: 'Acme' }
    for (const [body, field, code] of [
      [{ body: 'x' }, 'to', 'invalid_request'],
      [{ to: TO }, 'body', 'invalid_request'],
      [{ to: TO, body: '' }, 'body', 'invalid_request'],
      [{ to: TO, body: 7 }, 'body', 'invalid_request'],
      [{ to: TO, body: 'x', template: 'password_changed' }, 'body', 'invalid_request'],
      [{ to: TO, body: 'x'.repeat(1601) }, 'body', 'message_too_long'],
      [{ to: 'nobody', body: 'x' }, 'to', 'invalid_phone'],
      [{ to: TO, body: 'x', channel: 'pigeon' }, 'channel', 'invalid_request'],
      [{ to: TO, body: 'x', from: 'ACME' }, 'from', 'invalid_request'],
      [{ to: TO, template: 'nothing' }, 'template', 'invalid_request'],
      [{ to: TO, template: 'phone_changed', values }, 'values.ending', 'invalid_request'],
      [{ to: TO, template: 'password_changed', values: { ...values, x: 'y' } }, 'values', 'invalid_request'],
      [{ to: TO, template: 'password_changed', values: { service: 7 } }, 'values.service', 'invalid_request'],
      [{ to: TO, template: 'password_changed', values, locale: 'en\n' }, 'locale', 'invalid_request'],
    ] as const) {
      const answer = await send<WireProblem>(server, body)
      expect({ status: answer.status, field: answer.body.field, code: answer.body.code, body }).toEqual({
        status: 400,
        field,
        code,
        body,
      })
    }
    expect(server.inbox.list()).toEqual([])
  })

  test('1,600 characters go, one more does not', async () => {
    const server = await startServer()
    expect((await send(server, { to: TO, body: 'x'.repeat(1600) })).status).toBe(202)
  })

  test('R51, R52: the guard decides first: 403 blocked, nothing is sent', async () => {
    const server = await startServer({ settings: { ALLOWED_COUNTRIES: 'US,DE' } })
    for (const to of ['+19005551234', '+18005551234', '+493012345678', '+447400123456']) {
      const { status, body } = await send<WireProblem>(server, { to, body: 'x' })
      expect({ to, status, code: body.code, field: body.field }).toEqual({
        to,
        status: 403,
        code: 'blocked',
        field: 'to',
      })
    }
    expect(server.inbox.list()).toEqual([])
  })

  test('a channel nobody carries is 400, and charged to nobody', async () => {
    const server = await startServer({
      settings: { MESSAGES_PER_PHONE_HOUR: '1' },
      overrides: { providers: [makeScriptedProvider('only-sms', ['sms'])] },
    })
    const { status, body } = await send<WireProblem>(server, { to: TO, body: 'x', channel: 'call' })
    expect({ status, field: body.field }).toEqual({ status: 400, field: 'channel' })
    expect((await send(server, { to: TO, body: 'x' })).status).toBe(202)
  })

  test('a text that is too long is charged to nobody', async () => {
    const server = await startServer({ settings: { MESSAGES_PER_PHONE_HOUR: '1' } })
    expect((await send(server, { to: TO, body: 'x'.repeat(1601) })).status).toBe(400)
    expect((await send(server, { to: TO, body: 'x' })).status).toBe(202)
  })

  test('thirty an hour go to a number, in any spelling; its verifications are counted apart', async () => {
    const server = await startServer()
    for (let n = 0; n < 30; n++) expect((await send(server, { to: TO, body: 'x' })).status).toBe(202)
    const { status, body, headers } = await send<WireProblem>(server, { to: `tel:${TO}`, body: 'x' })
    expect(status).toBe(429)
    expect(body).toMatchObject({ code: 'rate_limited', limit: 'messages_per_phone', retry_after: 3600 })
    expect(headers['ratelimit-policy']).toBe('"messages_per_phone";q=30;w=3600')
    expect(await start(server, TO)).toMatchObject({ status: 'pending' })
  })

  test('a number that cannot be reached is 202 refused, in our words, and not charged', async () => {
    const server = await startServer({ settings: { MESSAGES_PER_PHONE_HOUR: '1' } })
    for (let n = 0; n < 3; n++) {
      const { status, body, text } = await send(server, { to: '+15005550001', body: 'x' })
      expect({ status, of: body.status, error: body.sends[0]?.error }).toEqual({
        status: 202,
        of: 'refused',
        error: 'bad_number',
      })
      expect(text).not.toContain('"mock"}')
    }
  })

  test.each(['unavailable', 'throttled', 'misconfigured'] as const)(
    '503 when every provider is %s; nothing is charged, and the same call works later',
    async (why) => {
      const provider = makeScriptedProvider()
      provider.answer(why)
      const server = await startServer({
        settings: { MESSAGES_PER_PHONE_HOUR: '1' },
        overrides: { providers: [provider] },
      })
      for (let n = 0; n < 3; n++) {
        const { status, body, text } = await send<WireProblem>(server, { to: TO, body: 'x' })
        expect({ status, code: body.code }).toEqual({ status: 503, code: 'delivery_unavailable' })
        expect(text).not.toMatch(/scripted|VENDOR/)
      }
      provider.answer('ok')
      expect((await send(server, { to: TO, body: 'x' })).status).toBe(202)
    },
  )

  test('fails over, and the status is that of the last send, also when it is read again', async () => {
    const [first, second] = [makeScriptedProvider('first'), makeScriptedProvider('second')]
    first.answer('unavailable')
    const server = await startServer({ overrides: { providers: [first, second] } })
    for (let n = 0; n < 8; n++) {
      const { body } = await send(server, { to: phoneOf(n), body: 'x' })
      expect(body).toMatchObject({ status: 'accepted', provider: 'second' })
      const again = await server.api('GET', `/v1/messages/${body.id}`)
      expect(again.body).toMatchObject({ status: 'accepted', provider: 'second', price: null })
    }
  })

  test('403 for a publishable key', async () => {
    const server = await startServer()
    expect((await send(server, { to: TO, body: 'x' }, { key: 'pk' })).status).toBe(403)
    expect(server.inbox.list()).toEqual([])
  })
})

describe('GET /v1/messages and /v1/messages/{id}', () => {
  test('reads what became of a message; the text is kept nowhere', async () => {
    const server = await startServer()
    const sent = await send(server, { to: TO, body: 'a text of its own' })
    const { status, body, text } = await server.api('GET', `/v1/messages/${sent.body.id}`)
    expect(status).toBe(200)
    expect(body).toEqual(sent.body)
    expect(text).not.toContain('a text of its own')
  })

  test('404 for an id that never was, also for a verification’s', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    for (const wrong of ['msg_none', id])
      expect((await server.api('GET', `/v1/messages/${wrong}`)).status).toBe(404)
  })

  test('lists the newest first, page by page', async () => {
    const server = await startServer()
    const ids: string[] = []
    for (let n = 0; n < 5; n++) {
      ids.push((await send(server, { to: phoneOf(n), body: 'x' })).body.id)
      server.clock.advance(1)
    }
    type Page = { data: WireMessage[]; next_cursor: string | null }
    const first = await server.api<Page>('GET', '/v1/messages?limit=3')
    const second = await server.api<Page>('GET', `/v1/messages?limit=3&cursor=${first.body.next_cursor}`)
    expect([...first.body.data, ...second.body.data].map(({ id }) => id)).toEqual(ids.toReversed())
    expect(second.body.next_cursor).toBeNull()
    expect(first.body.data[0]?.sends).toHaveLength(1)
    for (const query of ['?limit=0', '?limit=x', '?cursor=%20', '?to=x'])
      expect((await server.api('GET', `/v1/messages${query}`)).status).toBe(400)
  })

  test('shows nothing of another service, and nothing to a publishable key', async () => {
    const server = await startServer()
    const { body } = await send(server, { to: TO, body: 'x' })
    const { token } = await server.countersign.keys.create('secret', { service: 'other' })
    expect((await server.api('GET', `/v1/messages/${body.id}`, { key: token })).status).toBe(404)
    expect((await server.api('GET', '/v1/messages', { key: token })).body).toEqual({
      data: [],
      next_cursor: null,
    })
    expect((await server.api('GET', `/v1/messages/${body.id}`, { key: 'pk' })).status).toBe(403)
    expect((await server.api('GET', '/v1/messages', { key: 'pk' })).status).toBe(403)
  })
})
