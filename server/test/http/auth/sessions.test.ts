import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import {
  expectRefused,
  login,
  post,
  QUICK,
  register,
  signIn,
  statusOf,
  type WireSession,
  type WireTokens,
} from '../../helpers/people.ts'
import { PK, phoneOf, SK, startServer, type TestServer } from '../../helpers/server.ts'
import type { WireProblem } from '../../helpers/wire.ts'

const TO = phoneOf(0)
const NOT_SIGNED_IN = { status: 401, code: 'unauthorized', detail: 'You are not signed in' }
/** Every call for somebody who is signed in. */
const OF_USERS = [
  ['GET', '/api/auth/me'],
  ['PATCH', '/api/auth/me'],
  ['GET', '/api/auth/sessions'],
  ['DELETE', '/api/auth/sessions/ses_1'],
  ['POST', '/api/auth/logout-all'],
  ['POST', '/api/auth/password/change'],
  ['POST', '/api/auth/phone'],
  ['POST', '/api/auth/phone/verify'],
  ['POST', '/api/sms/send-verification'],
  ['POST', '/api/sms/send-2fa'],
] as const

function refresh<T = WireTokens>(server: TestServer, refresh_token: string, agent = '') {
  return post<T>(server, '/api/auth/refresh', { refresh_token }, { headers: { 'user-agent': agent } })
}

async function sessionsOf(server: TestServer, { access_token: key }: WireTokens): Promise<WireSession[]> {
  return (await server.api<{ data: WireSession[] }>('GET', '/api/auth/sessions', { key })).body.data
}

describe('the access token', () => {
  test('is checked with the published keys alone, and says who signed in, how and when', async () => {
    const server = await startServer({
      settings: { PUBLIC_URL: 'https://id.example.com', ACCESS_TOKEN_AUDIENCE: 'shop' },
    })
    const { access_token, user } = await signIn(server, TO)
    const { body: keys } = await server.api<JSONWebKeySet>('GET', '/.well-known/jwks.json', { key: 'none' })
    const { payload, protectedHeader } = await jwtVerify(access_token, createLocalJWKSet(keys), {
      currentDate: new Date(server.clock.now()),
      typ: 'at+jwt',
      issuer: 'https://id.example.com',
      audience: 'shop',
      algorithms: ['EdDSA', 'ES256'],
    })
    const iat = Math.floor(server.clock.now() / 1000)
    expect(payload).toEqual({
      iss: 'https://id.example.com',
      aud: 'shop',
      client_id: 'shop',
      sub: user.id,
      sid: expect.stringMatching(/^ses_/),
      iat,
      exp: iat + 900,
      jti: expect.stringMatching(/^\S{20,}$/),
      amr: ['sms'],
      auth_time: iat,
    })
    expect(protectedHeader).toMatchObject({ typ: 'at+jwt', kid: expect.any(String) })
  })

  test('is good for ACCESS_TOKEN_EXPIRE_MINUTES, as expires_in says, and not a second longer', async () => {
    const server = await startServer({ settings: { ACCESS_TOKEN_EXPIRE_MINUTES: '2' } })
    const tokens = await signIn(server, TO)
    expect(tokens.expires_in).toBe(120)
    server.clock.advance(119)
    expect(await statusOf(server, tokens)).toBe(200)
    server.clock.advance(1)
    expect(await statusOf(server, tokens)).toBe(401)
  })

  test('does not outlive its session, and expires_in says so', async () => {
    const server = await startServer({ settings: { SESSION_DAYS: '1', ACCESS_TOKEN_EXPIRE_MINUTES: '60' } })
    const first = await signIn(server, TO)
    server.clock.advance(86_400 - 600)
    const { body } = await refresh(server, first.refresh_token)
    const { iat = 0, exp = 0 } = decodeJwt(body.access_token)
    expect(exp - iat).toBe(body.expires_in)
    expect(body.expires_in).toBeLessThanOrEqual(600)
    server.clock.advance(600)
    expect(await statusOf(server, body)).toBe(401)
    expect((await refresh(server, body.refresh_token)).status).toBe(401)
  })

  test.each(OF_USERS)(
    'R63: %s %s wants one: no token, a key, a refresh token and a spoilt one are 401',
    async (method, path) => {
      const server = await startServer()
      const { access_token, refresh_token } = await signIn(server, TO)
      for (const key of [
        'none',
        SK,
        PK,
        refresh_token,
        `${access_token.slice(0, -3)}xxx`,
        access_token.split('.').slice(0, 2).join('.'),
        `${access_token}.`,
        'null',
        `${access_token}, ${access_token}`,
      ]) {
        const { status, body } = await server.api<WireProblem>(method, path, { key })
        expect({ status, code: body.code }).toEqual({ status: 401, code: 'unauthorized' })
      }
    },
  )

  test('R63: a proof of the Verify API is no access token', async () => {
    const server = await startServer()
    const { body } = await server.api<{ id: string; preview_code: string }>('POST', '/v1/verifications', {
      body: { to: TO },
    })
    const { body: checked } = await server.api<{ proof: string }>(
      'POST',
      `/v1/verifications/${body.id}/check`,
      {
        body: { code: body.preview_code },
      },
    )
    expect((await server.api('GET', '/api/auth/me', { key: checked.proof })).status).toBe(401)
  })

  test('is no API key: neither the Verify API nor the administration takes it', async () => {
    const server = await startServer()
    const { access_token: key } = await signIn(server, TO)
    for (const path of ['/v1/verifications', '/admin/users', '/admin/events'])
      expect((await server.api('GET', path, { key })).status).toBe(401)
  })

  test('CALLS_PER_SESSION_MINUTE: a session is limited, another is not', async () => {
    const server = await startServer({ settings: { CALLS_PER_SESSION_MINUTE: '3' } })
    const tokens = await signIn(server, TO)
    const other = await signIn(server, phoneOf(1))
    for (let n = 0; n < 3; n++) expect(await statusOf(server, tokens)).toBe(200)
    const { status, body } = await server.api<WireProblem>('GET', '/api/auth/me', {
      key: tokens.access_token,
    })
    expect({ status, limit: body.limit }).toEqual({ status: 429, limit: 'calls_per_session' })
    expect(await statusOf(server, other)).toBe(200)
  })
})

