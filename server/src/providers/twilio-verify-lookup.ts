import type { Found, Message } from '../messaging/provider.ts'
import type { TwilioConnection } from './twilio-connection.ts'
import { priceOf, VERIFICATION_SID } from './twilio-shapes.ts'
import { SLACK_MS } from './twilio-verify-sends.ts'

/** The newest attempts at a number that are looked at: Twilio takes five for a verification. */
const NEWEST = 20

/**
 * Looks for a verification whose answer was lost, since without its id no guess could be judged: by the attempts to
 * reach the number from then on. They must be of one verification, or another of ours may have begun the newer; it must
 * be pending, and the one that ours had before, else no older than ours. Attempts come late into Twilio's list, so that
 * there is none proves nothing.
 */
export async function findVerification(
  { sdk, http }: TwilioConnection,
  service: string,
  { to, code }: Message,
  sinceMs: number,
  signal: AbortSignal,
): Promise<Found> {
  if (code === undefined) return { found: 'unknown' }
  try {
    const { instances } = await http.within(signal, () =>
      sdk.verify.v2.verificationAttempts.page({
        'channelData.to': to,
        verifyServiceSid: service,
        dateCreatedAfter: new Date(sinceMs - SLACK_MS),
        pageSize: NEWEST,
      }),
    )
    const since = instances
      .filter(({ dateCreated }) => dateCreated instanceof Date && dateCreated.getTime() >= sinceMs - SLACK_MS)
      .sort((a, b) => b.dateCreated.getTime() - a.dateCreated.getTime())
    const [newest] = since
    if (newest === undefined || !VERIFICATION_SID.test(newest.verificationSid)) return { found: 'unknown' }
    if (since.some(({ verificationSid }) => verificationSid !== newest.verificationSid)) {
      return { found: 'unknown' }
    }
    const { sid, status, dateCreated } = await http.within(signal, () =>
      sdk.verify.v2.services(service).verifications(newest.verificationSid).fetch(),
    )
    const isThere = sid === newest.verificationSid && status === 'pending'
    const isOurs = code.ref === undefined ? dateCreated.getTime() >= code.since - SLACK_MS : sid === code.ref
    if (!isThere || !isOurs) return { found: 'unknown' }
    const price: unknown = newest.price
    const { value, currency } =
      typeof price === 'object' && price !== null ? (price as Record<string, unknown>) : {}
    const cost = priceOf(value, currency)
    return { found: true, ref: sid, ...(cost === undefined ? {} : { price: cost }) }
  } catch {
    return { found: 'unknown' }
  }
}
