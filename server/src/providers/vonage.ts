import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Message, Provider, Sent } from '../messaging/provider.ts'
import { systemClock, type Clock } from '../primitives/clock.ts'
import { codeOf, meaningOf } from './vonage-codes.ts'
import { makeVonageHttp, type Answer, type VonageHttp } from './vonage-http.ts'
import { MESSAGE_UUID, readReceipts } from './vonage-receipts.ts'

/** "limited to 1000 characters" (developer.vonage.com/en/api/messages, SMS). */
const TEXT_CHARACTERS_MAX = 1_000
/** Bounds of an SMS's `ttl`; of the SMS API (20,000 to 604,800,000 ms), the Messages API's page names none. */
const TTL_SECONDS_MIN = 20
const TTL_SECONDS_MAX = 604_800
/** The longest pause between two tries; a longer `Retry-After` is handed back instead of waited for. */
const PAUSE_MAX_MS = 30_000

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

/** What a test replaces. */
export type VonageDeps = {
  readonly clock?: Clock
  /** A whole number from 0 to `max - 1`, for the jitter. */
  readonly randomInt?: (max: number) => number
  /** Resolves after `ms`; rejects when `signal` aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>
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
export function makeVonageProvider(settings: VonageSettings, deps: VonageDeps = {}): Provider {
  const { apiKey, apiSecret, signatureSecret } = settings
  const { origin, path } = baseOf(settings)
  const basic = Buffer.from(`${apiKey}:${apiSecret}`).toString('base64')
  const http = makeVonageHttp(origin, `Basic ${basic}`, settings.requestTimeoutSeconds * 1_000)
  const carrier = new Carrier(settings, deps, http, `${path}/v1/messages`)
  return {
    name: 'vonage',
    channels: ['sms'],
    ...(signatureSecret === undefined || settings.statusUrl === undefined ? {} : { tells: true }),
    send: (message, signal) => carrier.send(message, signal),
    probe: (signal) => probe(http, path, signal),
    ...(signatureSecret === undefined
      ? {}
      : { receipts: (request) => readReceipts(request, { apiKey, signatureSecret }) }),
    close: () => http.close(),
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

/** What came of one request. */
type Try = { readonly sent: Sent; readonly again: boolean }

class Carrier {
  readonly #settings: VonageSettings
  readonly #http: VonageHttp
  readonly #path: string
  readonly #clock: Clock
  readonly #randomInt: (max: number) => number
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<unknown>

  constructor(settings: VonageSettings, deps: VonageDeps, http: VonageHttp, path: string) {
    this.#settings = settings
    this.#http = http
    this.#path = path
    this.#clock = deps.clock ?? systemClock
    this.#randomInt = deps.randomInt ?? randomInt
    this.#sleep = deps.sleep ?? ((ms, signal) => sleep(ms, undefined, { signal }))
  }

  async send(message: Message, signal: AbortSignal): Promise<Sent> {
    if (message.channel !== 'sms') return { ok: false, why: 'misconfigured', code: 'channel' }
    if (message.body.length > TEXT_CHARACTERS_MAX) {
      return { ok: false, why: 'misconfigured', code: 'too_long' }
    }
    const startedMs = this.#clock.now()
    for (let retries = 0; ; retries++) {
      const answer = await this.#http.request(this.#path, this.#requestOf(message, startedMs), signal)
      const { sent, again } = read(answer, this.#clock.now())
      if (sent.ok || !again || message.hurried === true || retries >= this.#settings.maxRetries) return sent
      const pauseMs = this.#pauseMs(retries, sent.retryAfterSeconds ?? 0)
      if (pauseMs > PAUSE_MAX_MS) return sent
      try {
        await this.#sleep(pauseMs, signal)
      } catch {
        return sent
      }
    }
  }

  #requestOf(message: Message, startedMs: number): Request {
    const { from, statusUrl } = this.#settings
    return {
      message_type: 'text',
      channel: 'sms',
      // "Don't use a leading + or 00 when entering a phone number."
      to: message.to.replace(/^\+/, ''),
      from: (message.sender ?? from).replace(/^\+/, ''),
      text: message.body,
      client_ref: message.id,
      ...(message.validitySeconds === undefined
        ? {}
        : { ttl: this.#ttl(message.validitySeconds, startedMs) }),
      ...(statusUrl === undefined ? {} : { webhook_url: statusUrl, webhook_version: 'v1' }),
    }
  }

  /** Whole seconds; what earlier tries took is gone from the code's life. */
  #ttl(validitySeconds: number, startedMs: number): number {
    const left = Math.floor(validitySeconds - (this.#clock.now() - startedMs) / 1_000)
    return Math.min(TTL_SECONDS_MAX, Math.max(TTL_SECONDS_MIN, left))
  }

  /** Full jitter over a doubling back-off, on top of what Vonage asked for. */
  #pauseMs(retries: number, retryAfter: number): number {
    const backoffMs = Math.min(PAUSE_MAX_MS, this.#settings.retryDelayMs * 2 ** retries)
    return retryAfter * 1_000 + this.#randomInt(Math.floor(backoffMs) + 1)
  }
}

function read({ left, status, headers, body, broken }: Answer, nowMs: number): Try {
  if (status === undefined) {
    return { sent: { ok: false, why: left ? 'unknown' : 'unavailable', code: broken }, again: !left }
  }
  if (status >= 200 && status < 300) {
    const ref = body !== undefined && 'message_uuid' in body ? body.message_uuid : undefined
    // A 2xx says that something took the message, even if what it says about it cannot be read.
    if (typeof ref !== 'string' || !MESSAGE_UUID.test(ref)) {
      return { sent: { ok: false, why: 'unknown', code: broken }, again: false }
    }
    return { sent: { ok: true, ref }, again: false }
  }
  const code = body === undefined ? undefined : codeOf(body)
  const { why, again } = meaningOf(status, code)
  const seconds = retryAfterSeconds(headers['retry-after'], nowMs)
  const retryAfterHelp = seconds === undefined ? {} : { retryAfterSeconds: seconds }
  return { sent: { ok: false, why, code: code ?? `http_${status}`, ...retryAfterHelp }, again }
}

/** Seconds or an HTTP date (RFC 9110 §10.2.3), as whole seconds from now; nothing where it is neither. */
function retryAfterSeconds(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header)
  const atMs = Date.parse(header)
  return Number.isNaN(atMs) ? undefined : Math.max(0, Math.ceil((atMs - nowMs) / 1_000))
}

/**
 * Lists at most one application, which takes the same Basic credentials on the same host (Application API v2,
 * developer.vonage.com/en/api/application.v2) and changes nothing.
 */
async function probe(http: VonageHttp, path: string, signal: AbortSignal) {
  const { status, body, broken } = await http.request(
    `${path}/v2/applications?page_size=1`,
    undefined,
    signal,
  )
  if (status === undefined) return { ok: false, detail: `Vonage cannot be reached: ${broken}` }
  if (status >= 200 && status < 300 && body !== undefined) {
    return { ok: true, detail: 'the API key and its secret are accepted' }
  }
  const code = body === undefined ? undefined : codeOf(body)
  return { ok: false, detail: `Vonage answered ${code ?? `http_${status}`}` }
}
