import { describe, expect, test } from 'vitest'
import {
  bearerOf,
  makeTokenVerifier,
  requireUser,
  requireUserHook,
  userOf,
  withUser,
  type AccessExpectations,
  type TokenVerifier,
} from '../src/verify-token/index.ts'
import { accessToken, ISSUER, KEYS } from './examples/issuer.ts'

// What the guards answer, over each kind of server, is proven by server/test/examples.

const verify = makeTokenVerifier({
  url: ISSUER,
  fetch: async () => new Response(JSON.stringify({ keys: [KEYS.jwk] })),
})
/** A verifier with a fault of its own. */
const broken: TokenVerifier = {
  accessToken: () => Promise.reject(new Error('a fault')),
  proof: () => Promise.reject(new Error('a fault')),
}
const request = () => ({ headers: { authorization: `Bearer ${accessToken()}` } })
/** A response that must not be used. */
const untouched = {
  writeHead: () => expect.unreachable(),
  end: () => expect.unreachable(),
  code: () => expect.unreachable(),
  headers: () => expect.unreachable(),
  send: () => expect.unreachable(),
}

test('bearerOf takes one bearer token and nothing besides', () => {
  for (const header of ['Bearer a.b-c_d', 'bearer a.b-c_d', 'BEARER  a.b-c_d'])
    expect(bearerOf(header), header).toBe('a.b-c_d')
  expect(bearerOf('Bearer ab+/~==')).toBe('ab+/~==')
  for (const header of [
    undefined,
    null,
    '',
    'Bearer',
    'Bearer ',
    'Basic YTpi',
    'a.b.c',
    'Bearera.b.c',
    'Basic Bearer a.b.c',
    'Bearer a b',
    'Bearer a, Bearer b',
    'Bearer a,b',
    ' Bearer a',
    'Bearer a\n',
    'Bearer "a"',
    'Bearer =a',
    `Bearer ${' '.repeat(50_000)}`,
  ])
    expect(bearerOf(header), String(header).slice(0, 30)).toBeUndefined()
})

describe('userOf', () => {
  test('knows the requests that a guard let through, and no others', async () => {
    const seen = request()
    await requireUser(verify)(seen, untouched, () => {})
    expect(userOf(seen).sid).toBe('ses_01h2xcejqtf2nbrexx3vqjhp42')
    const hooked = request()
    await requireUserHook(verify)(hooked, untouched)
    expect(userOf(hooked)).toEqual(userOf(seen))
    // A request that looks the same, and one that says who it is from.
    for (const other of [request(), { ...seen }, { ...request(), user: userOf(seen) }])
      expect(() => userOf(other)).toThrow('requireUser')
  })
})

