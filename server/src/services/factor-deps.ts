import type { Clock } from '../primitives/clock.ts'
import type { KeyRing } from '../primitives/secrets.ts'
import type { Entities } from './entities.ts'
import type { Limiter } from './limiter.ts'
import type { RecordStore } from './records.ts'
import type { Service } from './service.ts'
import type { WebhookEvent } from './webhook.ts'

/** Something that a service may want to be told of. */
export type Happened = {
  readonly account: string
  readonly service: string
  readonly type: WebhookEvent
  readonly identity: string
  readonly factor: { readonly id: string; readonly friendlyName: string }
  /** `YC…`, where it is about a challenge. */
  readonly challenge?: string
}

/** What factors and challenges are made of. */
export type FactorDeps = {
  readonly records: RecordStore
  readonly entities: Entities
  readonly clock: Clock
  readonly ring: KeyRing
  readonly limiter: Limiter
  /** Resolves when it is written down, so that it will be told. */
  readonly tell: (happened: Happened) => Promise<void>
  /** Wrong codes of one factor, over all its challenges. */
  readonly wrongCodesPerDay: number
}

/** Whose factor or challenge it is. */
export type Owner = { readonly service: Service; readonly identity: string }
