import { createHash } from 'node:crypto'
import { signatureOf } from '../primitives/twilio-signature.ts'
import type { EventSender } from '../services/outbox.ts'

/** Where the operator wants to be told. */
export type Sink = { readonly url: string; readonly secret: string }

/** Posts a text to an address; resolves with whether it was taken. */
export type Post = (request: {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}) => Promise<boolean>

/**
 * Makes what carries events to the sink: a JSON array of one, as Twilio's Event Streams post it, signed as Twilio signs
 * what has a JSON body: the address names the SHA-256 of the body, and the signature is over the address.
 */
export function makeSinkSender({ url, secret }: Sink, post: Post): EventSender {
  return ({ what }) => {
    const body = JSON.stringify([what])
    const signed = new URL(url)
    signed.searchParams.set('bodySHA256', createHash('sha256').update(body).digest('hex'))
    return post({
      url: signed.href,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'Countersign',
        'x-twilio-signature': signatureOf(secret, signed.href, {}),
      },
      body,
    })
  }
}
