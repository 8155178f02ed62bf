import { describe, expect, test } from 'vitest'
import { type Json, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { check, start, type WireProblem, wrong } from '../../helpers/wire.ts'

const TO = phoneOf(0)

type Limits = {
  limited: boolean
  limits: { name: string; limit: number; remaining: number; window_seconds: number; resets_at: string }[]
}

async function statusOf(server: TestServer) {
  return (await server.api('GET', `/v1/phones/${TO}/status`)).body
}

async function limitsOf(server: TestServer): Promise<Limits> {
  return (await server.api<Limits>('GET', `/v1/phones/${TO}/limits`)).body
}

function lookup<T = Json>(server: TestServer, body: object, key: 'sk' | 'pk' = 'sk') {
  return server.api<T>('POST', '/v1/phones/lookup', { key, body })
}

describe('GET /v1/phones/{e164}/status', () => {
  const nothing = {
    verified: false,
    verified_at: null,
    code_sent: false,
    expired: false,
    created_at: null,
    expires_at: null,
  }

  test('says nothing of a number that never had a verification', async () => {
    const server = await startServer()
    expect(await statusOf(server)).toEqual(nothing)
  })

  test('follows a verification from sent to verified', async () => {
    const server = await startServer()
    const { id, code, created_at, expires_at } = await start(server, TO)
    expect(await statusOf(server)).toEqual({ ...nothing, code_sent: true, created_at, expires_at })
    server.clock.advance(2)
    await check(server, id, code)
    expect(await statusOf(server)).toEqual({
      ...nothing,
      verified: true,
      verified_at: new Date(server.clock.now()).toISOString(),
      created_at,
      expires_at,
    })
  })

  test('says expired when the newest one ran out, and verified while an older one was approved', async () => {
    const server = await startServer()
    const first = await start(server, TO)
    await check(server, first.id, first.code)
    server.clock.advance(30)
    const second = await start(server, TO)
    server.clock.advance(600)
    expect(await statusOf(server)).toEqual({
      verified: true,
      verified_at: first.created_at,
      code_sent: false,
      expired: true,
      created_at: second.created_at,
      expires_at: second.expires_at,
    })
  })

  test('takes an encoded plus sign; anything but E.164 is 400', async () => {
    const server = await startServer()
    expect((await server.api('GET', `/v1/phones/${encodeURIComponent(TO)}/status`)).status).toBe(200)
    for (const bad of ['4155552671', 'abc', '+', '+123', `${TO}x`, '%00', '__proto__']) {
      for (const what of ['status', 'limits']) {
        const answer = await server.api<WireProblem>('GET', `/v1/phones/${bad}/${what}`)
        expect({ bad, status: answer.status, field: answer.body.field }).toEqual({
          bad,
          status: 400,
          field: 'e164',
        })
      }
    }
  })

  test('403 for a publishable key: who is verified is nobody’s business', async () => {
    const server = await startServer()
    for (const what of ['status', 'limits'])
      expect((await server.api('GET', `/v1/phones/${TO}/${what}`, { key: 'pk' })).status).toBe(403)
  })
})

describe('GET /v1/phones/{e164}/limits', () => {
  test('tells every limit of the number, counts nothing, and resets when it says', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    await check(server, id, wrong(code))
    const at = (seconds: number) => new Date(server.clock.now() + seconds * 1000).toISOString()
    const expected = {
      limited: false,
      limits: [
        { name: 'sends_per_phone', limit: 5, remaining: 4, window_seconds: 3600, resets_at: at(3600) },
        {
          name: 'sends_per_phone_day',
          limit: 10,
          remaining: 9,
          window_seconds: 86_400,
          resets_at: at(86_400),
        },
        {
          name: 'wrong_checks_per_phone_day',
          limit: 20,
          remaining: 19,
          window_seconds: 86_400,
          resets_at: at(86_400),
        },
      ],
    }
    expect(await limitsOf(server)).toEqual(expected)
    expect(await limitsOf(server)).toEqual(expected)
    server.clock.advance(3600)
    const later = await limitsOf(server)
    expect(later.limits.map(({ remaining }) => remaining)).toEqual([5, 9, 19])
  })

  test('R19: five messages an hour and ten a day; then limited, and the start says which and until when', async () => {
    const server = await startServer()
    let sent = 0
    for (let hour = 0; hour < 3; hour++) {
      for (let n = 0; n < 6; n++) {
        const answer = await server.api<WireProblem & { id: string }>('POST', '/v1/verifications', {
          body: { to: TO },
        })
        if (answer.status === 201) {
          sent++
          await server.api('POST', `/v1/verifications/${answer.body.id}/cancel`)
        } else {
          expect(answer.status).toBe(429)
          expect(answer.body.limit).toBe(hour === 0 ? 'sends_per_phone' : 'sends_per_phone_day')
          expect((await limitsOf(server)).limited).toBe(true)
        }
        server.clock.advance(30)
      }
      expect(sent).toBe(Math.min(10, (hour + 1) * 5))
      server.clock.advance(3600)
    }
    expect(server.inbox.list({ to: TO })).toHaveLength(10)
  })

  test('R19: of 200 concurrent starts over many addresses and keys, one message goes out', async () => {
    const server = await startServer()
    const all = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        server.api('POST', '/v1/verifications', {
          key: n % 2 === 0 ? 'sk' : 'pk',
          body: { to: TO },
          remoteAddress: `198.51.100.${n}`,
        }),
      ),
    )
    expect(all.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(all.filter(({ status }) => status === 429)).toHaveLength(199)
    expect(server.inbox.list({ to: TO })).toHaveLength(1)
    expect((await limitsOf(server)).limits[0]).toMatchObject({ remaining: 4 })
  })
})

