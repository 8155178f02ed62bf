import { createPublicKey, type KeyObject } from 'node:crypto'
import { TokenError } from './token-error.ts'

/** Where keys come from, and who fetches them. */
export type KeySetDeps = {
  readonly url: string
  readonly fetch: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

const FRESH_MS = 300_000
/** Anyone can name a key that does not exist; this is how often that may make us ask. */
const REFETCH_MS = 30_000
/** As long as there are no keys at all, nobody can be let in, so that the server is asked again sooner. */
const RETRY_MS = 1_000
const TIMEOUT_MS = 5_000
const BYTES_MAX = 65_536

/** The public keys of a server, as they were last read. The last good ones are kept while it is down. */
export class KeySet {
  readonly #deps: KeySetDeps
  #keys: ReadonlyMap<string, KeyObject> = new Map()
  #fetchedAt = -Infinity
  #askedAt = -Infinity
  #failure: unknown
  #asking: Promise<void> | undefined

  constructor(deps: KeySetDeps) {
    this.#deps = deps
  }

  /** The key of that name. Rejects with `unknown_key`, or `keys_unavailable` where nobody can know. */
  async key(kid: string): Promise<KeyObject> {
    const known = this.#keys.has(kid)
    if ((!known || !this.#within(this.#fetchedAt, FRESH_MS)) && this.#mayAsk()) await this.#ask()
    else if (!known) await this.#asking
    const key = this.#keys.get(kid)
    if (key !== undefined) return key
    if (this.#failure !== undefined)
      throw new TokenError('keys_unavailable', 'the keys of the server could not be read', {
        cause: this.#failure,
      })
    throw new TokenError('unknown_key', 'the server has no key of that name')
  }

  /** A clock that was set back makes everything old. */
  #within(at: number, spanMs: number): boolean {
    const age = this.#deps.now() - at
    return age >= 0 && age < spanMs
  }

  #mayAsk(): boolean {
    return !this.#within(this.#askedAt, this.#keys.size === 0 ? RETRY_MS : REFETCH_MS)
  }

  /** One question at a time, whoever wants it answered. */
  #ask(): Promise<void> {
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #fetch(): Promise<void> {
    this.#askedAt = this.#deps.now()
    try {
      this.#keys = await fetchKeys(this.#deps)
      this.#fetchedAt = this.#deps.now()
      this.#failure = undefined
    } catch (error) {
      this.#failure = error
    }
  }
}

async function fetchKeys({ url, fetch }: KeySetDeps): Promise<ReadonlyMap<string, KeyObject>> {
  const response = await fetch(url, {
    headers: { accept: 'application/json' },
    // Whoever can make the server redirect would choose our keys.
    redirect: 'error',
    // Next.js would keep the first answer for good.
    cache: 'no-store',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`the keys were answered with status ${response.status}`)
  }
  const keys = keysOf(JSON.parse(await readText(response)))
  if (keys.size === 0) throw new Error('the answer holds no key that can be used')
  return keys
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop by a throw cancels the rest.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > BYTES_MAX) throw new Error('the keys are too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** The keys that may sign tokens: Ed25519, meant for signatures and for nothing else. Others are passed over. */
function keysOf(answer: unknown): ReadonlyMap<string, KeyObject> {
  const list = isRecord(answer) && Array.isArray(answer['keys']) ? (answer['keys'] as unknown[]) : []
  const keys = new Map<string, KeyObject>()
  for (const jwk of list) {
    if (!isRecord(jwk)) continue
    const { kty, crv, x, kid, alg, use } = jwk
    const ours = kty === 'OKP' && crv === 'Ed25519' && alg === 'EdDSA' && use === 'sig' && !('d' in jwk)
    // 43 characters are 32 bytes; Node takes shorter ones for keys, too.
    if (!ours || typeof kid !== 'string' || typeof x !== 'string' || !/^[\w-]{43}$/.test(x)) continue
    if (!keys.has(kid)) keys.set(kid, createPublicKey({ key: { kty, crv, x }, format: 'jwk' }))
  }
  return keys
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
