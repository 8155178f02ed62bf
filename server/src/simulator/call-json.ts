import type { Account } from './carrier.ts'
import type { Item } from './phones.ts'
import { API_VERSION } from './reports.ts'
import { rfc2822 } from './times.ts'

const PARTS = [
  'notifications',
  'recordings',
  'streams',
  'transcriptions',
  'siprec',
  'events',
  'payments',
] as const

/** A call as the Calls API shows it. */
export function callJson({ sid: account }: Account, item: Item): Record<string, unknown> {
  const path = `/${API_VERSION}/Accounts/${account}/Calls/${item.sid}`
  const { sentAt: startedAt, endedAt } = item
  const seconds = startedAt === null || endedAt === null ? null : Math.ceil((endedAt - startedAt) / 1_000)
  return {
    account_sid: account,
    annotation: null,
    answered_by: null,
    api_version: API_VERSION,
    caller_name: null,
    date_created: rfc2822(item.createdAt),
    date_updated: rfc2822(item.updatedAt),
    direction: 'outbound-api',
    duration: endedAt === null ? null : String(seconds ?? 0),
    end_time: endedAt === null ? null : rfc2822(endedAt),
    forwarded_from: null,
    from: item.from,
    from_formatted: item.from,
    group_sid: null,
    parent_call_sid: null,
    phone_number_sid: null,
    price: null,
    price_unit: 'USD',
    queue_time: '0',
    sid: item.sid,
    start_time: startedAt === null ? null : rfc2822(startedAt),
    status: item.status,
    subresource_uris: Object.fromEntries(PARTS.map((part) => [part, `${path}/${titled(part)}.json`])),
    to: item.to,
    to_formatted: item.to,
    trunk_sid: null,
    uri: `${path}.json`,
  }
}

function titled(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}
