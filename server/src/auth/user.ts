/** `disabled`: an administrator has shut it; nobody signs in, and its sessions have ended. */
export type UserStatus = 'active' | 'disabled'

/** Someone who signs in. */
export type User = {
  /** `usr_…` */
  readonly id: string
  /** What the person gave, in lower case; null: none. It is an identifier, never proven and never written to. */
  readonly email: string | null
  readonly name: string | null
  /** E.164, proven; null after somebody else has proven it. At most one user has a number. */
  readonly phone: string | null
  /** When its owner last proved the number; milliseconds since the epoch. */
  readonly phoneVerifiedAt: number | null
  readonly status: UserStatus
  readonly createdAt: number
  /**
   * What the account may be entered with besides, as JSON that only this room reads; null where there is no second
   * factor. Secrets in it are sealed or hashed, and nobody is shown it.
   */
  readonly secondFactors: string | null
}

/** A user with what nobody is shown. */
export type Account = User & {
  /** An argon2id hash in PHC form; null where there is no password. */
  readonly passwordHash: string | null
  /** The remembered devices, as JSON that only this room reads. */
  readonly devices: string
  /** Grows with every change of the password, the number, the status, the second factors or the devices. */
  readonly version: number
}

/** A user without what nobody is shown. */
export function userOf({ passwordHash, devices, version, ...user }: Account): User {
  return user
}

/** How a person showed who they are (RFC 8176). */
export type Amr = 'sms' | 'pwd' | 'otp' | 'mfa'

/** One sign-in and what follows from it: a family of refresh tokens. */
export type Session = {
  /** `ses_…` */
  readonly id: string
  readonly userId: string
  readonly amr: readonly Amr[]
  /** When the person last showed who they are; milliseconds since the epoch. */
  readonly authAt: number
  /** When the person last showed a second factor; null: not in this session. Milliseconds since the epoch. */
  readonly factorAt: number | null
  readonly createdAt: number
  readonly usedAt: number
  /** The address it was last used from, as it is shown to its user. */
  readonly address: string
  /** The `User-Agent` it began with, cut to 200 characters. */
  readonly agent: string
  /** It ends then, however much it is used; milliseconds since the epoch. */
  readonly expiresAt: number
  /** It ends then unless it is used, and never later than `expiresAt`; milliseconds since the epoch. */
  readonly idleUntil: number
}
