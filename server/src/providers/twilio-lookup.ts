import type { Found, KnownRefs, Message } from '../messaging/provider.ts'
import type { TwilioConnection } from './twilio-connection.ts'
import { addressOf } from './twilio-requests.ts'
import { CALL_SID, MESSAGE_SID, priceOf } from './twilio-shapes.ts'

/** What Twilio's clock and ours may differ by. */
const SLACK_MS = 2_000
/** The newest messages of a number that are looked at: more than anyone is sent within a time-out. */
const NEWEST = 20

type Listed = {
  readonly sid: unknown
  readonly dateCreated: unknown
  readonly price: unknown
  readonly priceUnit: unknown
}

/**
 * Looks for a message whose answer was lost among the newest ones to its number. Twilio keeps no reference of ours and
 * may have forgotten the text, so the time alone tells: the first that was made from the moment of handing it over, in
 * Twilio's whole seconds; else the last one within the clocks' slack before. Filtering by `DateSent` would miss what
 * is still queued.
 */
export async function lookUp(
  { sdk, http }: TwilioConnection,
  message: Message,
  sinceMs: number,
  signal: AbortSignal,
  known: KnownRefs = async () => new Set(),
): Promise<Found> {
  const query = { to: addressOf(message), pageSize: NEWEST }
  const isCall = message.channel === 'call'
  try {
    const { instances } = await http.within<{ readonly instances: readonly Listed[] }>(signal, () =>
      isCall ? sdk.calls.page(query) : sdk.messages.page(query),
    )
    const others = await known(instances.flatMap(({ sid }) => (typeof sid === 'string' ? [sid] : [])))
    const left = instances.filter(({ sid }) => typeof sid !== 'string' || !others.has(sid))
    return among(left, isCall ? CALL_SID : MESSAGE_SID, sinceMs)
  } catch {
    return { found: 'unknown' }
  }
}

function among(listed: readonly Listed[], shape: RegExp, sinceMs: number): Found {
  const made = listed
    .flatMap((one) => (one.dateCreated instanceof Date ? [{ one, at: one.dateCreated.getTime() }] : []))
    .filter(({ at }) => at >= sinceMs - SLACK_MS)
    .sort((a, b) => a.at - b.at)
  const secondMs = Math.floor(sinceMs / 1_000) * 1_000
  const match = made.find(({ at }) => at >= secondMs) ?? made.at(-1)
  if (match === undefined) {
    // One whose time cannot be read may be it.
    return { found: listed.every((one) => one.dateCreated instanceof Date) ? false : 'unknown' }
  }
  const { sid, price, priceUnit } = match.one
  if (typeof sid !== 'string' || !shape.test(sid)) return { found: 'unknown' }
  const cost = priceOf(price, priceUnit)
  return { found: true, ref: sid, ...(cost === undefined ? {} : { price: cost }) }
}
