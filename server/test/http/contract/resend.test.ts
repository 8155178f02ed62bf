import { describe, expect, test } from 'vitest'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { type Call, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import {
  check,
  outcomeOf,
  read,
  start,
  type WireProblem,
  type WireVerification,
  wrong,
} from '../../helpers/wire.ts'

const TO = phoneOf(0)

function resend<T = WireVerification>(server: TestServer, id: string, call: Call = {}) {
  return server.api<T>('POST', `/v1/verifications/${id}/resend`, call)
}

describe('POST /v1/verifications/{id}/resend', () => {
  test('sends the same code of the same verification again, and keeps its guesses and its end', async () => {
    const server = await startServer()
    const started = await start(server, TO)
    await check(server, started.id, wrong(started.code))
    server.clock.advance(30)
    const { status, body } = await resend(server, started.id)
    expect(status).toBe(200)
    const { preview_code: _preview, code: _code, sends: _sends, ...kept } = started
    expect(body).toEqual({
      ...kept,
      checks_left: 4,
      sends_left: 3,
      resend_at: new Date(server.clock.now() + 60_000).toISOString(),
      sends: [
        expect.objectContaining({ status: 'accepted' }),
        expect.objectContaining({ status: 'accepted' }),
      ],
    })
    expect(server.inbox.list({ to: TO }).map(({ body }) => body.includes(started.code))).toEqual([true, true])
    expect(await outcomeOf(server, started.id, started.code)).toBe('approved')
  })

  test('takes no body, an empty one, null, and a body of nothing under the JSON content type', async () => {
    const server = await startServer()
    const calls: Call[] = [
      {},
      { body: {} },
      { body: 'null' },
      { headers: { 'content-type': 'application/json' } },
      { headers: { 'content-type': 'application/json', 'content-length': '0' } },
    ]
    for (const [n, call] of calls.entries()) {
      const { id } = await start(server, phoneOf(n))
      server.clock.advance(30)
      expect((await resend(server, id, call)).status).toBe(200)
    }
  })

  test('changes the channel when asked to', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    server.clock.advance(30)
    const { body } = await resend(server, id, { body: { channel: 'call' } })
    expect(body).toMatchObject({ channel: 'call', sends: [{ channel: 'sms' }, { channel: 'call' }] })
    expect(server.inbox.list({ to: TO })[0]).toMatchObject({ channel: 'call' })
  })

  test('R20: waits 30, 60, 120 and 240 s; one second less is refused; the sends end at five', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    for (const [at, wait] of [30, 60, 120, 240].entries()) {
      const refused = await resend<WireProblem>(server, id)
      expect(refused.status).toBe(429)
      expect(refused.body).toMatchObject({ limit: 'resend_cooldown', retry_after: wait })
      expect(refused.headers).toMatchObject({
        'ratelimit-policy': `"resend_cooldown";q=1;w=${wait}`,
        ratelimit: `"resend_cooldown";r=0;t=${wait}`,
      })
      server.clock.advance(wait - 1)
      expect((await resend(server, id)).status).toBe(429)
      server.clock.advance(1)
      expect((await resend(server, id)).body).toMatchObject({ id, sends_left: 3 - at })
    }
    server.clock.advance(149)
    const spent = await resend<WireProblem>(server, id)
    expect(spent.status).toBe(429)
    expect(spent.body).toMatchObject({ limit: 'sends_per_verification', retry_after: 1 })
    expect(server.inbox.list({ to: TO })).toHaveLength(5)
  })

  test('R20: a start of a pending one waits as its resend does, and ends with it', async () => {
    const server = await startServer()
    const again = () => server.api<WireProblem>('POST', '/v1/verifications', { body: { to: TO } })
    await start(server, TO)
    for (const wait of [30, 60, 120, 240]) {
      expect((await again()).body).toMatchObject({ limit: 'resend_cooldown', retry_after: wait })
      server.clock.advance(wait - 1)
      expect((await again()).status).toBe(429)
      server.clock.advance(1)
      expect((await again()).status).toBe(200)
    }
    expect((await again()).body).toMatchObject({ limit: 'sends_per_verification' })
    expect(server.inbox.list({ to: TO })).toHaveLength(5)
  })

  test('a start of a pending one and its resend share the wait', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    server.clock.advance(30)
    await start(server, TO)
    server.clock.advance(59)
    expect((await resend(server, id)).status).toBe(429)
    server.clock.advance(1)
    expect((await resend(server, id)).status).toBe(200)
  })

  test('R7: guesses are shared over resends: five in all', async () => {
    const server = await startServer({ settings: { SMS_RATE_LIMIT_PER_PHONE: '100' } })
    const { id, code } = await start(server, TO)
    const judged: unknown[] = []
    for (const wait of [30, 60]) {
      for (let n = 1; n <= 4; n++) judged.push(await outcomeOf(server, id, wrong(code, n)))
      server.clock.advance(wait)
      await resend(server, id)
    }
    expect(judged.filter((reason) => reason === 'wrong_code')).toHaveLength(5)
    expect(await outcomeOf(server, id, code)).toBe('locked')
  })

  test('R19: ten concurrent resends send one message', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    server.clock.advance(30)
    const all = await Promise.all(Array.from({ length: 10 }, () => resend(server, id)))
    expect(all.map(({ status }) => status).sort((a, b) => a - b)).toEqual([
      200,
      ...Array<number>(9).fill(429),
    ])
    expect(server.inbox.list({ to: TO })).toHaveLength(2)
    expect(await read(server, id)).toMatchObject({ sends_left: 3 })
  })

  test('409 verification_ended for one that has ended, naming it; nothing is sent', async () => {
    const server = await startServer()
    const ends: [string, (id: string, code: string) => Promise<unknown>][] = [
      ['approved', (id, code) => check(server, id, code)],
      ['canceled', (id) => server.api('POST', `/v1/verifications/${id}/cancel`)],
      [
        'locked',
        async (id, code) => {
          for (let n = 1; n <= 5; n++) await check(server, id, wrong(code, n))
        },
      ],
      ['expired', async () => server.clock.advance(600)],
    ]
    for (const [n, [status, end]] of ends.entries()) {
      const { id, code } = await start(server, phoneOf(n))
      await end(id, code)
      server.clock.advance(30)
      const answer = await resend<WireProblem>(server, id)
      expect(answer.status).toBe(409)
      expect(answer.body).toMatchObject({ code: 'verification_ended', verification_id: id })
      expect(answer.body.detail).toContain(status)
      expect(server.inbox.list({ to: phoneOf(n) })).toHaveLength(1)
    }
  })

  test('409 for one that was blocked or could not be sent', async () => {
    const server = await startServer()
    for (const to of ['+19005551234', '+15005550001']) {
      const { id } = await start(server, to)
      server.clock.advance(30)
      expect((await resend(server, id)).status).toBe(409)
    }
  })

  test('404 for an id that never was', async () => {
    const server = await startServer()
    const { status, body } = await resend<WireProblem>(server, `ver_${'0'.repeat(36)}`)
    expect({ status, code: body.code }).toEqual({ status: 404, code: 'not_found' })
  })

  test('400 names an unknown member and a bad channel', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    for (const [body, field] of [
      [{ to: TO }, 'to'],
      [{ code: '123456' }, 'code'],
      [{ channel: 'pigeon' }, 'channel'],
      [{ channel: 7 }, 'channel'],
    ] as const) {
      const answer = await resend<WireProblem>(server, id, { body })
      expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field })
    }
  })

  test('F16: 503 when no provider is there; the send is not counted and may be tried at once', async () => {
    const provider = makeScriptedProvider()
    const server = await startServer({ overrides: { providers: [provider] } })
    const { id } = await start(server, TO)
    server.clock.advance(30)
    provider.answer('unavailable')
    const failed = await resend<WireProblem>(server, id)
    expect(failed.status).toBe(503)
    expect(failed.body).toMatchObject({ code: 'delivery_unavailable', verification_id: id })
    expect(await read(server, id)).toMatchObject({ status: 'pending', sends_left: 4 })
    provider.answer('ok')
    expect((await resend(server, id)).body).toMatchObject({ status: 'pending', sends_left: 3 })
  })

  test('a refusal of a resend does not end a verification whose first message went out', async () => {
    const provider = makeScriptedProvider()
    const server = await startServer({ overrides: { providers: [provider] } })
    const { id, code } = await start(server, TO)
    server.clock.advance(30)
    provider.answer('opted_out')
    expect((await resend(server, id)).body).toMatchObject({ status: 'pending' })
    expect(await outcomeOf(server, id, code)).toBe('approved')
  })

  test('works with a publishable key, without sends', async () => {
    const server = await startServer()
    const { id } = await start(server, TO, {}, { key: 'pk' })
    server.clock.advance(30)
    const { status, body } = await resend(server, id, { key: 'pk' })
    expect(status).toBe(200)
    expect(body).not.toHaveProperty('sends')
    expect(body).not.toHaveProperty('preview_code')
  })
})
