import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type * as Sdk from '@aws-sdk/client-sns'
import type { Message, Provider, Sent } from '../messaging/provider.ts'
import { systemClock, type Clock } from '../primitives/clock.ts'
import { makeSnsHttp, SnsFailure, type SnsHttp } from './sns-http.ts'

/** SNS's limit on a text message (docs.aws.amazon.com/sns/latest/api/API_Publish.html). */
const BODY_CHARACTERS_MAX = 1_600
/** The longest pause between two tries; a longer `Retry-After` is handed back instead of waited for. */
const PAUSE_MAX_MS = 30_000
const MESSAGE_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** Up to 11 letters, digits and hyphens, one letter among them, and none of them a hyphen at an end. */
const SENDER_ID = /^(?=.*[A-Za-z])(?!-)[A-Za-z0-9-]{1,11}(?<!-)$/

/** A key of AWS. */
export type SnsCredentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of a key that is temporary. */
  readonly sessionToken?: string
}

/** How to reach Amazon SNS. */
export type SnsSettings = {
  /** Such as `eu-west-1`; it must be one where SNS sends text messages. */
  readonly region: string
  /** Instead of the SDK's default chain. */
  readonly credentials?: SnsCredentials | undefined
  /** The name a message comes from, in countries that allow one. */
  readonly senderId?: string | undefined
  /** A number or short code of the account. */
  readonly originationNumber?: string | undefined
  /** The most that one message may cost, in US dollars, such as `0.50`. */
  readonly maxPrice?: string | undefined
  /** Tries after the first, of requests that SNS did not take. */
  readonly maxRetries: number
  /** The first back-off; it doubles with each try, up to 30 s, and a random share of it is waited. */
  readonly retryDelayMs: number
  /** For one request as a whole, finding credentials and connecting included. */
  readonly requestTimeoutSeconds: number
  /** Instead of the region's own address: a VPC endpoint, or a simulator. */
  readonly baseUrl?: string | undefined
}

