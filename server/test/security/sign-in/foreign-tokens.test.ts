import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { beforeAll, afterAll, describe, expect, test } from 'vitest'
import { findOpenssl, runPython } from '../../../../scripts/services/foreign.ts'
import { run } from '../../../../scripts/services/tools.ts'
import type { PublicJwk } from '../../../src/primitives/secrets.ts'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { describeWith } from '../../helpers/services.ts'
import { check, start } from '../../helpers/wire.ts'
import { partsOf, ROOMY, signIn } from './holders.ts'

const ISSUER = 'https://verify.example'
/** Of both kinds of token, so that nothing but their type tells them apart. */
const AUDIENCE = 'default'
/** DER of an Ed25519 public key up to its 32 bytes (RFC 8410 §4). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/** A kind of token, and what whoever checks one must know of it. */
type Kind = { readonly typ: string; readonly audience: string; readonly token: string }

let server: TestServer
let jwksUrl: string
let kinds: Record<'access token' | 'proof', Kind>
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  const settings = {
    ...ROOMY,
    PUBLIC_URL: ISSUER,
    ACCESS_TOKEN_AUDIENCE: AUDIENCE,
    SECRET_KEYS_PREVIOUS: 'the-key-before-of-32-characters-or-more',
  }
  server = await startServer({ settings, keep: true })
  jwksUrl = `${await server.listen()}/.well-known/jwks.json`
  const { access } = await signIn(server, phoneOf(0))
  const { code, id } = await start(server, phoneOf(1))
  const { proof = '' } = (await check(server, id, code)).body
  kinds = {
    'access token': { typ: 'at+jwt', audience: AUDIENCE, token: access },
    proof: { typ: 'verification+jwt', audience: AUDIENCE, token: proof },
  }
})
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A token with one bit of its claims turned. */
function tampered(token: string): string {
  const [head, body = '', signature] = token.split('.')
  const bytes = Buffer.from(body, 'base64url')
  bytes[20] = (bytes[20] ?? 0) ^ 1
  return `${head}.${bytes.toString('base64url')}.${signature}`
}

/** The published key that a token names. */
async function keyOf(token: string): Promise<PublicJwk> {
  const { keys } = (await (await fetch(jwksUrl)).json()) as { keys: PublicJwk[] }
  const found = keys.filter(({ kid }) => kid === partsOf(token).header['kid'])
  expect(found).toHaveLength(1)
  const [key] = found
  if (!key) throw new Error('no key')
  return key
}

test('the published keys say what they are for, and nothing secret', async () => {
  const { keys } = (await (await fetch(jwksUrl)).json()) as { keys: Record<string, string>[] }
  expect(keys).toHaveLength(2)
  for (const key of keys) {
    expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
    expect(key).toMatchObject({ alg: 'EdDSA', crv: 'Ed25519', kty: 'OKP', use: 'sig' })
  }
})

describe('R63: jose verifies, by the published keys alone,', () => {
  for (const name of ['access token', 'proof'] as const)
    test(`our ${name}, and no other text`, async () => {
      const { typ, audience, token } = kinds[name]
      const keys = createRemoteJWKSet(new URL(jwksUrl))
      const currentDate = new Date(server.clock.now())
      const wanted = { issuer: ISSUER, audience, typ, currentDate, algorithms: ['EdDSA'] }
      const { payload, protectedHeader } = await jwtVerify(token, keys, wanted)
      expect(payload).toEqual(partsOf(token).claims)
      expect(protectedHeader['typ']).toBe(typ)
      const other = kinds[name === 'proof' ? 'access token' : 'proof'].token
      await expect(jwtVerify(other, keys, wanted)).rejects.toThrow()
      await expect(jwtVerify(tampered(token), keys, wanted)).rejects.toThrow('signature')
      const later = new Date(Number(payload.exp) * 1000)
      await expect(jwtVerify(token, keys, { ...wanted, currentDate: later })).rejects.toThrow('exp')
    })
})

describeWith('python', 'R63: PyJWT verifies, by the published keys alone,', () => {
  const program = `
import json, sys
import jwt
jwks, token, issuer, audience, typ, mangled, foreign = sys.argv[1:8]
client = jwt.PyJWKClient(jwks)
def verify(token, **more):
    key = client.get_signing_key_from_jwt(token)
    # The clock of the test stands still somewhere else.
    options = {'require': ['exp', 'iat', 'iss', 'aud', 'sub', 'jti'], 'verify_exp': False, 'verify_iat': False}
    wanted = {'algorithms': ['EdDSA'], 'issuer': issuer, 'audience': audience, **more}
    decoded = jwt.decode_complete(token, key, options=options, **wanted)
    assert decoded['header']['typ'] == typ, decoded['header']
    return decoded['payload']
claims = verify(token)
for name, attempt in {
    'mangled': lambda: verify(mangled),
    'foreign': lambda: verify(foreign),
    'issuer': lambda: verify(token, issuer='https://evil.example'),
    'audience': lambda: verify(token, audience='other'),
    'algorithm': lambda: verify(token, algorithms=['HS256']),
}.items():
    try:
        attempt()
    except (jwt.PyJWTError, AssertionError):
        continue
    sys.exit(name + ' was believed')
print(json.dumps(claims))`

  for (const name of ['access token', 'proof'] as const)
    test(`our ${name}, and no other text`, { timeout: 60_000 }, async () => {
      const { typ, audience, token } = kinds[name]
      const other = kinds[name === 'proof' ? 'access token' : 'proof'].token
      const args = [jwksUrl, token, ISSUER, audience, typ, tampered(token), other]
      expect(JSON.parse(await runPython(program, args))).toEqual(partsOf(token).claims)
    })
})

describeWith('openssl', 'R63: openssl verifies, with the published key,', () => {
  const verify = async (token: string, x: string): Promise<string> => {
    const [head, body, signature = ''] = token.split('.')
    const der = Buffer.concat([SPKI_PREFIX, Buffer.from(x, 'base64url')])
    const file = (name: string, content: string | Buffer) => {
      const path = join(folder, name)
      writeFileSync(path, content)
      return path
    }
    const pem = `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----\n`
    const key = file('key.pem', pem)
    const signed = file('signed', `${head}.${body}`)
    const bytes = file('signature', Buffer.from(signature, 'base64url'))
    const openssl = findOpenssl() ?? 'openssl'
    const args = ['pkeyutl', '-verify', '-pubin', '-inkey', key, '-rawin', '-in', signed, '-sigfile', bytes]
    return run(openssl, args)
  }

  for (const name of ['access token', 'proof'] as const)
    test(`our ${name}, and no other text`, async () => {
      const { token } = kinds[name]
      const { x } = await keyOf(token)
      expect(await verify(token, x)).toContain('Signature Verified Successfully')
      await expect(verify(tampered(token), x)).rejects.toThrow('Verification Failure')
      const { keys } = (await (await fetch(jwksUrl)).json()) as { keys: PublicJwk[] }
      const before = keys.find((key) => key.x !== x)
      await expect(verify(token, before?.x ?? '')).rejects.toThrow('Verification Failure')
    })
})
