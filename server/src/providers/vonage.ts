import type { Message, Provider, Sent } from '../messaging/provider.ts'
import type { Answer } from './shared/exchange.ts'
import { Retries, type RetryDeps, type Try } from './shared/retries.ts'
import { Way } from './shared/way.ts'
import { codeOf, meaningOf } from './vonage-codes.ts'
import { MESSAGE_UUID, readReceipts } from './vonage-receipts.ts'

/** "limited to 1000 characters" (developer.vonage.com/en/api/messages, SMS). */
const TEXT_CHARACTERS_MAX = 1_000
/** Bounds of an SMS's `ttl`; of the SMS API (20,000 to 604,800,000 ms), the Messages API's page names none. */
const TTL_SECONDS_MIN = 20
const TTL_SECONDS_MAX = 604_800

/** How to reach Vonage's Messages API. */
export type VonageSettings = {
  readonly apiKey: string
  readonly apiSecret: string
  /** A number of the account, E.164, or a sender name where the destination allows one. */
  readonly from: string
  /** The account's signature secret. Without it no receipt is read. */
  readonly signatureSecret?: string | undefined
  /** Where status callbacks go, asked for with each message; else where the account's settings say. */
  readonly statusUrl?: string | undefined
  /** Tries after the first, of requests that Vonage did not take. */
  readonly maxRetries: number
  /** The first back-off; it doubles with each try, up to 30 s, and a random share of it is waited. */
  readonly retryDelayMs: number
  /** For one request as a whole, connecting included. */
  readonly requestTimeoutSeconds: number
  /** Instead of `https://api.nexmo.com`: a region's host, a proxy, or a test server. */
  readonly baseUrl?: string | undefined
}

/**
 * Makes the provider that sends SMS by Vonage's Messages API v1: `POST /v1/messages`, Basic authentication with the
 * API key and secret, answered by 202 and a `message_uuid` (developer.vonage.com/en/api/messages). WhatsApp is left
 * out: a code there needs a template that Meta has approved, not a text.
 *
 * Throttled requests and ones that never left or were turned away at the door are tried again; one that may
 * have been taken never is. See {@link meaningOf} in `vonage-codes.ts`.
 *
 * @throws Error naming the setting that is missing or malformed; never its value.
 */
export function makeVonageProvider(settings: VonageSettings, deps: RetryDeps = {}): Provider {
  const { apiKey, apiSecret, signatureSecret } = settings
  const { origin, path } = baseOf(settings)
  const basic = Buffer.from(`${apiKey}:${apiSecret}`).toString('base64')
  const api: Api = {
    way: new Way(origin, { timeoutMs: settings.requestTimeoutSeconds * 1_000 }),
    path,
    headers: { authorization: `Basic ${basic}`, accept: 'application/json' },
  }
  const carrier = new Carrier(settings, api, new Retries(settings, deps))
  return {
    name: 'vonage',
    channels: ['sms'],
    ...(signatureSecret === undefined || settings.statusUrl === undefined ? {} : { tells: true }),
    send: (message, signal) => carrier.send(message, signal),
    probe: (signal) => probe(api, signal),
    ...(signatureSecret === undefined
      ? {}
      : { receipts: (request) => readReceipts(request, { apiKey, signatureSecret }) }),
    close: () => api.way.close(),
  }
}

/** Checks the settings, and tells where the API is. */
function baseOf(settings: VonageSettings): { origin: string; path: string } {
  const { apiKey, apiSecret, from, signatureSecret, statusUrl } = settings
  // A colon would end the user's name of Basic authentication.
  if (!/^[0-9A-Za-z]{1,64}$/.test(apiKey)) throw new Error('Vonage apiKey must be letters and digits')
  if (apiSecret === '') throw new Error('Vonage needs apiSecret')
  if (!/^(?:\+?[0-9]{3,15}|[0-9A-Za-z ]{1,11})$/.test(from)) {
    throw new Error('Vonage from must be a number, or a name of at most 11 letters and digits')
  }
  if (signatureSecret === '') throw new Error('Vonage signatureSecret is empty')
  if (statusUrl !== undefined && !URL.canParse(statusUrl)) throw new Error('Vonage statusUrl is not a URL')
  const baseUrl = settings.baseUrl ?? 'https://api.nexmo.com'
  if (!URL.canParse(baseUrl)) throw new Error('Vonage baseUrl is not a URL')
  const { origin, pathname } = new URL(baseUrl)
  return { origin, path: pathname.replace(/\/+$/, '') }
}