describe('POST /api/auth/refresh', () => {
  test('answers a new pair and the user; the old refresh token is used up', async () => {
    const server = await startServer()
    const first = await signIn(server, TO)
    server.clock.advance(60)
    const { status, body } = await refresh(server, first.refresh_token)
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'bearer',
      refresh_token: expect.stringMatching(/^rt_/),
      expires_in: 900,
      user: first.user,
    })
    expect(body.refresh_token).not.toBe(first.refresh_token)
    expect(body.access_token).not.toBe(first.access_token)
    expect(decodeJwt(body.access_token)).toMatchObject({
      sid: decodeJwt(first.access_token)['sid'],
      auth_time: decodeJwt(first.access_token)['auth_time'],
    })
    expect(await statusOf(server, body)).toBe(200)
  })

  test('R65: a used one again is 401, and the whole session ends, its access tokens with it', async () => {
    const server = await startServer()
    const first = await signIn(server, TO)
    const other = await signIn(server, TO)
    server.clock.advance(60)
    const second = await refresh(server, first.refresh_token)
    server.clock.advance(60)
    expectRefused(await refresh(server, first.refresh_token), NOT_SIGNED_IN)
    expectRefused(await refresh(server, second.body.refresh_token), NOT_SIGNED_IN)
    expect(await statusOf(server, second.body)).toBe(401)
    expect(await statusOf(server, other)).toBe(200)
    const { body } = await server.api<{ data: object[] }>('GET', '/admin/events?type=session.reused')
    expect(body.data).toMatchObject([{ user_id: first.user.id, data: { generation: '0' } }])
  })

  test('R68: within ten seconds the same client gets the same token again, since its answer may have been lost', async () => {
    const server = await startServer()
    const first = await signIn(server, TO, { headers: { 'user-agent': 'app/1' } })
    const one = await refresh(server, first.refresh_token, 'app/1')
    server.clock.advance(9)
    const two = await refresh(server, first.refresh_token, 'app/1')
    expect(two.status).toBe(200)
    expect(two.body.refresh_token).toBe(one.body.refresh_token)
    server.clock.advance(1)
    expect((await refresh(server, one.body.refresh_token, 'app/1')).status).toBe(200)
  })

  test('R68: within ten seconds another client ends the session', async () => {
    const server = await startServer()
    const first = await signIn(server, TO, { headers: { 'user-agent': 'app/1' } })
    const one = await refresh(server, first.refresh_token, 'app/1')
    expect((await refresh(server, first.refresh_token, 'thief/1')).status).toBe(401)
    expect((await refresh(server, one.body.refresh_token, 'app/1')).status).toBe(401)
  })

  test('R69: SESSION_IDLE_DAYS and SESSION_DAYS end a session', async () => {
    const server = await startServer({ settings: { SESSION_DAYS: '5', SESSION_IDLE_DAYS: '2' } })
    const idle = await signIn(server, TO)
    let used = await signIn(server, TO)
    for (let day = 0; day < 4; day++) {
      server.clock.advance(86_400)
      const { status, body } = await refresh(server, used.refresh_token)
      expect(status).toBe(200)
      used = body
    }
    expect((await refresh(server, idle.refresh_token)).status).toBe(401)
    server.clock.advance(86_401)
    expect((await refresh(server, used.refresh_token)).status).toBe(401)
  })

  test('what is no refresh token is 401; no token at all, too', async () => {
    const server = await startServer()
    const { access_token, refresh_token } = await signIn(server, TO)
    const [, id = '', , mac = ''] = refresh_token.split('_')
    for (const token of [
      access_token,
      'x',
      refresh_token.slice(0, -1),
      `${refresh_token}x`,
      `rt_${id}_1_${mac}`,
      `rt_${id}_00_${mac}`,
      refresh_token.toUpperCase(),
    ].map((text) => text.slice(0, 200)))
      expectRefused(await refresh(server, token), NOT_SIGNED_IN)
    for (const body of [undefined, 'null', '{}'])
      expectRefused(await post(server, '/api/auth/refresh', body), {
        status: 401,
        code: 'unauthorized',
        detail: 'A refresh token is needed',
      })
    // None of that ended the session.
    expect((await refresh(server, refresh_token)).status).toBe(200)
  })

  test('a member of another type, or one that is unknown, is 400 and named', async () => {
    const server = await startServer()
    for (const [body, field] of [
      [{ refresh_token: 1 }, 'refresh_token'],
      [{ refresh_token: ['rt_1'] }, 'refresh_token'],
      [{ refresh_token: '' }, 'refresh_token'],
      [{ refresh_token: 'x'.repeat(10_000) }, 'refresh_token'],
      [{ refresh_token: 'rt_1', user_id: 'usr_1' }, 'user_id'],
    ] as const) {
      const answer = await post(server, '/api/auth/refresh', body)
      expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field })
    }
  })

  test('tokens that were never ours are limited by address, ours by session', async () => {
    const server = await startServer({
      settings: { SIGN_IN_CALLS_PER_ADDRESS_HOUR: '5', CALLS_PER_SESSION_MINUTE: '3' },
    })
    let { refresh_token } = await signIn(server, TO)
    for (let n = 0; n < 3; n++) ({ refresh_token } = (await refresh(server, refresh_token)).body)
    expect((await refresh<WireProblem>(server, refresh_token)).body.limit).toBe('calls_per_session')
    for (let n = 0; n < 3; n++) expect((await refresh(server, 'rt_x')).status).toBe(401)
    expect((await refresh<WireProblem>(server, 'rt_x')).body.limit).toBe('sign_in_calls_per_address')
  })

  test('503 when the store is down', async () => {
    const server = await startServer()
    const { refresh_token } = await signIn(server, TO)
    await server.countersign.close()
    expect((await refresh(server, refresh_token)).body).toMatchObject({
      status: 503,
      code: 'store_unavailable',
    })
  })
})

