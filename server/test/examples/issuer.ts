import { sign } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import { onTestFinished } from 'vitest'
import { deriveKeys, signJwt, type SecretKeys } from '../../src/primitives/secrets.ts'
import { portOf } from '../conformance/provider-faults.ts'

/** The keys of the server whose tokens the tests make. */
export const KEYS = deriveKeys('the-issuer-of-tests-0123456789-abcdefghijkl')

/** Claims of an access token of now, with some in the place of the usual ones; undefined takes one away. */
export function accessClaims(other: object = {}): Record<string, unknown> {
  const iat = Math.floor(Date.now() / 1000)
  return {
    iss: ISSUER,
    aud: 'default',
    client_id: 'default',
    sub: 'usr_01h2xcejqtf2nbrexx3vqjhp41',
    sid: 'ses_01h2xcejqtf2nbrexx3vqjhp42',
    iat,
    exp: iat + 600,
    jti: '01h2xcejqtf2nbrexx3vqjhp43',
    amr: ['sms'],
    auth_time: iat - 60,
    ...other,
  }
}

/** The same for a proof. */
export function proofClaims(other: object = {}): Record<string, unknown> {
  const iat = Math.floor(Date.now() / 1000)
  return {
    iss: ISSUER,
    aud: 'default',
    sub: '+14155552671',
    purpose: 'login',
    vid: 'ver_01h2xcejqtf2nbrexx3vqjhp44',
    iat,
    exp: iat + 300,
    jti: '01h2xcejqtf2nbrexx3vqjhp45',
    ...other,
  }
}

/** The issuer of tokens whose verifier is not told a real address. */
export const ISSUER = 'https://auth.example.com'

/** An access token, signed as the server signs it. */
export function accessToken(other: object = {}, keys: SecretKeys = KEYS): string {
  return signJwt(keys, 'at+jwt', accessClaims(other))
}

/** A proof, signed as the server signs it. */
export function proof(other: object = {}, keys: SecretKeys = KEYS): string {
  return signJwt(keys, 'verification+jwt', proofClaims(other))
}

/** Signs any header and payload, whatever they are, with the right key. */
export function signRaw(header: object | string, payload: object | string | Buffer): string {
  const signed = `${encode(header)}.${encode(payload)}`
  return `${signed}.${sign(null, Buffer.from(signed), KEYS.signingKey).toString('base64url')}`
}

/** One part of a token. */
export function encode(part: object | string | Buffer): string {
  if (Buffer.isBuffer(part)) return part.toString('base64url')
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}

/** Serves on a free port until the test ends; gives the address. */
export async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${portOf(server)}`
}

/** Serves the keys as Countersign does, until the test ends; gives the address. */
export function serveKeys(keys: readonly SecretKeys[] = [KEYS]): Promise<string> {
  return serve((request, response) => {
    if (request.url !== '/.well-known/jwks.json') return response.writeHead(404).end()
    response.setHeader('content-type', 'application/json; charset=utf-8')
    return response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }))
  })
}

/** Serves the keys until it is closed, and answers 503 while it is not `up`. */
export async function serveKeysThatFail(): Promise<{ url: string; up: boolean; close: () => void }> {
  const server = createServer((_request, response) => {
    response.statusCode = keys.up ? 200 : 503
    response.end(JSON.stringify({ keys: [KEYS.jwk] }))
  })
  const keys = {
    url: '',
    up: true,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  keys.url = `http://127.0.0.1:${portOf(server)}`
  return keys
}
