/** Everything that the audit log tells. */
export const EVENT_TYPES = [
  'user.created',
  'user.updated',
  'user.disabled',
  'user.enabled',
  'user.deleted',
  'session.started',
  'session.ended',
  'session.reused',
  'login.failed',
  'password.set',
  'password.reset',
  'phone.proven',
  'phone.changed',
  'phone.detached',
  'phone.restored',
  'factor.enabled',
  'factor.disabled',
  'factor.passed',
  'factor.failed',
  'backup_codes.made',
  'backup_code.used',
  'recovery.started',
  'recovery.canceled',
  'device.remembered',
  'device.ended',
  'device.reused',
] as const

/** One of {@link EVENT_TYPES}. */
export type EventType = (typeof EVENT_TYPES)[number]

/** Who did something, and from where. */
export type By = {
  /** The user, an administrator (whose key is named in `key`), or nobody who is known. */
  readonly actor: 'user' | 'admin' | 'anonymous'
  /** The id of the secret key that an administrator used. */
  readonly key?: string
  /** The address it came from; null: none is known. */
  readonly address: string | null
  readonly agent: string | null
}

/** What happened. Never holds a secret, a code, or a whole phone number. */
export type AuthEvent = {
  /** `evt_…`; sorts by time. */
  readonly id: string
  readonly type: EventType
  /** Whom it is about; null where no account is known. */
  readonly userId: string | null
  readonly sessionId: string | null
  readonly by: By
  /** More of it, by type: a reason, or a masked number. */
  readonly data: Readonly<Record<string, string>>
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** An event as a store is given it: it adds the time, and whom it is about where only the store knows. */
export type EventDraft = Pick<AuthEvent, 'id' | 'type' | 'by' | 'data'>
