import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { FakeClock } from '../fake-clock.ts'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, REDIS, SQLITE } from '../helpers/backends.ts'
import { post, signIn, type WireTokens } from '../helpers/people.ts'
import { endProcesses } from '../helpers/process.ts'
import { makeScriptedProvider } from '../helpers/scripted-provider.ts'
import { phoneOf, startServer } from '../helpers/server.ts'
import { describeWith, freshRedis, toxiproxy } from '../helpers/services.ts'
import { simulate } from '../simulator/simulation.ts'
import { serverOn } from './backends.ts'

// The plan: sign-in by SMS, with two endpoints, Twilio Verify, and a fallback for development. Its testing plan:

const REQUEST = '/api/auth/otp/request'
const VERIFY = '/api/auth/verify-otp'
const TO = phoneOf(0)

afterAll(endProcesses)

describeBackends([SQLITE, REDIS, MONGODB, ...inLongRuns(POSTGRES)], 'plan 3 on', (backend) => {
  test('staging with DEV_MODE: the preview code signs in, a protected endpoint is called, the session goes on and ends', async () => {
    const server = await serverOn(backend)
    const asked = await post(server, REQUEST, { phone: '+1 415-555-2000' })
    expect([asked.status, asked.text]).toEqual([200, '{"status":"ok","preview_code":"123456"}'])
    const wrong = await post(server, VERIFY, { phone: TO, otp: '654321' })
    expect([wrong.status, wrong.body.detail]).toEqual([400, 'Invalid OTP'])
    server.clock.advance(1)

    const { status, body } = await post<WireTokens>(server, VERIFY, { phone: TO, otp: '123456' })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      token_type: 'bearer',
      expires_in: 900,
      user: { email: `${TO}@example.com` },
    })
    const me = await server.api('GET', '/api/auth/me', { key: body.access_token })
    expect([me.status, me.body]).toEqual([200, body.user])

    server.clock.advance(901)
    expect((await server.api('GET', '/api/auth/me', { key: body.access_token })).status).toBe(401)
    const { refresh_token } = body
    const next = await post<WireTokens>(server, '/api/auth/refresh', { refresh_token })
    expect(next.status).toBe(200)
    server.clock.advance(11)
    expect((await post(server, '/api/auth/refresh', { refresh_token })).status).toBe(401)
    expect((await server.api('GET', '/api/auth/me', { key: next.body.access_token })).status).toBe(401)

    // The account is found again by its number.
    expect((await signIn(server, TO)).user.id).toBe(body.user.id)
  })

  test('production: a real message with a code of its own; a wrong code fails, the right one logs in, once', async () => {
    const provider = makeScriptedProvider()
    const server = await serverOn(backend, {
      settings: { DEV_MODE: 'false' },
      overrides: { providers: [provider] },
    })
    expect((await post(server, REQUEST, { phone: TO })).text).toBe('{"status":"ok"}')
    const otp = /\d{6}/.exec(provider.messages[0]?.body ?? '')?.[0] ?? ''
    const wrong = await post(server, VERIFY, { phone: TO, otp: otp === '123456' ? '123457' : '123456' })
    expect([wrong.status, wrong.body.detail]).toEqual([400, 'Invalid OTP'])
    const racers = await Promise.all(
      Array.from({ length: 5 }, () => post(server, VERIFY, { phone: TO, otp })),
    )
    expect(racers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400])

    // Logs show masked numbers only; no secrets and no codes.
    const log = server.logs.join('')
    for (const secret of [otp, TO, TO.slice(1), 'rt_']) expect(log).not.toContain(secret)
    expect(log).toContain('+******2000')
  })

  test('each error has the words of the plan', async () => {
    const provider = makeScriptedProvider('vendor', { ownsCode: true })
    const server = await serverOn(backend, {
      settings: { DEV_MODE: 'false' },
      overrides: { providers: [provider] },
    })
    const told = async (path: string, body: object) => {
      const answer = await post(server, path, body)
      return [answer.status, answer.body.detail]
    }
    expect(await told(REQUEST, {})).toEqual([400, 'phone required'])
    expect(await told(REQUEST, { phone: 'nonsense' })).toEqual([400, 'Invalid phone number'])
    expect(await told(VERIFY, { phone: TO })).toEqual([400, 'phone and otp required'])
    expect(await told(VERIFY, { phone: 'nonsense', otp: '123456' })).toEqual([400, 'Invalid phone number'])
    expect(await told(VERIFY, { phone: TO, otp: '123456' })).toEqual([400, 'Invalid OTP'])
    provider.answer('unavailable')
    expect(await told(REQUEST, { phone: TO })).toEqual([500, 'Failed to send verification code'])
    provider.answer('ok')
    expect((await post(server, REQUEST, { phone: TO })).status).toBe(200)
    provider.rule('unavailable')
    expect(await told(VERIFY, { phone: TO, otp: '246810' })).toEqual([500, 'Failed to verify code'])
    provider.rule('right')
    expect((await post(server, VERIFY, { phone: TO, otp: '246810' })).status).toBe(200)
  })

  test('over the limits: 429 with when to come back, for both endpoints', async () => {
    const server = await serverOn(backend)
    await post(server, REQUEST, { phone: TO })
    const soon = await post(server, REQUEST, { phone: TO })
    expect(soon.status).toBe(429)
    expect(soon.headers).toMatchObject({ 'retry-after': '30', ratelimit: '"resend_cooldown";r=0;t=30' })
    for (let n = 0; n < 30; n++) await post(server, VERIFY, { phone: TO, otp: '000000' })
    const many = await post(server, VERIFY, { phone: TO, otp: '000000' })
    expect(many.status).toBe(429)
    expect(many.headers['ratelimit-policy']).toBe('"checks_per_address";q=30;w=3600')
    expect(Number(many.headers['retry-after'])).toBeGreaterThan(3_500)
  })
})

