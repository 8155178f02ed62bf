import { addressKey } from '../primitives/address.ts'
import { sha256 } from '../primitives/secrets.ts'
import type { Counter, Rule } from '../limits/counters.ts'
import type { Client } from './deps.ts'

/** The figures behind the rules; each is a setting. */
export type AuthLimits = {
  /** Calls of the sign-in API by one address. */
  readonly callsPerAddressHour: number
  /** Passwords tried by one address. */
  readonly passwordsPerAddressHour: number
  /** Wrong passwords for one account from one address. */
  readonly wrongPasswordsPerAccountAddressHour: number
  /** Wrong passwords for one account, from wherever. An address or a device that is known is not held to this. */
  readonly wrongPasswordsPerAccountDay: number
  /** Calls with one session. */
  readonly callsPerSessionMinute: number
  /** Wrong codes of an authenticator app for one account. */
  readonly wrongAppCodesPerAccountDay: number
}

/** A challenge is over after this, in seconds. */
export const CHALLENGE_SECONDS = 300
const CHALLENGE_TRIES = 5
const RENEWALS = 10
const MINUTE = 60
const HOUR = 3_600
const DAY = 86_400

/** Every rule of this room, and the counters they lie over. Those of numbers and codes are the verify room's. */
export class AuthRules {
  readonly #limits: AuthLimits

  constructor(limits: AuthLimits) {
    this.#limits = limits
  }

  /** What every call without a session is counted on. */
  call({ address }: Client): Counter[] {
    const limit = this.#limits.callsPerAddressHour
    return [{ key: `auth:${addressKey(address)}`, rules: [rule('sign_in_calls_per_address', limit, HOUR)] }]
  }

  /** What a call with a session is counted on. */
  session(sessionId: string): Counter[] {
    const limit = this.#limits.callsPerSessionMinute
    return [{ key: `session:${sessionId}`, rules: [rule('calls_per_session', limit, MINUTE)] }]
  }

  /** What a second factor is counted on, right or wrong and whichever it is. */
  challenge(id: string): Counter[] {
    return [
      { key: `challenge:${id}`, rules: [rule('tries_per_challenge', CHALLENGE_TRIES, CHALLENGE_SECONDS)] },
    ]
  }

  /** What a code of an app is counted on, as long as it is not right. Another factor still opens the account. */
  appCodes(userId: string): Counter[] {
    const limit = this.#limits.wrongAppCodesPerAccountDay
    return [{ key: `app_codes:${userId}`, rules: [rule('wrong_app_codes_per_account', limit, DAY)] }]
  }

  /** What new backup codes are counted on: each time ten are hashed. */
  backupCodes(userId: string): Counter[] {
    return [{ key: `backup_codes:${userId}`, rules: [rule('backup_codes_per_account', RENEWALS, HOUR)] }]
  }

  /** What a password that is tried is counted on, whoever's it is. */
  passwords({ address }: Client): Counter[] {
    const limit = this.#limits.passwordsPerAddressHour
    return [{ key: `passwords:${addressKey(address)}`, rules: [rule('passwords_per_address', limit, HOUR)] }]
  }

  /** What the password that its owner gives at a change is counted on, as long as it is not right. */
  wrongPasswordsAtChange(userId: string, sessionId: string, client: Client): Counter[] {
    return this.#wrongPasswordsFrom(userId, client, ['wrong_passwords_per_session', sessionId])
  }

  /** What a password on a device that the account remembers is counted on, as long as it is not right. */
  wrongPasswordsOnDevice(userId: string, deviceId: string, client: Client): Counter[] {
    return this.#wrongPasswordsFrom(userId, client, ['wrong_passwords_per_device', deviceId])
  }

  /** What a password for an account is counted on, as long as it is not right; the account need not exist. */
  wrongPasswords(identifier: string, { address }: Client): Counter[] {
    const account = sha256(identifier)
    const { wrongPasswordsPerAccountAddressHour: few, wrongPasswordsPerAccountDay: many } = this.#limits
    return [
      {
        key: `wrong_passwords:${account}:${addressKey(address)}`,
        rules: [rule('wrong_passwords_per_account_and_address', few, HOUR)],
      },
      { key: `wrong_passwords:${account}`, rules: [rule(WRONG_ANYWHERE, many, DAY)] },
    ]
  }

  /** From here, and with what can be carried from address to address once it was stolen. */
  #wrongPasswordsFrom(userId: string, client: Client, [name, id]: [name: string, id: string]): Counter[] {
    const limit = this.#limits.wrongPasswordsPerAccountAddressHour
    const carried = { key: `wrong_passwords:${id}`, rules: [rule(name, limit, HOUR)] }
    return [...this.wrongPasswords(userId, client).slice(0, 1), carried]
  }
}

/** The rule that somebody who guesses can spend for the owner, who then comes in from where they are known. */
export const WRONG_ANYWHERE = 'wrong_passwords_per_account'

function rule(name: string, limit: number, windowSeconds: number): Rule {
  return { name, limit, windowSeconds }
}
