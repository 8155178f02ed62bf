import type { Services } from '../services.ts'
import { TwilioRefusal } from './errors.ts'
import type { Route } from './routes.ts'
import { mustFindService, notFound } from './services.ts'

/** Push factors and passkeys: of a service of ours that is asked for them Twilio would say that it has not got them. */
const FEATURES = [
  'AccessTokens',
  'Passkeys/Factors',
  'Passkeys/VerifyFactor',
  'Passkeys/Challenges',
  'Passkeys/ApproveChallenge',
  'Entities/:Identity/Challenges/:ChallengeSid/Notifications',
]

/** What Twilio Verify's API knows and this server does not do, each refused as Twilio refuses it. */
export function registerNotServed(route: Route, services: Services): void {
  for (const path of FEATURES) {
    route('POST', `/v2/Services/:ServiceSid/${path}`, 201, async (call) => {
      await mustFindService(services, call)
      throw new TwilioRefusal(60204)
    })
  }
  // What was never made is not found.
  for (const path of ['/v2/Services/:ServiceSid/AccessTokens/:Sid', '/v2/Forms/:FormType']) {
    route('GET', path, 200, (call) => Promise.reject(notFound(call)))
  }
}
