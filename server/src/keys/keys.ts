import { randomBytes } from 'node:crypto'
import type { Clock } from '../primitives/clock.ts'
import { makeId } from '../primitives/ids.ts'
import { sha256 } from '../primitives/secrets.ts'

/** `secret` keys may do everything; `publishable` ones are for browsers. */
export type KeyKind = 'secret' | 'publishable'

/** An API key as it is kept: its hash, never the key. */
export type ApiKey = {
  readonly id: string
  readonly service: string
  readonly kind: KeyKind
  /** SHA-256 of the key, in hex. The key is 256 random bits, so a fast hash is enough. */
  readonly hash: string
  /** The first characters, so that people can tell keys apart. */
  readonly hint: string
  /** Browser origins that may use a publishable key; empty: those of `CORS_ORIGINS`. */
  readonly origins: readonly string[]
  readonly createdAt: number
  readonly revokedAt: number | null
}

/** Keeps API keys. */
export interface KeyStore {
  insert(key: ApiKey): Promise<void>
  list(): Promise<ApiKey[]>
  findByHash(hash: string): Promise<ApiKey | undefined>
  /** False when there is no such key or it was revoked before. */
  revoke(id: string, at: number): Promise<boolean>
}

/** How long a key that was looked up may still be believed, so how late a revocation may be noticed. */
const CACHE_MS = 2_000
const CACHE_MAX = 1_000
const HINT_CHARS = 10
/** `sk_` or `pk_` and something long; anything else is not worth a look in the store. */
const SHAPE = /^(?:sk|pk)_[A-Za-z0-9_-]{20,200}$/

/** Issues, finds and revokes API keys. */
export class Keys {
  readonly #store: KeyStore
  readonly #clock: Clock
  /** Keys from the settings, by hash. They are never in the store and cannot be revoked there. */
  readonly #fixed: ReadonlyMap<string, ApiKey>
  #origins: { all: ReadonlySet<string>; until: number } = { all: new Set(), until: 0 }
  readonly #cache = new Map<string, { key: ApiKey | undefined; until: number }>()

  constructor(store: KeyStore, clock: Clock, fixed: readonly string[] = []) {
    this.#store = store
    this.#clock = clock
    this.#fixed = new Map(
      fixed.map((token) => {
        const hash = sha256(token)
        return [hash, describe(token, hash, 'default', [], 0)]
      }),
    )
  }

  /** Makes a key. The token is told here once and cannot be read again. */
  async create(
    kind: KeyKind,
    options: { service?: string; origins?: readonly string[] } = {},
  ): Promise<{ token: string; key: ApiKey }> {
    const token = `${kind === 'secret' ? 'sk' : 'pk'}_${randomBytes(32).toString('base64url')}`
    const service = options.service ?? 'default'
    const key = describe(token, sha256(token), service, options.origins ?? [], this.#clock.now())
    await this.#store.insert(key)
    return { token, key }
  }

  /** The live key that a token is, or undefined. A revocation is noticed within two seconds. */
  async find(token: string): Promise<ApiKey | undefined> {
    if (!SHAPE.test(token)) return undefined
    const hash = sha256(token)
    const fixed = this.#fixed.get(hash)
    if (fixed) return fixed
    const now = this.#clock.now()
    const cached = this.#cache.get(hash)
    if (cached && cached.until > now) return cached.key
    const found = await this.#store.findByHash(hash)
    const key = found?.revokedAt === null ? found : undefined
    // A flood of made-up keys must not grow the cache without end.
    if (this.#cache.size >= CACHE_MAX) this.#cache.clear()
    this.#cache.set(hash, { key, until: now + CACHE_MS })
    return key
  }

  /** Whether some live publishable key names this browser origin as its own. Noticed as late as a revocation. */
  async namesOrigin(origin: string): Promise<boolean> {
    const now = this.#clock.now()
    if (this.#origins.until <= now) {
      const live = (await this.#store.list()).filter((key) => key.revokedAt === null)
      this.#origins = { all: new Set(live.flatMap((key) => key.origins)), until: now + CACHE_MS }
    }
    return this.#origins.all.has(origin)
  }

  async list(): Promise<ApiKey[]> {
    return [...this.#fixed.values(), ...(await this.#store.list())]
  }

  /** Ends a key; false when there is none to end. */
  async revoke(id: string): Promise<boolean> {
    this.#cache.clear()
    this.#origins = { all: new Set(), until: 0 }
    return this.#store.revoke(id, this.#clock.now())
  }
}

function describe(
  token: string,
  hash: string,
  service: string,
  origins: readonly string[],
  at: number,
): ApiKey {
  return {
    id: at === 0 ? `key_fixed_${hash.slice(0, 8)}` : makeId('key_', at),
    service,
    kind: token.startsWith('sk_') ? 'secret' : 'publishable',
    hash,
    hint: `${token.slice(0, HINT_CHARS)}…`,
    origins,
    createdAt: at,
    revokedAt: null,
  }
}
