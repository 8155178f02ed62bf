import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingHttpHeaders } from 'node:http'
import type Sdk from 'twilio'
import { Pool, type Dispatcher } from 'undici'
import type { Refusal } from '../messaging/provider.ts'
import { meaningOf } from './twilio-codes.ts'

/** The largest answer read, in bytes. Twilio's own are under 2 KB. */
const BODY_MAX = 64 * 1024
/** Sockets open at once; at Twilio's usual 0.2–0.5 s an answer they carry more than 100 messages a second. */
const CONNECTIONS_MAX = 50
const CONNECT_TIMEOUT_MAX_MS = 5_000

type RequestClient = InstanceType<typeof Sdk.RequestClient>
type RequestOptions = Parameters<RequestClient['request']>[0]

/** Why a request gave no usable answer. Holds codes alone: no text of Twilio's, no header, no secret. */
export class TwilioFailure extends Error {
  readonly why: Refusal
  /** Twilio's code, else the HTTP status as `http_503`, else a socket's word such as `ECONNREFUSED`. */
  readonly code: string
  /** Whether the same request may be put once more: nothing was taken, and waiting may help. */
  readonly again: boolean
  /** The `Retry-After` header as it came. */
  readonly retryAfter: string | undefined

  constructor(why: Refusal, code: string, again = false, retryAfter?: string) {
    super(`Twilio request failed: ${why} (${code})`)
    this.name = 'TwilioFailure'
    this.why = why
    this.code = code
    this.again = again
    this.retryAfter = retryAfter
  }
}

/** The SDK's way to the network, and what the SDK has no words for: aborting a call and closing sockets. */
export type TwilioHttp = {
  readonly client: RequestClient
  /** Runs SDK calls that `signal` aborts. Those calls reject with {@link TwilioFailure}. */
  within<T>(signal: AbortSignal, calls: () => Promise<T>): Promise<T>
  /** Waits for the requests on their way, each of which has a deadline, then closes the sockets. */
  close(): Promise<void>
}

/**
 * Makes a request client for the SDK over an undici pool bound to one origin: keep-alive, no pipelining, no
 * redirect, no repeat, an answer of at most 64 KB, and `timeoutMs` for a request as a whole.
 */
export function makeTwilioHttp(
  Base: typeof Sdk.RequestClient,
  settings: { readonly origin: string; readonly timeoutMs: number },
): TwilioHttp {
  const { origin, timeoutMs } = settings
  const pool = new Pool(origin, {
    connections: CONNECTIONS_MAX,
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: Math.min(CONNECT_TIMEOUT_MAX_MS, timeoutMs) },
  })
  const signals = new AsyncLocalStorage<AbortSignal>()
  let closing: Promise<void> | undefined

  class UndiciRequestClient extends Base {
    // The SDK says what it expects an answer to hold, as `TData`, and reads each member for itself.
    // oxlint-disable typescript/no-unnecessary-type-parameters, typescript/no-unsafe-type-assertion
    override async request<TData>(options: RequestOptions) {
      const answer = await new Promise<Answer>((resolve) => {
        const exchange = new Exchange(resolve, timeoutMs, signals.getStore())
        pool.dispatch(dispatchOptions(origin, options), exchange)
      })
      return { statusCode: answer.status ?? 0, body: read(answer) as TData, headers: answer.headers }
    }
    // oxlint-enable typescript/no-unnecessary-type-parameters, typescript/no-unsafe-type-assertion
  }
  return {
    client: new UndiciRequestClient(),
    within: (signal, calls) => signals.run(signal, calls),
    close: () => (closing ??= pool.close()),
  }
}

function dispatchOptions(origin: string, options: RequestOptions): Dispatcher.DispatchOptions {
  const url = new URL(options.uri)
  for (const [name, value] of fieldsOf(options.params)) url.searchParams.append(name, value)
  const basic = Buffer.from(`${options.username ?? ''}:${options.password ?? ''}`).toString('base64')
  return {
    origin,
    path: url.pathname + url.search,
    method: options.method.toUpperCase(),
    headers: { ...options.headers, Authorization: `Basic ${basic}` },
    body: options.data === undefined ? null : new URLSearchParams(fieldsOf(options.data)).toString(),
  }
}

/** Names and values of a form; a list repeats its name, as Twilio wants it. */
function fieldsOf(form: object | null | undefined): [string, string][] {
  return Object.entries(form ?? {}).flatMap(([name, value]: [string, unknown]) =>
    (Array.isArray(value) ? value : [value]).map((item): [string, string] => [name, String(item)]),
  )
}

/** What came of a request, as far as it came. */
type Answer = {
  /** Whether a byte of the request may have reached Twilio. */
  readonly left: boolean
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  /** The body, if it came whole. */
  readonly text: string | undefined
  /** What broke, where something did. */
  readonly broken: string
}

/** The object a 2xx answer holds; throws {@link TwilioFailure} for every other answer. */
function read({ left, status, headers, text, broken }: Answer): object {
  if (status === undefined) throw new TwilioFailure(left ? 'unknown' : 'unavailable', broken, !left)
  const body = text === undefined ? undefined : parseObject(text)
  if (status >= 200 && status < 300) {
    // A 2xx says that something took the message, even if what it says about it cannot be read.
    if (body === undefined) throw new TwilioFailure('unknown', broken)
    return body
  }
  const code =
    body !== undefined && 'code' in body && Number.isInteger(body.code) ? Number(body.code) : undefined
  const { why, again } = meaningOf(status, code)
  throw new TwilioFailure(
    why,
    code === undefined ? `http_${status}` : String(code),
    again,
    headers['retry-after'],
  )
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
 * One request and its answer. undici tells a handler the moment before the first byte is written, which is
 * what separates "never sent" from "may have been taken"; an error's name alone cannot.
 */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #settle: (answer: Answer) => void
  readonly #signal: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout
  readonly #onAbort = (): void => this.#stop('aborted')
  #controller: Dispatcher.DispatchController | undefined
  #ended = false
  #left = false
  #status: number | undefined
  #headers: IncomingHttpHeaders = {}
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(settle: (answer: Answer) => void, timeoutMs: number, signal: AbortSignal | undefined) {
    this.#settle = settle
    this.#signal = signal
    this.#timer = setTimeout(() => this.#stop('timeout'), timeoutMs)
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (signal?.aborted) this.#stop('aborted')
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // The call was given up while it waited for a socket: aborting now keeps it from being written.
    if (this.#ended) controller.abort(new Error('given up'))
    else this.#left = true
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > BODY_MAX) this.#stop('too_large')
    else this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    this.#end('garbled', Buffer.concat(this.#chunks).toString('utf8'))
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#end('code' in error && typeof error.code === 'string' ? error.code : 'socket')
  }

  #stop(broken: string): void {
    this.#end(broken)
    this.#controller?.abort(new Error(broken))
  }

  #end(broken: string, text?: string): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#onAbort)
    const status = this.#status !== undefined && this.#status >= 200 ? this.#status : undefined
    this.#settle({ left: this.#left, status, headers: this.#headers, text, broken })
  }
}
