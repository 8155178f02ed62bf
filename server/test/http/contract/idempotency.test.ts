import { describe, expect, test } from 'vitest'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { type Call, makeTempDir, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { check, type WireProblem, type WireVerification } from '../../helpers/wire.ts'

const TO = phoneOf(0)

function startWith<T = WireVerification>(server: TestServer, key: string, body: object, call: Call = {}) {
  return server.api<T>('POST', '/v1/verifications', {
    ...call,
    body,
    headers: { ...call.headers, 'idempotency-key': key },
  })
}

async function count(server: TestServer): Promise<number> {
  const { body } = await server.api<{ data: unknown[] }>('GET', '/v1/verifications?limit=100')
  return body.data.length
}

describe('Idempotency-Key', () => {
  test('R41: a hundred concurrent starts make one row and one message, and get equal answers', async () => {
    const server = await startServer()
    const all = await Promise.all(Array.from({ length: 100 }, () => startWith(server, 'key-1', { to: TO })))
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(all.map(({ text }) => text)).size).toBe(1)
    expect(await count(server)).toBe(1)
    expect(server.inbox.list()).toHaveLength(1)
  })

  test('replays the answer for a day, as it was, whatever became of the verification', async () => {
    const server = await startServer()
    const first = await startWith(server, 'key-1', { to: TO, metadata: { a: '1', b: '2' } })
    await check(server, first.body.id, first.body.preview_code)
    server.clock.advance(86_399)
    const again = await startWith(server, 'key-1', { metadata: { b: '2', a: '1' }, to: TO })
    expect([again.status, again.text]).toEqual([201, first.text])
    server.clock.advance(1)
    const later = await startWith(server, 'key-1', { to: TO, metadata: { a: '1', b: '2' } })
    expect(later.body.id).not.toBe(first.body.id)
  })

  test('R41: another body under the same key is 422, and nothing is sent', async () => {
    const server = await startServer()
    await startWith(server, 'key-1', { to: TO })
    for (const body of [
      { to: phoneOf(1) },
      { to: TO, purpose: 'login' },
      { to: TO, nonce: 'n' },
      { to: TO, metadata: {} },
    ]) {
      const answer = await startWith<WireProblem>(server, 'key-1', body)
      expect(answer.status).toBe(422)
      expect(answer.body).toMatchObject({ code: 'idempotency_conflict' })
    }
    expect(server.inbox.list()).toHaveLength(1)
  })

  test('F19: replays after a restart', async () => {
    const dataDir = makeTempDir()
    const first = await startServer({ dataDir })
    const before = await startWith(first, 'key-1', { to: TO })
    await first.close()
    const second = await startServer({ dataDir, overrides: { clock: first.clock } })
    const after = await startWith(second, 'key-1', { to: TO })
    expect([after.status, after.text]).toEqual([before.status, before.text])
    expect(second.inbox.list()).toEqual([])
    expect((await check(second, after.body.id, after.body.preview_code)).body).toMatchObject({ valid: true })
  })

  test('a refusal is not kept: the same key may try again', async () => {
    const provider = makeScriptedProvider()
    const server = await startServer({ overrides: { providers: [provider] } })
    provider.answer('unavailable')
    const failed = await startWith<WireProblem>(server, 'key-1', { to: TO })
    expect(failed.status).toBe(503)
    provider.answer('ok')
    const again = await startWith(server, 'key-1', { to: TO })
    expect(again.body).toMatchObject({ id: failed.body.verification_id, status: 'pending' })
    expect((await startWith(server, 'key-1', { to: TO })).text).toBe(again.text)
    expect(provider.messages).toHaveLength(2)
  })

  test('a number that is limited stays limited under a new key', async () => {
    const server = await startServer()
    await startWith(server, 'key-1', { to: TO })
    expect((await startWith(server, 'key-2', { to: TO })).status).toBe(429)
    expect((await startWith(server, 'key-1', { to: TO })).status).toBe(201)
  })

  test('keys of one caller never meet another’s: services and kinds of key are apart', async () => {
    const server = await startServer()
    const { token } = await server.countersign.keys.create('secret', { service: 'other' })
    const mine = await startWith(server, 'key-1', { to: phoneOf(1) })
    const theirs = await startWith(server, 'key-1', { to: phoneOf(2) }, { key: token })
    const browser = await startWith(server, 'key-1', { to: phoneOf(3) }, { key: 'pk' })
    expect([mine.status, theirs.status, browser.status]).toEqual([201, 201, 201])
    expect(browser.body).not.toHaveProperty('sends')
  })

  test('a key is 1 to 255 characters', async () => {
    const server = await startServer()
    expect((await startWith(server, 'k'.repeat(255), { to: TO })).status).toBe(201)
    for (const key of ['', 'k'.repeat(256)]) {
      const { status, body } = await startWith<WireProblem>(server, key, { to: phoneOf(1) })
      expect({ status, field: body.field }).toEqual({ status: 400, field: 'idempotency-key' })
    }
    for (const [n, key] of ['__proto__', 'constructor', "'; DROP TABLE claims; --", 'é'].entries())
      expect((await startWith(server, key, { to: phoneOf(2 + n) })).status).toBe(201)
  })

  test('what a start came to is replayed too: a block and a failed send', async () => {
    const server = await startServer()
    for (const [to, status] of [
      ['+19005551234', 'blocked'],
      ['+15005550001', 'failed'],
    ] as const) {
      const first = await startWith(server, `key-${to}`, { to })
      expect(first.body.status).toBe(status)
      const again = await startWith(server, `key-${to}`, { to })
      expect([again.status, again.text]).toEqual([first.status, first.text])
    }
    expect(await count(server)).toBe(2)
  })
})
