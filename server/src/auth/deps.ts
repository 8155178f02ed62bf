import type { Counters } from '../limits/counters.ts'
import type { Clock } from '../primitives/clock.ts'
import { addressKey } from '../primitives/address.ts'
import { makeId } from '../primitives/ids.ts'
import type { KeyRing } from '../primitives/secrets.ts'
import type { Caller } from '../verify/rules.ts'
import type { Verifier } from '../verify/verifier.ts'
import type { AccessTokens } from './access-tokens.ts'
import type { By, EventDraft, EventType } from './events.ts'
import type { PasswordHasher } from './password-hasher.ts'
import type { AuthRules } from './rules.ts'
import type { AuthStore, NewSession } from './store.ts'
import type { Amr } from './user.ts'

/** The figures of the sign-in room; each is a setting. */
export type AuthSettings = {
  /** A session ends so long after it began. */
  readonly sessionSeconds: number
  /** A session ends so long after its last use. */
  readonly idleSeconds: number
  /** A refresh token that was used this recently may come again: its answer may have been lost. */
  readonly refreshGraceSeconds: number
  /** An account whose number was proven longer ago may be another person's by now. */
  readonly proofSeconds: number
  /** What changes who can sign in wants a sign-in that is no older. */
  readonly freshSeconds: number
  /** Whether people may have a second factor, or must. */
  readonly secondFactor: 'off' | 'offered' | 'required'
  /** Whether texts are one; `fallback`: beside an app alone. */
  readonly secondFactorSms: 'allowed' | 'fallback' | 'off'
  /** Where there is a second factor, that wants one that was shown no longer ago. */
  readonly stepUpSeconds: number
  /** An administrator who takes second factors off has to wait so long. */
  readonly recoverySeconds: number
  /** A device is remembered for so long. */
  readonly deviceSeconds: number
  readonly passwordLengthMin: number
  /** The name shown in messages. */
  readonly serviceName: string
}

/** What people are told of their account. */
export type Notice =
  | 'phone_changed'
  | 'password_changed'
  | 'second_factor_on'
  | 'second_factor_off'
  | 'backup_code_used'
  | 'second_factor_reset'

/** Tells people what happened to their account, by text. Resolves whatever becomes of it. */
export type Notify = (to: string, notice: Notice, values: Readonly<Record<string, string>>) => Promise<void>

/**
 * Asked before a number opens the account that has it, by a sign-in or a reset: whether it may. False keeps the account
 * shut for now, as where a carrier tells that the SIM was changed a short while ago. One that rejects counts as false.
 */
export type MayEnter = (who: { readonly phone: string; readonly userId: string }) => Promise<boolean>

/** What this room asks of the verify room. */
export type Codes = Pick<Verifier, 'start' | 'resend' | 'check' | 'checkByNumber' | 'read' | 'find'>

/** What every use case of this room works with. */
export type AuthDeps = {
  readonly store: AuthStore
  readonly verifier: Codes
  readonly counters: Counters
  readonly rules: AuthRules
  readonly hasher: PasswordHasher
  readonly accessTokens: AccessTokens
  readonly ring: KeyRing
  readonly clock: Clock
  readonly notify: Notify
  readonly mayEnter?: MayEnter
  readonly settings: AuthSettings
  /** Runs work that nobody waits for. */
  readonly later: (work: () => Promise<unknown>) => void
}

/** Who is at the other end, as far as a connection tells. */
export type Client = {
  /** Canonical, or `unknown`. */
  readonly address: string
  /** The `User-Agent`, cut to 200 characters. */
  readonly agent: string
}

/** The tenant that sign-in codes belong to: one pending code a number and purpose. */
export const SIGN_IN = 'auth'

/** A person's browser or app, as the verify room sees it. */
export function callerOf(service: string, { address }: Client): Caller {
  return { service, address: addressKey(address), publishable: true }
}

/** The same for a code to sign in with: the call is counted in the same step as what it asks for. */
export function countedCaller(rules: AuthRules, client: Client): Caller {
  return { ...callerOf(SIGN_IN, client), alsoCounted: rules.call(client) }
}

/** Who an event is by. */
export function byOf({ address, agent }: Client, actor: By['actor'] = 'user'): By {
  return { actor, address, agent }
}

/** An event to be recorded with what it tells of. */
export function eventOf(
  clock: Clock,
  type: EventType,
  by: By,
  data: Readonly<Record<string, string>> = {},
): EventDraft {
  return { id: makeId('evt_', clock.now()), type, by, data }
}

/** A session of this client, about to be opened. */
export function newSession(
  { clock, settings }: AuthDeps,
  client: Client,
  amr: readonly Amr[],
  withFactor = false,
): NewSession {
  return {
    id: makeId('ses_', clock.now()),
    amr,
    withFactor,
    address: client.address,
    agent: client.agent,
    lifeSeconds: settings.sessionSeconds,
    idleSeconds: settings.idleSeconds,
  }
}
