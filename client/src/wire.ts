// Made by scripts/generate-client-types.ts from the OpenAPI of the server and its table of errors: change them.

/** The codes that the server answers; see docs/errors.md. */
export type ServerErrorCode =
  | 'account_disabled'
  | 'blocked'
  | 'challenge_ended'
  | 'check_failed'
  | 'cross_site'
  | 'delivery_unavailable'
  | 'email_taken'
  | 'factor_not_offered'
  | 'forbidden'
  | 'fresh_sign_in_required'
  | 'idempotency_conflict'
  | 'idempotency_in_progress'
  | 'internal'
  | 'invalid_code'
  | 'invalid_credentials'
  | 'invalid_phone'
  | 'invalid_request'
  | 'invalid_signature'
  | 'message_too_long'
  | 'not_found'
  | 'origin_not_allowed'
  | 'overloaded'
  | 'payload_too_large'
  | 'rate_limited'
  | 'request_timeout'
  | 'second_factor_required'
  | 'send_failed'
  | 'store_unavailable'
  | 'unauthorized'
  | 'unsupported_media_type'
  | 'verification_ended'
  | 'weak_password'

export type BackupCodes = {
  /** Told this once; each opens the account once */
  backup_codes: string[]
}

export type CheckedVerification = {
  id: string
  /** Where the verification stands; all but `pending` are final */
  status: 'pending' | 'approved' | 'canceled' | 'expired' | 'locked' | 'failed' | 'blocked'
  to: string
  /** How the message travels */
  channel: 'sms' | 'whatsapp' | 'call'
  /** What the verification is for */
  purpose: 'verify' | 'login' | 'signup' | 'reset' | 'phone_change' | 'second_factor'
  /** ISO 8601, UTC */
  expires_at: string
  /** ISO 8601, UTC */
  resend_at: string
  checks_left: number
  sends_left: number
  /** ISO 8601, UTC */
  created_at: string
  /** ISO 8601, UTC */
  decided_at: string | null
  metadata: Record<string, string>
  /** With a secret key only */
  sends?: Send[] | undefined
  valid: boolean
  /** Why */
  reason:
    'approved' | 'wrong_code' | 'expired' | 'already_used' | 'locked' | 'canceled' | 'not_sent' | 'blocked'
  /** A JWT another server can check offline; when approved */
  proof?: string | undefined
}

/** A device on which its user is spared the second factor */
export type Device = {
  id: string
  /** The `User-Agent` it was remembered with */
  name: string
  /** Where it was last used from */
  address: string
  /** ISO 8601, UTC */
  created_at: string
  /** ISO 8601, UTC */
  last_used_at: string
  /** ISO 8601, UTC */
  expires_at: string
}

/** RFC 9457 problem details */
export type Problem = {
  type: string
  title: string
  status: number
  /** For people; may change */
  detail: string
  /** Stable */
  code: string
  request_id: string
  field?: string | undefined
  limit?: string | undefined
  retry_after?: number | undefined
  verification_id?: string | undefined
}

export type SecondFactorRequired = {
  status: 'second_factor_required'
  /** Good once, for five minutes and five tries */
  challenge_token: string
  factors: ('totp' | 'sms' | 'backup_code')[]
  /** Where a text would go */
  phone_hint: string | null
  /** ISO 8601, UTC */
  expires_at: string
}

/** One message handed to a provider */
export type Send = {
  id: string
  provider: string
  channel: string
  /** `sending`, `accepted`, `unknown` (the vendor may have it) or `refused`; then by receipts `sent`, `delivered`, `undelivered` or `read` */
  status: string
  /** Why it was refused or not delivered */
  error: string | null
  /** ISO 8601, UTC */
  at: string
  /** ISO 8601, UTC */
  delivered_at: string | null
  /** What the vendor told, or else what the price table says */
  price: string | null
  currency: string | null
}

