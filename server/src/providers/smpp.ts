import { randomInt } from 'node:crypto'
import type { PDU } from 'smpp'
import type { Message, Provider, Receipt, Sent } from '../messaging/provider.ts'
import { TRY_LATER } from './smpp-codes.ts'
import { idInAnswer } from './smpp-ids.ts'
import { SmppLink } from './smpp-link.ts'
import { readReceipt } from './smpp-receipts.ts'
import type { SmppSettings } from './smpp-settings.ts'
import { phoneAddress, senderAddress, submitsOf, type Address } from './smpp-submit.ts'

const BODY_CHARACTERS_MAX = 1_600
/** Parts that 1,600 characters of UCS-2 take, in the worst case of pairs that fit badly. */
const PARTS_MAX = 25
/** Receipts that are being written down at once; the SMSC is asked to keep what comes on top. */
const RECEIPTS_MAX = 1_000
/** How long making the provider waits for its first bind. */
const FIRST_BIND_MS = 2_000

/** What a test replaces. */
export type SmppDeps = {
  /** A whole number from 0 to `max - 1`. */
  readonly randomInt?: (max: number) => number
}

/**
 * Makes the provider that sends by SMPP 3.4 on one connection, which it keeps bound. It waits up to 2 s for the first
 * bind, so that what is sent next finds one; an SMSC that is down does not fail it.
 *
 * What is sent while nothing is bound is refused at once; what was on the wire when the link was lost, or stayed
 * without an answer, is `unknown`. Nothing is sent twice. See `docs/smpp.md`.
 *
 * @throws Error naming the setting that is missing or malformed; never its value.
 */
export async function makeSmppProvider(settings: SmppSettings, deps: SmppDeps = {}): Promise<Provider> {
  const from = senderOf(settings)
  const window = whole('window', settings.window ?? 10, 1, 1_000)
  const responseTimeoutMs = 1_000 * positive('responseTimeoutSeconds', settings.responseTimeoutSeconds ?? 10)
  const linkSettings = {
    ...targetOf(settings.url),
    ca: settings.ca,
    systemType: cString('systemType', settings.systemType ?? '', 12),
    window,
    queue: whole('queue', settings.queue ?? 100, PARTS_MAX, 10_000),
    connectTimeoutMs: responseTimeoutMs,
    responseTimeoutMs,
    enquireEveryMs: 1_000 * positive('enquireSeconds', settings.enquireSeconds ?? 30),
    reconnectMs: positive('reconnectMs', settings.reconnectMs ?? 1_000),
    reconnectMaxMs: 30_000,
  }
  const serviceType = cString('serviceType', settings.serviceType ?? '', 5)
  const ids = settings.messageIds ?? 'same'
  const dice = deps.randomInt ?? randomInt

  const { default: smpp } = await import('smpp')
  const ear = new Ear((pdu) => readReceipt(pdu, { ids, gsmErrors: settings.gsmErrors ?? false }))
  const link = new SmppLink(linkSettings, {
    Pdu: smpp.PDU,
    randomInt: dice,
    deliver: (pdu) => ear.take(pdu),
    readId: (id) => idInAnswer(id, ids),
  })
  let reference = dice(256)

  async function send(message: Message, signal: AbortSignal): Promise<Sent> {
    if (message.channel !== 'sms') return { ok: false, why: 'misconfigured', code: 'channel' }
    if (message.body.length > BODY_CHARACTERS_MAX) return { ok: false, why: 'misconfigured', code: 'length' }
    const to = phoneAddress(message.to)
    if (to === undefined) return { ok: false, why: 'bad_number', code: 'number' }
    const sender = message.sender === undefined ? from : senderAddress(message.sender)
    if (sender === undefined) return { ok: false, why: 'misconfigured', code: 'sender' }
    reference += 1
    const { longTexts = 'parts' } = settings
    const form = { from: sender, longTexts, serviceType, receipts: ear.hears, reference }
    return together(await link.submit(submitsOf(message, to, form), signal))
  }

  const first = link.start()
  await Promise.race([first, new Promise((resolve) => setTimeout(resolve, FIRST_BIND_MS).unref())])
  return {
    name: 'smpp',
    channels: ['sms'],
    tells: true,
    send,
    probe: async (signal) => {
      if (!signal.aborted) await Promise.race([first, once(signal)])
      const { state } = link
      return state.bound ? { ok: true, detail: 'bound' } : { ok: false, detail: `not bound: ${state.code}` }
    },
    hear: (listener) => ear.listen(listener),
    close: () => link.close(),
  }
}

