import { sign } from 'node:crypto'
import { expect, test } from 'vitest'
import { headerOf, readJwt } from '../../src/primitives/read-jwt.ts'
import { makeKeyRing, signJwt } from '../../src/primitives/secrets.ts'

const TYPE = 'at+jwt'
const SECRET = 'secret-of-the-jwt-reader-tests-of-32-characters'
const ring = makeKeyRing(SECRET)
const keys = ring.current

/** A token of these two texts, signed by our key. */
function signed(header: string, claims: string): string {
  const text = `${header}.${Buffer.from(claims).toString('base64url')}`
  return `${text}.${sign(null, Buffer.from(text), keys.signingKey).toString('base64url')}`
}

test('a token is read back as it was signed', () => {
  const claims = { sub: 'a', nested: { list: [1, 'ü', null] }, exp: 1 }
  expect(readJwt(ring, TYPE, signJwt(keys, TYPE, claims))).toEqual(claims)
})

test('R62: a header is ours as a whole, or the token is nothing', () => {
  const claims = JSON.stringify({ sub: 'a' })
  const write = (header: unknown) => signed(Buffer.from(JSON.stringify(header)).toString('base64url'), claims)
  const good = { alg: 'EdDSA', typ: TYPE, kid: keys.jwk.kid }
  expect(readJwt(ring, TYPE, write(good))).toEqual({ sub: 'a' })
  for (const header of [
    { ...good, alg: 'none' },
    { ...good, alg: 'HS256' },
    { ...good, typ: 'JWT' },
    { ...good, typ: 'AT+JWT' },
    { ...good, kid: 'other' },
    { ...good, crit: ['exp'] },
    { ...good, b64: false },
    { ...good, jwk: keys.jwk },
    { kid: good.kid, typ: good.typ, alg: good.alg },
    { alg: good.alg, typ: good.typ },
    {},
    [],
    null,
    'x',
  ])
    expect([header, readJwt(ring, TYPE, write(header))]).toEqual([header, undefined])
  // Padding and stray bits spell the same header.
  expect(readJwt(ring, TYPE, signed(`${headerOf(keys, TYPE)}=`, claims))).toBeUndefined()
})

test('R62: of the spellings of one signature only one is ours', () => {
  const token = signJwt(keys, TYPE, { sub: 'a' })
  const signature = token.split('.')[2] ?? ''
  const bytes = Buffer.from(signature, 'base64url')
  const same = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    .split('')
    .map((last) => signature.slice(0, -1) + last)
    .filter((spelling) => Buffer.from(spelling, 'base64url').equals(bytes))
  expect(same).toHaveLength(16)
  const body = token.slice(0, -signature.length)
  const read = same.filter((spelling) => readJwt(ring, TYPE, body + spelling) !== undefined)
  expect(read).toEqual([signature])
})

test('what is no JSON object inside is nothing, and throws nothing', () => {
  for (const claims of ['null', '1', '"text"', 'true'])
    expect([claims, readJwt(ring, TYPE, signed(headerOf(keys, TYPE), claims))]).toEqual([claims, undefined])
})

test('a token over 4,096 characters is not looked at', () => {
  const write = (length: number) => signJwt(keys, TYPE, { more: 'x'.repeat(length) })
  expect(write(2_900).length).toBeLessThanOrEqual(4_096)
  expect(readJwt(ring, TYPE, write(2_900))).toBeDefined()
  expect(readJwt(ring, TYPE, write(3_000))).toBeUndefined()
  expect(readJwt(ring, TYPE, 'A.'.repeat(5_000_000))).toBeUndefined()
})

test('R73: every key of the ring is tried, by its name alone', () => {
  const other = makeKeyRing('the-next-secret-of-32-characters')
  const both = makeKeyRing('the-next-secret-of-32-characters', [SECRET])
  const token = signJwt(keys, TYPE, { sub: 'a' })
  expect(readJwt(both, TYPE, token)).toEqual({ sub: 'a' })
  expect(readJwt(other, TYPE, token)).toBeUndefined()
  // Signed by one key under the name of the other.
  const text = `${headerOf(other.current, TYPE)}.${token.split('.')[1]}`
  const mixed = `${text}.${sign(null, Buffer.from(text), keys.signingKey).toString('base64url')}`
  expect(readJwt(both, TYPE, mixed)).toBeUndefined()
})