/** The body of `POST /v1/messages` for a text by SMS. */
type Request = {
  readonly message_type: 'text'
  readonly channel: 'sms'
  readonly to: string
  readonly from: string
  readonly text: string
  readonly client_ref: string
  readonly ttl?: number
  readonly webhook_url?: string
  readonly webhook_version?: 'v1'
}

/** How to ask Vonage. */
type Api = { readonly way: Way; readonly path: string; readonly headers: Readonly<Record<string, string>> }

class Carrier {
  readonly #settings: VonageSettings
  readonly #api: Api
  readonly #retries: Retries

  constructor(settings: VonageSettings, api: Api, retries: Retries) {
    this.#settings = settings
    this.#api = api
    this.#retries = retries
  }

  async send(message: Message, signal: AbortSignal): Promise<Sent> {
    if (message.channel !== 'sms') return { ok: false, why: 'misconfigured', code: 'channel' }
    if (message.body.length > TEXT_CHARACTERS_MAX) {
      return { ok: false, why: 'misconfigured', code: 'too_long' }
    }
    return this.#retries.run((spentMs) => this.#try(message, spentMs, signal), signal, message.hurried)
  }

  async #try(message: Message, spentMs: number, signal: AbortSignal): Promise<Try<Sent>> {
    const { way, path, headers } = this.#api
    const written = {
      method: 'POST',
      path: `${path}/v1/messages`,
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(this.#requestOf(message, spentMs)),
    } as const
    return read(await way.ask(written, signal), this.#retries)
  }

  #requestOf(message: Message, spentMs: number): Request {
    const { from, statusUrl } = this.#settings
    return {
      message_type: 'text',
      channel: 'sms',
      // "Don't use a leading + or 00 when entering a phone number."
      to: message.to.replace(/^\+/, ''),
      from: (message.sender ?? from).replace(/^\+/, ''),
      text: message.body,
      client_ref: message.id,
      ...(message.validitySeconds === undefined ? {} : { ttl: ttlOf(message.validitySeconds, spentMs) }),
      ...(statusUrl === undefined ? {} : { webhook_url: statusUrl, webhook_version: 'v1' }),
    }
  }
}

/** Whole seconds; what earlier tries took is gone from the code's life. */
function ttlOf(validitySeconds: number, spentMs: number): number {
  const left = Math.floor(validitySeconds - spentMs / 1_000)
  return Math.min(TTL_SECONDS_MAX, Math.max(TTL_SECONDS_MIN, left))
}

function read({ left, status, headers, text, broken }: Answer, retries: Retries): Try<Sent> {
  if (status === undefined) return retries.refused(left ? 'unknown' : 'unavailable', broken, !left)
  const body = text === undefined ? undefined : parseObject(text)
  if (status >= 200 && status < 300) {
    const ref = body !== undefined && 'message_uuid' in body ? body.message_uuid : undefined
    // A 2xx says that something took the message, even if what it says about it cannot be read.
    if (typeof ref !== 'string' || !MESSAGE_UUID.test(ref)) return retries.refused('unknown', broken, false)
    return { outcome: { ok: true, ref }, again: false }
  }
  const code = body === undefined ? undefined : codeOf(body)
  const { why, again } = meaningOf(status, code)
  return retries.refused(why, code ?? `http_${status}`, again, headers['retry-after'])
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * Lists at most one application, which takes the same Basic credentials on the same host (Application API v2,
 * developer.vonage.com/en/api/application.v2) and changes nothing.
 */
async function probe({ way, path, headers }: Api, signal: AbortSignal) {
  const asked = { method: 'GET', path: `${path}/v2/applications?page_size=1`, headers, body: null } as const
  const { status, text, broken } = await way.ask(asked, signal)
  const body = text === undefined ? undefined : parseObject(text)
  if (status === undefined) return { ok: false, detail: `Vonage cannot be reached: ${broken}` }
  if (status >= 200 && status < 300 && body !== undefined) {
    return { ok: true, detail: 'the API key and its secret are accepted' }
  }
  const code = body === undefined ? undefined : codeOf(body)
  return { ok: false, detail: `Vonage answered ${code ?? `http_${status}`}` }
}
