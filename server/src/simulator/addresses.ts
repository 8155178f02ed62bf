import { tryParsePhone } from '../primitives/phone.ts'
import type { Carrier } from './carrier.ts'
import { TEST_CREDENTIALS } from './magic.ts'
import type { Channel } from './phones.ts'
import { Refusal } from './refusals.ts'

const WHATSAPP = 'whatsapp:'
/** Twilio's own WhatsApp sender, which every account may try. */
const SANDBOX = '+14155238886'
const ALPHANUMERIC = /^(?=.*[A-Za-z])[A-Za-z0-9 &._+-]{1,11}$/
const READ_MAX = 20_000
const SHORT_CODE = /^\d{4,6}$/

/** Whom a message is for: the phone, and how. */
export type Address = { readonly number: string; readonly channel: Channel; readonly spelt: string }

/** Reads numbers, and remembers what it read: metadata is slow to ask, and loads repeat their numbers. */
export class Numbers {
  readonly #read = new Map<string, string | undefined>()

  /** E.164, or undefined for what is no number. */
  read(text: string): string | undefined {
    if (this.#read.has(text)) return this.#read.get(text)
    if (this.#read.size >= READ_MAX) this.#read.clear()
    const number = text.startsWith('+') ? tryParsePhone(text)?.e164 : undefined
    this.#read.set(text, number)
    return number
  }
}

/** Reads `To` of a message. @throws Refusal 21604, 21211 or one of a test number. */
export function readReceiver(numbers: Numbers, to: string | undefined): Address {
  if (to === undefined) throw new Refusal(21604)
  const isWhatsApp = to.startsWith(WHATSAPP)
  const number = numbers.read(isWhatsApp ? to.slice(WHATSAPP.length).trim() : to)
  if (number === undefined) throw new Refusal(21211, to)
  const [code] = TEST_CREDENTIALS.to[number] ?? []
  if (code !== undefined) throw new Refusal(code, number)
  return isWhatsApp
    ? { number, channel: 'whatsapp', spelt: WHATSAPP + number }
    : { number, channel: 'sms', spelt: number }
}

/** Reads `From` of a message to that address, as it is spelt in answers. @throws Refusal. */
export function readSender(carrier: Carrier, numbers: Numbers, from: string, { channel }: Address): string {
  const isWhatsApp = from.startsWith(WHATSAPP)
  if (isWhatsApp !== (channel === 'whatsapp')) throw new Refusal(21910)
  const bare = isWhatsApp ? from.slice(WHATSAPP.length) : from
  const number = numbers.read(bare)
  const [code] = TEST_CREDENTIALS.from[number ?? ''] ?? []
  if (code !== undefined) throw new Refusal(code, from)
  const isKnown = owns(carrier, number ?? bare) || (isWhatsApp && number === SANDBOX)
  if (isWhatsApp) {
    if (!isKnown || number === undefined) throw new Refusal(63007)
    return WHATSAPP + number
  }
  if (number === undefined && !ALPHANUMERIC.test(bare) && !SHORT_CODE.test(bare))
    throw new Refusal(21212, from)
  if (!isKnown) throw new Refusal(21606, from)
  return number ?? bare
}

/** Whether the account may send from a number. */
export function owns({ account }: Carrier, number: string): boolean {
  return account.numbers === 'any' || account.numbers.includes(number)
}

/** Whether a text is an address that can be called back. */
export function isWebAddress(text: string): boolean {
  const { protocol } = URL.parse(text) ?? {}
  return protocol === 'http:' || protocol === 'https:'
}
