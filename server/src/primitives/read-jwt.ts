import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import type { KeyRing, SecretKeys } from './secrets.ts'

/** The longest token read, in characters; ours are under 700. */
const LENGTH_MAX = 4_096
const SHAPE = /^([\w-]+)\.([\w-]+)\.([\w-]{86})$/

const publicKeys = new WeakMap<SecretKeys, KeyObject>()

/**
 * Reads a JWT that this server signed (see `signJwt`): its claims, or nothing. The header is compared as a whole, so
 * there is no algorithm to choose, no key to bring along and no extension to ignore. Says nothing of `exp`.
 */
export function readJwt(ring: KeyRing, typ: string, token: string): Record<string, unknown> | undefined {
  if (token.length > LENGTH_MAX) return undefined
  const [, header, payload, signature] = SHAPE.exec(token) ?? []
  if (header === undefined || payload === undefined || signature === undefined) return undefined
  for (const keys of ring.byId.values()) {
    if (header !== headerOf(keys, typ)) continue
    const bytes = Buffer.from(signature, 'base64url')
    // Of two spellings of the same bytes only one is ours.
    if (bytes.toString('base64url') !== signature) return undefined
    if (!verify(null, Buffer.from(`${header}.${payload}`), publicKeyOf(keys), bytes)) return undefined
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    return typeof claims === 'object' && claims !== null ? { ...claims } : undefined
  }
  return undefined
}

/** The header of every JWT that these keys sign as this type, encoded. */
export function headerOf(keys: SecretKeys, typ: string): string {
  return Buffer.from(JSON.stringify({ alg: 'EdDSA', typ, kid: keys.jwk.kid })).toString('base64url')
}

function publicKeyOf(keys: SecretKeys): KeyObject {
  let found = publicKeys.get(keys)
  if (found === undefined) {
    found = createPublicKey(keys.signingKey)
    publicKeys.set(keys, found)
  }
  return found
}