describe('POST /api/auth/logout', () => {
  test('R71: by the access token: 204, and both tokens are dead at once', async () => {
    const server = await startServer()
    const tokens = await signIn(server, TO)
    const other = await signIn(server, TO)
    const { status, text } = await server.api('POST', '/api/auth/logout', { key: tokens.access_token })
    expect([status, text]).toEqual([204, ''])
    expect(await statusOf(server, tokens)).toBe(401)
    expect((await refresh(server, tokens.refresh_token)).status).toBe(401)
    expect(await statusOf(server, other)).toBe(200)
  })

  test('R71: by the refresh token, of whatever age: 204', async () => {
    const server = await startServer()
    const tokens = await signIn(server, TO)
    server.clock.advance(7_200)
    const { refresh_token } = tokens
    expect((await post(server, '/api/auth/logout', { refresh_token })).status).toBe(204)
    expect((await refresh(server, refresh_token)).status).toBe(401)
    expectRefused(await post(server, '/api/auth/logout', { refresh_token }), NOT_SIGNED_IN)
  })

  test('by nothing, or by what is no token: 401', async () => {
    const server = await startServer()
    for (const body of [undefined, {}, { refresh_token: 'rt_x' }])
      expectRefused(await post(server, '/api/auth/logout', body), NOT_SIGNED_IN)
    expect((await server.api('POST', '/api/auth/logout', { key: SK })).status).toBe(401)
    expect((await post(server, '/api/auth/logout', { session_id: 'ses_1' })).body).toMatchObject({
      status: 400,
      field: 'session_id',
    })
  })

  test('tokens that were never ours are limited by address', async () => {
    const server = await startServer({ settings: { SIGN_IN_CALLS_PER_ADDRESS_HOUR: '3' } })
    const call = () => post(server, '/api/auth/logout', { refresh_token: 'rt_x' })
    for (let n = 0; n < 3; n++) expect((await call()).status).toBe(401)
    expect((await call()).body).toMatchObject({ status: 429, limit: 'sign_in_calls_per_address' })
  })
})

