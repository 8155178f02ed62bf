import { isWebAddress, readReceiver, readSender, type Address, type Numbers } from './addresses.ts'
import type { Carrier } from './carrier.ts'
import { all, one, type Form } from './form.ts'
import type { Hook } from './phones.ts'
import { Refusal } from './refusals.ts'
import { isSid } from './sids.ts'

const BODY_MAX = 1_600
const VALIDITY_MAX_SECONDS = 36_000

/** What a request asks to be sent. */
export type MessageRequest = {
  readonly to: Address
  readonly from: string | null
  readonly messagingServiceSid: string | null
  readonly text: string
  readonly media: number
  readonly hook: Hook | undefined
  /** Whether Twilio is asked to forget the text. */
  readonly isDiscarded: boolean
}

/** Reads and checks what Twilio checks before it takes a message. @throws Refusal. */
export function readMessage(carrier: Carrier, numbers: Numbers, form: Form): MessageRequest {
  const to = readReceiver(numbers, one(form, 'To'))
  const service = one(form, 'MessagingServiceSid')
  const sender = one(form, 'From')
  if (service === undefined && sender === undefined) throw new Refusal(21603)
  if (service !== undefined && !isSid('MG', service)) throw new Refusal(21701, service)
  const from = sender === undefined ? null : readSender(carrier, numbers, sender, to)
  const media = all(form, 'MediaUrl')
  const text = readText(form, media)
  const validity = one(form, 'ValidityPeriod')
  if (validity !== undefined && !isWhole(validity, 1, VALIDITY_MAX_SECONDS)) throw new Refusal(21624)
  const url = one(form, 'StatusCallback')
  if (url !== undefined && !isWebAddress(url)) throw new Refusal(21609, url)
  return {
    to,
    from,
    messagingServiceSid: service ?? null,
    text,
    media: media.length,
    hook: url === undefined ? undefined : { url, method: 'POST' },
    isDiscarded: one(form, 'ContentRetention') === 'discard',
  }
}

function readText(form: Form, media: readonly string[]): string {
  const content = one(form, 'ContentSid')
  if (content !== undefined) return contentText(content, one(form, 'ContentVariables'))
  const body = one(form, 'Body')
  if (body === undefined && media.length === 0) throw new Refusal(21602)
  if (body !== undefined && body.length > BODY_MAX) throw new Refusal(21617)
  return body ?? ''
}

/** No template is known here, so the phone shows which one was asked for and with what. */
function contentText(sid: string, variables: string | undefined): string {
  if (!isSid('HX', sid)) throw new Refusal(21655, sid)
  const values = variables === undefined ? {} : parseVariables(variables)
  const lines = Object.entries(values).map(([name, value]) => `{{${name}}} ${String(value)}`)
  return [`Template ${sid}`, ...lines].join('\n')
}

function parseVariables(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // Refused below like every other text that is no object.
  }
  throw new Refusal(21656)
}

function isWhole(text: string, min: number, max: number): boolean {
  return /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max
}
