import type { Ruling } from '../messaging/provider.ts'
import type { TwilioConnection } from './twilio-connection.ts'
import { TwilioFailure } from './twilio-failure.ts'
import type { Retries, Try } from './twilio-retries.ts'
import { VERIFICATION_SID } from './twilio-shapes.ts'

/**
 * Codes by which Twilio says that a guess opens nothing: the verification has ended, expired or been checked five
 * times (60202), or no code looks like this (60200).
 */
const WRONG: ReadonlySet<string> = new Set(['20404', '60200', '60202', '60431', '60623'])
/** What a verification can be that this guess has not approved. */
const UNAPPROVED: ReadonlySet<unknown> = new Set([
  'pending',
  'canceled',
  'max_attempts_reached',
  'deleted',
  'failed',
  'expired',
])

/**
 * Has Twilio judge a guess. Each one counts there, five for a verification, so it is put again only where it never
 * left. Whatever is no clear word of Twilio's is `unavailable`.
 */
export async function checkCode(
  connection: TwilioConnection,
  service: string,
  guess: { readonly ref: string; readonly code: string },
  retries: Retries,
  signal: AbortSignal,
): Promise<Ruling> {
  if (!VERIFICATION_SID.test(guess.ref)) return 'wrong'
  return retries.run(() => tryCheck(connection, service, guess, signal), signal)
}

async function tryCheck(
  { sdk, http }: TwilioConnection,
  service: string,
  { ref, code }: { readonly ref: string; readonly code: string },
  signal: AbortSignal,
): Promise<Try<Ruling>> {
  const { verificationChecks } = sdk.verify.v2.services(service)
  try {
    const check = await http.within(signal, () => verificationChecks.create({ verificationSid: ref, code }))
    return { outcome: rulingOf(check, ref), again: false }
  } catch (error) {
    if (!(error instanceof TwilioFailure)) return { outcome: 'unavailable', again: false }
    // A failure of Twilio's own is no verdict, whatever code it names.
    const isVerdict = WRONG.has(error.code) && error.why !== 'unknown' && error.why !== 'unavailable'
    const outcome = isVerdict ? 'wrong' : 'unavailable'
    return { outcome, again: !error.left }
  }
}

function rulingOf({ sid, status }: { readonly sid: unknown; readonly status: unknown }, ref: string): Ruling {
  if (sid !== ref) return 'unavailable'
  if (status === 'approved') return 'right'
  return UNAPPROVED.has(status) ? 'wrong' : 'unavailable'
}
