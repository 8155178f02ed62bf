import type { Send } from '../messaging/store.ts'
import { attemptSid } from '../services/sids.ts'
import type { Verification } from '../verify/verification.ts'
import { type About, type CloudEvent, cloudEvent, iso } from './cloud-event.ts'

/** What is told of where a verification stands; of what is not here Twilio has no event. */
const NAMES: Readonly<Partial<Record<Verification['status'], string>>> = {
  pending: 'pending',
  approved: 'approved',
  canceled: 'canceled',
  expired: 'expired',
  locked: 'max_attempts_reached',
}

/** The event of a verification that has come to where it stands; undefined where there is none. */
export function verificationEvent(
  about: About,
  sends: readonly Send[],
  nowMs: number,
): CloudEvent | undefined {
  const { service, verification } = about
  const { status, createdAt, expiresAt, decidedAt, terms, locale } = verification
  const name = NAMES[status]
  if (name === undefined) return undefined
  const hasOwnCode = terms?.sealedCode !== undefined
  return cloudEvent(about, {
    name: `verification.${name}`,
    // It is pending anew with each message.
    which: status === 'pending' ? String(verification.sends) : '',
    schema: 'VerifyEventStreamEvent',
    at: status === 'expired' ? expiresAt : (decidedAt ?? nowMs),
    data: {
      friendly_name: service.name,
      custom_friendly_name: terms?.friendlyName ?? null,
      custom_code_enabled: hasOwnCode,
      created_at: iso(createdAt),
      verified_at: status === 'approved' && decidedAt !== null ? iso(decidedAt) : null,
      expired_at: iso(expiresAt),
      to: verification.to,
      verification_status: name.toUpperCase(),
      country: verification.country,
      code_length: hasOwnCode ? null : verification.codeLength,
      send_code_attempts: {
        count: sends.length,
        attempts: sends.map(({ owner, at, channel }, index) => ({
          time: iso(at),
          channel: channel.toUpperCase(),
          attempt_sid: attemptSid(owner, index + 1),
          locale,
          tags: verification.metadata ?? {},
        })),
      },
      check_attempts: { count: verification.guesses },
    },
  })
}