export type Session = {
  id: string
  current: boolean
  amr: string[]
  address: string
  /** The `User-Agent` it began with */
  agent: string
  /** ISO 8601, UTC */
  created_at: string
  /** ISO 8601, UTC */
  last_used_at: string
  /** ISO 8601, UTC */
  signed_in_at: string
  /** ISO 8601, UTC */
  expires_at: string
}

export type StartedVerification = {
  id: string
  /** Where the verification stands; all but `pending` are final */
  status: 'pending' | 'approved' | 'canceled' | 'expired' | 'locked' | 'failed' | 'blocked'
  to: string
  /** How the message travels */
  channel: 'sms' | 'whatsapp' | 'call'
  /** What the verification is for */
  purpose: 'verify' | 'login' | 'signup' | 'reset' | 'phone_change' | 'second_factor'
  /** ISO 8601, UTC */
  expires_at: string
  /** ISO 8601, UTC */
  resend_at: string
  checks_left: number
  sends_left: number
  /** ISO 8601, UTC */
  created_at: string
  /** ISO 8601, UTC */
  decided_at: string | null
  metadata: Record<string, string>
  /** With a secret key only */
  sends?: Send[] | undefined
  /** In development only */
  preview_code?: string | undefined
}

export type Tokens = {
  /** A JWT (RFC 9068) */
  access_token: string
  token_type: 'bearer'
  /** Not in cookie mode */
  refresh_token?: string | undefined
  /** Seconds until the access token ends */
  expires_in: number
  /** Of the device that is remembered; not in cookie mode */
  device_token?: string | undefined
  user: User
}

export type User = {
  id: string
  /** Without one of their own: the number at example.com, never written to */
  email: string | null
  name: string | null
  phone: string | null
  phone_verified: boolean
  /** ISO 8601, UTC */
  phone_verified_at: string | null
  two_factor_enabled: boolean
  /** The preferred second factor */
  two_factor_method: 'none' | 'sms' | 'app'
  /** Every second factor that is on, `sms` first */
  two_factor_methods: ('sms' | 'app')[]
  backup_codes_left: number
  /** ISO 8601, UTC */
  created_at: string
}

export type Verification = {
  id: string
  /** Where the verification stands; all but `pending` are final */
  status: 'pending' | 'approved' | 'canceled' | 'expired' | 'locked' | 'failed' | 'blocked'
  to: string
  /** How the message travels */
  channel: 'sms' | 'whatsapp' | 'call'
  /** What the verification is for */
  purpose: 'verify' | 'login' | 'signup' | 'reset' | 'phone_change' | 'second_factor'
  /** ISO 8601, UTC */
  expires_at: string
  /** ISO 8601, UTC */
  resend_at: string
  checks_left: number
  sends_left: number
  /** ISO 8601, UTC */
  created_at: string
  /** ISO 8601, UTC */
  decided_at: string | null
  metadata: Record<string, string>
  /** With a secret key only */
  sends?: Send[] | undefined
}

export type VerificationRequired = {
  status: 'verification_required'
  verification_id: string
  /** ISO 8601, UTC */
  resend_at: string
  /** ISO 8601, UTC */
  expires_at: string
  /** In development only */
  preview_code?: string | undefined
}

