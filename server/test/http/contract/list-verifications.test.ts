import { describe, expect, test } from 'vitest'
import { type Call, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { check, start, type WireProblem, type WireVerification } from '../../helpers/wire.ts'

type Page = { readonly data: readonly WireVerification[]; readonly next_cursor: string | null }

function list<T = Page>(server: TestServer, query: string, call: Call = {}) {
  return server.api<T>('GET', `/v1/verifications${query}`, call)
}

/** Starts so many verifications of different numbers, a second apart; gives their ids, oldest first. */
async function startMany(server: TestServer, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    ids.push((await start(server, phoneOf(n))).id)
    server.clock.advance(1)
  }
  return ids
}

describe('GET /v1/verifications', () => {
  test('lists the newest first, whole, twenty unless told', async () => {
    const server = await startServer()
    const ids = await startMany(server, 25)
    const { status, body } = await list(server, '')
    expect(status).toBe(200)
    expect(body.data.map(({ id }) => id)).toEqual(ids.toReversed().slice(0, 20))
    expect(body.data[0]).toMatchObject({ sends: [{ provider: 'mock' }], status: 'pending' })
    expect(body.data[0]).not.toHaveProperty('preview_code')
  })

  test('walks every page once by its cursor, and the last says null', async () => {
    const server = await startServer()
    const ids = await startMany(server, 11)
    const seen: string[] = []
    let cursor: string | null = ''
    let pages = 0
    while (cursor !== null) {
      const { body }: { body: Page } = await list(server, `?limit=4${cursor && `&cursor=${cursor}`}`)
      seen.push(...body.data.map(({ id }) => id))
      cursor = body.next_cursor
      pages++
    }
    expect(seen).toEqual(ids.toReversed())
    expect(pages).toBe(3)
  })

  test('R28: finds a number in any spelling, also with its plus sign left unencoded', async () => {
    const server = await startServer()
    await startMany(server, 3)
    const to = phoneOf(1)
    for (const spelling of [to, `tel:${to}`, `+1 (${to.slice(2, 5)}) ${to.slice(5)}`]) {
      const { body } = await list(server, `?to=${encodeURIComponent(spelling)}`)
      expect(body.data.map((found) => found.to)).toEqual([to])
    }
    expect((await list(server, `?to=${to}`)).body.data.map((found) => found.to)).toEqual([to])
    expect((await list(server, `?to=${encodeURIComponent(phoneOf(9))}`)).body).toEqual({
      data: [],
      next_cursor: null,
    })
  })

  test('filters by status, expired ones among them though nothing swept them', async () => {
    const server = await startServer()
    const [first = ''] = await startMany(server, 3)
    await server.api('POST', `/v1/verifications/${first}/cancel`)
    const { id, code } = await start(server, phoneOf(5))
    await check(server, id, code)
    const statuses = async (status: string) =>
      (await list(server, `?status=${status}`)).body.data.map((found) => found.status)
    expect(await statuses('pending')).toEqual(['pending', 'pending'])
    expect(await statuses('canceled')).toEqual(['canceled'])
    expect(await statuses('approved')).toEqual(['approved'])
    expect(await statuses('locked')).toEqual([])
    server.clock.advance(600)
    expect(await statuses('expired')).toEqual(['expired', 'expired'])
    expect(await statuses('pending')).toEqual([])
  })

  test('400 names a bad member of the query', async () => {
    const server = await startServer()
    for (const [query, field] of [
      ['?limit=0', 'limit'],
      ['?limit=101', 'limit'],
      ['?limit=-1', 'limit'],
      ['?limit=1e2', 'limit'],
      ['?limit=', 'limit'],
      ['?limit=5&limit=6', 'limit'],
      ['?status=happy', 'status'],
      ['?status=__proto__', 'status'],
      ['?to=12', 'to'],
      ['?cursor=%27%3B--', 'cursor'],
      ['?page=2', 'page'],
      ['?constructor=1', 'constructor'],
    ] as const) {
      const { status, body } = await list<WireProblem>(server, query)
      expect({ query, status, field: body.field }).toEqual({ query, status: 400, field })
    }
    expect((await list(server, '?limit=100')).status).toBe(200)
  })

  test('shows only the verifications of the key’s own service, and none to a publishable key', async () => {
    const server = await startServer()
    await startMany(server, 2)
    const { token } = await server.countersign.keys.create('secret', { service: 'other' })
    expect((await list(server, '', { key: token })).body.data).toEqual([])
    expect((await list(server, '', { key: 'pk' })).status).toBe(403)
  })
})
