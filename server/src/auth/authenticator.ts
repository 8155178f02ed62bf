import { Administration } from './administration.ts'
import type { AuthDeps } from './deps.ts'
import { FactorSettings } from './factor-settings.ts'
import { OtpLogin } from './otp-login.ts'
import { PasswordLogin } from './password-login.ts'
import { PasswordReset } from './password-reset.ts'
import { PhoneChange } from './phone-change.ts'
import { Profile } from './profile.ts'
import { Recovery } from './recovery.ts'
import { Registration } from './registration.ts'
import { SecondFactorLogin } from './second-factor-login.ts'
import { SecondFactorTexts } from './second-factor-texts.ts'
import { Sessions } from './sessions.ts'

/** Signs people in with their phones: every flow of the room. */
export class Authenticator {
  readonly otp: OtpLogin
  readonly registration: Registration
  readonly passwords: PasswordLogin
  readonly reset: PasswordReset
  readonly phone: PhoneChange
  readonly profile: Profile
  readonly sessions: Sessions
  readonly secondFactor: SecondFactorLogin
  readonly factors: FactorSettings
  readonly texts: SecondFactorTexts
  readonly recovery: Recovery
  readonly administration: Administration

  constructor(deps: AuthDeps) {
    this.otp = new OtpLogin(deps)
    this.registration = new Registration(deps)
    this.passwords = new PasswordLogin(deps)
    this.reset = new PasswordReset(deps)
    this.sessions = new Sessions(deps)
    this.phone = new PhoneChange(deps, this.sessions)
    this.profile = new Profile(deps, this.sessions)
    this.secondFactor = new SecondFactorLogin(deps)
    this.factors = new FactorSettings(deps, this.sessions)
    this.texts = new SecondFactorTexts(this.secondFactor, this.factors)
    this.recovery = new Recovery(deps)
    this.administration = new Administration(deps)
  }
}