describe('a guard that wants a second factor', () => {
  const wanted = { maxAgeSeconds: 300, amr: ['mfa'] }
  const now = Math.floor(Date.now() / 1000)
  const shown = (amr: readonly string[], ago = 0) =>
    new Request(ISSUER, {
      headers: { authorization: `Bearer ${accessToken({ amr, auth_time: now - ago })}` },
    })

  /** What each of the three guards answers, and how many of them let the request through. */
  const answers = async (incoming: Request, expected: AccessExpectations) => {
    const sent = { headers: { authorization: incoming.headers.get('authorization') ?? undefined } }
    const told: Response[] = []
    let through = 0
    const init = { status: 0, headers: {} }
    const node = {
      writeHead: (status: number, headers: Record<string, string>) =>
        Object.assign(init, { status, headers }),
      end: (body: string) => told.push(new Response(body, init)),
    }
    await requireUser(verify, expected)(sent, node, () => void through++)
    const reply = {
      code: (status: number) => Object.assign(init, { status }),
      headers: (headers: Record<string, string>) => Object.assign(init, { headers }),
      send: node.end,
    }
    if ((await requireUserHook(verify, expected)(sent, reply)) === undefined) through++
    const web = await withUser(verify, () => new Response(null, { status: 204 }), expected)(incoming)
    if (web.status === 204) through++
    else told.push(web)
    return { through, told }
  }

  test('lets through who has shown one a short while ago', async () => {
    expect(await answers(shown(['pwd', 'otp', 'mfa']), wanted)).toEqual({ through: 3, told: [] })
  })

  test('asks everybody else for it as RFC 9470 has it, and says how recent it must be', async () => {
    for (const [incoming, expected, age] of [
      [shown(['pwd']), wanted, ', max_age="300"'],
      [shown(['pwd', 'otp', 'mfa'], 400), wanted, ', max_age="300"'],
      [shown(['pwd', 'otp', 'mfa'], 400), { maxAgeSeconds: 60 }, ', max_age="60"'],
      [shown(['pwd']), { amr: ['mfa'] }, ''],
    ] as const) {
      const { through, told } = await answers(incoming, expected)
      expect([through, told.length]).toEqual([0, 3])
      for (const answer of told) {
        const { status, headers } = answer
        expect({ status, body: await answer.json() }).toEqual({
          status: 401,
          body: { code: 'step_up_required' },
        })
        const challenge = headers.get('www-authenticate')?.replace(/error_description="[\w ]+"/, 'why')
        expect(challenge).toBe(`Bearer error="insufficient_user_authentication", why${age}`)
        expect(headers.get('cache-control')).toBe('no-store')
      }
    }
  })

  test('asks whoever brings no good token for one, and for no second factor', async () => {
    for (const [authorization, code, challenge] of [
      ['', 'unauthorized', /^Bearer$/],
      [`Bearer ${accessToken({ exp: now - 60, amr: ['pwd'] })}`, 'expired', /^Bearer error="invalid_token"/],
    ] as const) {
      const { through, told } = await answers(new Request(ISSUER, { headers: { authorization } }), wanted)
      expect([through, told.length]).toEqual([0, 3])
      for (const answer of told) {
        const { status, headers } = answer
        expect({ status, body: await answer.json() }).toEqual({ status: 401, body: { code } })
        expect(headers.get('www-authenticate')).toMatch(challenge)
        expect(headers.get('www-authenticate')).not.toContain('max_age')
      }
    }
  })

  test('is not made with a mistake', () => {
    for (const mistake of [
      {},
      null,
      { maxAge: 300 },
      { maxAgeSeconds: Number.NaN },
      { maxAgeSeconds: -1 },
      { maxAgeSeconds: '300' },
      { maxAgeSeconds: undefined },
      { amr: 'mfa' },
      { amr: [] },
    ]) {
      const expected = mistake as AccessExpectations
      for (const make of [
        () => requireUser(verify, expected),
        () => requireUserHook(verify, expected),
        () => withUser(verify, () => expect.unreachable(), expected),
      ])
        expect(make, JSON.stringify(mistake)).toThrow(TypeError)
    }
  })
})

describe('a fault that is no refusal', () => {
  test('goes on to whoever handles errors, and lets nobody in', async () => {
    const told: unknown[] = []
    const sent = request()
    await requireUser(broken)(sent, untouched, (error) => told.push(error))
    expect(told).toEqual([new Error('a fault')])
    expect(() => userOf(sent)).toThrow('requireUser')
    await expect(requireUserHook(broken)(request(), untouched)).rejects.toThrow('a fault')
    const guarded = withUser(broken, () => expect.unreachable())
    await expect(guarded(new Request(ISSUER, request()))).rejects.toThrow('a fault')
  })

  test('of the route behind it is not taken for a refusal of the token', async () => {
    const guarded = withUser(verify, () => {
      throw new RangeError('of the route')
    })
    await expect(guarded(new Request(ISSUER, request()))).rejects.toThrow(RangeError)
    const next = () => {
      throw new RangeError('of the route')
    }
    await expect(requireUser(verify)(request(), untouched, next)).rejects.toThrow(RangeError)
  })

  test('withUser hands on what else the handler is given', async () => {
    const guarded = withUser(verify, (_request: Request, user, context: { id: string }) =>
      Response.json([user.sub, context.id]),
    )
    const answer = await guarded(new Request(ISSUER, request()), { id: 'x' })
    expect(await answer.json()).toEqual(['usr_01h2xcejqtf2nbrexx3vqjhp41', 'x'])
  })
})