/** Every call that the client may make: what it takes, and what is answered. */
export type Calls = {
  /** Start a verification, or send the pending one again */
  'POST /v1/verifications': {
    body: {
      /** E.164, or national with `country` */
      to: string
      /** ISO 3166-1 alpha-2 */
      country?: string | undefined
      /** How the message travels */
      channel?: 'sms' | 'whatsapp' | 'call' | undefined
      /** What the verification is for */
      purpose?: 'verify' | 'login' | 'signup' | 'reset' | 'phone_change' | 'second_factor' | undefined
      /** BCP 47 language of the text, such as `pt-BR` */
      locale?: string | undefined
      /** The end user’s address (secret key only) */
      ip?: string | undefined
      /** Comes back in the proof */
      nonce?: string | undefined
      /** At most 10 strings of your own */
      metadata?: Record<string, string> | undefined
      /** The service to act for, with a secret key of the service `default` only; that of the key unless told */
      service?: string | undefined
    }
    answer: StartedVerification
  }
  /** List verifications, newest first */
  'GET /v1/verifications': {
    body: undefined
    answer: {
      data: Verification[]
      /** Pass it as `cursor` for the next page; null on the last. A page may be short although more follows */
      next_cursor: string | null
    }
  }
  /** Send the code of a pending verification again */
  'POST /v1/verifications/{id}/resend': {
    body: {
      /** How the message travels */
      channel?: 'sms' | 'whatsapp' | 'call' | undefined
    } | null
    answer: Verification
  }
  /** Check a code */
  'POST /v1/verifications/{id}/check': {
    body: {
      /** The digits from the message */
      code: string
    }
    answer: CheckedVerification
  }
  /** Read a verification */
  'GET /v1/verifications/{id}': { body: undefined; answer: Verification }
  /** Cancel a pending verification */
  'POST /v1/verifications/{id}/cancel': { body: Record<string, never> | null; answer: Verification }
  /** Read a number: is it valid, whose plan, what kind of line */
  'POST /v1/phones/lookup': {
    body: {
      phone: string
      /** ISO 3166-1 alpha-2 */
      country?: string | undefined
    }
    answer: {
      valid: boolean
      e164: string | null
      country: string | null
      type: string | null
      national: string | null
    }
  }
  /** Send a sign-in code */
  'POST /api/auth/otp/request': {
    body: {
      phone?: unknown
    } | null
    answer: {
      status: 'ok'
      /** In development only */
      preview_code?: string | undefined
    }
  }
  /** Sign in with the code */
  'POST /api/auth/verify-otp': {
    body: {
      phone?: unknown
      otp?: unknown
    } | null
    answer: Tokens | SecondFactorRequired
  }
  /** Register with a number and a password */
  'POST /api/auth/register': {
    body: {
      /** E.164 */
      phone: string
      /** At most 256 characters */
      password: string
      email?: string | undefined
      name?: string | undefined
      /** BCP 47 language of the text, such as `pt-BR` */
      locale?: string | undefined
    }
    answer: VerificationRequired
  }
  /** Send the code of a registration again */
  'POST /api/auth/register/resend': {
    body: {
      verification_id: string
    }
    answer: VerificationRequired
  }
  /** Prove the number of a registration and sign in */
  'POST /api/auth/register/verify': {
    body: {
      verification_id: string
      /** The digits from the message */
      code: string
    }
    answer: Tokens | SecondFactorRequired
  }
  /** Sign in with a password */
  'POST /api/auth/login': {
    body: {
      /** E-mail or number */
      identifier: string
      /** At most 256 characters */
      password: string
      /** Of a remembered device */
      device_token?: string | undefined
    }
    answer: Tokens | SecondFactorRequired
  }
  /** Change a refresh token into a new pair */
  'POST /api/auth/refresh': {
    body: {
      refresh_token?: string | undefined
    } | null
    answer: Tokens
  }
  /** Sign out */
  'POST /api/auth/logout': {
    body: {
      refresh_token?: string | undefined
    } | null
    answer: undefined
  }
  /** Sign out everywhere */
  'POST /api/auth/logout-all': { body: undefined; answer: undefined }
  /** List the sessions of the user */
  'GET /api/auth/sessions': {
    body: undefined
    answer: {
      data: Session[]
    }
  }
  /** End one session */
  'DELETE /api/auth/sessions/{id}': { body: undefined; answer: undefined }
  /** Read your account */
  'GET /api/auth/me': { body: undefined; answer: User }
  /** Change your name or e-mail */
  'PATCH /api/auth/me': {
    body: {
      name?: string | null | undefined
      email?: string | null | undefined
    }
    answer: User
  }
  /** Change your password */
  'POST /api/auth/password/change': {
    body: {
      /** At most 256 characters */
      current_password: string
      /** At most 256 characters */
      password: string
    }
    answer: {
      status: 'ok'
    }
  }
  /** Send a code to reset the password */
  'POST /api/auth/password/reset/request': {
    body: {
      /** E.164 */
      phone: string
      /** BCP 47 language of the text, such as `pt-BR` */
      locale?: string | undefined
    }
    answer: {
      status: 'ok'
      preview_code?: string | undefined
    }
  }
  /** Change the code into a token that sets a password */
  'POST /api/auth/password/reset/verify': {
    body: {
      /** E.164 */
      phone: string
      /** The digits from the message */
      code: string
    }
    answer: {
      /** Good once, for 15 minutes */
      reset_token: string
    }
  }
  /** Set the password */
  'POST /api/auth/password/reset': {
    body: {
      reset_token: string
      /** At most 256 characters */
      password: string
    }
    answer: {
      status: 'ok'
    }
  }
  /** Change your number */
  'POST /api/auth/phone': {
    body: {
      /** E.164 */
      phone: string
      /** BCP 47 language of the text, such as `pt-BR` */
      locale?: string | undefined
    }
    answer: VerificationRequired
  }
  /** Prove your new number */
  'POST /api/auth/phone/verify': {
    body: {
      verification_id: string
      /** The digits from the message */
      code: string
    }
    answer: User
  }
  /** Send a code to the old number */
  'POST /api/auth/phone/undo/request': {
    body: {
      /** E.164 */
      phone: string
      /** BCP 47 language of the text, such as `pt-BR` */
      locale?: string | undefined
    }
    answer: {
      status: 'ok'
    }
  }
  /** Take a change of number back */
  'POST /api/auth/phone/undo': {
    body: {
      /** E.164 */
      phone: string
      /** The digits from the message */
      code: string
    }
    answer: {
      status: 'ok'
    }
  }
  /** Send the code of a challenge */
  'POST /api/auth/2fa/send': {
    body: {
      challenge_token: string
      /** BCP 47 language of the text, such as `pt-BR` */
      locale?: string | undefined
    }
    answer: {
      /** ISO 8601, UTC */
      resend_at: string
      /** ISO 8601, UTC */
      expires_at: string
      /** In development only */
      preview_code?: string | undefined
    }
  }
  /** Sign in with a second factor */
  'POST /api/auth/2fa/verify': {
    body: {
      challenge_token: string
      /** What is shown */
      factor: 'sms' | 'totp' | 'backup_code'
      code: string
      /** Spare this device the second factor from now on */
      remember_device?: boolean | undefined
    }
    answer: Tokens
  }
  /** Make an account of your own */
  'POST /api/auth/2fa/start-over': {
    body: {
      challenge_token: string
    }
    answer: Tokens
  }
  /** Ask to show a second factor again */
  'POST /api/auth/2fa/challenge': { body: undefined; answer: SecondFactorRequired }
  /** Begin to turn a second factor on */
  'POST /api/auth/2fa/enable': {
    body: {
      /** Texts to your number, or an authenticator app */
      method: 'sms' | 'app'
      /** BCP 47 language of the text, such as `pt-BR` */
      locale?: string | undefined
    }
    answer: {
      /** Of an app, in base32 */
      secret?: string | undefined
      otpauth_url?: string | undefined
      /** The URL, to be scanned */
      qr_svg?: string | undefined
      /** ISO 8601, UTC */
      resend_at?: string | undefined
      /** ISO 8601, UTC */
      expires_at?: string | undefined
      /** In development only */
      preview_code?: string | undefined
    }
  }
  /** Turn it on with its first code */
  'POST /api/auth/2fa/confirm': {
    body: {
      code: string
    }
    answer: BackupCodes
  }
  /** Turn a second factor off */
  'POST /api/auth/2fa/disable': {
    body: {
      method?: 'sms' | 'app' | undefined
    } | null
    answer: {
      status: 'ok'
    }
  }
  /** Make new backup codes */
  'POST /api/auth/2fa/backup-codes': { body: undefined; answer: BackupCodes }
  /** List the remembered devices */
  'GET /api/auth/devices': {
    body: undefined
    answer: {
      data: Device[]
    }
  }
  /** Forget a device */
  'DELETE /api/auth/devices/{id}': { body: undefined; answer: undefined }
}
