import type { Channel, Message, Provider, Sent, SignedRequest } from '../messaging/provider.ts'
import { StandardWebhooks } from '../primitives/standard-webhooks.ts'
import { Retries, type RetryDeps, type Try } from './shared/retries.ts'
import { connectTimeoutMs, Way } from './shared/way.ts'
import { makeReader, type AnswerRules, type Reader } from './webhook-answers.ts'
import { type Destinations, type Lookup, makeConnector, reach } from './webhook-connect.ts'
import type { WebhookForm } from './webhook-file.ts'
import { readReceipts } from './webhook-receipts.ts'
import { compileTemplate, originOf, OWN_TEMPLATE, type Writer } from './webhook-template.ts'

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
export type WebhookDeps = RetryDeps & {
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
  const origin = originOf(url)
  const timeoutMs = settings.requestTimeoutSeconds * 1_000
  const connector = makeConnector(connectTimeoutMs(timeoutMs), {
    destinations: settings.destinations ?? 'any',
    lookup: deps.lookup,
  })
  const way = new Way(origin, { timeoutMs, connector })
  const carrier = new Carrier(dialect, way, new Retries(settings, deps))
  return {
    name: 'webhook',
    channels,
    ...(settings.tells === true && signer !== undefined ? { tells: true } : {}),
    send: (message, signal) => carrier.send(message, signal),
    probe: async (signal) => {
      const broken = await reach(new URL(origin), connector, signal)
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
  readonly read: Reader
  readonly signer: StandardWebhooks | undefined
  readonly channels: readonly Channel[]
}

class Carrier {
  readonly #dialect: Dialect
  readonly #way: Way
  readonly #retries: Retries

  constructor(dialect: Dialect, way: Way, retries: Retries) {
    this.#dialect = dialect
    this.#way = way
    this.#retries = retries
  }

  async send(message: Message, signal: AbortSignal): Promise<Sent> {
    if (!this.#dialect.channels.includes(message.channel)) {
      return { ok: false, why: 'misconfigured', code: 'channel' }
    }
    const attempt = (spentMs: number) => this.#try(leftOf(message, spentMs), signal)
    return this.#retries.run(attempt, signal, message.hurried)
  }

  async #try(message: Message, signal: AbortSignal): Promise<Try<Sent>> {
    const { write, signer, read } = this.#dialect
    const written = write(message)
    // The id stays the same over all tries, so that a receiver can tell a repeat; the time is each try's own.
    // A signature over no body would say nothing of the query, so a GET has none.
    const signature = written.body === null ? {} : signer?.sign(message.id, this.#retries.now(), written.body)
    const signed = { ...written, headers: { ...written.headers, ...signature } }
    return read(await this.#way.ask(signed, signal), message, this.#retries)
  }
}

/** The message with what is left of its validity: what earlier tries took is gone from the code's life. */
function leftOf(message: Message, spentMs: number): Message {
  if (message.validitySeconds === undefined) return message
  const left = Math.floor(message.validitySeconds - spentMs / 1_000)
  return { ...message, validitySeconds: Math.max(1, left) }
}
