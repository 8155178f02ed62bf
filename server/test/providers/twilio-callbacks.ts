import Sdk from 'twilio'
import type { SignedRequest } from '../../src/messaging/provider.ts'
import { makeTwilioReceipts } from '../../src/providers/twilio-receipts.ts'

export const TOKEN = 'auth-token-never-shown'
export const SID = `SM${'3d'.repeat(16)}`
export const URL_OK = 'https://verify.example.com/v1/callbacks/twilio'
export const AT = Date.UTC(2026, 0, 15, 12, 0, 0)
/** The reader of the tests. */
export const read = makeTwilioReceipts(TOKEN)
/** A form; what is given several times is a list. */
export type Form = Record<string, string | string[]>

/** A callback as Twilio would make it of this form. */
export function callback(form: Form, url = URL_OK, token = TOKEN): SignedRequest {
  return post(encode(form), url, Sdk.getExpectedTwilioSignature(token, url, form))
}

/** A callback with this body, signed or not. */
export function post(body: string | Buffer, url: string, signature?: string): SignedRequest {
  return {
    method: 'POST',
    url,
    headers: { 'x-twilio-signature': signature },
    body: Buffer.from(body),
    at: AT,
  }
}

/** A form as it is written. */
export function encode(form: Form): string {
  const pairs = Object.entries(form).flatMap(([name, value]) => [value].flat().map((item) => [name, item]))
  return new URLSearchParams(pairs).toString()
}

/** Why a callback was not read; undefined where it was. */
export function refusalOf(request: SignedRequest): string | undefined {
  const told = read(request)
  return 'refused' in told ? told.refused : undefined
}
