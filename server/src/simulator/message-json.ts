import type { Account } from './carrier.ts'
import type { Item } from './phones.ts'
import { API_VERSION } from './reports.ts'
import { countSegments } from './segments.ts'
import { rfc2822 } from './times.ts'

/** A message as the Messages API shows it. */
export function messageJson({ sid: account }: Account, item: Item): Record<string, unknown> {
  const path = `/${API_VERSION}/Accounts/${account}/Messages/${item.sid}`
  return {
    account_sid: account,
    api_version: API_VERSION,
    body: item.body,
    date_created: rfc2822(item.createdAt),
    date_sent: item.sentAt === null ? null : rfc2822(item.sentAt),
    date_updated: rfc2822(item.updatedAt),
    direction: 'outbound-api',
    error_code: item.error,
    error_message: item.error === null ? null : `See https://www.twilio.com/docs/errors/${item.error}`,
    from: item.from,
    messaging_service_sid: item.messagingServiceSid,
    num_media: String(item.media),
    // A Messaging Service counts when it has chosen the sender.
    num_segments: item.status === 'accepted' ? '0' : String(countSegments(item.text)),
    price: null,
    price_unit: item.messagingServiceSid === null ? 'USD' : null,
    sid: item.sid,
    status: item.status,
    subresource_uris: { media: `${path}/Media.json`, feedback: `${path}/Feedback.json` },
    to: item.to,
    uri: `${path}.json`,
  }
}
