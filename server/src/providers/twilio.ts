import type { Provider } from '../messaging/provider.ts'
import { Retries, type RetryDeps } from './shared/retries.ts'
import { connectTwilio } from './twilio-connection.ts'
import { Carrier } from './twilio-carrier.ts'
import { FRAUD_CODES } from './twilio-codes.ts'
import { lookUp } from './twilio-lookup.ts'
import { makeMessageAsker } from './twilio-messages.ts'
import { probeTwilio } from './twilio-probe.ts'
import { makeTwilioReceipts } from './twilio-receipts.ts'
import { channelsOf, type TwilioSettings } from './twilio-settings.ts'

export type { TwilioSettings }

/**
 * Makes the provider that texts, writes on WhatsApp and calls by Twilio's Messages and Calls APIs, through the
 * official SDK, which is loaded here and not before: it takes 150 ms.
 *
 * Throttled requests and ones that never left or were turned away at the door are tried again; one that may
 * have been taken never is. See {@link meaningOf} in `twilio-codes.ts`.
 *
 * @throws Error naming the setting that is missing or malformed; never its value.
 */
export async function makeTwilioProvider(settings: TwilioSettings, deps: RetryDeps = {}): Promise<Provider> {
  const channels = channelsOf(settings)
  const connection = await connectTwilio(settings, 'api')
  const carrier = new Carrier(settings, channels, connection, {
    askMessages: await makeMessageAsker(connection),
    retries: new Retries(settings, deps),
  })
  const { authToken, statusCallback } = settings
  return {
    name: 'twilio',
    channels,
    fraudCodes: FRAUD_CODES,
    ...(authToken === undefined || statusCallback === undefined ? {} : { tells: true }),
    send: (message, signal) => carrier.send(message, signal),
    lookup: (message, sinceMs, signal, known) => lookUp(connection, message, sinceMs, signal, known),
    probe: (signal) => probeTwilio(connection, settings, signal),
    ...(authToken === undefined ? {} : { receipts: makeTwilioReceipts(authToken) }),
    close: () => connection.http.way.close(),
  }
}
