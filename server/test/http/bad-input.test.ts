import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { SqliteMessaging } from '../../src/stores/sqlite/messaging.ts'
import { SqliteVerifications } from '../../src/stores/sqlite/verifications.ts'
import { exchange, phoneOf, SK, startServer, type TestServer } from '../helpers/server.ts'
import { signIn } from '../helpers/people.ts'
import { outcomeOf, read, start, type WireProblem } from '../helpers/wire.ts'

const TO = phoneOf(0)

/** R16: what a code is not. Texts are whole bodies. */
const BAD_CODES: readonly (readonly [string, unknown])[] = [
  ['a number', 123456],
  ['a float', 123456.0000001],
  ['an array of one', ['123456']],
  ['an array of a thousand', Array.from({ length: 1000 }, (_, n) => String(n).padStart(6, '0'))],
  ['an operator', { $ne: null }],
  ['a regular expression operator', { $regex: '.*' }],
  ['null', null],
  ['true', true],
  ['false', false],
  ['nothing', ''],
  ['a space before', ' 123456'],
  ['a space behind', '123456 '],
  ['a line break behind', '123456\n'],
  ['full-width digits', '１２３４５６'],
  ['Arabic digits', '١٢٣٤٥٦'],
  ['a NUL behind', '123456\u0000'],
  ['a sign', '+123456'],
  ['hex', '0x1e240'],
  ['an exponent', '1e5'],
  ['three digits', '123'],
  ['eleven digits', '12345678901'],
  ['letters', 'abcdef'],
  ['a comma', '123,456'],
  ['SQL', "' OR 1=1--"],
  ['an object with a length', { length: 6, 0: '1' }],
]

async function checksLeft(server: TestServer, id: string): Promise<number> {
  return (await read(server, id)).checks_left
}

/** The bytes of a JSON text, with more before its last two. */
function bytesOf(text: string, bad: readonly number[]): Buffer {
  return Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from(bad), Buffer.from(text.slice(-2))])
}

function expectUnpolluted(): void {
  expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('polluted')
  expect({}).not.toHaveProperty('polluted')
}

describe('R16: a code that is no code', () => {
  test.each(BAD_CODES)('%s is 400 naming code, and costs no check', async (_what, code) => {
    const server = await startServer()
    const started = await start(server, TO)
    for (const key of ['sk', 'pk'] as const) {
      const byId = await server.api<WireProblem>('POST', `/v1/verifications/${started.id}/check`, {
        key,
        body: { code },
      })
      expect({ status: byId.status, code: byId.body.code, field: byId.body.field }).toEqual({
        status: 400,
        code: 'invalid_request',
        field: 'code',
      })
    }
    const byNumber = await server.api<WireProblem>('POST', '/v1/checks', { body: { to: TO, code } })
    expect({ status: byNumber.status, field: byNumber.body.field }).toEqual({ status: 400, field: 'code' })
    expect(await checksLeft(server, started.id)).toBe(5)
    expect(await outcomeOf(server, started.id, started.code)).toBe('approved')
  })

  test('A45: a missing code, no body, null and a list are 400, and cost no check', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    for (const path of [`/v1/verifications/${id}/check`, '/v1/checks']) {
      for (const body of [undefined, '', 'null', '[]', '{}', '"123456"', '123456', '[{"code":"123456"}]'])
        expect((await server.api('POST', path, { body })).status).toBe(400)
    }
    expect(await checksLeft(server, id)).toBe(5)
  })

  test('ten megabytes are 413, and cost no check; so is one byte over 64 KB', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    const pad = (bytes: number) => `{"code":"${code}"${' '.repeat(bytes - 11 - code.length)}}`
    for (const path of [`/v1/verifications/${id}/check`, '/v1/checks']) {
      for (const bytes of [65_537, 10_000_000]) {
        const { status, body } = await server.api<WireProblem>('POST', path, { body: pad(bytes) })
        expect({ status, code: body.code }).toEqual({ status: 413, code: 'payload_too_large' })
      }
    }
    expect(await checksLeft(server, id)).toBe(5)
    expect(
      (await server.api('POST', `/v1/verifications/${id}/check`, { body: pad(65_536) })).body,
    ).toMatchObject({ valid: true })
  })

  test('R47: a body that lies about its length is 413 before it is read', async () => {
    const server = await startServer()
    const url = await server.listen()
    const { status, body } = await exchange(
      url,
      `POST /v1/checks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SK}\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n{`,
    )
    expect(status).toBe(413)
    expect(JSON.parse(body)).toMatchObject({ code: 'payload_too_large' })
  })
})