/** What a test replaces. */
export type SnsDeps = {
  readonly clock?: Clock
  /** A whole number from 0 to `max - 1`, for the jitter. */
  readonly randomInt?: (max: number) => number
  /** Resolves after `ms`; rejects when `signal` aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

/**
 * Makes the provider that sends by Amazon SNS through the official SDK, which is loaded here and not before. It
 * is an optional dependency: without it this rejects. Credentials that are not given come by the SDK's default
 * chain, when the first message is sent.
 *
 * Throttled requests and ones that never left or were turned away at the door are tried again; one that may
 * have been taken never is. See {@link meaningOf} in `sns-codes.ts`. SNS tells no receipts but to CloudWatch.
 *
 * @throws Error naming the setting that is missing or malformed; never its value.
 */
export async function makeSnsProvider(settings: SnsSettings, deps: SnsDeps = {}): Promise<Provider> {
  check(settings)
  const sdk = await import('@aws-sdk/client-sns')
  const http = makeSnsHttp({ timeoutMs: settings.requestTimeoutSeconds * 1_000 })
  const client = new sdk.SNSClient({
    region: settings.region,
    requestHandler: http.handler,
    // Ours is the only policy of retries; `adaptive`, which the environment may ask for, would hold requests back.
    maxAttempts: 1,
    retryMode: 'standard',
    // The environment chooses neither another address nor another way to sign.
    ignoreConfiguredEndpointUrls: true,
    authSchemePreference: ['aws.auth#sigv4'],
    ...(settings.baseUrl === undefined ? {} : { endpoint: settings.baseUrl }),
    // A copy: the SDK writes into what it is given, and settings are frozen.
    ...(settings.credentials === undefined ? {} : { credentials: { ...settings.credentials } }),
  })
  const carrier = new Carrier(settings, deps, sdk, client, http)
  return {
    name: 'sns',
    channels: ['sms'],
    send: (message, signal) => carrier.send(message, signal),
    probe: (signal) => carrier.probe(signal),
    close: () => http.close(),
  }
}

function check({ region, senderId, originationNumber, maxPrice, baseUrl }: SnsSettings): void {
  if (!/^[a-z]{2}(?:-[a-z0-9]+){2,4}$/.test(region)) throw new Error('SNS region is not the name of a region')
  if (senderId !== undefined && !SENDER_ID.test(senderId)) {
    throw new Error('SNS senderId must be 1 to 11 letters, digits and hyphens, with a letter')
  }
  if (originationNumber !== undefined && !/^\+?\d{3,15}$/.test(originationNumber)) {
    throw new Error('SNS originationNumber must be a number or a short code')
  }
  if (maxPrice !== undefined && !/^\d{1,4}(?:\.\d{1,5})?$/.test(maxPrice)) {
    throw new Error('SNS maxPrice must be an amount of US dollars')
  }
  if (baseUrl !== undefined && !(URL.canParse(baseUrl) && /^https?:/i.test(baseUrl))) {
    throw new Error('SNS baseUrl is not an http or https URL')
  }
}

/** What came of one request. */
type Try = { readonly sent: Sent; readonly again: boolean }

class Carrier {
  readonly #settings: SnsSettings
  readonly #sdk: typeof Sdk
  readonly #client: Sdk.SNSClient
  readonly #http: SnsHttp
  readonly #clock: Clock
  readonly #randomInt: (max: number) => number
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<unknown>

  constructor(settings: SnsSettings, deps: SnsDeps, sdk: typeof Sdk, client: Sdk.SNSClient, http: SnsHttp) {
    this.#settings = settings
    this.#sdk = sdk
    this.#client = client
    this.#http = http
    this.#clock = deps.clock ?? systemClock
    this.#randomInt = deps.randomInt ?? randomInt
    this.#sleep = deps.sleep ?? ((ms, signal) => sleep(ms, undefined, { signal }))
  }

  async send(message: Message, signal: AbortSignal): Promise<Sent> {
    if (message.channel !== 'sms') return { ok: false, why: 'misconfigured', code: 'channel' }
    if (message.body.length > BODY_CHARACTERS_MAX)
      return { ok: false, why: 'misconfigured', code: 'too_long' }
    for (let retries = 0; ; retries++) {
      const { sent, again } = await this.#try(message, signal)
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

  async probe(signal: AbortSignal): Promise<{ readonly ok: boolean; readonly detail: string }> {
    const { region } = this.#settings
    try {
      const command = new this.#sdk.GetSMSAttributesCommand({ attributes: ['DefaultSMSType'] })
      await this.#http.within(signal, (options) => this.#client.send(command, options))
      return { ok: true, detail: `region ${region} accepts the credentials` }
    } catch (error) {
      return {
        ok: false,
        detail: `region ${region}: ${error instanceof SnsFailure ? error.code : 'unreadable answer'}`,
      }
    }
  }

  async #try(message: Message, signal: AbortSignal): Promise<Try> {
    try {
      const command = new this.#sdk.PublishCommand(this.#requestOf(message))
      const { MessageId: ref } = await this.#http.within(signal, (options) =>
        this.#client.send(command, options),
      )
      if (typeof ref === 'string' && MESSAGE_ID.test(ref)) return { sent: { ok: true, ref }, again: false }
      return { sent: { ok: false, why: 'unknown', code: 'garbled' }, again: false }
    } catch (error) {
      if (!(error instanceof SnsFailure))
        return { sent: { ok: false, why: 'unknown', code: 'sdk' }, again: false }
      const { why, code, again, retryAfter } = error
      const seconds = retryAfterSeconds(retryAfter, this.#clock.now())
      const retryAfterHelp = seconds === undefined ? {} : { retryAfterSeconds: seconds }
      return { sent: { ok: false, why, code, ...retryAfterHelp }, again }
    }
  }

  #requestOf(message: Message): Sdk.PublishCommandInput {
    const { maxPrice } = this.#settings
    const { senderId, originationNumber } = senderOf(this.#settings, message)
    const attribute = (name: string, DataType: string, StringValue: string | undefined) =>
      StringValue === undefined ? {} : { [`AWS.${name}`]: { DataType, StringValue } }
    return {
      PhoneNumber: message.to,
      Message: message.body,
      MessageAttributes: {
        ...attribute('SNS.SMS.SMSType', 'String', 'Transactional'),
        ...attribute('SNS.SMS.SenderID', 'String', senderId),
        ...attribute('MM.SMS.OriginationNumber', 'String', originationNumber),
        ...attribute('SNS.SMS.MaxPrice', 'Number', maxPrice),
      },
    }
  }

  /** Full jitter over a doubling back-off, on top of what SNS asked for. */
  #pauseMs(retries: number, retryAfter: number): number {
    const backoffMs = Math.min(PAUSE_MAX_MS, this.#settings.retryDelayMs * 2 ** retries)
    return retryAfter * 1_000 + this.#randomInt(Math.floor(backoffMs) + 1)
  }
}

/** The sender that the route names, a number or a name by its form; else those of the settings. */
function senderOf(
  settings: SnsSettings,
  { sender }: Message,
): Pick<SnsSettings, 'senderId' | 'originationNumber'> {
  if (sender === undefined) return settings
  return /^\+?\d+$/.test(sender) ? { originationNumber: sender } : { senderId: sender }
}

/** Seconds or an HTTP date (RFC 9110 §10.2.3), as whole seconds from now; nothing where it is neither. */
function retryAfterSeconds(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header)
  const atMs = Date.parse(header)
  return Number.isNaN(atMs) ? undefined : Math.max(0, Math.ceil((atMs - nowMs) / 1_000))
}
