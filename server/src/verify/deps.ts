import type { GuardPolicy } from '../guard/guard.ts'
import type { Counters } from '../limits/counters.ts'
import type { Channel } from '../messaging/provider.ts'
import type { Messenger } from '../messaging/messenger.ts'
import type { Autofill } from '../messaging/texts.ts'
import type { Clock } from '../primitives/clock.ts'
import { CountersignError } from '../primitives/errors.ts'
import { isId } from '../primitives/ids.ts'
import type { KeyRing, SecretKeys } from '../primitives/secrets.ts'
import { deriveCode } from './codes.ts'
import type { PolicyOf } from './policy.ts'
import type { Caller, Rules } from './rules.ts'
import type { VerifyStore } from './store.ts'
import { chosenCode } from './terms.ts'
import type { Verification } from './verification.ts'

/** The figures of a verification; each is a setting. */
export type VerifySettings = {
  /** For the purpose `second_factor`. */
  readonly secondFactorTtlSeconds: number
  /** A start answers by then even if the provider has not. */
  readonly startDeadlineMs: number
  readonly idempotencySeconds: number
  readonly defaultLocale: string
  /** The `iss` of proofs. */
  readonly issuer: string
  /** Fixed codes of test numbers, by E.164: nothing is sent to them and no limit holds. */
  readonly testNumbers: ReadonlyMap<string, string>
  /** The code of every verification of a service and purpose, in development; undefined: each has its own. */
  readonly fixedCode: (of: Pick<Verification, 'service' | 'purpose'>) => string | undefined
  /** Whether a message of this service that a provider took and did not get through is sent once more by another. */
  readonly confirms: (service: string) => boolean
  /** The channels that a code goes by, unasked, when its own does not reach the number. */
  readonly failoverChannels: readonly Channel[]
  /** What a text with a code carries for the phones and browsers of a service's people; undefined: nothing. */
  readonly autofillOf: (service: string) => Autofill | undefined
}

/**
 * Told of a verification that has come to where it stands, and of each message that is asked for of a pending one, before
 * the caller is answered. Must not reject.
 */
export type OnChange = (verification: Verification) => Promise<void>

/** What every use case of this room works with. */
export type VerifyDeps = {
  readonly store: VerifyStore
  readonly counters: Counters
  readonly messenger: Messenger
  readonly keys: KeyRing
  readonly clock: Clock
  readonly guard: GuardPolicy
  readonly rules: Rules
  readonly settings: VerifySettings
  readonly policyOf: PolicyOf
  /** The text of a tenant's template in a language, with its places; undefined when there is none of that name. */
  readonly onChange?: OnChange | undefined
  readonly templateOf: (name: string, locale: string | null) => string | undefined
}

/** Finds a caller's verification, or throws `not_found`: another service's does not exist for this caller. */
export async function mustFind(store: VerifyStore, id: string, caller: Caller): Promise<Verification> {
  const found = await findFor(store, id, caller)
  if (!found) throw notFound()
  return found
}

/** Finds a caller's verification. */
export async function findFor(
  store: VerifyStore,
  id: string,
  caller: Caller,
): Promise<Verification | undefined> {
  const found = isId('ver_', id) ? await store.find(id) : undefined
  return found?.service === caller.service ? found : undefined
}

/** The code of a verification: the one that its tenant has chosen, or derived anew from its id. */
export function codeOf({ keys, settings }: VerifyDeps, verification: Verification): string {
  const { id, to, terms } = verification
  const fixed =
    settings.testNumbers.get(to) ?? settings.fixedCode(verification) ?? chosenCode(keys, id, terms)
  if (fixed !== undefined) return fixed
  return deriveCode(mustHaveKeys(keys, verification.keyId), verification.id, verification.codeLength)
}

/** The refusal of an id that never was. */
export function notFound(): CountersignError {
  return new CountersignError('not_found', 'There is no such verification')
}

/** The refusal of something only a pending verification can do. */
export function ended(verification: Verification): CountersignError {
  return new CountersignError('verification_ended', `The verification is ${verification.status}`, {
    verificationId: verification.id,
  })
}

function mustHaveKeys(keys: KeyRing, keyId: string): SecretKeys {
  const found = keys.byId.get(keyId)
  if (found) return found
  throw new CountersignError('verification_ended', 'The verification was made with a secret that is gone')
}
