import type { Channel, Provider } from '../messaging/provider.ts'
import { Retries, type RetryDeps } from './shared/retries.ts'
import { type TwilioAccount } from './twilio-account.ts'
import { FRAUD_CODES } from './twilio-codes.ts'
import { connectTwilio, type TwilioConnection } from './twilio-connection.ts'
import { codeOf } from './twilio-probe.ts'
import { checkCode } from './twilio-verify-checks.ts'
import { findVerification } from './twilio-verify-lookup.ts'
import { VerifySends } from './twilio-verify-sends.ts'

const CHANNELS: readonly Channel[] = ['sms', 'whatsapp', 'call']

/** How to reach a service of Twilio Verify. */
export type TwilioVerifySettings = TwilioAccount & {
  /** `VA…`: the service whose name, code length and languages the messages have. */
  readonly verifyServiceSid: string
  /** The channels that the service may use; all of them, where not given. */
  readonly channels?: readonly Channel[] | undefined
}

/**
 * Makes the provider by which Twilio Verify makes the codes, sends them and judges the guesses, through the official
 * SDK over the same request client as `twilio`. Neither our digits nor our text reach the phone.
 *
 * @throws Error naming the setting that is missing or malformed; never its value.
 */
export async function makeTwilioVerifyProvider(
  settings: TwilioVerifySettings,
  deps: RetryDeps = {},
): Promise<Provider> {
  const { verifyServiceSid: service, channels = CHANNELS } = settings
  if (!/^VA[0-9a-fA-F]{32}$/.test(service)) {
    throw new Error('Twilio verifyServiceSid must be VA and 32 hex digits')
  }
  const connection = await connectTwilio(settings, 'verify')
  const retries = new Retries(settings, deps)
  const sends = new VerifySends(service, channels, connection, retries)
  return {
    name: 'twilio_verify',
    channels,
    ownsCode: true,
    fraudCodes: FRAUD_CODES,
    send: (message, signal) => sends.send(message, signal),
    check: (ref, code, signal) => checkCode(connection, service, { ref, code }, retries, signal),
    lookup: (message, sinceMs, signal) => findVerification(connection, service, message, sinceMs, signal),
    probe: (signal) => probeService(connection, service, signal),
    close: () => connection.http.way.close(),
  }
}

async function probeService(
  { sdk, http }: TwilioConnection,
  service: string,
  signal: AbortSignal,
): Promise<{ ok: boolean; detail: string }> {
  const name = `Verify service ${service.slice(0, 6)}…`
  try {
    const { codeLength }: { codeLength: unknown } = await http.within(signal, () =>
      sdk.verify.v2.services(service).fetch(),
    )
    const digits = Number.isInteger(codeLength) ? `, codes of ${Number(codeLength)} digits` : ''
    return { ok: true, detail: `${name} is there${digits}` }
  } catch (error) {
    return { ok: false, detail: `${name}: ${codeOf(error)}` }
  }
}
