import type { App } from '../app.ts'
import type { Services } from '../services.ts'
import { login } from './login.ts'
import { me } from './me.ts'
import { otpRequest } from './otp-request.ts'
import { passwordReset } from './password-reset.ts'
import { phone } from './phone.ts'
import { register } from './register.ts'
import { secondFactor } from './second-factor.ts'
import { sessions } from './sessions.ts'
import { verifyOtp } from './verify-otp.ts'

/** Every endpoint of the sign-in API; each file is one flow, with its schemas and its limits. */
export function registerAuth(app: App, services: Services): void {
  otpRequest(app, services)
  verifyOtp(app, services)
  register(app, services)
  login(app, services)
  sessions(app, services)
  me(app, services)
  passwordReset(app, services)
  phone(app, services)
  secondFactor(app, services)
}
