export type { Auth } from './auth.ts'
export { type Client, createClient } from './client.ts'
export { CountersignError, type ErrorCode, isCountersignError } from './errors.ts'
export type { CallOptions, ClientOptions } from './options.ts'
export type { SecondFactor } from './second-factor.ts'
export type { SessionState } from './held-tokens.ts'
export { cookieTokens, memoryTokens, type Saved, storageTokens, type TokenStore } from './token-stores.ts'
export type { Phones, Verifications } from './verifications.ts'
export type {
  BackupCodes,
  CheckedVerification,
  Device,
  Problem,
  SecondFactorRequired,
  Send,
  ServerErrorCode,
  Session,
  StartedVerification,
  Tokens,
  User,
  Verification,
  VerificationRequired,
} from './wire.ts'
export type { Channel, Factor, PhoneLookup, Purpose, Reason, SignedIn, SignInResult } from './words.ts'
