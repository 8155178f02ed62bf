import { describe, expect, test } from 'vitest'
import { type Call, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { check, outcomeOf, start, type WireProblem, type WireVerification } from '../../helpers/wire.ts'

const TO = phoneOf(0)

function cancel<T = WireVerification>(server: TestServer, id: string, call: Call = {}) {
  return server.api<T>('POST', `/v1/verifications/${id}/cancel`, call)
}

describe('POST /v1/verifications/{id}/cancel', () => {
  test('ends a pending verification: its code is worthless from then on', async () => {
    const server = await startServer()
    const { code, preview_code: _preview, ...started } = await start(server, TO)
    const { status, body } = await cancel(server, started.id)
    expect(status).toBe(200)
    expect(body).toEqual({
      ...started,
      status: 'canceled',
      checks_left: 0,
      sends_left: 0,
      decided_at: new Date(server.clock.now()).toISOString(),
    })
    expect(await outcomeOf(server, started.id, code)).toBe('canceled')
  })

  test('may be said twice, and changes nothing the second time', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    const first = await cancel(server, id)
    server.clock.advance(5)
    const second = await cancel(server, id)
    expect([second.status, second.text]).toEqual([200, first.text])
  })

  test('takes no body, an empty one and null; anything else is 400 and named', async () => {
    const server = await startServer()
    for (const [n, call] of [
      {},
      { body: {} },
      { body: 'null' },
      { headers: { 'content-type': 'application/json' } },
    ].entries()) {
      const { id } = await start(server, phoneOf(n))
      expect((await cancel(server, id, call)).status).toBe(200)
    }
    const { id } = await start(server, phoneOf(9))
    const { status, body } = await cancel<WireProblem>(server, id, { body: { reason: 'x' } })
    expect({ status, field: body.field }).toEqual({ status: 400, field: 'reason' })
  })

  test('409 for one that ended otherwise', async () => {
    const server = await startServer()
    const approved = await start(server, phoneOf(1))
    await check(server, approved.id, approved.code)
    const expired = await start(server, phoneOf(2))
    const blocked = await start(server, '+19005551234')
    server.clock.advance(600)
    for (const { id } of [approved, expired, blocked]) {
      const { status, body } = await cancel<WireProblem>(server, id)
      expect(status).toBe(409)
      expect(body).toMatchObject({ code: 'verification_ended', verification_id: id })
    }
  })

  test('404 for an id that never was, 403 for a publishable key', async () => {
    const server = await startServer()
    expect((await cancel(server, 'ver_none')).status).toBe(404)
    const { id } = await start(server, TO)
    expect((await cancel(server, id, { key: 'pk' })).status).toBe(403)
  })

  test('R19, R8: a cancel opens neither the cool-down nor a limit', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    await cancel(server, id)
    const { status, body } = await server.api<WireProblem>('POST', '/v1/verifications', { body: { to: TO } })
    expect({ status, limit: body.limit }).toEqual({ status: 429, limit: 'resend_cooldown' })
  })
})
