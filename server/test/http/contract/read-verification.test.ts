import { describe, expect, test } from 'vitest'
import { phoneOf, startServer } from '../../helpers/server.ts'
import { check, start, type WireProblem, type WireVerification } from '../../helpers/wire.ts'

const TO = phoneOf(0)

describe('GET /v1/verifications/{id}', () => {
  test('answers what the start answered, less the preview code', async () => {
    const server = await startServer()
    const {
      code: _code,
      preview_code: _preview,
      ...started
    } = await start(server, TO, { metadata: { a: 'b' } })
    const { status, body, text } = await server.api('GET', `/v1/verifications/${started.id}`)
    expect(status).toBe(200)
    expect(body).toEqual(started)
    expect(text).not.toContain(_code)
  })

  test('follows it through its states', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    const path = `/v1/verifications/${id}`
    await check(server, id, code)
    expect((await server.api<WireVerification>('GET', path)).body).toMatchObject({
      status: 'approved',
      checks_left: 0,
      sends_left: 0,
      decided_at: new Date(server.clock.now()).toISOString(),
    })
    const other = await start(server, phoneOf(1))
    server.clock.advance(600)
    expect((await server.api('GET', `/v1/verifications/${other.id}`)).body).toMatchObject({
      status: 'expired',
      decided_at: other.expires_at,
    })
  })

  test('has no sends for a publishable key', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    const { status, body } = await server.api('GET', `/v1/verifications/${id}`, { key: 'pk' })
    expect(status).toBe(200)
    expect(body).not.toHaveProperty('sends')
  })

  test('404 for an id that never was; the id is not repeated to the caller', async () => {
    const server = await startServer()
    const { status, body, text } = await server.api<WireProblem>('GET', '/v1/verifications/ver_%3Cscript%3E')
    expect({ status, code: body.code }).toEqual({ status: 404, code: 'not_found' })
    expect(text).not.toContain('script')
  })

  test('A18: a publishable key reads 600 times an hour, an address; a secret one as often as it likes', async () => {
    const server = await startServer({ settings: { PUBLISHABLE_READS_PER_ADDRESS_HOUR: '10' } })
    const { id } = await start(server, TO)
    const path = `/v1/verifications/${id}`
    for (let n = 0; n < 10; n++) expect((await server.api('GET', path, { key: 'pk' })).status).toBe(200)
    const refused = await server.api<WireProblem>('GET', path, { key: 'pk' })
    expect({ status: refused.status, limit: refused.body.limit }).toEqual({
      status: 429,
      limit: 'reads_per_address',
    })
    expect((await server.api('GET', path, { key: 'pk', remoteAddress: '192.0.2.2' })).status).toBe(200)
    for (let n = 0; n < 20; n++) expect((await server.api('GET', path)).status).toBe(200)
  })
})
