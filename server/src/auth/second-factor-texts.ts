import { CountersignError } from '../primitives/errors.ts'
import { parsePhone } from '../primitives/phone.ts'
import type { Verification } from '../verify/verification.ts'
import type { Challenge } from './challenges.ts'
import type { Client } from './deps.ts'
import type { FactorSettings } from './factor-settings.ts'
import type { SecondFactorLogin } from './second-factor-login.ts'
import { factorsOf } from './second-factors.ts'
import type { SignedIn } from './sessions.ts'

/** A text on its way to its owner. */
export type OwnText = {
  readonly verification: Verification
  /** Takes its code; null: that turns texts on. */
  readonly challenge: Challenge | null
}

/** Sends second-factor codes to people who are signed in, for pages that know a number and nothing else. */
export class SecondFactorTexts {
  readonly #login: SecondFactorLogin
  readonly #factors: FactorSettings

  constructor(login: SecondFactorLogin, factors: FactorSettings) {
    this.#login = login
    this.#factors = factors
  }

  /**
   * Sends a code to the user's own number: that of a new challenge where texts are a second factor of theirs, else the
   * one that turns them on. Throws `invalid_phone`, `forbidden` for any other number, and what those two throw.
   */
  async send(who: SignedIn, phone: string, client: Client): Promise<OwnText> {
    const { e164 } = parsePhone(phone, { field: 'phoneNumber' })
    if (e164 !== who.user.phone) {
      throw new CountersignError('forbidden', 'This is not your number', { field: 'phoneNumber' })
    }
    if (factorsOf(who.user)?.sms !== true) {
      return { verification: await this.#factors.enableTexts(who, client), challenge: null }
    }
    const challenge = await this.#login.stepUp(who)
    return { verification: await this.#login.send(challenge.token, client), challenge }
  }
}
