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
  /** Wrong passwords for one account, from wherever. An address that has signed in to it is not held to this. */
  readonly wrongPasswordsPerAccountDay: number
  /** Calls with one session. */
  readonly callsPerSessionMinute: number
}

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

  /** What a password that is tried is counted on, whoever's it is. */
  passwords({ address }: Client): Counter[] {
    const limit = this.#limits.passwordsPerAddressHour
    return [{ key: `passwords:${addressKey(address)}`, rules: [rule('passwords_per_address', limit, HOUR)] }]
  }

  /** What the password that its owner gives at a change is counted on, as long as it is not right. */
  wrongPasswordsAtChange(userId: string, sessionId: string, client: Client): Counter[] {
    const limit = this.#limits.wrongPasswordsPerAccountAddressHour
    const [fromHere] = this.wrongPasswords(userId, client)
    // A session that was stolen can be carried from address to address.
    const bySession = {
      key: `wrong_passwords:${sessionId}`,
      rules: [rule('wrong_passwords_per_session', limit, HOUR)],
    }
    return fromHere === undefined ? [bySession] : [fromHere, bySession]
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
}

/** The rule that somebody who guesses can spend for the owner, who then comes in from an address that is known. */
export const WRONG_ANYWHERE = 'wrong_passwords_per_account'

function rule(name: string, limit: number, windowSeconds: number): Rule {
  return { name, limit, windowSeconds }
}