describe('POST /api/auth/logout-all', () => {
  test('R71: 204, and every session of the user is dead at once; those of others are not', async () => {
    const server = await startServer()
    const mine = [await signIn(server, TO), await signIn(server, TO), await signIn(server, TO)]
    const theirs = await signIn(server, phoneOf(1))
    const [{ access_token: key } = { access_token: '' }] = mine
    const { status, text } = await server.api('POST', '/api/auth/logout-all', { key })
    expect([status, text]).toEqual([204, ''])
    for (const tokens of mine) {
      expect(await statusOf(server, tokens)).toBe(401)
      expect((await refresh(server, tokens.refresh_token)).status).toBe(401)
    }
    expect(await statusOf(server, theirs)).toBe(200)
  })
})

describe('GET /api/auth/sessions', () => {
  test('lists the live sessions of the user, the newest first, with every member', async () => {
    const server = await startServer({ settings: QUICK })
    const first = await register(server, { phone: TO }, { headers: { 'user-agent': 'Firefox/1\u00e9' } })
    await signIn(server, phoneOf(1))
    server.clock.advance(3_600)
    const second = await login(server, TO, undefined, {
      headers: { 'user-agent': 'app/2' },
      remoteAddress: '198.51.100.9',
    })
    const data = await sessionsOf(server, second.body)
    const at = (ms: number) => new Date(ms).toISOString()
    const now = server.clock.now()
    expect(data).toMatchObject([
      { current: true, amr: ['pwd'], address: '198.51.100.9', agent: 'app/2' },
      { current: false, amr: ['sms'], address: '192.0.2.1', agent: 'Firefox/1' },
    ])
    expect(data[0]).toEqual({
      id: decodeJwt(second.body.access_token)['sid'],
      current: true,
      amr: ['pwd'],
      address: '198.51.100.9',
      agent: 'app/2',
      created_at: at(now),
      last_used_at: at(now),
      signed_in_at: at(now),
      expires_at: at(now + 30 * 86_400_000),
    })
    expect(data[1]?.id).toBe(decodeJwt(first.access_token)['sid'])
  })

  test('R72: every sign-in is a session of its own; a refresh is the same one', async () => {
    const server = await startServer()
    const first = await signIn(server, TO)
    const second = await signIn(server, TO)
    server.clock.advance(60)
    const { body } = await refresh(server, second.refresh_token)
    const sids = [first, second, body].map(({ access_token }) => decodeJwt(access_token)['sid'])
    expect(sids[1]).not.toBe(sids[0])
    expect(sids[2]).toBe(sids[1])
    expect(await sessionsOf(server, body)).toHaveLength(2)
  })
})

describe('DELETE /api/auth/sessions/{id}', () => {
  test('ends one session of the user: 204; a second time, 404', async () => {
    const server = await startServer()
    const first = await signIn(server, TO)
    const { access_token: key } = await signIn(server, TO)
    const path = `/api/auth/sessions/${String(decodeJwt(first.access_token)['sid'])}`
    const { status, text } = await server.api('DELETE', path, { key })
    expect([status, text]).toEqual([204, ''])
    expect(await statusOf(server, first)).toBe(401)
    expect((await server.api('GET', '/api/auth/me', { key })).status).toBe(200)
    expectRefused(await server.api('DELETE', path, { key }), {
      status: 404,
      code: 'not_found',
      detail: 'There is no such session',
    })
  })

  test('another user’s session is 404 like one that never was, and lives on', async () => {
    const server = await startServer()
    const theirs = await signIn(server, phoneOf(1))
    const { access_token: key } = await signIn(server, TO)
    const sid = String(decodeJwt(theirs.access_token)['sid'])
    for (const id of [sid, sid.replace(/.$/, 'x'), 'ses_none', 'x', '%00', '__proto__', '%27%20OR%201=1'])
      expectRefused(await server.api('DELETE', `/api/auth/sessions/${id}`, { key }), {
        status: 404,
        code: 'not_found',
        detail: 'There is no such session',
      })
    expect(await statusOf(server, theirs)).toBe(200)
  })
})
