import type { Logger } from 'pino'
import type { Authenticator } from '../auth/authenticator.ts'
import type { GuardPolicy } from '../guard/guard.ts'
import type { Counters } from '../limits/counters.ts'
import type { Keys } from '../keys/keys.ts'
import type { Inbox } from '../messaging/inbox.ts'
import type { Messenger } from '../messaging/messenger.ts'
import type { Receipts } from '../messaging/receipts.ts'
import type { Templates } from '../messaging/templates.ts'
import type { Clock } from '../primitives/clock.ts'
import type { KeyRing } from '../primitives/secrets.ts'
import type { Directory } from '../services/directory.ts'
import type { RecordStore } from '../services/records.ts'
import type { Totp } from '../services/totp.ts'
import type { AttemptStore } from '../verify/attempts.ts'
import type { Verifier } from '../verify/verifier.ts'
import type { WrongRateAlarm } from '../verify/alarm.ts'
import type { Brand } from './account/brand.ts'
import type { Metrics } from './metrics.ts'

/** What the HTTP face needs of the rest; the composition root fills it. */
export type Services = {
  readonly verifier: Verifier
  readonly auth: Authenticator
  readonly messenger: Messenger
  readonly counters: Counters
  readonly guard: GuardPolicy
  readonly keys: Keys
  /** What tenants keep here. */
  readonly records: RecordStore
  readonly directory: Directory
  readonly totp: Totp
  /** What verifications can say in place of our own texts. */
  readonly templates: Templates
  /** What was sent for verifications. */
  readonly attempts: AttemptStore
  readonly ring: KeyRing
  readonly clock: Clock
  readonly metrics: Metrics
  readonly alarm: WrongRateAlarm
  readonly log: Logger
  /** Resolves when the store and the limiter answer; rejects otherwise. */
  readonly ready: () => Promise<void>
  /** Takes what vendors tell of messages; without it no callback is taken. */
  readonly receipts?: Receipts
  /** The local inbox; present with the provider `mock`. */
  readonly inbox?: Inbox
  readonly settings: HttpSettings
}

/** How the HTTP face behaves. */
export type HttpSettings = {
  readonly publicUrl: string
  readonly corsOrigins: '*' | readonly string[]
  readonly trustedProxies: readonly string[]
  readonly docsEnabled: boolean
  readonly metricsToken: string | undefined
  readonly requestTimeoutSeconds: number
  readonly devMode: boolean
  readonly production: boolean
  readonly publishableReadsPerAddressHour: number
  readonly messagesPerPhoneHour: number
  /** How long a device is remembered. */
  readonly deviceSeconds: number
  /** The hosted account pages; undefined: there are none. */
  readonly account: AccountPages | undefined
  readonly brand: Brand
  /** Digits of a code. */
  readonly codeLength: number
  /** Keys of development: what the start page calls with, and what it shows to this machine alone. */
  readonly devKeys: { readonly publishable?: string; readonly secret?: string }
}

/** What the account pages are told of the server. */
export type AccountPages = {
  /** The fewest characters of a password. */
  readonly password_length: number
  /** Digits of a code. */
  readonly code_length: number
  readonly second_factor: 'off' | 'offered' | 'required'
  readonly second_factor_sms: 'allowed' | 'fallback' | 'off'
}
