import type { Clock } from '../primitives/clock.ts'
import { type BucketBody, isUniqueName, type RateLimit } from './rate-limit.ts'
import type { RecordStore } from './records.ts'
import { Remembered } from './remembered.ts'
import { type Service, toService } from './service.ts'
import { isSid } from './sids.ts'

/** More buckets than a rate limit has: those that came at once may be one too many, and each counts. */
const ALL = 100

/**
 * Looks up what most calls ask for: services, and their rate limits. What it says may be two seconds old, but for what
 * this process has changed and told it to forget.
 */
export class Directory {
  readonly #records: RecordStore
  readonly #services: Remembered<Service | undefined>
  readonly #limits: Remembered<RateLimit | undefined>

  constructor(records: RecordStore, clock: Clock) {
    this.#records = records
    this.#services = new Remembered(clock)
    this.#limits = new Remembered(clock)
  }

  /** A service by its id. */
  async find(id: string): Promise<Service | undefined> {
    if (!isSid('VA', id)) return undefined
    return this.#services.of(id, async () => {
      const record = await this.#records.find(id)
      return record?.kind === 'service' ? toService(record) : undefined
    })
  }

  /** A rate limit of a service by its name, with its buckets. */
  async findLimit(service: string, name: string): Promise<RateLimit | undefined> {
    if (!isUniqueName(name)) return undefined
    return this.#limits.of(limitKey(service, name), async () => {
      const record = await this.#records.findNamed('rate_limit', service, name)
      if (!record) return undefined
      const { id } = record
      const { data } = await this.#records.list({ kind: 'bucket', parent: id, limit: ALL })
      return { id, buckets: data.map(({ body }) => JSON.parse(body) as BucketBody) }
    })
  }

  /** Forgets a service that this process has changed, so that it sees the change at once. */
  forget(id: string): void {
    this.#services.forget(id)
  }

  /** Forgets a rate limit that this process has changed, or a bucket of which. */
  forgetLimit(service: string, name: string): void {
    this.#limits.forget(limitKey(service, name))
  }
}

function limitKey(service: string, name: string): string {
  return `${service}:${name}`
}
