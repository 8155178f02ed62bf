/** The kinds of things that tenants keep here. */
export const RECORD_KINDS = [
  'service',
  'rate_limit',
  'bucket',
  'messaging_configuration',
  'webhook',
  'entity',
  'factor',
  'challenge',
  'safe_number',
  'event',
] as const
export type RecordKind = (typeof RECORD_KINDS)[number]

/**
 * Something that a tenant keeps here: a service, or what belongs to one. Its body is JSON that the store does not read.
 * Times are milliseconds since the epoch, by the store's clock.
 */
export type TenantRecord = {
  /** Two letters and 32 hexadecimal digits that begin with the time; see `sids.ts`. */
  readonly id: string
  readonly kind: RecordKind
  /** What it belongs to: an account, or another record. */
  readonly parent: string
  /** What it is called; one of its kind and parent has a name. Null: it has none. */
  readonly name: string | null
  readonly body: string
  /** Grows with each change. */
  readonly version: number
  readonly createdAt: number
  readonly updatedAt: number
  /** When something must be done about it; null: never. */
  readonly dueAt: number | null
  /** When it is swept; null: never. It is found until then. */
  readonly expiresAt: number | null
}

/** A record that is about to be made. */
export type NewRecord = Pick<TenantRecord, 'id' | 'kind' | 'parent' | 'name' | 'body'> & {
  readonly dueInSeconds?: number
  readonly ttlSeconds?: number
}

/** What becomes of a record. `dueInSeconds` null: nothing is to be done about it any more. */
export type RecordChange = {
  readonly body: string
  readonly dueInSeconds?: number | null
}

/** A page of records, newest first. */
export type RecordPage = { readonly data: readonly TenantRecord[]; readonly nextCursor: string | null }

/**
 * Keeps what belongs to tenants. Each verb is one atomic step. Whoever changes a record has read it first, and is told
 * when somebody else was quicker (decision 25).
 */
export interface RecordStore {
  /** Adds a record; `taken` is the one that has its name already. */
  insert(record: NewRecord): Promise<{ readonly record: TenantRecord; readonly isTaken: boolean }>
  find(id: string): Promise<TenantRecord | undefined>
  findNamed(kind: RecordKind, parent: string, name: string): Promise<TenantRecord | undefined>
  /** Changes a record that still has this version; undefined when it has not, or is gone. */
  change(id: string, version: number, change: RecordChange): Promise<TenantRecord | undefined>
  /** Deletes a record and all that belongs to it; false when there is none. */
  remove(id: string): Promise<boolean>
  /** Those of a kind and parent, newest first, after the cursor, which is an id. */
  list(filter: {
    readonly kind: RecordKind
    readonly parent: string
    readonly limit: number
    readonly cursor?: string
  }): Promise<RecordPage>
  /**
   * Takes records of a kind that are due, the longest due first, and makes each due again after the lease: of several
   * processes one gets each, and another when that one dies.
   */
  takeDue(kind: RecordKind, leaseSeconds: number, limit: number): Promise<readonly TenantRecord[]>
}