/**
 * What became of a message, by what became of its parts. Taken whole, it goes by the id of the last part. Refused
 * whole, by the first refusal. A text of which a part may have been taken and another was not is `unknown`: the phone
 * may show some of it.
 */
function together(parts: readonly Sent[]): Sent {
  const failed = parts.find((part) => !part.ok)
  const last = parts.at(-1)
  if (failed === undefined) return last ?? { ok: false, why: 'misconfigured', code: 'empty' }
  const isRefused = parts.every((part) => !part.ok && part.why !== 'unknown')
  return isRefused || parts.length === 1 ? failed : { ...failed, why: 'unknown' }
}

/** Reads what the SMSC brings and passes receipts to who listens. */
class Ear {
  readonly #read: (pdu: PDU) => Receipt | undefined
  #listener: ((receipt: Receipt) => Promise<void>) | undefined
  #heard = 0

  constructor(read: (pdu: PDU) => Receipt | undefined) {
    this.#read = read
  }

  get hears(): boolean {
    return this.#listener !== undefined
  }

  listen(listener: (receipt: Receipt) => Promise<void>): void {
    this.#listener = listener
  }

  /** Resolves with the answer: yes once the listener has the receipt, "later" where it could not be kept. */
  async take(pdu: PDU): Promise<number> {
    const receipt = this.#read(pdu)
    // A text from a person, or a receipt that says nothing: to bring it again would change nothing.
    if (receipt === undefined) return 0
    if (this.#listener === undefined || this.#heard >= RECEIPTS_MAX) return TRY_LATER
    this.#heard += 1
    try {
      await this.#listener(receipt)
      return 0
    } catch {
      return TRY_LATER
    } finally {
      this.#heard -= 1
    }
  }
}

function targetOf(text: string) {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['smpp:', 'smpps:'].includes(url.protocol) || url.hostname === '')
    throw new Error('SMPP url must be smpp://user:password@host:port, or smpps://')
  if (url.username === '') throw new Error('SMPP url names no user')
  const tls = url.protocol === 'smpps:'
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (tls ? 3550 : 2775) : Number(url.port),
    tls,
    systemId: cString('user', decoded('user', url.username), 15),
    // The specification has 8 characters; SMSCs that take more are many.
    password: cString('password', decoded('password', url.password), 64),
  }
}

function decoded(name: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Error(`SMPP ${name} is not percent-encoded`)
  }
}

function senderOf({ from, fromTon, fromNpi }: SmppSettings): Address {
  const sender = senderAddress(from)
  if (sender === undefined) throw new Error('SMPP from must be a number, a short code or up to 11 letters')
  return {
    ton: whole('fromTon', fromTon ?? sender.ton, 0, 6),
    npi: whole('fromNpi', fromNpi ?? sender.npi, 0, 18),
    address: sender.address,
  }
}

function cString(name: string, text: string, max: number): string {
  if (text.length > max || !/^[\x20-\x7e]*$/.test(text))
    throw new Error(`SMPP ${name} must be at most ${max} plain characters`)
  return text
}

function whole(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new Error(`SMPP ${name} must be a whole number from ${min} to ${max}`)
  return value
}

function positive(name: string, value: number): number {
  if (!(value > 0 && value <= 86_400)) throw new Error(`SMPP ${name} must be over 0 and at most 86,400`)
  return value
}

function once(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
