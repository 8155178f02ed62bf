import { ACCOUNT, TOKEN, type TwilioServer } from './twilio-sdk.ts'
import { expectTwilioAnswer } from './twilio-openapi.ts'

/** What came back to a form. */
export type TwilioAnswer = {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

/** `Basic` of an account's SID and token. */
export function basic(account = ACCOUNT, token = TOKEN): string {
  return `Basic ${Buffer.from(`${account}:${token}`).toString('base64')}`
}

/**
 * Calls `/v2` without the SDK, for what it would not send and for headers that it does not show. A text or bytes go as they
 * are, as a form unless `type` says otherwise. The answer is held to Twilio's own description.
 */
export async function callTwilio(
  { url }: Pick<TwilioServer, 'url'>,
  method: string,
  path: string,
  call: {
    readonly form?: URLSearchParams | Record<string, string> | string | Buffer
    /** None where it is empty. */
    readonly authorization?: string
    readonly type?: string
  } = {},
): Promise<TwilioAnswer> {
  const { form, authorization = basic(), type = 'application/x-www-form-urlencoded' } = call
  const isRaw = typeof form === 'string' || Buffer.isBuffer(form)
  const body =
    form === undefined ? null : isRaw ? new Uint8Array(Buffer.from(form)) : new URLSearchParams(form)
  const answer = await fetch(url + path, {
    method,
    headers: {
      ...(authorization === '' ? {} : { authorization }),
      ...(form === undefined ? {} : { 'content-type': type }),
    },
    body,
  })
  const text = await answer.text()
  const read = text === '' ? {} : (JSON.parse(text) as TwilioAnswer['body'])
  expectTwilioAnswer(path.split('?', 1)[0] ?? '', method, answer.status, read)
  return { status: answer.status, headers: answer.headers, body: read }
}

/** The newest text to a number, and the code in it. */
export function newestTo(
  { server }: TwilioServer,
  to: string,
): { readonly body: string; readonly code: string } {
  const [newest] = server.inbox.list({ to })
  const body = newest?.body ?? ''
  return { body, code: /\b\d{4,10}\b/.exec(body)?.[0] ?? '' }
}

/** A guess that is not this code. */
export function otherThan(code: string): string {
  return (code.startsWith('0') ? '1' : '0') + code.slice(1)
}
