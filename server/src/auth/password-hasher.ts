import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { CountersignError } from '../primitives/errors.ts'

/** What a hash costs. The defaults are OWASP's for argon2id (Password Storage Cheat Sheet). */
export type HashCost = {
  readonly memoryKib: number
  readonly passes: number
  /** Hashes that are worked on at once: each has a thread and its memory to itself. */
  readonly atOnce: number
}

const LANES = 1
const SALT_BYTES = 16
const HASH_BYTES = 32
/** Hashes that wait for their turn; at 30 ms each, more would wait longer than a person does. */
const WAITING_MAX = 200
/** A hash in PHC form: all that it was made with, and the digest. */
const PHC = /^(.+)\$([A-Za-z0-9+/]+)$/
const SALT = /^\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]+)$/

type Parameters = {
  readonly memory: number
  readonly passes: number
  readonly lanes: number
  readonly salt: Buffer
}

/**
 * Hashes passwords with argon2id (RFC 9106) in the threads of the runtime, a few at once: however many sign in, other
 * requests have theirs answered.
 */
export class PasswordHasher {
  readonly #cost: HashCost
  #running = 0
  readonly #waiting: (() => void)[] = []
  readonly #decoy: string

  constructor(cost: HashCost) {
    this.#cost = cost
    const nothing = Buffer.alloc(HASH_BYTES)
    this.#decoy = write({ ...this.#parameters(), salt: randomBytes(SALT_BYTES) }, nothing)
  }

  /** A new hash in PHC form. Throws `overloaded` when too many wait. */
  async hash(password: string): Promise<string> {
    const parameters = { ...this.#parameters(), salt: randomBytes(SALT_BYTES) }
    return write(parameters, await this.#derive(password, parameters, HASH_BYTES))
  }

  /** Whether a password has this hash; `isOld`: made at another cost. Without a hash it takes as long, and is wrong. */
  async verify(password: string, hash: string | null): Promise<{ isRight: boolean; isOld: boolean }> {
    const [, salt, digest] = PHC.exec(hash ?? this.#decoy) ?? []
    if (salt === undefined || digest === undefined) throw unreadable()
    const wanted = Buffer.from(digest, 'base64')
    const parameters = readSalt(salt)
    const made = await this.#derive(password, parameters, wanted.length)
    const current = this.#parameters()
    const isOld =
      parameters.memory !== current.memory ||
      parameters.passes !== current.passes ||
      parameters.lanes !== LANES
    return { isRight: hash !== null && timingSafeEqual(made, wanted), isOld }
  }

  /** A new salt for several texts, as a hash in PHC form begins: it tells the cost, which may be another one day. */
  newSalt(): string {
    return writeSalt({ ...this.#parameters(), salt: randomBytes(SALT_BYTES) })
  }

  /** The digest of a text under such a salt, as a hash in PHC form ends. Throws `overloaded` when too many wait. */
  async hashWithSalt(text: string, salt: string): Promise<string> {
    return base64(await this.#derive(text, readSalt(salt), HASH_BYTES))
  }

  #parameters(): Omit<Parameters, 'salt'> {
    return { memory: this.#cost.memoryKib, passes: this.#cost.passes, lanes: LANES }
  }

  async #derive(
    password: string,
    { memory, passes, lanes, salt }: Parameters,
    bytes: number,
  ): Promise<Buffer> {
    await this.#turn()
    try {
      return await new Promise((resolve, reject) => {
        // Two ways to type the same letters are the same password (NIST SP 800-63B §3.1.1.2).
        const message = Buffer.from(password.normalize('NFKC'))
        const options = { message, nonce: salt, parallelism: lanes, tagLength: bytes, memory, passes }
        argon2('argon2id', options, (error, made) => (error ? reject(error) : resolve(made)))
      })
    } finally {
      // A turn is handed over. Were it given back, whoever comes before the next one wakes up would take it as well.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running -= 1
      else next()
    }
  }

  async #turn(): Promise<void> {
    if (this.#running < this.#cost.atOnce) {
      this.#running += 1
      return
    }
    if (this.#waiting.length >= WAITING_MAX) {
      throw new CountersignError('overloaded', 'Too many sign-ins at once', { retryAfterSeconds: 1 })
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

function write(parameters: Parameters, hash: Buffer): string {
  return `${writeSalt(parameters)}$${base64(hash)}`
}

function writeSalt({ memory, passes, lanes, salt }: Parameters): string {
  return `$argon2id$v=19$m=${memory},t=${passes},p=${lanes}$${base64(salt)}`
}

function readSalt(text: string): Parameters {
  const [, memory, passes, lanes, salt] = SALT.exec(text) ?? []
  if (salt === undefined) throw unreadable()
  return {
    memory: Number(memory),
    passes: Number(passes),
    lanes: Number(lanes),
    salt: Buffer.from(salt, 'base64'),
  }
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

function unreadable(): Error {
  return new Error('a password hash cannot be read')
}
