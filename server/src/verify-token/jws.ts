import { verify, type KeyObject } from 'node:crypto'
import { TokenError } from './token-error.ts'

/** A token that was read, and is not believed yet. */
export type Jws = {
  readonly kid: string
  /** What was signed: the first two parts with the dot between them. */
  readonly signed: string
  readonly payload: Buffer
  readonly signature: Buffer
}

const LENGTH_MAX = 8_192
const SIGNATURE_BYTES = 64

/**
 * Reads a compact JWS (RFC 7515) exactly as `signJwt` of the server writes it, and refuses every other way to write
 * one. The header holds `alg`, `typ` and `kid` alone, so that no header can bring a key, name an address or ask for
 * an extension.
 */
export function readJws(token: unknown, typ: string): Jws {
  if (typeof token !== 'string') throw malformed('the token is no text')
  if (token.length > LENGTH_MAX) throw malformed('the token is too long')
  const [head, body, tail, ...more] = token.split('.')
  if (head === undefined || body === undefined || tail === undefined || more.length > 0)
    throw malformed('the token has not three parts')
  const header = readObject(bytesOf(head))
  const signature = bytesOf(tail)
  const { alg, kid } = header
  if (alg !== 'EdDSA') throw malformed('the algorithm is not EdDSA')
  if (header['typ'] !== typ) throw new TokenError('wrong_type', 'the token is of another kind')
  if (typeof kid !== 'string' || Object.keys(header).length !== 3)
    throw malformed('the header has not alg, typ and kid alone')
  if (signature.length !== SIGNATURE_BYTES) throw malformed('the signature has not 64 bytes')
  return { kid, signed: `${head}.${body}`, payload: bytesOf(body), signature }
}

/** The claims of a token, once its signature is found to be right. */
export function openJws({ signed, payload, signature }: Jws, key: KeyObject): Record<string, unknown> {
  if (!verify(null, Buffer.from(signed), key, signature))
    throw new TokenError('bad_signature', 'the signature does not match')
  return readObject(payload)
}

/** A refusal of what Countersign does not write. */
export function malformed(message: string): TokenError {
  return new TokenError('malformed', message)
}

/** Node reads more than base64url, and more than one spelling of it, so that only what comes back the same is taken. */
function bytesOf(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')
  if (part === '' || bytes.toString('base64url') !== part) throw malformed('a part is not base64url')
  return bytes
}

/** Only the one spelling that `JSON.stringify` has: no member comes twice, and nothing depends on who reads it. */
function readObject(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    // Bytes are compared, since text that is no UTF-8 would read the same as another.
    if (isObject && Buffer.from(JSON.stringify(value)).equals(bytes)) return value as Record<string, unknown>
  } catch {
    // Said below, without the parser's words: they would quote the token.
  }
  throw malformed('a part is not a JSON object as Countersign writes it')
}
