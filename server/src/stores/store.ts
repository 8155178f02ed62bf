import type { AuthStore } from '../auth/store.ts'
import type { KeyStore } from '../keys/keys.ts'
import type { Counters } from '../limits/counters.ts'
import type { MessagingStore } from '../messaging/store.ts'
import type { Clock } from '../primitives/clock.ts'
import type { RecordStore } from '../services/records.ts'
import type { AttemptStore } from '../verify/attempts.ts'
import type { VerifyStore } from '../verify/store.ts'
import type { Tallies } from '../verify/tallies.ts'

/** What a look at a database or a Redis found, worded for `countersign doctor`: with what to do, and no secret. */
export type Finding = { readonly level: 'ok' | 'note'; readonly detail: string }

/** How long a store keeps what is only looked back at, in days. */
export type Retention = {
  readonly retentionDays: number
  /** Of events; the same unless told. */
  readonly eventRetentionDays?: number
}

/** One database that serves every domain's store port. */
export type Store = {
  /** The store's own clock, which everything around it goes by: processes that share a store agree on the time. */
  readonly clock: Clock
  readonly verifications: VerifyStore
  readonly attempts: AttemptStore
  readonly messaging: MessagingStore
  readonly counters: Counters
  readonly keys: KeyStore
  readonly tallies: Tallies
  readonly auth: AuthStore
  readonly records: RecordStore
  /** Deletes what is past its retention; resolves with the number of rows. */
  sweep(): Promise<number>
  /** Resolves when the database takes a write. */
  ping(): Promise<void>
  close(): Promise<void>
}
