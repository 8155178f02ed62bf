import type { Progress, Receipt, Refusal } from '../messaging/provider.ts'
import { TWILIO_CODES } from './twilio-codes.ts'
import { CALL_SID, MESSAGE_SID } from './twilio-shapes.ts'
import type { Fields } from './twilio-signature.ts'

/** What a reader's clock may lag behind the carrier's. */
const AHEAD_MAX_MS = 60_000

/** What each status of an outgoing message says; one that is not here says nothing we know of. */
const MESSAGE_PROGRESS: ReadonlyMap<string, Progress> = new Map<string, Progress>([
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

/** The same of a call: one that was answered to its end has said its code. */
const CALL_PROGRESS: ReadonlyMap<string, Progress> = new Map<string, Progress>([
  ['queued', 'queued'],
  ['initiated', 'queued'],
  ['ringing', 'sent'],
  ['in-progress', 'sent'],
  ['completed', 'delivered'],
  ['busy', 'undelivered'],
  ['no-answer', 'undelivered'],
  ['failed', 'undelivered'],
  ['canceled', 'undelivered'],
])

/** What a telephone network says of a number that is nobody's (RFC 3261 §21.4: not found, gone, not anywhere). */
const NOBODYS: ReadonlySet<string | undefined> = new Set(['404', '410', '604'])

/** Reads a status of a message or of a call; undefined: nothing we know of. */
export function receiptIn(fields: Fields, receivedAt: number): Receipt | undefined | 'malformed' {
  const [message, call] = [only(fields, 'MessageSid'), only(fields, 'CallSid')]
  if (message !== undefined && call === undefined) return messageReceipt(message, fields, receivedAt)
  if (call !== undefined && message === undefined) return callReceipt(call, fields, receivedAt)
  return 'malformed'
}

function messageReceipt(ref: string, fields: Fields, receivedAt: number) {
  const status = only(fields, 'MessageStatus')
  if (status === undefined || !MESSAGE_SID.test(ref)) return 'malformed'
  const progress = MESSAGE_PROGRESS.get(status)
  if (progress === undefined) return undefined
  const code = codeIn(fields)
  const why = progress === 'undelivered' && code !== undefined ? TWILIO_CODES.get(Number(code)) : undefined
  return receipt(ref, progress, why, code, doneAt(only(fields, 'RawDlrDoneDate')), receivedAt)
}

function callReceipt(ref: string, fields: Fields, receivedAt: number) {
  const status = only(fields, 'CallStatus')
  if (status === undefined || !CALL_SID.test(ref)) return 'malformed'
  const progress = CALL_PROGRESS.get(status)
  if (progress === undefined) return undefined
  const at = stampedAt(only(fields, 'Timestamp'))
  if (progress !== 'undelivered') return receipt(ref, progress, undefined, undefined, at, receivedAt)
  const code = codeIn(fields)
  const sip = only(fields, 'SipResponseCode')
  const known = code === undefined ? undefined : TWILIO_CODES.get(Number(code))
  const why = known ?? (status === 'failed' && NOBODYS.has(sip) ? 'bad_number' : 'unavailable')
  return receipt(ref, progress, why, code ?? status, at, receivedAt)
}

function receipt(
  ref: string,
  progress: Progress,
  why: Refusal | undefined,
  code: string | undefined,
  at: number | undefined,
  receivedAt: number,
): Receipt {
  return {
    ref,
    progress,
    ...(why === undefined ? {} : { why }),
    ...(code === undefined ? {} : { code }),
    ...(at === undefined || at > receivedAt + AHEAD_MAX_MS ? {} : { at }),
  }
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
function doneAt(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{10}(?:\d\d)?$/.test(text)) return undefined
  const [year, month, day, hour, minute, second = '00'] = text.match(/\d\d/g) ?? []
  const iso = `20${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const at = Date.parse(iso)
  // `Date` takes 30 February for 1 March.
  return Number.isNaN(at) || new Date(at).toISOString() !== iso ? undefined : at
}

/** The time of a call's status: RFC 2822, always UTC. */
function stampedAt(text: string | undefined): number | undefined {
  if (text === undefined || !/^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} \+0000$/.test(text))
    return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}
