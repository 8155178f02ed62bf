import type { App } from '../app.ts'
import type { Services } from '../services.ts'
import { cancelVerification } from './cancel-verification.ts'
import { checkByNumber } from './check-by-number.ts'
import { checkVerification } from './check-verification.ts'
import { listMessages } from './list-messages.ts'
import { listVerifications } from './list-verifications.ts'
import { lookupPhone } from './lookup-phone.ts'
import { phoneLimits } from './phone-limits.ts'
import { phoneStatus } from './phone-status.ts'
import { readMessage } from './read-message.ts'
import { readVerification } from './read-verification.ts'
import { resendVerification } from './resend-verification.ts'
import { sendMessage } from './send-message.ts'
import { startVerification } from './start-verification.ts'

/** Every endpoint of the Verify API; each file is one, with its schema and its limit. */
export function registerV1(app: App, services: Services): void {
  startVerification(app, services)
  resendVerification(app, services)
  checkVerification(app, services)
  checkByNumber(app, services)
  readVerification(app, services)
  cancelVerification(app, services)
  listVerifications(app, services)
  phoneStatus(app, services)
  phoneLimits(app, services)
  lookupPhone(app, services)
  sendMessage(app, services)
  readMessage(app, services)
  listMessages(app, services)
}
