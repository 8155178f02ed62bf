import { expect, test } from 'vitest'
import { ACCESS_TOKEN_TYPE, AccessTokens } from '../../src/auth/access-tokens.ts'
import type { Session } from '../../src/auth/user.ts'
import { makeKeyRing, signJwt } from '../../src/primitives/secrets.ts'
import { PROOF_TYPE } from '../../src/verify/proof.ts'
import { FakeClock } from '../fake-clock.ts'

const SECRET = 'secret-of-the-access-token-tests-of-32-characters'
const SETTINGS = { issuer: 'https://verify.example', audience: 'shop', ttlSeconds: 900 }
const DAY_MS = 86_400_000

function world() {
  const clock = new FakeClock()
  const ring = makeKeyRing(SECRET)
  const now = clock.now()
  const session: Session = {
    id: 'ses_1',
    userId: 'usr_1',
    amr: ['pwd'],
    authAt: now - 61_500,
    factorAt: null,
    createdAt: now - 61_500,
    usedAt: now,
    address: '192.0.2.1',
    agent: 'Firefox',
    expiresAt: now + DAY_MS,
    idleUntil: now + DAY_MS,
  }
  return { clock, ring, session, tokens: new AccessTokens(ring, clock, SETTINGS) }
}

function claimsOf(token: string): Record<string, unknown> {
  const [, claims = ''] = token.split('.')
  return JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>
}

test('R63: a token tells its session, whose it is, how and when they signed in, and what it is for', () => {
  const { clock, session, tokens } = world()
  clock.advanceMs(999)
  const iat = Math.floor(clock.now() / 1000)
  expect(claimsOf(tokens.sign(session))).toEqual({
    iss: SETTINGS.issuer,
    aud: 'shop',
    client_id: 'shop',
    sub: 'usr_1',
    sid: 'ses_1',
    iat,
    exp: iat + 900,
    jti: expect.stringMatching(/^[0-9a-f]{44}$/),
    amr: ['pwd'],
    auth_time: iat - 62,
  })
  expect(tokens.read(tokens.sign(session))).toEqual({ sessionId: 'ses_1', userId: 'usr_1' })
})

test('1,000 tokens of one moment are 1,000 tokens', () => {
  const { session, tokens } = world()
  const ids = Array.from({ length: 1_000 }, () => claimsOf(tokens.sign(session))['jti'])
  expect(new Set(ids).size).toBe(1_000)
})

test('R63: a token is good until its second, and not before the second it was made', () => {
  const { clock, session, tokens } = world()
  const token = tokens.sign(session)
  clock.advanceMs(899_999)
  expect(tokens.read(token)).toBeDefined()
  clock.advanceMs(1)
  expect(tokens.read(token)).toBeUndefined()
  // Clocks of machines differ by a little, and by no more.
  clock.advance(-905)
  expect(tokens.read(token)).toBeDefined()
  clock.advanceMs(-1)
  expect(tokens.read(token)).toBeUndefined()
})

test('R69: a token does not outlive its session, and what is told of its life is true', () => {
  const { clock, session, tokens } = world()
  for (const [leftMs, seconds] of [
    [900_000, 900],
    [899_999, 899],
    [60_000, 60],
    [1_500, 1],
    [999, 0],
    [0, 0],
    [-5_000, 0],
  ] as const) {
    const ending = { ...session, expiresAt: clock.now() + leftMs }
    const { exp, iat } = claimsOf(tokens.sign(ending)) as { exp: number; iat: number }
    expect([leftMs, exp - iat, tokens.lifeSeconds(ending)]).toEqual([leftMs, seconds, seconds])
    expect(tokens.read(tokens.sign(ending)) === undefined).toBe(seconds === 0)
  }
})

test('R63: whatever is not exactly an access token of ours for this audience is nothing', () => {
  const { clock, ring, session, tokens } = world()
  const good = claimsOf(tokens.sign(session))
  const sign = (change: Record<string, unknown>, typ = ACCESS_TOKEN_TYPE) =>
    signJwt(ring.current, typ, { ...good, ...change })
  expect(tokens.read(sign({}))).toBeDefined()
  for (const change of [
    { iss: 'https://other.example' },
    { iss: undefined },
    { iss: [SETTINGS.issuer] },
    { aud: 'countersign' },
    { aud: ['shop'] },
    { aud: undefined },
    { exp: undefined },
    { exp: null },
    { exp: '9999999999' },
    { exp: Math.floor(clock.now() / 1000) },
    { iat: undefined },
    { iat: true },
    { iat: Math.floor(clock.now() / 1000) + 6 },
    { sid: undefined },
    { sid: 7 },
    { sub: null },
    { sub: {} },
  ])
    expect([change, tokens.read(sign(change))]).toEqual([change, undefined])
  expect(tokens.read(sign({}, PROOF_TYPE))).toBeUndefined()
  expect(tokens.read(sign({}, 'JWT'))).toBeUndefined()
  const stranger = new AccessTokens(makeKeyRing(`${SECRET}!`), clock, SETTINGS)
  expect(stranger.read(tokens.sign(session))).toBeUndefined()
})

test('R73: with the key before still known its tokens are read, and new ones are of the new key', () => {
  const { clock, session, tokens } = world()
  const old = tokens.sign(session)
  const both = new AccessTokens(makeKeyRing('the-next-secret-of-32-characters', [SECRET]), clock, SETTINGS)
  expect(both.read(old)).toEqual({ sessionId: 'ses_1', userId: 'usr_1' })
  expect(tokens.read(both.sign(session))).toBeUndefined()
  expect(both.read(both.sign(session))).toBeDefined()
})
