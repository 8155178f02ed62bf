import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { parse, stringify } from 'node:querystring'
import type { Progress, Receipt, SignedRequest, Unreadable } from '../messaging/provider.ts'
import { TWILIO_CODES } from './twilio-codes.ts'

/** The largest callback read, in bytes. Twilio's own are under 1 KB. */
const BODY_MAX = 64 * 1024
/** What a reader's clock may lag behind the carrier's. */
const AHEAD_MAX_MS = 60_000
const MESSAGE_SID = /^(?:SM|MM)[0-9a-fA-F]{32}$/
const URL_PARTS = /^([a-z][a-z0-9+.-]*:\/\/)([^/?]*)/i

/** What each status of an outgoing message says; one that is not here says nothing we know of. */
const PROGRESS: ReadonlyMap<string, Progress> = new Map<string, Progress>([
  ['accepted', 'queued'],
  ['scheduled', 'queued'],
  ['queued', 'queued'],
  ['sending', 'queued'],
  ['sent', 'sent'],
  ['partially_delivered', 'sent'],
  ['delivered', 'delivered'],
  ['undelivered', 'undelivered'],
  ['failed', 'undelivered'],
  ['canceled', 'undelivered'],
  ['read', 'read'],
])

/** Names and their values, as often as each was given. */
type Fields = ReadonlyMap<string, readonly string[]>

/**
 * Makes the reader of Twilio's status callbacks. Only the auth token signs them, whatever the requests are
 * made with. Twilio signs no time, so a callback that is put again is as good as the first: whoever records
 * a receipt must bear it twice, and in any order.
 */
export function makeTwilioReceipts(
  authToken: string,
): (request: SignedRequest) => readonly Receipt[] | Unreadable {
  return (request) => {
    const signature = request.headers['x-twilio-signature']
    if (signature === undefined || signature === '') return { refused: 'unsigned' }
    if (request.method !== 'POST' || request.body.length > BODY_MAX) return { refused: 'malformed' }
    const hash = bodyHashIn(request.url)
    const fields = hash === undefined ? formOf(request.body) : new Map<string, readonly string[]>()
    if (!isSigned(authToken, signature, request.url, fields)) return { refused: 'forged' }
    if (hash === undefined) return receiptsIn(fields, request.at)
    if (!isSame(hash, createHash('sha256').update(request.body).digest('hex'))) return { refused: 'forged' }
    const members = membersOf(request.body)
    return members === undefined ? { refused: 'malformed' } : receiptsIn(members, request.at)
  }
}

/**
 * Whether Twilio signed this: base64 of HMAC-SHA1 over the address and then, sorted by code unit, every
 * name with each of its different values. What the address was when it signed is not sure, so each of
 * {@link addressesOf} will do.
 */
function isSigned(authToken: string, signature: string, url: string, fields: Fields): boolean {
  const text = [...fields.keys()]
    .sort()
    .flatMap((name) => [...new Set(fields.get(name))].sort().map((value) => name + value))
    .join('')
  return addressesOf(url).some((address) =>
    isSame(
      signature,
      createHmac('sha1', authToken)
        .update(address + text)
        .digest('base64'),
    ),
  )
}

/**
 * The ways Twilio may have spelt an address: without a port and with one, as it was given and as `new URL`
 * spells it, and that once more with its query as Node's old `querystring` writes it. Never its fragment.
 */
function addressesOf(given: string): readonly string[] {
  const url = given.replace(/#.*$/s, '')
  const plain = [withoutPort(url), withPort(url)]
  if (!URL.canParse(url)) return plain
  const { href } = new URL(url)
  const normal = [withoutPort(href), withPort(href)]
  return [...new Set([...plain, ...normal, ...normal.map(withOldQuery)])]
}

function withoutPort(url: string): string {
  const parts = partsOf(url)
  return parts === undefined ? url : parts.scheme + parts.host + parts.rest
}

/** With its own port, else with the one that goes without saying. */
function withPort(url: string): string {
  const parts = partsOf(url)
  if (parts === undefined || parts.port !== '') return url
  return parts.scheme + parts.host + (parts.scheme.toLowerCase() === 'https://' ? ':443' : ':80') + parts.rest
}

/** An address in pieces, each as it was spelt; `host` holds a user too. `URL` would spell some pieces anew. */
function partsOf(url: string) {
  const [start, scheme, authority] = URL_PARTS.exec(url) ?? []
  if (start === undefined || scheme === undefined || authority === undefined) return undefined
  const hostAt = authority.lastIndexOf('@') + 1
  // The colons of an IPv6 address stand in brackets, before the one of the port.
  const portAt = authority.indexOf(':', Math.max(hostAt, authority.lastIndexOf(']') + 1))
  const end = portAt === -1 ? authority.length : portAt
  return { scheme, host: authority.slice(0, end), port: authority.slice(end), rest: url.slice(start.length) }
}

function withOldQuery(url: string): string {
  const queryAt = url.indexOf('?') + 1
  return queryAt === 0 || queryAt === url.length
    ? url
    : url.slice(0, queryAt) + stringify(parse(url.slice(queryAt)))
}

/** The hash by which a body that is no form is signed: Twilio puts it into the address. */
function bodyHashIn(url: string): string | undefined {
  return URL.canParse(url) ? (new URL(url).searchParams.get('bodySHA256') ?? undefined) : undefined
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  // The length of a digest is no secret.
  return a.length === b.length && timingSafeEqual(a, b)
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

/** Reads what is surely Twilio's. A status of a message that we did not send, or a new one, is no receipt. */
function receiptsIn(fields: Fields, receivedAt: number): readonly Receipt[] | Unreadable {
  const [ref, status] = [only(fields, 'MessageSid'), only(fields, 'MessageStatus')]
  if (ref === undefined || status === undefined || !MESSAGE_SID.test(ref)) return { refused: 'malformed' }
  const progress = PROGRESS.get(status)
  if (progress === undefined) return []
  const code = codeIn(fields)
  const why = progress === 'undelivered' && code !== undefined ? TWILIO_CODES.get(Number(code)) : undefined
  const at = doneAt(only(fields, 'RawDlrDoneDate'), receivedAt)
  return [
    {
      ref,
      progress,
      ...(why === undefined ? {} : { why }),
      ...(code === undefined ? {} : { code }),
      ...(at === undefined ? {} : { at }),
    },
  ]
}

/** The one value of a name; nothing where it has none or several. */
function only(fields: Fields, name: string): string | undefined {
  const values = new Set(fields.get(name))
  return values.size === 1 ? [...values][0] : undefined
}

function codeIn(fields: Fields): string | undefined {
  const code = only(fields, 'ErrorCode')
  return code !== undefined && /^[1-9]\d{0,5}$/.test(code) ? code : undefined
}

/**
 * When the carrier was done: YYMMDDhhmm, or with seconds. It names no zone and is read as UTC; a time that is yet to
 * come shows that the carrier's was another, and is left out.
 */
function doneAt(text: string | undefined, receivedAt: number): number | undefined {
  if (text === undefined || !/^\d{10}(?:\d\d)?$/.test(text)) return undefined
  const [year, month, day, hour, minute, second = '00'] = text.match(/\d\d/g) ?? []
  const iso = `20${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const at = Date.parse(iso)
  // `Date` takes 30 February for 1 March.
  if (Number.isNaN(at) || new Date(at).toISOString() !== iso) return undefined
  return at > receivedAt + AHEAD_MAX_MS ? undefined : at
}
