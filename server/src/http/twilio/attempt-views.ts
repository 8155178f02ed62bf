import type { Send } from '../../messaging/store.ts'
import type { Attempt } from '../../verify/attempts.ts'
import { attemptSid, sidOf } from './sids.ts'
import { rfc3339 } from './times.ts'

/** What Twilio calls how far a send has come. */
const MESSAGE_STATUSES: Readonly<Record<Send['status'], string>> = {
  sending: 'queued',
  unknown: 'sending',
  accepted: 'accepted',
  refused: 'failed',
  sent: 'sent',
  undelivered: 'undelivered',
  delivered: 'delivered',
  read: 'read',
}
/** Digits after the point of a percentage. */
const DECIMALS = 9

/** An attempt as Twilio Verify shows it. No carrier was asked, so none is told. */
export function attemptView(
  { verification, send, ordinal, isConverted }: Attempt,
  account: string,
  url: string,
): Readonly<Record<string, unknown>> {
  const sid = attemptSid(verification.id, ordinal)
  const updatedAt = [send.at, send.deliveredAt ?? 0, ...send.history.map(({ at }) => at)]
  if (isConverted) updatedAt.push(verification.decidedAt ?? 0)
  const status = isConverted ? 'confirmed' : verification.status === 'expired' ? 'expired' : 'unconfirmed'
  return {
    sid,
    account_sid: account,
    service_sid: verification.service,
    verification_sid: sidOf('VE', verification.id),
    date_created: rfc3339(send.at),
    date_updated: rfc3339(Math.max(...updatedAt)),
    conversion_status: isConverted ? 'converted' : 'unconverted',
    channel: send.channel,
    price: send.price && { value: send.price.amount, currency: send.price.currency.toLowerCase() },
    channel_data: {
      verification_sid: sidOf('VE', verification.id),
      to: verification.to,
      status,
      message_status: MESSAGE_STATUSES[send.status],
      // Another vendor's code would be read as one of Twilio's.
      error_code: /^\d{5}$/.test(send.vendorCode ?? '') ? send.vendorCode : null,
      country: verification.country,
      code_length: verification.codeLength,
      locale: verification.locale,
      mcc: null,
      mnc: null,
      carrier: null,
    },
    url: `${url}/${sid}`,
  }
}

/** So many of so many in percent, as Twilio writes it: `81.818181818`, and `100`. Of none it is `0`. */
export function percentage(part: number, whole: number): string {
  if (whole === 0) return '0'
  return String(Number(((part / whole) * 100).toFixed(DECIMALS)))
}
