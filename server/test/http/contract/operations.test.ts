import { importJWK } from 'jose'
import { describe, expect, test } from 'vitest'
import { STATUS } from '../../../src/http/errors.ts'
import { openSqlite } from '../../../src/stores/sqlite/store.ts'
import type { Store } from '../../../src/stores/store.ts'
import { FakeClock } from '../../fake-clock.ts'
import { phoneOf, startServer } from '../../helpers/server.ts'
import { check, start, type WireProblem } from '../../helpers/wire.ts'

/** A store that can be taken away. */
function makeMortalStore(): Store & { kill(): void } {
  const real = openSqlite({
    path: ':memory:',
    synchronous: 'normal',
    retentionDays: 30,
    clock: new FakeClock(),
  })
  return { ...real, kill: () => void real.close() }
}

describe('GET /healthz, /readyz', () => {
  test('answer without a key', async () => {
    const server = await startServer()
    for (const [path, status] of [
      ['/healthz', 'ok'],
      ['/readyz', 'ready'],
    ] as const) {
      const answer = await server.api('GET', path, { key: 'none' })
      expect([answer.status, answer.body]).toEqual([200, { status }])
      expect(answer.headers['cache-control']).toBe('no-store')
    }
  })

  test('F1: without a store ready is 503 with Retry-After, alive stays green, and a call says store_unavailable', async () => {
    const store = makeMortalStore()
    const server = await startServer({ overrides: { store } })
    store.kill()
    const ready = await server.api<WireProblem>('GET', '/readyz', { key: 'none' })
    expect({ status: ready.status, code: ready.body.code }).toEqual({
      status: 503,
      code: 'store_unavailable',
    })
    expect((await server.api('GET', '/healthz', { key: 'none' })).status).toBe(200)
    for (const [method, path, body] of [
      ['POST', '/v1/verifications', { to: phoneOf(0) }],
      ['POST', '/v1/verifications/ver_1/check', { code: '123456' }],
      ['POST', '/v1/verifications/ver_1/resend', undefined],
      ['POST', '/v1/verifications/ver_1/cancel', undefined],
      ['GET', '/v1/verifications/ver_1', undefined],
      ['GET', '/v1/verifications', undefined],
      ['POST', '/v1/checks', { to: phoneOf(0), code: '123456' }],
      ['GET', `/v1/phones/${phoneOf(0)}/status`, undefined],
      ['GET', `/v1/phones/${phoneOf(0)}/limits`, undefined],
      ['POST', '/v1/messages', { to: phoneOf(0), body: 'x' }],
      ['GET', '/v1/messages', undefined],
      ['GET', '/v1/messages/msg_1', undefined],
    ] as const) {
      const answer = await server.api<WireProblem>(method, path, { body })
      expect({ path, status: answer.status, code: answer.body.code }).toEqual({
        path,
        status: 503,
        code: 'store_unavailable',
      })
      // R61: nothing of SQLite, of a statement or of a stack.
      expect(answer.text).not.toMatch(/sql|database|statement|select|\bat \/|node_modules|\.ts\b/i)
    }
    expect(server.inbox.list()).toEqual([])
  })
})

describe('GET /metrics', () => {
  test('gives Prometheus text in which no number, id, key or code appears', async () => {
    const server = await startServer()
    const { id, code } = await start(server, phoneOf(0))
    await check(server, id, code)
    await server.api('GET', '/v1/verifications/ver_x')
    const { status, text, headers } = await server.api('GET', '/metrics', { key: 'none' })
    expect(status).toBe(200)
    expect(headers['content-type']).toMatch(/^text\/plain/)
    expect(text).toContain('countersign_starts_total{purpose="verify",outcome="opened"} 1')
    expect(text).toContain('countersign_checks_total{reason="approved"} 1')
    for (const secret of [id, code, phoneOf(0), 'ver_x', server.sk]) expect(text).not.toContain(secret)
  })

  test('asks for METRICS_TOKEN where there is one, and takes no API key for it', async () => {
    const server = await startServer({ settings: { METRICS_TOKEN: 'a-token-of-16-or-more' } })
    for (const key of ['none', 'sk', 'pk', 'a-token-of-16-or-mor', 'a-token-of-16-or-more0'])
      expect((await server.api('GET', '/metrics', { key })).status).toBe(401)
    expect((await server.api('GET', '/metrics', { key: 'a-token-of-16-or-more' })).status).toBe(200)
  })
})

describe('GET /.well-known/jwks.json', () => {
  test('publishes public keys that jose reads, with kid, alg and use, and nothing private', async () => {
    const server = await startServer({
      settings: { SECRET_KEYS_PREVIOUS: 'an-earlier-secret-0123456789-abcdefghij' },
    })
    const { status, body, headers } = await server.api<{ keys: Record<string, string>[] }>(
      'GET',
      '/.well-known/jwks.json',
      { key: 'none' },
    )
    expect(status).toBe(200)
    expect(headers['cache-control']).toBe('public, max-age=300')
    expect(body.keys).toHaveLength(2)
    expect(new Set(body.keys.map(({ kid }) => kid)).size).toBe(2)
    for (const key of body.keys) {
      expect(key).toMatchObject({ alg: 'EdDSA', use: 'sig', kid: expect.stringMatching(/./) })
      expect(key).not.toHaveProperty('d')
      expect(await importJWK(key, 'EdDSA')).toMatchObject({ type: 'public' })
    }
  })
})

describe('GET /docs', () => {
  test('is a page that loads from this server alone; DOCS_ENABLED=false takes it away', async () => {
    const server = await startServer()
    const page = await server.api('GET', '/docs/', { key: 'none' })
    expect(page.status).toBe(200)
    expect(page.headers['content-type']).toMatch(/^text\/html/)
    expect(page.headers['content-security-policy']).toMatch(/default-src 'none'/)
    expect((await server.api('GET', '/docs', { key: 'none' })).headers['location']).toBe('/docs/')
    const without = await startServer({ settings: { DOCS_ENABLED: 'false' } })
    for (const path of ['/docs', '/docs/', '/openapi.json'])
      expect((await without.api('GET', path, { key: 'none' })).status).toBe(404)
  })
})

describe('GET /docs/errors', () => {
  test('has every code that the type of a problem points at, with its status', async () => {
    const server = await startServer()
    const { body: problem } = await server.api<WireProblem>('GET', '/v1/verifications', { key: 'none' })
    const [page, anchor] = String(Reflect.get(problem, 'type')).split('#')
    const { payload, headers } = await server.app.inject({ url: page ?? '' })
    expect(headers['content-type']).toContain('text/html')
    expect(payload).toContain(`id="${anchor}"><td><code>unauthorized</code><td>401`)
    for (const [code, status] of Object.entries(STATUS)) {
      expect(payload).toContain(`<tr id="${code}"><td><code>${code}</code><td>${status}`)
    }
  })
})