describe('right after an approval', () => {
  test('R19: the wait is over, and 200 concurrent starts still send one message', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    server.clock.advance(1)
    await check(server, id, code)
    server.clock.advance(1)
    const all = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        server.api('POST', '/v1/verifications', {
          body: { to: TO, purpose: ['verify', 'login', 'signup', 'reset', 'phone_change'][n % 5] },
        }),
      ),
    )
    expect(all.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(server.inbox.list({ to: TO })).toHaveLength(2)
  })
})

describe('POST /v1/phones/lookup', () => {
  test('reads a number offline', async () => {
    const server = await startServer()
    for (const [body, expected] of [
      [
        { phone: '+14155552671' },
        { e164: '+14155552671', country: 'US', type: 'fixed_line_or_mobile', national: '(415) 555-2671' },
      ],
      [
        { phone: '07400 123456', country: 'GB' },
        { e164: '+447400123456', country: 'GB', type: 'mobile', national: '07400 123456' },
      ],
      [
        { phone: '+493012345678' },
        { e164: '+493012345678', country: 'DE', type: 'fixed_line', national: '030 12345678' },
      ],
      [{ phone: '+18005551234' }, { country: 'US', type: 'toll_free' }],
      [{ phone: '+19005551234' }, { country: 'US', type: 'premium_rate' }],
    ] as const) {
      const answer = await lookup(server, body)
      expect(answer.status).toBe(200)
      expect(answer.body).toMatchObject({ valid: true, ...expected })
    }
    expect(server.inbox.list()).toEqual([])
  })

  test('an invalid number is an answer', async () => {
    const server = await startServer()
    for (const phone of ['12345', 'hello', '+1', '4155552671', '\u0000', '+1 '.repeat(20)]) {
      const { status, body } = await lookup(server, { phone })
      expect(status).toBe(200)
      expect(body).toEqual({ valid: false, e164: null, country: null, type: null, national: null })
    }
  })

  test('400 names the member that is wrong', async () => {
    const server = await startServer()
    for (const [body, field] of [
      [{}, 'phone'],
      [{ phone: 1 }, 'phone'],
      [{ phone: '' }, 'phone'],
      [{ phone: TO, country: 'us' }, 'country'],
      [{ phone: TO, to: TO }, 'to'],
    ] as const) {
      const answer = await lookup<WireProblem>(server, body)
      expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field })
    }
  })

  test('A18: open to publishable keys, and counted with their reads', async () => {
    const server = await startServer({ settings: { PUBLISHABLE_READS_PER_ADDRESS_HOUR: '3' } })
    for (let n = 0; n < 3; n++) expect((await lookup(server, { phone: TO }, 'pk')).status).toBe(200)
    expect((await lookup(server, { phone: TO }, 'pk')).status).toBe(429)
    expect((await lookup(server, { phone: TO })).status).toBe(200)
  })
})