describe('plan 3', () => {
  test('production with Twilio Verify: Twilio’s code reaches the phone and logs in', async () => {
    const clock = new FakeClock()
    const { simulator } = await simulate({ clock })
    const server = await startServer({
      overrides: { clock },
      settings: {
        DEV_MODE: 'false',
        SMS_PROVIDER: 'twilio',
        TWILIO_ACCOUNT_SID: simulator.account.sid,
        TWILIO_AUTH_TOKEN: simulator.account.authToken,
        TWILIO_VERIFY_SERVICE_SID: `VA${'3c'.repeat(16)}`,
        TWILIO_BASE_URL: simulator.url,
      },
    })
    expect((await post(server, REQUEST, { phone: TO })).text).toBe('{"status":"ok"}')
    const otp = simulator.phones.code(TO) ?? ''
    expect(otp).toMatch(/^\d{6}$/)
    const wrong = await post(server, VERIFY, { phone: TO, otp: otp === '000000' ? '000001' : '000000' })
    expect([wrong.status, wrong.body.detail]).toEqual([400, 'Invalid OTP'])
    const { status, body } = await post<WireTokens>(server, VERIFY, { phone: TO, otp })
    expect({ status, phone: body.user.phone }).toEqual({ status: 200, phone: TO })
    expect((await post(server, VERIFY, { phone: TO, otp })).body.detail).toBe('Invalid OTP')
    expect(server.logs.join('')).not.toContain(otp)
  })

  test('the fallback of development cannot be switched on in production', async () => {
    await expect(startServer({ settings: { NODE_ENV: 'production' } })).rejects.toThrow(/DEV_MODE/)
  })

  test('other servers check the access token by themselves', async () => {
    const server = await startServer({
      settings: { PUBLIC_URL: 'https://id.example.com', ACCESS_TOKEN_AUDIENCE: 'shop' },
    })
    const { access_token, user } = await signIn(server, TO)
    const { body } = await server.api<JSONWebKeySet>('GET', '/.well-known/jwks.json', { key: 'none' })
    const { payload } = await jwtVerify(access_token, createLocalJWKSet(body), {
      currentDate: new Date(server.clock.now()),
      issuer: 'https://id.example.com',
      audience: 'shop',
      typ: 'at+jwt',
    })
    expect(payload.sub).toBe(user.id)
  })

  test('CORS is for the origins of CORS_ORIGINS', async () => {
    const server = await startServer({ settings: { CORS_ORIGINS: 'https://app.example.com' } })
    for (const [n, origin, allowed] of [
      [1, 'https://app.example.com', 'https://app.example.com'],
      [2, 'https://evil.example', undefined],
    ] as const) {
      const { headers } = await post(server, REQUEST, { phone: phoneOf(n) }, { headers: { origin } })
      expect(headers['access-control-allow-origin']).toBe(allowed)
    }
  })
})

describeWith(['redis', 'toxiproxy'], 'plan 3, while Redis is out', () => {
  test('the limiter fails closed: 503, nothing is sent and nobody signs in; afterwards all is as it was', async () => {
    const redis = await freshRedis()
    const proxy = await toxiproxy(redis.url)
    try {
      const server = await startServer({ settings: { REDIS_URL: proxy.url } })
      await post(server, REQUEST, { phone: TO })
      await proxy.cut()
      for (const [path, body] of [
        [REQUEST, { phone: phoneOf(1) }],
        [VERIFY, { phone: TO, otp: '123456' }],
      ] as const) {
        const refused = await post(server, path, body)
        expect(refused.body).toMatchObject({ status: 503, code: 'store_unavailable' })
        expect(refused.headers['retry-after']).toMatch(/^\d+$/)
      }
      expect(server.inbox.list()).toHaveLength(1)
      await proxy.restore()
      await expect
        .poll(async () => (await post(server, VERIFY, { phone: TO, otp: '123456' })).status, {
          timeout: 5_000,
        })
        .toBe(200)
    } finally {
      await proxy.remove()
      await redis.drop()
    }
  })
})
