import type { Account } from './carrier.ts'
import { iso8601 } from './times.ts'
import type { Verification } from './verifications.ts'

/** What a verification and a check of it have in common. */
function common({ sid: account }: Account, verification: Verification) {
  return {
    sid: verification.sid,
    service_sid: verification.serviceSid,
    account_sid: account,
    to: verification.to,
    channel: verification.channel,
    status: verification.status,
    valid: verification.status === 'approved',
    amount: null,
    payee: null,
    date_created: iso8601(verification.createdAt),
    date_updated: iso8601(verification.updatedAt),
  }
}

/** A verification as the Verify API shows it. */
export function verificationJson(account: Account, verification: Verification): Record<string, unknown> {
  const { sid, serviceSid, sends } = verification
  return {
    ...common(account, verification),
    lookup: {},
    sna: null,
    send_code_attempts: sends.map((send) => ({
      time: iso8601(send.at),
      channel: send.channel.toUpperCase(),
      attempt_sid: send.sid,
    })),
    url: `https://verify.twilio.com/v2/Services/${serviceSid}/Verifications/${sid}`,
  }
}

/** The answer to a check. */
export function checkJson(account: Account, verification: Verification): Record<string, unknown> {
  return { ...common(account, verification), sna_attempts_error_codes: [] }
}
