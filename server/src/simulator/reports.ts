import type { Item } from './phones.ts'
import { receiptTime, rfc2822 } from './times.ts'

export const API_VERSION = '2010-04-01'

/** What a status callback of a message says. */
export function messageReport(
  accountSid: string,
  item: Item,
  told: { readonly status: string; readonly error: number | null; readonly at: number },
): Record<string, string> {
  const isFinal = told.status === 'delivered' || told.status === 'undelivered'
  return {
    AccountSid: accountSid,
    ApiVersion: API_VERSION,
    From: item.from ?? '',
    To: item.to,
    MessageSid: item.sid,
    MessageStatus: told.status,
    SmsSid: item.sid,
    SmsStatus: told.status,
    ...(told.error === null ? {} : { ErrorCode: String(told.error) }),
    ...(item.messagingServiceSid === null ? {} : { MessagingServiceSid: item.messagingServiceSid }),
    ...(isFinal && item.channel === 'sms' ? { RawDlrDoneDate: receiptTime(told.at) } : {}),
    ...(item.channel === 'whatsapp' ? { ChannelPrefix: 'whatsapp', ...eventType(told.status) } : {}),
  }
}

function eventType(status: string): Record<string, string> {
  return status === 'delivered' || status === 'read' ? { EventType: status.toUpperCase() } : {}
}

/** What is said of a call, to its status callback and to the address that tells what to say. */
export function callReport(
  accountSid: string,
  item: Item,
  status: string,
  more: { readonly at: number; readonly sequence: number } | undefined,
): Record<string, string> {
  const seconds = item.sentAt === null ? 0 : Math.ceil(((item.endedAt ?? item.sentAt) - item.sentAt) / 1_000)
  return {
    AccountSid: accountSid,
    ApiVersion: API_VERSION,
    CallSid: item.sid,
    CallStatus: status,
    Called: item.to,
    Caller: item.from ?? '',
    Direction: 'outbound-api',
    From: item.from ?? '',
    To: item.to,
    ...(more === undefined
      ? {}
      : {
          CallbackSource: 'call-progress-events',
          SequenceNumber: String(more.sequence),
          Timestamp: rfc2822(more.at),
        }),
    ...(status === 'completed'
      ? { CallDuration: String(seconds), Duration: String(Math.ceil(seconds / 60)) }
      : {}),
    ...(status === 'busy' ? { SipResponseCode: '486' } : {}),
    ...(status === 'no-answer' ? { SipResponseCode: '487' } : {}),
    ...(status === 'failed' ? { SipResponseCode: '404' } : {}),
  }
}
