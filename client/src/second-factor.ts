import type { CallOptions } from './options.ts'
import type { Session } from './session.ts'
import type { BackupCodes, Calls, SecondFactorRequired } from './wire.ts'
import type { Factor, SignedIn } from './words.ts'

/** Second factors: to sign in with, and to turn on and off. */
export type SecondFactor = {
  /** Sends the code of a challenge by text. */
  send(challengeToken: string, options?: CallOptions): Promise<Calls['POST /api/auth/2fa/send']['answer']>
  /** Signs in with a second factor; `remember_device` spares this device it from then on. */
  verify(
    input: {
      challenge_token: string
      factor: Factor
      code: string
      remember_device?: boolean | undefined
    },
    options?: CallOptions,
  ): Promise<SignedIn>
  /** For whoever has a number that was another person's: makes an account of their own. */
  startOver(challengeToken: string, options?: CallOptions): Promise<SignedIn>
  /** Asks who is signed in to show a second factor again, before what wants one shown lately. */
  challenge(options?: CallOptions): Promise<SecondFactorRequired>
  /** Begins to turn one on: for an app the secret and a QR code as SVG, for texts a code is sent. */
  enable(method: 'sms' | 'app', options?: CallOptions): Promise<Calls['POST /api/auth/2fa/enable']['answer']>
  /** Turns it on with its first code. The backup codes are told this once. */
  confirm(code: string, options?: CallOptions): Promise<BackupCodes>
  /** Turns one off, or all of them unless one is named. */
  disable(method?: 'sms' | 'app', options?: CallOptions): Promise<void>
  /** Makes new backup codes; those before are worth nothing any more. */
  renewBackupCodes(options?: CallOptions): Promise<BackupCodes>
}

/** Makes that part of a client. */
export function makeSecondFactor(session: Session, locale: string | undefined): SecondFactor {
  const { call, callAsUser, adopt } = session
  return {
    send: (token, options) =>
      call('POST /api/auth/2fa/send', { body: { challenge_token: token, locale } }, options),
    verify: async (body, options) => adopt(await call('POST /api/auth/2fa/verify', { body }, options)),
    startOver: async (token, options) =>
      adopt(await call('POST /api/auth/2fa/start-over', { body: { challenge_token: token } }, options)),
    challenge: (options) => callAsUser('POST /api/auth/2fa/challenge', {}, options),
    enable: (method, options) =>
      callAsUser('POST /api/auth/2fa/enable', { body: { method, locale } }, options),
    confirm: (code, options) => callAsUser('POST /api/auth/2fa/confirm', { body: { code } }, options),
    disable: async (method, options) => {
      await callAsUser('POST /api/auth/2fa/disable', { body: { method } }, options)
    },
    renewBackupCodes: (options) => callAsUser('POST /api/auth/2fa/backup-codes', {}, options),
  }
}
