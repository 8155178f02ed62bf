import type { Send } from '../../messaging/store.ts'
import type { Verification } from '../../verify/verification.ts'
import { attemptSid, sidOf } from './sids.ts'
import { rfc3339 } from './times.ts'

/** What Twilio calls where a verification stands. */
export const STATUSES: Readonly<Record<Verification['status'], string>> = {
  pending: 'pending',
  approved: 'approved',
  canceled: 'canceled',
  expired: 'expired',
  locked: 'max_attempts_reached',
  failed: 'failed',
  blocked: 'failed',
}

/** What is known of a number's line, where the service asks for it. */
export type Lookup = { readonly carrier: Readonly<Record<string, string | null>> } | Record<string, never>

type Common = {
  readonly account: string
  readonly verification: Verification
  /** As the caller is told, which is not always as it is kept. */
  readonly status?: Verification['status']
}

function common({ account, verification, status = verification.status }: Common) {
  const { id, service, to, channel, terms, createdAt, decidedAt } = verification
  return {
    sid: sidOf('VE', id),
    service_sid: service,
    account_sid: account,
    to,
    channel,
    status: STATUSES[status],
    valid: status === 'approved',
    amount: terms?.amount ?? null,
    payee: terms?.payee ?? null,
    date_created: rfc3339(createdAt),
    date_updated: rfc3339(decidedAt ?? createdAt),
  }
}

/** A verification as Twilio Verify shows it. */
export function verificationView(
  of: Common & { readonly sends: readonly Send[]; readonly lookup: Lookup; readonly publicUrl: string },
): Readonly<Record<string, unknown>> {
  const { sends, lookup, publicUrl, verification } = of
  const view = common(of)
  const newest = sends.at(-1)
  return {
    ...view,
    date_updated: rfc3339(Math.max(verification.decidedAt ?? verification.createdAt, newest?.at ?? 0)),
    lookup,
    send_code_attempts: sends.map(({ owner, at, channel }, index) => ({
      time: rfc3339(at),
      channel: channel.toUpperCase(),
      attempt_sid: attemptSid(owner, index + 1),
    })),
    sna: null,
    url: `${publicUrl}/v2/Services/${view.service_sid}/Verifications/${view.sid}`,
  }
}

/** The answer to a check. */
export function checkView(of: Common): Readonly<Record<string, unknown>> {
  return { ...common(of), sna_attempts_error_codes: [] }
}
