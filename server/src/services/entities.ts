import type { Clock } from '../primitives/clock.ts'
import { FactorRefusal } from './factor-refusal.ts'
import type { RecordStore, TenantRecord } from './records.ts'
import { makeSid } from './sids.ts'

/** Somebody who has factors, by the name that a service knows them by. */
export type Entity = {
  /** `YE…`. */
  readonly id: string
  readonly service: string
  readonly identity: string
  readonly createdAt: number
  readonly updatedAt: number
}

const IDENTITY = /^[A-Za-z0-9-]{8,64}$/

/** Whether a text can name somebody: 8 to 64 letters, digits and dashes. */
export function isIdentity(text: string): boolean {
  return IDENTITY.test(text)
}

/** Reads an entity from its record. */
export function toEntity({ id, parent, name, createdAt, updatedAt }: TenantRecord): Entity {
  return { id, service: parent, identity: name ?? '', createdAt, updatedAt }
}

/** The entities of services. */
export class Entities {
  readonly #records: RecordStore
  readonly #clock: Clock

  constructor(records: RecordStore, clock: Clock) {
    this.#records = records
    this.#clock = clock
  }

  /** Makes an entity. Throws `entity_exists`. */
  async create(service: string, identity: string): Promise<Entity> {
    const { record, isTaken } = await this.#insert(service, identity)
    if (isTaken) throw new FactorRefusal('entity_exists')
    return toEntity(record)
  }

  /** The entity of this name, which is made where there is none. */
  async ensure(service: string, identity: string): Promise<Entity> {
    const found = await this.#records.findNamed('entity', service, identity)
    return toEntity(found ?? (await this.#insert(service, identity)).record)
  }

  /** Throws `entity_not_found`. */
  async mustFind(service: string, identity: string): Promise<Entity> {
    const found = isIdentity(identity)
      ? await this.#records.findNamed('entity', service, identity)
      : undefined
    if (!found) throw new FactorRefusal('entity_not_found')
    return toEntity(found)
  }

  #insert(service: string, identity: string) {
    const id = makeSid('YE', this.#clock.now())
    return this.#records.insert({ id, kind: 'entity', parent: service, name: identity, body: '{}' })
  }
}
