import { describe, expect, test } from 'vitest'
import {
  bearerOf,
  makeTokenVerifier,
  requireUser,
  requireUserHook,
  userOf,
  withUser,
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
