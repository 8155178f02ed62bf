import { describe, expect, test } from 'vitest'
import { login, post, QUICK, register, signIn } from '../../helpers/people.ts'
import { phoneOf, SK, startServer, type TestServer } from '../../helpers/server.ts'
import type { WireProblem } from '../../helpers/wire.ts'

type Event = {
  readonly id: string
  readonly type: string
  readonly user_id: string | null
  readonly session_id: string | null
  readonly actor: string
  readonly key: string | null
  readonly address: string | null
  readonly agent: string | null
  readonly data: Readonly<Record<string, string>>
  readonly at: string
}
type Page = { readonly data: readonly Event[]; readonly next_cursor: string | null }

const TO = phoneOf(0)

async function events(server: TestServer, query = ''): Promise<Page> {
  const { status, body, text } = await server.api<Page>('GET', `/admin/events${query}`)
  expect(status, text).toBe(200)
  return body
}

describe('GET /admin/events', () => {
  test('tells what happened, the newest first, with every member', async () => {
    const server = await startServer()
    const at = new Date(server.clock.now() + 1).toISOString()
    const { user } = await signIn(server, TO, {
      headers: { 'user-agent': 'app/1' },
      remoteAddress: '198.51.100.9',
    })
    const { data, next_cursor } = await events(server)
    expect(next_cursor).toBeNull()
    expect(data.map(({ type }) => type).sort()).toEqual(['session.started', 'user.created'])
    expect(data.find(({ type }) => type === 'session.started')).toEqual({
      id: expect.stringMatching(/^evt_/),
      type: 'session.started',
      user_id: user.id,
      session_id: expect.stringMatching(/^ses_/),
      actor: 'user',
      key: null,
      address: '198.51.100.9',
      agent: 'app/1',
      data: { amr: 'sms' },
      at,
    })
  })

  test('has a line for everything that changes who can sign in', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await register(server, { phone: TO })
    const key = tokens.access_token
    const say = (path: string, body?: object) => server.api('POST', path, { key, body })
    await server.api('PATCH', '/api/auth/me', { key, body: { name: 'Ada' } })
    server.clock.advance(1)
    await say('/api/auth/password/change', {
      current_password: 'violet anchor 91 mosaic',
      password: 'another good 17',
    })
    server.clock.advance(1)
    await login(server, TO, 'wrong wrong wrong')
    server.clock.advance(1)
    await server.api('POST', `/admin/users/${tokens.user.id}/disable`)
    server.clock.advance(1)
    await server.api('POST', `/admin/users/${tokens.user.id}/enable`)
    const { data } = await events(server, `?user_id=${tokens.user.id}`)
    const types = data.map(({ type }) => type)
    expect(types.slice(0, 2)).toEqual(['user.enabled', 'user.disabled'])
    expect(types).toEqual(
      expect.arrayContaining(['login.failed', 'password.set', 'user.updated', 'user.created']),
    )
    const disabled = data.find(({ type }) => type === 'user.disabled')
    expect(disabled).toMatchObject({ actor: 'admin', key: expect.stringMatching(/^key_/) })
    expect(disabled?.key).not.toContain(SK)
    expect(data.find(({ type }) => type === 'login.failed')).toMatchObject({ actor: 'anonymous' })
    expect(data.find(({ type }) => type === 'user.updated')?.data).toEqual({ members: 'name' })
  })

  test('holds no code, password, token or whole number', async () => {
    const server = await startServer({ settings: QUICK })
    const tokens = await register(server, { phone: TO, email: 'ada@example.org' })
    await login(server, TO, 'a wrong password of mine')
    await post(server, '/api/auth/verify-otp', { phone: TO, otp: '123456' })
    await post(server, '/api/auth/refresh', { refresh_token: tokens.refresh_token })
    const text = JSON.stringify(await events(server))
    for (const secret of [
      TO,
      TO.slice(1),
      'violet',
      'wrong password of',
      '123456',
      tokens.refresh_token,
      'argon2',
    ])
      expect(text).not.toContain(secret)
  })

  test('by user, by type and by page', async () => {
    const server = await startServer()
    const ada = await signIn(server, TO)
    await signIn(server, phoneOf(1))
    for (let n = 0; n < 3; n++) await signIn(server, TO)
    const own = await events(server, `?user_id=${ada.user.id}&type=session.started`)
    expect(own.data).toHaveLength(4)
    expect(own.data.every(({ user_id: id, type }) => id === ada.user.id && type === 'session.started')).toBe(
      true,
    )
    const seen: string[] = []
    let cursor: string | null = ''
    for (let pages = 0; cursor !== null && pages < 20; pages++) {
      const page: Page = await events(server, `?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`)
      seen.push(...page.data.map(({ id }) => id))
      cursor = page.next_cursor
    }
    expect(seen).toEqual((await events(server, '?limit=100')).data.map(({ id }) => id))
    expect(new Set(seen).size).toBe(seen.length)
  })

  test.each([
    ['?type=x', 'type'],
    ['?user_id=x', 'user_id'],
    ['?user_id=usr_%00', 'user_id'],
    ['?limit=1000', 'limit'],
    ['?cursor=%27', 'cursor'],
    ['?actor=admin', 'actor'],
  ])('%s is 400 and named', async (query, field) => {
    const server = await startServer()
    const { status, body } = await server.api<WireProblem>('GET', `/admin/events${query}`)
    expect({ status, field: body.field }).toEqual({ status: 400, field })
  })
})
