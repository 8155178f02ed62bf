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
  type WireUser,
} from '../../helpers/people.ts'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import type { WireProblem } from '../../helpers/wire.ts'

type Page = { readonly data: readonly (WireUser & { status: string })[]; readonly next_cursor: string | null }

const NO_USER = { status: 404, code: 'not_found', detail: 'There is no such user' }
const ID = 'usr_019bc186de00b84a7e5bac0a3557de062d40e865bd33'
const CALLS = [
  ['GET', '/admin/users'],
  ['GET', `/admin/users/${ID}`],
  ['POST', `/admin/users/${ID}/disable`],
  ['POST', `/admin/users/${ID}/enable`],
  ['POST', `/admin/users/${ID}/end-sessions`],
  ['DELETE', `/admin/users/${ID}`],
  ['GET', '/admin/events'],
] as const

function list(server: TestServer, query = '') {
  return server.api<Page>('GET', `/admin/users${query}`)
}

describe.each(CALLS)('%s %s', (method, path) => {
  test('is for secret keys: 401 without one, 403 with a publishable one or a page’s', async () => {
    const server = await startServer()
    const { access_token } = await signIn(server, phoneOf(0))
    for (const key of ['none', access_token, 'sk_nobody'])
      expect((await server.api<WireProblem>(method, path, { key })).body).toMatchObject({
        status: 401,
        code: 'unauthorized',
      })
    expect((await server.api<WireProblem>(method, path, { key: 'pk' })).body).toMatchObject({
      status: 403,
      code: 'forbidden',
    })
  })

  test('503 when the store is down', async () => {
    const server = await startServer()
    await server.countersign.close()
    expect((await server.api(method, path)).body).toMatchObject({ status: 503, code: 'store_unavailable' })
  })
})

