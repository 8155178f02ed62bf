import { createHash } from 'node:crypto'
import type { Receipt, SignedRequest, Unreadable } from '../messaging/provider.ts'
import { isId } from '../primitives/ids.ts'
import { bodyHashIn, isSame, isSigned, type Fields } from './twilio-signature.ts'
import { receiptIn } from './twilio-statuses.ts'

/** The largest callback read, in bytes. Twilio's own are under 1 KB. */
const BODY_MAX = 64 * 1024

/**
 * Makes the reader of Twilio's status callbacks, those of messages and those of calls. Only the auth token signs
 * them, whatever the requests are made with. Twilio signs no time, so a callback that is put again is as good as the
 * first: whoever records a receipt must bear it twice, and in any order.
 */
export function makeTwilioReceipts(
  authToken: string,
): (request: SignedRequest) => readonly Receipt[] | Unreadable {
  return (request) => {
    const signature = request.headers['x-twilio-signature']
    if (signature === undefined || signature === '') return { refused: 'unsigned' }
    if (request.method !== 'POST' || request.body.length > BODY_MAX) return { refused: 'malformed' }
    const hash = bodyHashIn(request.url)
    const form = hash === undefined ? formOf(request.body) : new Map<string, readonly string[]>()
    if (!isSigned(authToken, signature, request.url, form)) return { refused: 'forged' }
    if (hash === undefined) return receiptsIn(form, request)
    if (!isSame(hash, createHash('sha256').update(request.body).digest('hex'))) return { refused: 'forged' }
    const members = membersOf(request.body)
    return members === undefined ? { refused: 'malformed' } : receiptsIn(members, request)
  }
}

/** Reads what is surely Twilio's. A status of a message that we did not send, or a new one, is no receipt. */
function receiptsIn(fields: Fields, { url, at }: SignedRequest): readonly Receipt[] | Unreadable {
  const receipt = receiptIn(fields, at)
  if (receipt === 'malformed') return { refused: receipt }
  if (receipt === undefined) return []
  const send = sendIn(url)
  return [send === undefined ? receipt : { ...receipt, send }]
}

/** Our own id of the send, which the address that Twilio was given holds; the signature is over the address. */
function sendIn(url: string): string | undefined {
  const ids = URL.canParse(url) ? new URL(url).searchParams.getAll('send') : []
  const [id] = ids
  return ids.length === 1 && id !== undefined && isId('snd_', id) ? id : undefined
}

function formOf(body: Buffer): Fields {
  const fields = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    const values = fields.get(name)
    if (values === undefined) fields.set(name, [value])
    else values.push(value)
  }
  return fields
}

/** The texts and numbers of a JSON object; nothing where it is none. */
function membersOf(body: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const entries = Object.entries(value).flatMap(([name, member]: [string, unknown]) =>
      typeof member === 'string' || typeof member === 'number' ? [[name, [String(member)]] as const] : [],
    )
    return new Map(entries)
  } catch {
    return undefined
  }
}
