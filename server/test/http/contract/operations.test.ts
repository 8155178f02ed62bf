import { readFileSync } from 'node:fs'
import { importJWK } from 'jose'
import { describe, expect, test } from 'vitest'
import { STATUS } from '../../../src/http/errors.ts'
import { LIMITS } from '../../../src/http/known-labels.ts'
import { openSqlite } from '../../../src/stores/sqlite/store.ts'
import type { Store } from '../../../src/stores/store.ts'
import { PURPOSES } from '../../../src/verify/verification.ts'
import { VERSION } from '../../../src/version.ts'
import { FakeClock } from '../../fake-clock.ts'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
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

/** The lines of `/metrics` that begin so. */
async function lines(server: TestServer, name: string): Promise<readonly string[]> {
  const { text } = await server.api('GET', '/metrics', { key: 'none' })
  return text.split('\n').filter((line) => line.startsWith(name))
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

  test('tells the release and the Node that runs it', async () => {
    const server = await startServer()
    expect(await lines(server, 'countersign_build_info')).toEqual([
      `countersign_build_info{version="${VERSION}",node="${process.versions.node}"} 1`,
    ])
  })

  test('every counter whose labels are known begins at 0, so that its first event is a change', async () => {
    const server = await startServer()
    for (const [name, count] of [
      ['countersign_starts_total', PURPOSES.length * 4],
      ['countersign_checks_total', 8],
      ['countersign_sends_total', 9 * server.inbox.provider.channels.length],
      ['countersign_limited_total', LIMITS.length],
      ['countersign_errors_total', Object.keys(STATUS).length],
      ['countersign_store_failures_total', 2],
      ['countersign_worker_restarts_total', 1],
    ] as const) {
      const found = await lines(server, name)
      expect([name, found.length]).toEqual([name, count])
      expect(found.filter((line) => !line.endsWith(' 0'))).toEqual([])
    }
    // What happens is counted on series that were there, and makes none besides.
    const counters = async () =>
      (await lines(server, 'countersign_')).filter((line) => /_total[{ ]/.test(line))
    const before = (await counters()).length
    const { id, code } = await start(server, phoneOf(0))
    await check(server, id, code)
    await server.api('POST', '/v1/verifications', { body: { to: phoneOf(0) } })
    await server.api('POST', '/v1/verifications', { body: { to: phoneOf(0) } })
    await server.api('GET', '/v1/verifications/ver_x')
    const after = await counters()
    expect(after).toHaveLength(before)
    expect(after.filter((line) => !line.endsWith(' 0')).length).toBeGreaterThan(5)
  })

  test('knows every limit that the manual lists', () => {
    const manual = readFileSync(new URL('../../../../docs/limits.md', import.meta.url), 'utf8')
    const [list = ''] = manual.split('\n## How a limit counts')
    expect([...list.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)).toEqual([...LIMITS])
  })

  test('tells how long the store took, by verb, of what a request does and of what nobody asked for', async () => {
    const server = await startServer()
    const { id, code } = await start(server, phoneOf(0))
    await check(server, id, code)
    const counts = await lines(server, 'countersign_store_seconds_count')
    expect(counts).toContain('countersign_store_seconds_count{part="store",verb="judge"} 1')
    expect(counts).toContain('countersign_store_seconds_count{part="store",verb="open"} 1')
    expect(counts).toContain('countersign_store_seconds_count{part="store",verb="take"} 1')
    const sums = await lines(server, 'countersign_store_seconds_sum')
    for (const line of sums) expect(Number(line.split(' ').at(-1))).toBeGreaterThan(0)
  })

  test('counts what failed because the store was out of reach, and tells the last readiness', async () => {
    const store = makeMortalStore()
    const server = await startServer({ overrides: { store } })
    const failures = () => lines(server, 'countersign_store_failures_total')
    const ready = () => lines(server, 'countersign_ready')
    // Nobody has asked.
    expect(await ready()).toEqual([])
    await server.api('GET', '/readyz', { key: 'none' })
    expect(await ready()).toEqual(['countersign_ready 1'])
    // A refusal that has another reason is none of the store's.
    await server.api('GET', '/v1/verifications/ver_0000000000000000000000000')
    expect(await failures()).toEqual([
      'countersign_store_failures_total{part="store"} 0',
      'countersign_store_failures_total{part="limiter"} 0',
    ])
    store.kill()
    await server.api('GET', '/readyz', { key: 'none' })
    expect(await ready()).toEqual(['countersign_ready 0'])
    for (const path of ['/v1/verifications', '/v1/messages'])
      expect((await server.api('GET', path)).status).toBe(503)
    expect((await server.api('POST', '/v1/verifications', { body: { to: phoneOf(0) } })).status).toBe(503)
    expect(await failures()).toEqual([
      'countersign_store_failures_total{part="store"} 3',
      'countersign_store_failures_total{part="limiter"} 0',
    ])
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