describe('GET /admin/users', () => {
  test('lists users, the newest first, with every member', async () => {
    const server = await startServer({ settings: QUICK })
    const first = await signIn(server, phoneOf(1))
    const second = await register(server, { phone: phoneOf(2), email: 'ada@example.org', name: 'Ada' })
    const { status, body } = await list(server)
    expect(status).toBe(200)
    expect(body).toEqual({
      data: [
        { ...second.user, status: 'active' },
        { ...first.user, status: 'active' },
      ],
      next_cursor: null,
    })
    expect(JSON.stringify(body)).not.toMatch(/argon2|password/)
  })

  test('by page', async () => {
    const server = await startServer()
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.unshift((await signIn(server, phoneOf(n))).user.id)
    const seen: string[] = []
    let cursor: string | null = ''
    for (let pages = 0; cursor !== null && pages < 5; pages++) {
      const { body }: { body: Page } = await list(
        server,
        `?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
      )
      expect(body.data.length).toBeLessThanOrEqual(2)
      seen.push(...body.data.map(({ id }) => id))
      cursor = body.next_cursor
    }
    expect(seen).toEqual(ids)
  })

  test('filters by number in any spelling, by e-mail in any case, and by status', async () => {
    const server = await startServer({ settings: QUICK })
    const ada = await register(server, { phone: phoneOf(1), email: 'ada@example.org' })
    const bob = await signIn(server, phoneOf(2))
    await server.api('POST', `/admin/users/${bob.user.id}/disable`)
    const found = async (query: string) => (await list(server, query)).body.data.map(({ id }) => id)
    expect(await found(`?phone=${encodeURIComponent('+1 (415) 555-2001')}`)).toEqual([ada.user.id])
    expect(await found('?email=ADA%40example.org')).toEqual([ada.user.id])
    expect(await found('?email=nobody%40example.org')).toEqual([])
    expect(await found('?status=active')).toEqual([ada.user.id])
    expect(await found('?status=disabled')).toEqual([bob.user.id])
    expect(await found(`?phone=${encodeURIComponent(phoneOf(2))}&status=active`)).toEqual([])
  })

  test.each([
    ['?status=x', 'status'],
    ['?limit=0', 'limit'],
    ['?limit=101', 'limit'],
    ['?cursor=%00', 'cursor'],
    ['?cursor=A', 'cursor'],
    ['?phone=abc', 'phone'],
    ['?phone=', 'phone'],
    ['?email=nobody', 'email'],
    ['?name=Ada', 'name'],
    ['?__proto__=1', undefined],
    ['?phone[$ne]=1', 'phone[$ne]'],
    ['?status=active&status=disabled', 'status'],
  ])('%s is 400', async (query, field) => {
    const server = await startServer()
    const { status, body } = await server.api<WireProblem>('GET', `/admin/users${query}`)
    expect(status).toBe(400)
    if (field !== undefined) expect(body.field).toBe(field)
  })
})

describe('GET /admin/users/{id}', () => {
  test('is the user and their live sessions', async () => {
    const server = await startServer()
    const { user } = await signIn(server, phoneOf(0))
    await signIn(server, phoneOf(0))
    const { status, body } = await server.api<{ user: WireUser; sessions: WireSession[] }>(
      'GET',
      `/admin/users/${user.id}`,
    )
    expect(status).toBe(200)
    expect(body.user).toMatchObject({ id: user.id, phone: phoneOf(0), status: 'active' })
    expect(body.sessions).toMatchObject([
      { current: false, amr: ['sms'] },
      { current: false, amr: ['sms'] },
    ])
  })

  test.each(['x', 'usr_none', ID, 'ses_1', '%00', '__proto__', '%27%20OR%201=1', '%24ne'])(
    '%s is 404 wherever an id goes',
    async (id) => {
      const server = await startServer()
      for (const [method, path] of [
        ['GET', ''],
        ['POST', '/disable'],
        ['POST', '/enable'],
        ['POST', '/end-sessions'],
        ['DELETE', ''],
      ] as const)
        expectRefused(await server.api(method, `/admin/users/${id}${path}`), NO_USER)
    },
  )
})

describe('POST /admin/users/{id}/disable and /enable', () => {
  test('R71: disabled, a user is out at once and cannot come in; enabled, they can', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await register(server, { phone: phoneOf(0) })
    const path = `/admin/users/${tokens.user.id}`
    const { status, body } = await server.api('POST', `${path}/disable`)
    expect([status, body]).toEqual([200, { ...tokens.user, status: 'disabled' }])
    expect(await statusOf(server, tokens)).toBe(401)
    const { refresh_token } = tokens
    expect((await post(server, '/api/auth/refresh', { refresh_token })).status).toBe(401)
    expect((await login(server, phoneOf(0))).status).toBe(403)
    const enabled = await server.api('POST', `${path}/enable`)
    expect([enabled.status, enabled.body]).toEqual([200, { ...tokens.user, status: 'active' }])
    expect((await post(server, '/api/auth/refresh', { refresh_token })).status).toBe(401)
    expect((await login(server, phoneOf(0))).status).toBe(200)
  })

  test('twice is the same', async () => {
    const server = await startServer()
    const { user } = await signIn(server, phoneOf(0))
    for (const [verb, status] of [
      ['disable', 'disabled'],
      ['disable', 'disabled'],
      ['enable', 'active'],
      ['enable', 'active'],
    ]) {
      const answer = await server.api('POST', `/admin/users/${user.id}/${verb}`)
      expect([answer.status, answer.body['status']]).toEqual([200, status])
    }
  })
})

describe('POST /admin/users/{id}/end-sessions', () => {
  test('R71: ends them all at once, and tells how many', async () => {
    const server = await startServer()
    const tokens = [await signIn(server, phoneOf(0)), await signIn(server, phoneOf(0))]
    const other = await signIn(server, phoneOf(1))
    const path = `/admin/users/${tokens[0]?.user.id}/end-sessions`
    expect((await server.api('POST', path)).body).toEqual({ ended: 2 })
    for (const one of tokens) expect(await statusOf(server, one)).toBe(401)
    expect(await statusOf(server, other)).toBe(200)
    expect((await server.api('POST', path)).body).toEqual({ ended: 0 })
    await signIn(server, phoneOf(0))
  })
})

describe('DELETE /admin/users/{id}', () => {
  test('204: the user is gone, and out at once; the number makes a new account', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await register(server, { phone: phoneOf(0), email: 'ada@example.org', name: 'Ada' })
    const path = `/admin/users/${tokens.user.id}`
    const { status, text } = await server.api('DELETE', path)
    expect([status, text]).toEqual([204, ''])
    expect(await statusOf(server, tokens)).toBe(401)
    expect((await post(server, '/api/auth/refresh', { refresh_token: tokens.refresh_token })).status).toBe(
      401,
    )
    expect((await login(server, 'ada@example.org')).status).toBe(401)
    expectRefused(await server.api('GET', path), NO_USER)
    expectRefused(await server.api('DELETE', path), NO_USER)
    const again = await signIn(server, phoneOf(0))
    expect(again.user.id).not.toBe(tokens.user.id)
    expect(again.user.name).toBeNull()
  })

  test('what the log tells of them has no address, agent or data any more', async () => {
    const server = await startServer()
    const { user } = await signIn(server, phoneOf(0), { headers: { 'user-agent': 'app/1' } })
    await server.api('DELETE', `/admin/users/${user.id}`)
    const { body } = await server.api<{ data: Record<string, unknown>[] }>(
      'GET',
      `/admin/events?user_id=${user.id}`,
    )
    expect(body.data[0]).toMatchObject({ type: 'user.deleted', actor: 'admin' })
    expect(body.data.length).toBeGreaterThan(1)
    for (const event of body.data.slice(1))
      expect(event).toMatchObject({ address: null, agent: null, data: {} })
  })
})
