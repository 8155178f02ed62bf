import { randomBytes } from 'node:crypto'
import type { Clock } from '../primitives/clock.ts'
import { makeId } from '../primitives/ids.ts'
import { sha256 } from '../primitives/secrets.ts'

/**
 * `secret` keys may do everything; `publishable` ones are for browsers. `account` and `api_key` are the two kinds of
 * credentials of Twilio Verify's API: an account's own token, and a key of an account.
 */
export type KeyKind = 'secret' | 'publishable' | 'account' | 'api_key'

/** An API key as it is kept: its hash, never the key. */
export type ApiKey = {
  readonly id: string
  /** The service whose it is; of the credentials of an account, that account. */
  readonly service: string
  readonly kind: KeyKind
  /**
   * SHA-256 of the key, in hex, or of user and password with a colon between. A key is 256 random bits and a password
   * 128, so a fast hash is enough.
   */
  readonly hash: string
  /** The first characters, or the user, so that people can tell keys apart. */
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
/** What live keys name, as it was a moment ago. */
type Named = {
  readonly origins: ReadonlySet<string>
  readonly services: ReadonlySet<string>
  readonly until: number
}
const NOTHING_NAMED: Named = { origins: new Set(), services: new Set(), until: 0 }

/** `sk_` or `pk_` and something long; anything else is not worth a look in the store. */
const SHAPE = /^(?:sk|pk)_[A-Za-z0-9_-]{20,200}$/
const CREDENTIALS = /^(?:AC|SK)[0-9a-f]{32}:[A-Za-z0-9_-]{20,200}$/

/** Issues, finds and revokes API keys. */
export class Keys {
  readonly #store: KeyStore
  readonly #clock: Clock
  /** Keys from the settings, by hash. They are never in the store and cannot be revoked there. */
  readonly #fixed: ReadonlyMap<string, ApiKey>
  #named: Named = NOTHING_NAMED
  readonly #cache = new Map<string, { key: ApiKey | undefined; until: number }>()

  constructor(store: KeyStore, clock: Clock, fixed: readonly string[] = []) {
    this.#store = store
    this.#clock = clock
    this.#fixed = new Map(
      fixed.map((token) => {
        const hash = sha256(token)
        const [user = '', password] = token.split(':')
        return [
          hash,
          password === undefined
            ? describe(token, hash, 'default', [], 0)
            : describeCredentials(user, password, user, 0),
        ]
      }),
    )
  }

  /** Makes a key. The token is told here once and cannot be read again. */
  async create(
    kind: 'secret' | 'publishable',
    options: { service?: string; origins?: readonly string[] } = {},
  ): Promise<{ token: string; key: ApiKey }> {
    const token = `${kind === 'secret' ? 'sk' : 'pk'}_${randomBytes(32).toString('base64url')}`
    const service = options.service ?? 'default'
    const key = describe(token, sha256(token), service, options.origins ?? [], this.#clock.now())
    await this.#store.insert(key)
    return { token, key }
  }

  /**
   * Makes the credentials of an account: its token, or a key of one that is there. The password is told here once and
   * cannot be read again.
   */
  async createCredentials(account?: string): Promise<{ user: string; password: string; key: ApiKey }> {
    const kind = account === undefined ? 'account' : 'api_key'
    const user = `${kind === 'account' ? 'AC' : 'SK'}${randomBytes(16).toString('hex')}`
    const password = randomBytes(16).toString('hex')
    const key = describeCredentials(user, password, account ?? user, this.#clock.now())
    await this.#store.insert(key)
    return { user, password, key }
  }

  /** The live key that a token is, or undefined. A revocation is noticed within two seconds. */
  async find(token: string): Promise<ApiKey | undefined> {
    return SHAPE.test(token) ? this.#find(sha256(token)) : undefined
  }

  /** The live credentials that a user and a password are, as `find`. */
  async findCredentials(user: string, password: string): Promise<ApiKey | undefined> {
    return CREDENTIALS.test(`${user}:${password}`) ? this.#find(sha256(`${user}:${password}`)) : undefined
  }

  async #find(hash: string): Promise<ApiKey | undefined> {
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
    return (await this.#readNamed()).origins.has(origin)
  }

  /** Whether some live secret or publishable key is of this service. Noticed as late as a revocation. */
  async namesService(service: string): Promise<boolean> {
    return (await this.#readNamed()).services.has(service)
  }

  async #readNamed(): Promise<Named> {
    const now = this.#clock.now()
    if (this.#named.until <= now) {
      const live = (await this.#store.list()).filter((key) => key.revokedAt === null)
      const ofServices = live.filter(({ kind }) => kind === 'secret' || kind === 'publishable')
      this.#named = {
        origins: new Set(live.flatMap((key) => key.origins)),
        services: new Set(ofServices.map((key) => key.service)),
        until: now + CACHE_MS,
      }
    }
    return this.#named
  }

  async list(): Promise<ApiKey[]> {
    return [...this.#fixed.values(), ...(await this.#store.list())]
  }

  /** Ends a key; false when there is none to end. */
  async revoke(id: string): Promise<boolean> {
    this.#cache.clear()
    this.#named = NOTHING_NAMED
    return this.#store.revoke(id, this.#clock.now())
  }
}

function describeCredentials(user: string, password: string, account: string, at: number): ApiKey {
  const hash = sha256(`${user}:${password}`)
  return {
    id: at === 0 ? `key_fixed_${hash.slice(0, 8)}` : makeId('key_', at),
    service: account,
    kind: user === account ? 'account' : 'api_key',
    hash,
    hint: user,
    origins: [],
    createdAt: at,
    revokedAt: null,
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
