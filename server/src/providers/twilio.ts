import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type TwilioSdk from 'twilio'
import type { Message, Provider, Sent } from '../messaging/provider.ts'
import type { Money } from '../messaging/price.ts'
import { systemClock, type Clock } from '../primitives/clock.ts'
import { makeTwilioHttp, TwilioFailure, type TwilioHttp } from './twilio-http.ts'
import { makeTwilioReceipts } from './twilio-receipts.ts'

/** Twilio's limits on `Body` and `ValidityPeriod` (twilio.com/docs/messaging/api/message-resource). */
const BODY_CHARACTERS_MAX = 1_600
const VALIDITY_SECONDS_MAX = 36_000
/** The longest pause between two tries; a longer `Retry-After` is handed back instead of waited for. */
const PAUSE_MAX_MS = 30_000
const MESSAGE_SID = /^(SM|MM)[0-9a-fA-F]{32}$/

/** How to reach Twilio's Messages API. */
export type TwilioSettings = {
  /** `AC…`. */
  readonly accountSid: string
  readonly authToken?: string | undefined
  /** `SK…`; with its secret it is used instead of the auth token. */
  readonly apiKeySid?: string | undefined
  readonly apiKeySecret?: string | undefined
  /** A number of the account, E.164, or another sender it owns. */
  readonly from?: string | undefined
  /** `MG…`; Twilio picks the sender, unless `from` names one of the service's. */
  readonly messagingServiceSid?: string | undefined
  /** Tries after the first, of requests that Twilio did not take. */
  readonly maxRetries: number
  /** The first back-off; it doubles with each try, up to 30 s, and a random share of it is waited. */
  readonly retryDelayMs: number
  /** For one request as a whole, connecting included. */
  readonly requestTimeoutSeconds: number
  /** Instead of `https://api.twilio.com`: a region's host, or a simulator. */
  readonly baseUrl?: string | undefined
  /**
   * Whether Twilio is asked to forget the text once sent (default yes). An account without Message
   * Redaction may refuse that with 30029; the text is then sent without asking, from there on.
   */
  readonly discardContent?: boolean
  /**
   * Where Twilio tells what became of each message. It signs that with the auth token, so without one this
   * provider reads no receipts.
   */
  readonly statusCallback?: string | undefined
}

