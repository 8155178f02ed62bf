import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Money } from '../messaging/price.ts'
import type { Progress, Receipt, SignedRequest, Unreadable } from '../messaging/provider.ts'
import { codeOf, VONAGE_CODES } from './vonage-codes.ts'

/** How far the time of a signature may lie from ours, either way. */
const TOLERANCE_MS = 5 * 60_000
/** The form of `message_uuid`, in an answer and in a callback. */
export const MESSAGE_UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * Vonage's statuses (developer.vonage.com/en/messages/concepts/messages-status-callbacks): `submitted` is "passed
 * on to a messaging provider", `undeliverable` is "unable to connect to the messaging provider", `rejected` is a
 * refusal by Vonage or a carrier, or a message that outlived its `ttl`.
 */
const PROGRESS: ReadonlyMap<unknown, Progress> = new Map<unknown, Progress>([
  ['submitted', 'sent'],
  ['delivered', 'delivered'],
  ['read', 'read'],
  ['rejected', 'undelivered'],
  ['undeliverable', 'undelivered'],
])

/** Whose callbacks are believed. */
export type Signer = {
  /** A callback's `api_key` must be this. */
  readonly apiKey: string
  /** The account's signature secret. */
  readonly signatureSecret: string
}

/**
 * Reads a status callback. Documented (developer.vonage.com/en/getting-started/concepts/webhooks, "Signed
 * webhooks"): `Authorization: Bearer` holds a JWT signed by HS256 with the signature secret of the account that its
 * `api_key` names; `payload_hash` is the SHA-256 of the body in hex; `iat` is when it was made. Vonage calls checking
 * the hash and the age optional; here both are asked for, or a token seen once would sign anything for ever.
 */
export function readReceipts(
  { headers, body, at }: SignedRequest,
  signer: Signer,
): readonly Receipt[] | Unreadable {
  const token = /^Bearer +(\S+)$/i.exec(headers['authorization'] ?? '')?.[1]
  if (token === undefined) return { refused: 'unsigned' }
  const claims = verified(token, signer.signatureSecret)
  if (claims === undefined) return { refused: 'forged' }
  const { api_key: apiKey, payload_hash: payloadHash, iat } = claims
  if (!same(apiKey, signer.apiKey)) return { refused: 'forged' }
  if (!same(payloadHash, createHash('sha256').update(body).digest('hex'))) return { refused: 'forged' }
  if (typeof iat !== 'number') return { refused: 'forged' }
  if (!(Math.abs(at - iat * 1_000) <= TOLERANCE_MS)) return { refused: 'stale' }
  return receiptsIn(objectIn(body)) ?? { refused: 'malformed' }
}

type Fields = Readonly<Record<string, unknown>>

/** The claims of a token that this secret signed; nothing for any other. */
function verified(token: string, secret: string): Fields | undefined {
  const [header, payload, signature, ...rest] = token.split('.')
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) {
    return undefined
  }
  const expected = createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url')
  if (!same(signature.replace(/=+$/, ''), expected)) return undefined
  // Signed with our secret, but perhaps as something else than a JWT of Vonage's.
  return fromBase64(header)?.['alg'] === 'HS256' ? fromBase64(payload) : undefined
}

function fromBase64(text: string): Fields | undefined {
  return objectIn(Buffer.from(text, 'base64url'))
}

function objectIn(json: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(json.toString('utf8'))
    return isFields(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** In constant time for texts of one length. */
function same(given: unknown, expected: string): boolean {
  if (typeof given !== 'string') return false
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** The receipt of a callback; none for a status that Vonage may add one day; nothing for what is no status. */
function receiptsIn(callback: Fields | undefined): readonly Receipt[] | undefined {
  if (callback === undefined) return undefined
  const { message_uuid: ref, status, timestamp, error, usage } = callback
  if (typeof ref !== 'string' || !MESSAGE_UUID.test(ref) || typeof status !== 'string') return undefined
  const progress = PROGRESS.get(status)
  if (progress === undefined) return []
  const at = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN
  const price = priceOf(usage)
  const receipt: Receipt = {
    ref,
    progress,
    ...(progress === 'undelivered' ? reasonIn(error) : {}),
    ...(Number.isNaN(at) ? {} : { at }),
    ...(price === undefined ? {} : { price }),
  }
  return [receipt]
}

/** Why a message was not delivered; `unavailable` where no code says so: it has failed, and another try may help. */
function reasonIn(error: unknown): Pick<Receipt, 'why' | 'code'> {
  const code = isFields(error) ? codeOf(error) : undefined
  if (code === undefined) return { why: 'unavailable' }
  return { why: VONAGE_CODES.get(code) ?? 'unavailable', code }
}

/** Vonage tells a price in callbacks alone: `usage: { price: '0.0333', currency: 'EUR' }`. */
function priceOf(usage: unknown): Money | undefined {
  if (!isFields(usage)) return undefined
  const { price, currency } = usage
  if (typeof price !== 'string' || !/^\d{1,9}(?:\.\d{1,9})?$/.test(price)) return undefined
  return typeof currency === 'string' && /^[a-z]{3}$/i.test(currency)
    ? { amount: price, currency: currency.toUpperCase() }
    : undefined
}
