import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Channel, Message, Provider, Sent, SignedRequest } from '../messaging/provider.ts'
import { systemClock, type Clock } from '../primitives/clock.ts'
import { StandardWebhooks } from '../primitives/standard-webhooks.ts'
import { makeReader, type AnswerRules, type Try } from './webhook-answers.ts'
import type { Destinations, Lookup } from './webhook-connect.ts'
import type { WebhookForm } from './webhook-file.ts'
import { makeWebhookHttp, type WebhookHttp } from './webhook-http.ts'
import { readReceipts } from './webhook-receipts.ts'
import { compileTemplate, originOf, OWN_TEMPLATE, type Writer } from './webhook-template.ts'

/** The longest pause between two tries; a longer `Retry-After` is handed back instead of waited for. */
const PAUSE_MAX_MS = 30_000
/** How a receiver written for Countersign answers. */
const OWN_RULES: AnswerRules = { refPath: 'ref' }

/** How to reach a gateway. */
export type WebhookSettings = {
  /** Where messages go. In a template it may hold placeholders in its path and its query. */
  readonly url: string
  /** `whsec_…`, newest first; every one signs. Our own form needs one; a template's body is signed if there is one. */
  readonly secrets: readonly string[]
  /** The request of a gateway that does not speak our form, and where its answers tell what matters. */
  readonly template?: WebhookForm | undefined
  /** Where the URL's name may lead, at every connection; `any` of them if nothing is said, but never to metadata. */
  readonly destinations?: Destinations | undefined
  /** Whether the gateway reports what became of each message, so that its silence means something. */
  readonly tells?: boolean | undefined
  /** What the gateway carries; texts alone if nothing is said. */
  readonly channels?: readonly Channel[] | undefined
  /** Tries after the first, of requests that the gateway did not take. */
  readonly maxRetries: number
  /** The first back-off; it doubles with each try, up to 30 s, and a random share of it is waited. */
  readonly retryDelayMs: number
  /** For one request as a whole, connecting included. */
  readonly requestTimeoutSeconds: number
}

/** What a test replaces. */
export type WebhookDeps = {
  readonly clock?: Clock
  /** A whole number from 0 to `max - 1`, for the jitter. */
  readonly randomInt?: (max: number) => number
  /** Resolves after `ms`; rejects when `signal` aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>
  /** Finds the addresses of a name. */
  readonly lookup?: Lookup
}

/**
 * Makes the provider that hands messages to any gateway by one HTTP request: in our own form, signed by Standard
 * Webhooks, or as a template says. Where its name leads is judged at every connection, and what answers there cannot
 * send us elsewhere, because redirects are not followed.
 *
 * Throttled requests and ones that never left or were turned away at the door are tried again; one that may have
 * been taken never is. See {@link makeReader}.
 *
 * @throws Error naming the setting that is missing or malformed; never its value.
 */
export function makeWebhookProvider(settings: WebhookSettings, deps: WebhookDeps = {}): Provider {
  const { url, secrets, template } = settings
  if (template === undefined && secrets.length === 0) throw new Error('webhook needs a secret, or a template')
  const signer = secrets.length === 0 ? undefined : new StandardWebhooks(secrets)
  const channels = settings.channels ?? ['sms']
  const dialect: Dialect = {
    write: compileTemplate(url, template ?? OWN_TEMPLATE),
    read: makeReader(template ?? OWN_RULES),
    signer,
    channels,
  }
  const way = makeWebhookHttp(originOf(url), settings.requestTimeoutSeconds * 1_000, {
    destinations: settings.destinations ?? 'any',
    lookup: deps.lookup,
  })
  const carrier = new Carrier(settings, deps, dialect, way)
  return {
    name: 'webhook',
    channels,
    ...(settings.tells === true && signer !== undefined ? { tells: true } : {}),
    send: (message, signal) => carrier.send(message, signal),
    probe: async (signal) => {
      const broken = await way.reach(signal)
      // Nothing may be asked of a gateway that we know nothing about: the same request could send a text.
      return broken === undefined
        ? { ok: true, detail: 'the gateway can be reached; what it accepts shows with the first message' }
        : { ok: false, detail: `the gateway cannot be reached: ${broken}` }
    },
    ...(signer === undefined ? {} : { receipts: (request) => receiptsIn(request, signer) }),
    close: () => way.close(),
  }
}

function receiptsIn({ headers, body, at }: SignedRequest, signer: StandardWebhooks) {
  const fault = signer.check(headers, body, at)
  if (fault !== undefined) return { refused: fault }
  return readReceipts(body) ?? ({ refused: 'malformed' } as const)
}

/** What a gateway speaks. */
type Dialect = {
  readonly write: Writer
  readonly read: ReturnType<typeof makeReader>
  readonly signer: StandardWebhooks | undefined
  readonly channels: readonly Channel[]
}

class Carrier {
  readonly #settings: WebhookSettings
  readonly #dialect: Dialect
  readonly #way: WebhookHttp
  readonly #clock: Clock
  readonly #randomInt: (max: number) => number
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<unknown>

  constructor(settings: WebhookSettings, deps: WebhookDeps, dialect: Dialect, way: WebhookHttp) {
    this.#settings = settings
    this.#dialect = dialect
    this.#way = way
    this.#clock = deps.clock ?? systemClock
    this.#randomInt = deps.randomInt ?? randomInt
    this.#sleep = deps.sleep ?? ((ms, signal) => sleep(ms, undefined, { signal }))
  }

  async send(message: Message, signal: AbortSignal): Promise<Sent> {
    if (!this.#dialect.channels.includes(message.channel)) {
      return { ok: false, why: 'misconfigured', code: 'channel' }
    }
    const startedMs = this.#clock.now()
    for (let retries = 0; ; retries++) {
      const { sent, again } = await this.#try(this.#leftOf(message, startedMs), signal)
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

  async #try(message: Message, signal: AbortSignal): Promise<Try> {
    const { write, signer, read } = this.#dialect
    const written = write(message)
    // The id stays the same over all tries, so that a receiver can tell a repeat; the time is each try's own.
    // A signature over no body would say nothing of the query, so a GET has none.
    const signature =
      written.body === undefined ? {} : signer?.sign(message.id, this.#clock.now(), written.body)
    const signed = { ...written, headers: { ...written.headers, ...signature } }
    return read(await this.#way.request(signed, signal), message, this.#clock.now())
  }

  /** The message with what is left of its validity: what earlier tries took is gone from the code's life. */
  #leftOf(message: Message, startedMs: number): Message {
    if (message.validitySeconds === undefined) return message
    const left = Math.floor(message.validitySeconds - (this.#clock.now() - startedMs) / 1_000)
    return { ...message, validitySeconds: Math.max(1, left) }
  }

  /** Full jitter over a doubling back-off, on top of what the gateway asked for. */
  #pauseMs(retries: number, retryAfter: number): number {
    const backoffMs = Math.min(PAUSE_MAX_MS, this.#settings.retryDelayMs * 2 ** retries)
    return retryAfter * 1_000 + this.#randomInt(Math.floor(backoffMs) + 1)
  }
}
