import type { Refusal } from './refusals.ts'

/**
 * How an answer travels. `slow` comes after 25 s; `lost` is a closed connection instead; `cut` is its first half;
 * `reset` cuts the connection hard; `hang` never comes.
 */
export type Manner = 'slow' | 'lost' | 'cut' | 'reset' | 'hang'

/** What is answered to a request. */
export type Answer = {
  readonly status: number
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly manner?: Manner | undefined
}

const JSON_TYPE = { 'content-type': 'application/json;charset=utf-8' }

/** An answer of JSON. */
export function json(status: number, value: unknown, manner?: Manner): Answer {
  return { status, body: JSON.stringify(value), headers: JSON_TYPE, manner }
}

/** A refusal as Twilio writes it: `{code, message, more_info, status}`. */
export function refused({ code, message, status, retryAfterSeconds }: Refusal): Answer {
  const body = { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status }
  return {
    status,
    body: JSON.stringify(body),
    headers: {
      ...JSON_TYPE,
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...(status === 401 ? { 'www-authenticate': 'Basic realm="Twilio API"' } : {}),
    },
  }
}

/** What a gateway or a captive portal answers in the place of the API: a page, and a success. */
export const SOMEBODY_ELSE: Answer = {
  status: 200,
  body: '<!doctype html><title>Please sign in</title><p>Please sign in to this network.',
  headers: { 'content-type': 'text/html; charset=utf-8' },
}

/** What sends the client elsewhere, where nothing is. */
export const ELSEWHERE: Answer = { status: 302, headers: { location: '/simulator/elsewhere' } }