/** What a test replaces. */
export type TwilioDeps = {
  readonly clock?: Clock
  /** A whole number from 0 to `max - 1`, for the jitter. */
  readonly randomInt?: (max: number) => number
  /** Resolves after `ms`; rejects when `signal` aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

/**
 * Makes the provider that sends by Twilio's Messages API through the official SDK, which is loaded here and
 * not before: it takes 150 ms.
 *
 * Throttled requests and ones that never left or were turned away at the door are tried again; one that may
 * have been taken never is. See {@link meaningOf} in `twilio-codes.ts`.
 *
 * @throws Error naming the setting that is missing or malformed; never its value.
 */
export async function makeTwilioProvider(settings: TwilioSettings, deps: TwilioDeps = {}): Promise<Provider> {
  const [username, password] = credentialsOf(settings)
  if (settings.from === undefined && settings.messagingServiceSid === undefined) {
    throw new Error('Twilio needs a sender: from or messagingServiceSid')
  }
  const baseUrl = settings.baseUrl ?? 'https://api.twilio.com'
  if (!URL.canParse(baseUrl)) throw new Error('Twilio baseUrl is not a URL')
  const { authToken, statusCallback } = settings
  if (statusCallback !== undefined && !(URL.canParse(statusCallback) && /^https?:/i.test(statusCallback))) {
    throw new Error('Twilio statusCallback is not an http or https URL')
  }

  const { default: Sdk } = await import('twilio')
  const http = makeTwilioHttp(Sdk.RequestClient, {
    origin: new URL(baseUrl).origin,
    timeoutMs: settings.requestTimeoutSeconds * 1_000,
  })
  const sdk = Sdk(username, password, { accountSid: settings.accountSid, httpClient: http.client })
  // Replaces the path; the host is the pool's, whatever edge or region the SDK finds in the environment.
  sdk.api.baseUrl = baseUrl
  const carrier = new Carrier(settings, deps, sdk, http)
  return {
    name: 'twilio',
    channels: ['sms'],
    send: (message, signal) => carrier.send(message, signal),
    probe: (signal) => probe(sdk, http, settings, signal),
    ...(authToken === undefined ? {} : { receipts: makeTwilioReceipts(authToken) }),
    close: () => http.close(),
  }
}

function credentialsOf(settings: TwilioSettings): [string, string] {
  const { accountSid, authToken, apiKeySid, apiKeySecret } = settings
  if (!/^AC[0-9a-fA-F]{32}$/.test(accountSid))
    throw new Error('Twilio accountSid must be AC and 32 hex digits')
  if ((apiKeySid === undefined) !== (apiKeySecret === undefined)) {
    throw new Error('Twilio apiKeySid and apiKeySecret go together')
  }
  if (apiKeySid !== undefined && apiKeySecret !== undefined) return [apiKeySid, apiKeySecret]
  if (authToken === undefined) throw new Error('Twilio needs authToken, or apiKeySid and apiKeySecret')
  return [accountSid, authToken]
}

type Client = ReturnType<typeof TwilioSdk>
type Request = Parameters<Client['messages']['create']>[0]
/** What came of one request. */
type Try = { readonly sent: Sent; readonly again: boolean }

class Carrier {
  readonly #settings: TwilioSettings
  readonly #sdk: Client
  readonly #http: TwilioHttp
  readonly #clock: Clock
  readonly #randomInt: (max: number) => number
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<unknown>
  #discardContent: boolean

  constructor(settings: TwilioSettings, deps: TwilioDeps, sdk: Client, http: TwilioHttp) {
    this.#settings = settings
    this.#sdk = sdk
    this.#http = http
    this.#clock = deps.clock ?? systemClock
    this.#randomInt = deps.randomInt ?? randomInt
    this.#sleep = deps.sleep ?? ((ms, signal) => sleep(ms, undefined, { signal }))
    this.#discardContent = settings.discardContent ?? true
  }

  async send(message: Message, signal: AbortSignal): Promise<Sent> {
    if (message.channel !== 'sms') return { ok: false, why: 'misconfigured', code: 'channel' }
    if (message.body.length > BODY_CHARACTERS_MAX) return { ok: false, why: 'misconfigured', code: '21617' }
    const startedMs = this.#clock.now()
    for (let retries = 0; ; retries++) {
      const { sent, again } = await this.#try(message, startedMs, this.#discardContent, signal)
      if (sent.ok || !again || retries >= this.#settings.maxRetries) return sent
      const pauseMs = this.#pauseMs(retries, sent.retryAfterSeconds ?? 0)
      if (pauseMs > PAUSE_MAX_MS) return sent
      try {
        await this.#sleep(pauseMs, signal)
      } catch {
        return sent
      }
    }
  }

  async #try(message: Message, startedMs: number, discard: boolean, signal: AbortSignal): Promise<Try> {
    try {
      return { sent: await this.#create(this.#requestOf(message, startedMs, discard), signal), again: false }
    } catch (error) {
      // Not from our client: the SDK could not read an answer that said the message was taken.
      if (!(error instanceof TwilioFailure))
        return { sent: { ok: false, why: 'unknown', code: 'sdk' }, again: false }
      const { why, code, again, retryAfter } = error
      if (code === '30029' && discard) {
        this.#discardContent = false
        return this.#try(message, startedMs, false, signal)
      }
      const seconds = retryAfterSeconds(retryAfter, this.#clock.now())
      const retryAfterHelp = seconds === undefined ? {} : { retryAfterSeconds: seconds }
      return { sent: { ok: false, why, code, ...retryAfterHelp }, again }
    }
  }

  async #create(request: Request, signal: AbortSignal): Promise<Sent> {
    const reply = await this.#http.within(signal, () => this.#sdk.messages.create(request))
    if (typeof reply.sid !== 'string' || !MESSAGE_SID.test(reply.sid)) {
      return { ok: false, why: 'unknown', code: 'garbled' }
    }
    const price = priceOf(reply.price, reply.priceUnit)
    return { ok: true, ref: reply.sid, ...(price === undefined ? {} : { price }) }
  }

  #requestOf(message: Message, startedMs: number, discard: boolean): Request {
    const { from, messagingServiceSid, statusCallback } = this.#settings
    const request: Request = { to: message.to, body: message.body, riskCheck: 'enable' }
    // A Messaging Service chooses the sender from its own pool, so a number beside it is not named.
    if (messagingServiceSid !== undefined) request.messagingServiceSid = messagingServiceSid
    else if (from !== undefined) request.from = from
    if (discard) request.contentRetention = 'discard'
    if (statusCallback !== undefined) request.statusCallback = statusCallback
    if (message.validitySeconds !== undefined) {
      // What earlier tries took is gone from the code's life.
      const left = Math.floor(message.validitySeconds - (this.#clock.now() - startedMs) / 1_000)
      request.validityPeriod = Math.min(VALIDITY_SECONDS_MAX, Math.max(1, left))
    }
    return request
  }

  /** Full jitter over a doubling back-off, on top of what Twilio asked for. */
  #pauseMs(retries: number, retryAfter: number): number {
    const backoffMs = Math.min(PAUSE_MAX_MS, this.#settings.retryDelayMs * 2 ** retries)
    return retryAfter * 1_000 + this.#randomInt(Math.floor(backoffMs) + 1)
  }
}

/** Seconds or an HTTP date (RFC 9110 §10.2.3), as whole seconds from now; nothing where it is neither. */
function retryAfterSeconds(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header)
  const atMs = Date.parse(header)
  return Number.isNaN(atMs) ? undefined : Math.max(0, Math.ceil((atMs - nowMs) / 1_000))
}

/** Twilio tells a charge as a negative amount, and only once the message has gone out. */
function priceOf(price: unknown, unit: unknown): Money | undefined {
  if (typeof price !== 'string' || typeof unit !== 'string') return undefined
  const amount = /^-?(\d{1,9}(?:\.\d{1,9})?)$/.exec(price)?.[1]
  return amount === undefined || !/^[a-z]{3}$/i.test(unit)
    ? undefined
    : { amount, currency: unit.toUpperCase() }
}

async function probe(sdk: Client, http: TwilioHttp, settings: TwilioSettings, signal: AbortSignal) {
  const account = `account ${settings.accountSid.slice(0, 6)}…`
  try {
    const { status } = await http.within(signal, () => sdk.api.v2010.accounts(settings.accountSid).fetch())
    return {
      ok: status === 'active',
      detail: `${account} is ${status === 'active' ? 'active' : 'not active'}`,
    }
  } catch (error) {
    const refused = error instanceof TwilioFailure && error.why === 'misconfigured'
    if (!refused || settings.apiKeySid === undefined)
      return { ok: false, detail: `${account}: ${codeOf(error)}` }
  }
  // A Standard API key may send but not read the account. The list of a day before Twilio existed is empty.
  try {
    const query = { limit: 1, pageSize: 1, dateSent: new Date(0) }
    await http.within(signal, () => sdk.messages.list(query))
    return { ok: true, detail: `${account}: the API key may use messages` }
  } catch (error) {
    return { ok: false, detail: `${account}: ${codeOf(error)}` }
  }
}

function codeOf(error: unknown): string {
  return error instanceof TwilioFailure ? error.code : 'unreadable answer'
}
