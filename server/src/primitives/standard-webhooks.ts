import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'

const PREFIX = 'whsec_'
/** 192 to 512 bits, as the specification has it. */
const KEY_BYTES_MIN = 24
const KEY_BYTES_MAX = 64
/** How far the time of a signature may lie from ours, either way. */
const TOLERANCE_MS = 5 * 60_000

/** Names in lower case, as Node gives them. */
export type WebhookHeaders = Readonly<Record<string, string | undefined>>

/**
 * Signs requests, and checks signed ones, as Standard Webhooks 1.0.0 says (standardwebhooks.com): HMAC-SHA256 of
 * `id.timestamp.body`. Every secret signs, and a signature by any of them is good, so that a secret can be
 * replaced while both ends still know the old one.
 */
export class StandardWebhooks {
  readonly #keys: readonly KeyObject[]

  /** @throws Error that says which secret is malformed; never what it holds. */
  constructor(secrets: readonly string[]) {
    this.#keys = secrets.map(readSecret)
  }

  /** The three headers for this body. */
  sign(id: string, atMs: number, body: string): Readonly<Record<string, string>> {
    const timestamp = String(Math.floor(atMs / 1_000))
    return {
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': this.#signatures(id, timestamp, body).join(' '),
    }
  }

  /** What is wrong with the signature of a request that came in at `atMs`; nothing where it is good. */
  check(headers: WebhookHeaders, body: Buffer, atMs: number): 'unsigned' | 'forged' | 'stale' | undefined {
    const id = headers['webhook-id']
    const timestamp = headers['webhook-timestamp']
    const given = headers['webhook-signature']
    if (!id || !timestamp || !given) return 'unsigned'
    if (!/^\d{1,11}$/.test(timestamp)) return 'forged'
    const expected = this.#signatures(id, timestamp, body).map((text) => Buffer.from(text))
    const isGood = given.split(' ').some((text) => {
      const signature = Buffer.from(text)
      return expected.some((good) => good.length === signature.length && timingSafeEqual(good, signature))
    })
    if (!isGood) return 'forged'
    return Math.abs(atMs - Number(timestamp) * 1_000) > TOLERANCE_MS ? 'stale' : undefined
  }

  #signatures(id: string, timestamp: string, body: string | Buffer): string[] {
    return this.#keys.map((key) => {
      const digest = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')
      return `v1,${digest}`
    })
  }
}

function readSecret(secret: string, index: number): KeyObject {
  const which = `webhook secret ${index + 1}`
  if (!secret.startsWith(PREFIX)) throw new Error(`${which} must begin with ${PREFIX}`)
  const text = secret.slice(PREFIX.length)
  const key = Buffer.from(text, 'base64')
  // Node reads past what is no base64; a key of which half was lost would sign all the same.
  if (key.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) {
    throw new Error(`${which} must be base64 after ${PREFIX}`)
  }
  if (key.length < KEY_BYTES_MIN || key.length > KEY_BYTES_MAX) {
    throw new Error(`${which} must hold ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX} bytes`)
  }
  return createSecretKey(key)
}