describe('content types', () => {
  const refused = [
    'text/plain',
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/jsonx',
    'application/json-patch+json',
    'text/json',
    'json',
    '*/*',
  ]

  test.each(refused)('%s is 415, so that no form of another site posts without a preflight', async (type) => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    for (const [path, body] of [
      ['/v1/verifications', `{"to":"${phoneOf(1)}"}`],
      [`/v1/verifications/${id}/check`, `{"code":"${code}"}`],
      ['/v1/checks', `{"to":"${TO}","code":"${code}"}`],
      [`/v1/verifications/${id}/resend`, '{}'],
      [`/v1/verifications/${id}/cancel`, '{}'],
      ['/v1/phones/lookup', `{"phone":"${TO}"}`],
      ['/v1/messages', `{"to":"${TO}","body":"x"}`],
    ] as const) {
      const answer = await server.api<WireProblem>('POST', path, { body, headers: { 'content-type': type } })
      expect({ path, status: answer.status, code: answer.body.code }).toEqual({
        path,
        status: 415,
        code: 'unsupported_media_type',
      })
    }
    expect(await read(server, id)).toMatchObject({ status: 'pending', checks_left: 5 })
    expect(server.inbox.list()).toHaveLength(1)
  })

  test.each([
    ' application/json',
    '\tapplication/json',
    'application/json ',
    'Application/JSON',
    'application/json;x=y',
  ])('A25: the schema holds whatever the spelling of the type: %j', async (type) => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    const call = (body: string) =>
      server.api('POST', `/v1/verifications/${id}/check`, { body, headers: { 'content-type': type } })
    for (const body of [
      '{"code":{"$ne":null}}',
      `{"code":["${code}"]}`,
      '{"code":123456}',
      '{}',
      `{"code":"${code}","x":1}`,
    ]) {
      expect([400, 415]).toContain((await call(body)).status)
    }
    expect(await checksLeft(server, id)).toBe(5)
  })

  test('A25: over a real socket too, where a space before the type is only the header’s own', async () => {
    const server = await startServer()
    const url = await server.listen()
    const { id } = await start(server, TO)
    const body = '{"code":{"$ne":null}}'
    for (const space of ['', ' ', '  ', '\t']) {
      const { status } = await exchange(
        url,
        `POST /v1/verifications/${id}/check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SK}\r\nContent-Type:${space}application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      expect(status).toBe(400)
    }
    expect(await checksLeft(server, id)).toBe(5)
  })

  test('bodies of other character sets are read as UTF-8 or refused, never as something else', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    const utf16 = Buffer.from(`{"code":"${code}"}`, 'utf16le')
    const { status } = await server.api('POST', `/v1/verifications/${id}/check`, {
      body: utf16,
      headers: { 'content-type': 'application/json; charset=utf-16' },
    })
    expect([400, 415]).toContain(status)
    expect(await checksLeft(server, id)).toBe(5)
  })
})

describe('JSON that is meant to confuse', () => {
  test('what is not JSON is 400', async () => {
    const server = await startServer()
    for (const body of [
      '{',
      '{"to":}',
      "{'to':1}",
      '{"to":"x",}',
      'undefined',
      'NaN',
      '{"to":1}{"to":2}',
      '\u0000',
      '\ufeff',
    ])
      expect((await server.api('POST', '/v1/verifications', { body })).status).toBe(400)
  })

  test('the last of two keys counts, for the schema and the check alike, and costs one check', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    const path = `/v1/verifications/${id}/check`
    const wrong = code === '000000' ? '000001' : '000000'
    const twice = await server.api('POST', path, { body: `{"code":"${code}","code":"${wrong}"}` })
    expect(twice.body).toMatchObject({ reason: 'wrong_code', checks_left: 4 })
    expect((await server.api('POST', path, { body: `{"code":"${code}","code":["${code}"]}` })).status).toBe(
      400,
    )
    expect(await checksLeft(server, id)).toBe(4)
  })

  test('64 KB of nesting is 400, at once', async () => {
    const server = await startServer()
    const started = performance.now()
    for (const body of [
      '['.repeat(32_000) + ']'.repeat(32_000),
      `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
      `{"to":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
      `{"to":"${TO}","metadata":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}}`,
    ])
      expect((await server.api('POST', '/v1/verifications', { body })).status).toBe(400)
    expect(performance.now() - started).toBeLessThan(2_000)
  })

  test('bad UTF-8 never becomes a number or a 500', async () => {
    const server = await startServer()
    for (const bad of [
      [0xff],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80],
      [0xe2, 0x82],
    ]) {
      const { status } = await server.api('POST', '/v1/verifications', {
        body: bytesOf(`{"to":"${TO}"}`, bad),
      })
      expect(status).toBe(400)
      const note = await server.api('POST', '/v1/phones/lookup', { body: bytesOf(`{"phone":"${TO}"}`, bad) })
      expect([note.status, note.body['valid']]).toEqual([200, false])
    }
    expect(server.inbox.list()).toEqual([])
  })

  test('lone surrogates and every control character in metadata and nonce come back or are refused', async () => {
    const server = await startServer()
    for (const [n, text] of [
      '\\ud800',
      '\\udc00x',
      '\\u0000',
      '\\u0007\\u001b[31m',
      '\\r\\nX: y',
    ].entries()) {
      const answer = await server.api<{ id: string }>('POST', '/v1/verifications', {
        body: `{"to":"${phoneOf(n)}","nonce":"${text}","metadata":{"a":"${text}"}}`,
      })
      expect([201, 400]).toContain(answer.status)
      if (answer.status === 201)
        expect((await server.api('GET', `/v1/verifications/${answer.body.id}`)).status).toBe(200)
    }
  })

  test('huge numbers are no numbers of ours', async () => {
    const server = await startServer()
    for (const to of ['1e999', '-0', '1'.repeat(400), '14155552671'])
      expect((await server.api('POST', '/v1/verifications', { body: `{"to":${to}}` })).status).toBe(400)
  })
})

describe('the sign-in API', () => {
  const ROUTES = [
    'POST /api/auth/otp/request',
    'POST /api/auth/verify-otp',
    'POST /api/auth/register',
    'POST /api/auth/register/resend',
    'POST /api/auth/register/verify',
    'POST /api/auth/login',
    'POST /api/auth/refresh',
    'POST /api/auth/logout',
    'PATCH /api/auth/me',
    'POST /api/auth/password/change',
    'POST /api/auth/password/reset/request',
    'POST /api/auth/password/reset/verify',
    'POST /api/auth/password/reset',
    'POST /api/auth/phone',
    'POST /api/auth/phone/verify',
    'POST /api/auth/phone/undo/request',
    'POST /api/auth/phone/undo',
    'POST /api/sms/send-verification',
    'POST /api/sms/send-2fa',
  ]
  const MEMBERS = [
    'phone',
    'otp',
    'password',
    'identifier',
    'verification_id',
    'code',
    'refresh_token',
    'reset_token',
    'current_password',
    'phoneNumber',
    'email',
    'name',
    'locale',
    'device_token',
  ]
  const VALUES = [
    '"\\u0000"',
    '"\\ud800"',
    '"__proto__"',
    '"+1415\\u000a5552000"',
    '1e999',
    '[["x"]]',
    '{"$ne":null}',
    '{"__proto__":{"polluted":true}}',
    `"${'x'.repeat(3_000)}"`,
    'true',
  ]

  test.each(ROUTES)('%s: what is not JSON, or no object, is 400, and nothing is sent', async (name) => {
    const server = await startServer({ settings: CALLS })
    const { call } = await personAt(server, name)
    for (const body of ['{', '{"phone":}', '[]', '"x"', '1', 'true', '{}{}', '\u0000', '[{"phone":"x"}]'])
      expect({ body, status: await call(body) }).toEqual({ body, status: 400 })
    for (const body of [
      '['.repeat(32_000) + ']'.repeat(32_000),
      `${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`,
    ])
      expect(await call(body)).toBe(400)
    expect(await call(bytesOf('{"phone":"x"}', [0xff, 0xc0, 0xaf]))).toBeLessThan(500)
    expect(await call(`{"a":"${'x'.repeat(70_000)}"}`)).toBe(413)
    expect(server.inbox.list()).toHaveLength(1)
  })

  test.each(ROUTES)('R87: %s: names that every object has are 400, and touch no prototype', async (name) => {
    const server = await startServer({ settings: CALLS })
    const { call } = await personAt(server, name)
    for (const member of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])
      for (const value of ['{"polluted":true}', '"x"', 'null'])
        expect({ member, status: await call(`{"${member}":${value}}`) }).toEqual({ member, status: 400 })
    expectUnpolluted()
  })

  test.each(ROUTES)(
    'R16: %s: values of every kind are refused, never a 500, and open nothing',
    async (name) => {
      const server = await startServer({ settings: CALLS })
      const { call, id } = await personAt(server, name)
      for (const value of VALUES) {
        for (const member of MEMBERS.filter((member) => member !== 'name'))
          expect([400, 401, 404], `${member} ${value}`).toContain(await call(`{"${member}":${value}}`))
        const all = `{${MEMBERS.map((member) => `"${member}":${value}`).join(',')}}`
        expect(await call(all)).toBe(400)
      }
      expectUnpolluted()
      expect(server.inbox.list()).toHaveLength(1)
      const { body } = await server.api<{ data: object[] }>('GET', '/admin/users')
      expect(body.data).toMatchObject([{ id, name: null, status: 'active' }])
      expect(body.data).toHaveLength(1)
    },
  )

  const CALLS = { SIGN_IN_CALLS_PER_ADDRESS_HOUR: '10000', CALLS_PER_SESSION_MINUTE: '10000' }

  /** Somebody who is signed in, and what a body comes to at a route. */
  async function personAt(server: TestServer, name: string) {
    const [method = '', path = ''] = name.split(' ')
    const { access_token, user } = await signIn(server, TO)
    const isForUser =
      !/^\/api\/auth\/(?:otp|verify-otp|register|login|refresh|logout|password\/reset|phone\/undo)/.test(path)
    const key = isForUser ? access_token : 'none'
    const call = async (body: string | Buffer) =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- bytes go as they are
      (await server.api(method, path, { key, body: body as string })).status
    return { call, id: user.id }
  }
})

describe('ids that are none', () => {
  const IDS = [
    '%00',
    'ver_%00',
    'msg_%00',
    'ver_1%00',
    'VER_1',
    'ver_%F0%9F%98%80',
    'ver_%27',
    'ver_%0A',
    '%20',
    'ver_.',
  ]

  test.each(IDS)('%s is 404 wherever an id goes, and reaches no store', async (id) => {
    const server = await startServer()
    const asked = [
      vi.spyOn(SqliteVerifications.prototype, 'find'),
      vi.spyOn(SqliteVerifications.prototype, 'judge'),
      vi.spyOn(SqliteMessaging.prototype, 'message'),
    ]
    onTestFinished(() => asked.forEach((spy) => spy.mockRestore()))
    for (const [method, path, body] of [
      ['GET', `/v1/verifications/${id}`, undefined],
      ['POST', `/v1/verifications/${id}/check`, { code: '123456' }],
      ['POST', `/v1/verifications/${id}/resend`, {}],
      ['POST', `/v1/verifications/${id}/cancel`, {}],
      ['GET', `/v1/messages/${id}`, undefined],
    ] as const) {
      const answer = await server.api<WireProblem>(method, path, { body })
      expect({ path, status: answer.status, code: answer.body.code }).toEqual({
        path,
        status: 404,
        code: 'not_found',
      })
    }
    for (const spy of asked) expect(spy).not.toHaveBeenCalled()
  })

  test('a check of one costs the address a check too, like one of an id that never was', async () => {
    const server = await startServer({ settings: { CHECKS_PER_ADDRESS_HOUR: '1' } })
    const check = () =>
      server.api('POST', '/v1/verifications/ver_%00/check', { key: 'pk', body: { code: '123456' } })
    expect((await check()).status).toBe(404)
    expect((await check()).status).toBe(429)
  })

  test('U+0000 is refused in every text that is kept, naming it, and in every query', async () => {
    const server = await startServer()
    for (const [member, field] of [
      [{ nonce: 'a\0' }, 'nonce'],
      [{ metadata: { a: '\0' } }, 'metadata'],
      [{ metadata: { 'a\0': 'b' } }, 'metadata'],
      [{ locale: 'en\0' }, 'locale'],
      [{ purpose: 'verify\0' }, 'purpose'],
      [{ channel: 'sms\0' }, 'channel'],
      [{ country: 'U\0' }, 'country'],
      [{ ip: '\0' }, 'ip'],
    ] as const) {
      const { status, body } = await server.api<WireProblem>('POST', '/v1/verifications', {
        body: { to: TO, ...member },
      })
      expect({ status, field: body.field?.split('.')[0] }).toEqual({ status: 400, field })
    }
    for (const body of [
      { to: `${TO}\0`, body: 'x' },
      { to: TO, template: 'password_changed\0' },
    ])
      expect((await server.api('POST', '/v1/messages', { body })).status).toBe(400)
    for (const path of [
      '/v1/verifications?cursor=%00',
      '/v1/verifications?to=%00',
      '/v1/verifications?to=%2B14155552671%00',
      '/v1/verifications?status=%00',
      '/v1/verifications?limit=1%00',
      '/v1/messages?cursor=%00',
      '/v1/phones/%2B14155552671%00/status',
      '/v1/phones/%00/limits',
    ])
      expect((await server.api('GET', path)).status, path).toBe(400)
  })
})

describe('R87: names that every object has', () => {
  const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty']

  test.each(NAMES)('%s as a word is 400', async (name) => {
    const server = await startServer()
    for (const member of ['locale', 'channel', 'country', 'purpose']) {
      const { status, body } = await server.api<WireProblem>('POST', '/v1/verifications', {
        body: `{"to":"${TO}",${JSON.stringify(member)}:${JSON.stringify(name)}}`,
      })
      expect({ status, field: body.field }).toEqual({ status: 400, field: member })
    }
    for (const body of [
      `{"to":"${TO}","template":"${name}"}`,
      `{"to":"${TO}","template":"password_changed","values":{"service":"A","${name}":"x"}}`,
      `{"to":"${TO}","body":"x","channel":"${name}"}`,
    ])
      expect((await server.api('POST', '/v1/messages', { body })).status).toBe(400)
    expect(
      (await server.api('POST', '/v1/phones/lookup', { body: `{"phone":"${name}"}` })).body,
    ).toMatchObject({
      valid: false,
    })
    for (const path of [`/v1/verifications/${name}`, `/v1/messages/${name}`, `/${name}`])
      expect((await server.api('GET', path)).status).toBe(404)
    expect(server.inbox.list()).toEqual([])
    expectUnpolluted()
  })

  test.each(NAMES)(
    '%s as a member, or as a key of metadata, is 400 and touches no prototype',
    async (name) => {
      const server = await startServer()
      for (const body of [
        `{"to":"${TO}","${name}":{"polluted":"yes"}}`,
        `{"to":"${TO}","${name}":"x"}`,
        `{"to":"${TO}","metadata":{"${name}":"x"}}`,
        `{"to":"${TO}","metadata":{"${name}":{"polluted":"yes"}}}`,
        `{"to":"${TO}","metadata":{"a":"b","${name}":{"prototype":{"polluted":"yes"}}}}`,
        `{"${name}":{"to":"${TO}"}}`,
        `{"\\u005f\\u005fproto\\u005f\\u005f":{"to":"${TO}"}}`,
      ]) {
        const { status } = await server.api('POST', '/v1/verifications', { body })
        expect({ body, status }).toEqual({ body, status: 400 })
      }
      const { id, code } = await start(server, TO)
      for (const body of [`{"${name}":{"code":"${code}"}}`, `{"code":"${code}","${name}":1}`])
        expect((await server.api('POST', `/v1/verifications/${id}/check`, { body })).status).toBe(400)
      expect(await checksLeft(server, id)).toBe(5)
      expectUnpolluted()
    },
  )

  test('metadata keys are 1 to 64 plain characters', async () => {
    const server = await startServer()
    for (const key of ['', 'x'.repeat(65), 'a b', 'a\n', '$where', 'é', 'a\u0000'])
      expect(
        (await server.api('POST', '/v1/verifications', { body: { to: TO, metadata: { [key]: 'v' } } }))
          .status,
      ).toBe(400)
    const metadata = { ['x'.repeat(64)]: 'v', 'a.b-c_D9': 'v' }
    expect(await start(server, TO, { metadata })).toMatchObject({ metadata })
  })
})
