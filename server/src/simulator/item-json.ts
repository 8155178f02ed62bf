import { codeIn } from './codes.ts'
import type { Item } from './phones.ts'

/** A message or a call as the page and `GET /simulator/messages` show it. */
export function itemJson(item: Item): Record<string, unknown> {
  return {
    sid: item.sid,
    api: item.api,
    channel: item.channel,
    to: item.number,
    from: item.from,
    text: item.text,
    code: codeIn(item.text) ?? null,
    status: item.status,
    error_code: item.error,
    at: new Date(item.createdAt).toISOString(),
    callbacks: item.told,
  }
}
