import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { PublicJwk, SecretKeys } from '../../../src/primitives/secrets.ts'
import { FakeClock } from '../../fake-clock.ts'
import { makeTempDir, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { check, start } from '../../helpers/wire.ts'
import {
  callAs,
  expectOver,
  type Holder,
  keysOf,
  login,
  partsOf,
  refresh,
  refreshed,
  register,
  ROOMY,
  signIn,
  statusOf,
} from './holders.ts'

const SECRET = 'secret-of-the-token-tests-of-32-characters-or-more'
const OTHER_SECRET = 'another-secret-of-the-token-tests-of-32-characters'
const ISSUER = 'https://verify.example'
/** That of proofs too, so that nothing but their type tells them apart. */
const AUDIENCE = 'default'
const MUTATIONS = 2_000
const PASSWORD = 'a wombat eats 4 leeks'
/** Ed25519 public keys in DER, up to their 32 bytes (RFC 8410 §4). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

const SETTINGS = {
  ...ROOMY,
  SECRET_KEY: SECRET,
  PUBLIC_URL: ISSUER,
  ACCESS_TOKEN_AUDIENCE: AUDIENCE,
}

type Claims = Readonly<Record<string, unknown>>

/** A server, somebody who is signed in, and the means to forge their token. */
async function world() {
  const server = await startServer({ settings: SETTINGS })
  const holder = await signIn(server, phoneOf(0))
  const keys = keysOf(SECRET)
  const { header, claims } = partsOf(holder.access)
  /** The token, signed with our own key unless told, with changes that nobody but us could make. */
  const forge = (change: { header?: Claims; claims?: Claims; key?: KeyObject } = {}) =>
    compact({ ...header, ...change.header }, { ...claims, ...change.claims }, (text) =>
      sign(null, Buffer.from(text), change.key ?? keys.signingKey),
    )
  return { server, holder, keys, header, claims, forge }
}

type World = Awaited<ReturnType<typeof world>>

/** A JWT in compact form. A member that is undefined is left out. */
function compact(header: Claims, claims: Claims, signer: (text: string) => Buffer): string {
  const text = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(claims))}`
  return `${text}.${signer(text).toString('base64url')}`
}

function encode(text: string | Buffer): string {
  return Buffer.from(text).toString('base64url')
}

/** Asserts that a text is no access token anywhere, and that the real one still is. */
async function expectRefused({ server, holder }: World, tokens: Readonly<Record<string, string>>) {
  for (const [name, token] of Object.entries(tokens)) {
    for (const [method, path] of [
      ['GET', '/api/auth/me'],
      ['POST', '/api/auth/logout'],
      ['POST', '/api/auth/logout-all'],
      ['DELETE', `/api/auth/sessions/${holder.sessionId}`],
    ] as const) {
      const answer = await callAs(server, method, path, { token })
      expect([name, method, path, answer.status]).toEqual([name, method, path, 401])
      expect(answer.body).toMatchObject({ code: 'unauthorized' })
    }
  }
  expect(await statusOf(server, holder)).toBe(200)
}

/** Every way in which a server may be led to take our public key for a shared secret. */
function sharedSecrets({ jwk }: SecretKeys): Record<string, string | Buffer> {
  const raw = Buffer.from(jwk.x, 'base64url')
  const der = Buffer.concat([SPKI_PREFIX, raw])
  const pem = `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----\n`
  const { alg: _, ...withoutAlg } = jwk
  return {
    'its bytes': raw,
    'its text': jwk.x,
    DER: der,
    PEM: pem,
    'PEM after a space': ` ${pem}`,
    'PEM after a line break': `\n${pem}`,
    'its JWK': JSON.stringify(jwk),
    'its JWK without alg': JSON.stringify(withoutAlg),
    'its kid': jwk.kid,
    nothing: '',
  }
}

describe('access tokens', () => {
  test('R63: hold exactly what RFC 9068 and the API ask, nothing about the person, and another jti each', async () => {
    const { server, holder, keys, header, claims } = await world()
    expect(header).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: keys.jwk.kid })
    const now = Math.floor(server.clock.now() / 1000)
    expect(claims).toEqual({
      iss: ISSUER,
      aud: AUDIENCE,
      client_id: AUDIENCE,
      sub: holder.userId,
      sid: expect.stringMatching(/^ses_[0-9a-f]{44}$/),
      iat: now,
      exp: now + 15 * 60,
      jti: expect.stringMatching(/^[0-9a-f]{44}$/),
      amr: ['sms'],
      auth_time: now,
    })
    expect(holder.expiresIn).toBe(15 * 60)
    server.clock.advance(61)
    const next = await refreshed(server, holder.refresh)
    const later = partsOf(next.access).claims
    expect(later).toEqual({ ...claims, iat: now + 61, exp: now + 61 + 900, jti: later['jti'] })
    expect(later['jti']).not.toBe(claims['jti'])
  })

  test('R63: of a password say so', async () => {
    const { server } = await world()
    await register(server, phoneOf(1), PASSWORD)
    const { access } = await login(server, phoneOf(1), PASSWORD)
    expect(partsOf(access).claims['amr']).toEqual(['pwd'])
  })

  test('R62, A36: no other algorithm is believed, nor our public key as a secret', async () => {
    const all = await world()
    const { forge, keys, header, claims, holder } = all
    const [head = '', body = '', signature = ''] = holder.access.split('.')
    const tokens: Record<string, string> = {}
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, undefined, ['none'], 'EdDSA\u0000none']) {
      const name = `alg ${JSON.stringify(alg)}`
      const text = `${encode(JSON.stringify({ ...header, alg }))}.${body}`
      Object.assign(tokens, {
        [`${name}, unsigned`]: `${text}.`,
        [`${name}, without the dot`]: text,
        [`${name}, with the old signature`]: `${text}.${signature}`,
        [`${name}, signed`]: forge({ header: { alg } }),
      })
    }
    for (const alg of [
      ' EdDSA',
      'EdDSA ',
      'Ed DSA',
      'eddsa',
      'EDDSA',
      'Ed25519',
      'Ed448',
      'ES256',
      'RS256',
      'HS256',
    ])
      tokens[`alg ${alg}, signed by our key`] = forge({ header: { alg } })
    for (const alg of ['HS256', 'HS384', 'HS512', ' HS256', 'EdDSA'])
      for (const [name, secret] of Object.entries(sharedSecrets(keys)))
        tokens[`${alg} by our public key, ${name}`] = compact({ ...header, alg }, claims, (text) =>
          createHmac(`sha${/\d+$/.exec(alg)?.[0] ?? '256'}`, secret)
            .update(text)
            .digest(),
        )
    tokens['unsigned'] = `${head}.${body}.`
    tokens['all zero'] = `${head}.${body}.${encode(Buffer.alloc(64))}`
    await expectRefused(all, tokens)
  })

  test('R62, A36: no header brings a key, names one, or adds a rule', async () => {
    const all = await world()
    const { forge, keys, header } = all
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const theirs = { ...publicKey.export({ format: 'jwk' }), alg: 'EdDSA', use: 'sig' }
    const bringing: Record<string, Claims> = {
      jwk: { jwk: theirs },
      'jwk of the same kid': { jwk: { ...theirs, kid: keys.jwk.kid } },
      jku: { jku: 'https://evil.example/jwks.json' },
      x5u: { x5u: 'https://evil.example/cert.pem' },
      x5c: { x5c: ['MIIB'] },
      x5t: { x5t: 'AAAA' },
      'a crit that nobody knows': { crit: ['exp'] },
      'crit b64': { crit: ['b64'], b64: false },
      'b64 false': { b64: false },
      'an empty crit': { crit: [] },
      cty: { cty: 'JWT' },
      zip: { zip: 'DEF' },
      enc: { enc: 'A256GCM' },
      'another member': { hello: 'world' },
    }
    const kids = [
      '../../../../dev/null',
      '/dev/null',
      'file:///dev/null',
      'https://evil.example/key',
      "' OR '1'='1",
      '0',
      '',
      ' ',
      '__proto__',
      'constructor',
      `${keys.jwk.kid} `,
      keys.jwk.kid.toLowerCase(),
      keys.id,
      null,
      undefined,
      0,
      [keys.jwk.kid],
      { kid: keys.jwk.kid },
      keysOf(OTHER_SECRET).jwk.kid,
    ]
    const tokens: Record<string, string> = {}
    for (const [name, more] of Object.entries(bringing)) {
      tokens[`${name}, signed by us`] = forge({ header: more })
      tokens[`${name}, signed by them`] = forge({ header: more, key: privateKey })
    }
    for (const kid of kids) {
      tokens[`kid ${JSON.stringify(kid)}, signed by us`] = forge({ header: { kid } })
      tokens[`kid ${JSON.stringify(kid)}, signed by them`] = forge({ header: { kid }, key: privateKey })
    }
    tokens['a key that is not ours'] = forge({ key: privateKey })
    tokens['the key of another secret'] = forge({
      key: keysOf(OTHER_SECRET).signingKey,
      header: { kid: keysOf(OTHER_SECRET).jwk.kid },
    })
    const { alg, typ, kid } = header
    const claims = encode(JSON.stringify(all.claims))
    const rewritten = (text: string) => {
      const signed = `${encode(text)}.${claims}`
      return `${signed}.${encode(sign(null, Buffer.from(signed), keys.signingKey))}`
    }
    tokens['members in another order'] = rewritten(JSON.stringify({ typ, alg, kid }))
    tokens['spaces'] = rewritten(JSON.stringify(header, null, 1))
    tokens['a member twice'] = rewritten(`{"alg":"none",${JSON.stringify(header).slice(1)}`)
    tokens['no JSON'] = rewritten('hello')
    tokens['a list'] = rewritten('[]')
    await expectRefused(all, tokens)
  })

  test('R63, A17: other issuers, audiences, types and times, and sessions that never were, are refused', async () => {
    const all = await world()
    const { server, forge, holder, claims } = all
    const now = Math.floor(server.clock.now() / 1000)
    const { code, id } = await start(server, phoneOf(2))
    const proof = (await check(server, id, code)).body.proof ?? ''
    const other = await signIn(server, phoneOf(3))
    const changes: Record<string, Claims> = {
      'no iss': { iss: undefined },
      'another iss': { iss: 'https://evil.example' },
      'iss with a slash': { iss: `${ISSUER}/` },
      'iss in a list': { iss: [ISSUER] },
      'no aud': { aud: undefined },
      'another aud': { aud: 'shop' },
      'aud in a list': { aud: [AUDIENCE] },
      'our issuer as aud': { aud: ISSUER },
      'no exp': { exp: undefined },
      'exp as a text': { exp: String(claims['exp']) },
      'exp without end': { exp: null },
      'an exp that is over': { exp: now - 1 },
      'an exp that is now': { exp: now },
      'no iat': { iat: undefined },
      'iat as a text': { iat: String(now) },
      'iat in the future': { iat: now + 6 },
      'iat in a year': { iat: now + 31_536_000, exp: now + 31_536_900 },
      'iat in milliseconds': { iat: now * 1000 },
      'no sub': { sub: undefined },
      'the sub of somebody else': { sub: other.userId },
      'sub as a number': { sub: 1 },
      'no sid': { sid: undefined },
      'the sid of somebody else': { sid: other.sessionId },
      'a sid that never was': { sid: `ses_${'0'.repeat(44)}` },
      'a sid that is none': { sid: "' OR 1=1 --" },
      'a sid with a NUL': { sid: `${holder.sessionId}\u0000` },
      'sid as an object': { sid: { $ne: null } },
      'sid as a list': { sid: [holder.sessionId] },
    }
    const tokens: Record<string, string> = { proof }
    for (const [name, claims] of Object.entries(changes)) tokens[name] = forge({ claims })
    for (const typ of [
      'JWT',
      'jwt',
      'at+JWT',
      'AT+JWT',
      'application/at+jwt',
      'verification+jwt',
      '',
      null,
      undefined,
    ])
      tokens[`typ ${JSON.stringify(typ)}`] = forge({ header: { typ } })
    tokens['a refresh token'] = holder.refresh
    tokens['a secret key'] = server.sk
    tokens['a publishable key'] = server.pk
    tokens['a session id'] = holder.sessionId
    await expectRefused(all, tokens)
    // Every one of these was a change of a token that is good.
    const same = forge()
    expect(same).toBe(holder.access)
    expect(await statusOf(server, { ...holder, access: forge({ claims: { iat: now + 5 } }) })).toBe(200)
    server.clock.advance(15 * 60 - 1)
    expect(await statusOf(server, holder)).toBe(200)
    server.clock.advance(1)
    expect(await statusOf(server, holder)).toBe(401)
  })

  test('R63: an access token and a proof are no refresh tokens', async () => {
    const { server, holder } = await world()
    const { code, id } = await start(server, phoneOf(2))
    const proof = (await check(server, id, code)).body.proof ?? ''
    for (const token of [holder.access.slice(0, 200), proof.slice(0, 200), holder.sessionId, server.sk])
      expect((await refresh(server, token)).status).toBe(401)
    // As they are, they are longer than a refresh token may be.
    for (const token of [holder.access, proof]) expect((await refresh(server, token)).status).toBe(400)
    expect(await statusOf(server, holder)).toBe(200)
  })

  test('R62: a token that is cut, longer, or spelled in another way is refused', async () => {
    const all = await world()
    const { holder, claims, keys } = all
    const [head = '', body = '', signature = ''] = holder.access.split('.')
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // The last character of 64 bytes holds four bits that say nothing.
    const at = digits.indexOf(signature.at(-1) ?? '')
    const spellings = [...Array(16).keys()].map((low) => digits[(at & 0b110000) | low])
    const tokens: Record<string, string> = {
      'without a signature': `${head}.${body}`,
      'header alone': head,
      'a dot': '.',
      'two dots': '..',
      'an extra segment': `${holder.access}.AAAA`,
      'an extra empty segment': `${holder.access}.`,
      'an empty segment before': `.${holder.access}`,
      'an empty body': `${head}..${signature}`,
      'five segments': `${head}.${body}.${signature}.${body}.${signature}`,
      'the signature twice': `${holder.access}${signature}`,
      padded: `${holder.access}==`,
      'with plus and slash': `${head}.${body}.${Buffer.from(signature, 'base64url').toString('base64')}`,
      'in quotes': `"${holder.access}"`,
      'behind a comma': `${holder.access},${holder.access}`,
      '10 kB': `${head}.${'A'.repeat(10_000)}.${signature}`,
      '10 kB of dots': '.'.repeat(10_000),
      '10 kB of header': `${'A'.repeat(10_000)}.${body}.${signature}`,
      '10 kB, well signed': compact(
        partsOf(holder.access).header,
        { ...claims, more: 'x'.repeat(10_000) },
        (text) => sign(null, Buffer.from(text), keys.signingKey),
      ),
    }
    for (let end = 1; end < signature.length; end++) tokens[`cut by ${end}`] = holder.access.slice(0, -end)
    for (const last of spellings)
      if (last !== signature.at(-1)) tokens[`ending in ${last}`] = `${holder.access.slice(0, -1)}${last}`
    await expectRefused(all, tokens)
  })

  test(`R62: ${MUTATIONS} random changes of a token are 401, never 500`, async () => {
    const { server, holder } = await world()
    const random = generator(62)
    const other = (await signIn(server, phoneOf(1))).access
    const mutants = new Set<string>()
    while (mutants.size < MUTATIONS + 2) mutants.add(mutated(holder.access, other, random))
    mutants.delete(holder.access)
    mutants.delete(other)
    for (const token of mutants) {
      const { status } = await callAs(server, 'GET', '/api/auth/me', { token })
      expect([token, status]).toEqual([token, 401])
    }
    expect(await statusOf(server, holder)).toBe(200)
  })

  test('R70, A17: a session of every way in is in one table: it is listed, used and ended the same', async () => {
    const { server } = await world()
    const ways: Record<string, () => Promise<Holder>> = {
      code: () => signIn(server, phoneOf(10)),
      'code, again': () => signIn(server, phoneOf(10)),
      registration: () => register(server, phoneOf(11), PASSWORD),
      password: () => login(server, phoneOf(11), PASSWORD),
    }
    for (const [name, enter] of Object.entries(ways)) {
      const first = await enter()
      const holder = await refreshed(server, first.refresh)
      expect([name, holder.sessionId]).toEqual([name, first.sessionId])
      const { body } = await callAs(server, 'GET', '/api/auth/sessions', { token: holder.access })
      const listed = (body as { data: { id: string; current: boolean }[] }).data
      expect(listed.filter(({ current }) => current)).toMatchObject([{ id: holder.sessionId }])
      expect((await callAs(server, 'POST', '/api/auth/logout', { token: holder.access })).status).toBe(204)
      await expectOver(server, holder)
      expect(await statusOf(server, first)).toBe(401)
      server.clock.advance(60)
    }
  })

  test('A17: a refresh token that is ours, of a session that never was, is refused', async () => {
    const { server, holder } = await world()
    // Another server with the same secret and a database of its own.
    const elsewhere = await startServer({ settings: SETTINGS })
    const stranger = await signIn(elsewhere, phoneOf(0))
    await expectOver(server, stranger)
    await expectOver(elsewhere, holder)
  })
})

describe('R73: with another SECRET_KEY', () => {
  const settings = (current: string, previous?: string) => ({
    ...ROOMY,
    PUBLIC_URL: ISSUER,
    SECRET_KEY: current,
    ...(previous === undefined ? {} : { SECRET_KEYS_PREVIOUS: previous }),
  })

  test('tokens of the one before work until they end, new ones are of the new, and both keys are published', async () => {
    const dataDir = makeTempDir()
    const clock = new FakeClock()
    const overrides = { clock }
    const before = await startServer({ dataDir, overrides, settings: settings(SECRET) })
    const old = await signIn(before, phoneOf(0))
    const kept = await signIn(before, phoneOf(1))
    expect(await kidsOf(before)).toEqual([keysOf(SECRET).jwk.kid])
    await before.close()

    const both = await startServer({ dataDir, overrides, settings: settings(OTHER_SECRET, SECRET) })
    expect(await kidsOf(both)).toEqual([keysOf(OTHER_SECRET).jwk.kid, keysOf(SECRET).jwk.kid])
    expect(await statusOf(both, old)).toBe(200)
    const renewed = await refreshed(both, old.refresh)
    expect(partsOf(renewed.access).header['kid']).toBe(keysOf(OTHER_SECRET).jwk.kid)
    expect(renewed.sessionId).toBe(old.sessionId)
    expect(await statusOf(both, renewed)).toBe(200)
    // What was read off the old token's spelling is still a used token.
    clock.advance(10)
    const again = await refreshed(both, renewed.refresh)
    await both.close()

    const after = await startServer({ dataDir, overrides, settings: settings(OTHER_SECRET) })
    expect(await kidsOf(after)).toEqual([keysOf(OTHER_SECRET).jwk.kid])
    for (const dead of [old, kept]) await expectOver(after, dead)
    expect(await statusOf(after, again)).toBe(200)
    expect((await refresh(after, again.refresh)).status).toBe(200)
  })

  test('a token of the key before that was used ends the session', async () => {
    const dataDir = makeTempDir()
    const overrides = { clock: new FakeClock() }
    const before = await startServer({ dataDir, overrides, settings: settings(SECRET) })
    const old = await signIn(before, phoneOf(0))
    await before.close()
    const both = await startServer({ dataDir, overrides, settings: settings(OTHER_SECRET, SECRET) })
    const renewed = await refreshed(both, old.refresh)
    expect((await refreshed(both, old.refresh)).refresh).toBe(renewed.refresh)
    both.clock.advance(10)
    expect((await refresh(both, old.refresh)).status).toBe(401)
    await expectOver(both, renewed)
  })
})

async function kidsOf(server: TestServer): Promise<string[]> {
  const { body } = await server.api<{ keys: PublicJwk[] }>('GET', '/.well-known/jwks.json', { key: 'none' })
  return body.keys.map(({ kid }) => kid)
}

/** Numbers below 1 that are the same in every run (mulberry32). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A token with something changed, cut, put in, doubled, or taken from another. */
function mutated(token: string, other: string, random: () => number): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/%~!"{}'
  const place = (length: number) => Math.floor(random() * length)
  const letter = () => letters[place(letters.length)] ?? ''
  const at = place(token.length)
  const to = at + 1 + place(8)
  const ways = [
    () => token.slice(0, at) + letter() + token.slice(at + 1),
    () => token.slice(0, at) + letter() + token.slice(at),
    () => token.slice(0, at) + token.slice(to),
    () => token.slice(0, to) + token.slice(at),
    () => token.slice(0, at) + other.slice(at),
    () => token.slice(0, at) + token.slice(at, to).toUpperCase() + token.slice(to),
    () => {
      const [a, b] = [token.split('.'), other.split('.')]
      a[place(3)] = b[place(3)] ?? ''
      return a.join('.')
    },
    () => {
      const [head = '', body = '', end = ''] = token.split('.')
      const bytes = Buffer.from(body, 'base64url')
      const flipped = place(bytes.length)
      bytes[flipped] = (bytes[flipped] ?? 0) ^ (1 << place(8))
      return `${head}.${encode(bytes)}.${end}`
    },
  ]
  return (ways[place(ways.length)] ?? (() => token))()
}
