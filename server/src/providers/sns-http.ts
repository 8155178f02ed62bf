import type { IncomingHttpHeaders } from 'node:http'
import { Agent, type Dispatcher } from 'undici'
import type { Refusal } from '../messaging/provider.ts'
import { meaningOf } from './sns-codes.ts'

/** The largest answer read, in bytes. SNS's own are under 1 KB. */
const BODY_MAX = 64 * 1024
const CONNECTIONS_MAX = 50
const CONNECT_TIMEOUT_MAX_MS = 5_000

/** Why a call gave nothing to use. Holds codes of ours and AWS's alone: no text, no header, no secret. */
export class SnsFailure extends Error {
  readonly why: Refusal
  /** AWS's name of the error, else the status as `http_503`, else a socket's word such as `ECONNREFUSED`. */
  readonly code: string
  /** Whether the same request may be put once more: nothing was taken, and waiting may help. */
  readonly again: boolean
  /** The `Retry-After` header as it came. */
  readonly retryAfter: string | undefined

  constructor(why: Refusal, code: string, again = false, retryAfter?: string) {
    super(`SNS request failed: ${why} (${code})`)
    this.name = 'SnsFailure'
    this.why = why
    this.code = code
    this.again = again
    this.retryAfter = retryAfter
  }
}

/** What the SDK asks of whoever makes its requests, as far as ours goes. */
type SdkRequest = {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: Readonly<Record<string, string | string[] | null>>
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: unknown
}
type CallOptions = { abortSignal?: AbortSignal }
type SdkResponse = {
  readonly response: { statusCode: number; headers: Record<string, string>; body: Uint8Array }
}

/** The SDK's way to the network, and what it has no words for: how far a call came, and giving it up. */
export type SnsHttp = {
  /** For the SDK's `requestHandler`. */
  readonly handler: {
    handle(request: SdkRequest, options?: CallOptions): Promise<SdkResponse>
    destroy(): void
  }
  /**
   * Makes one SDK call, which ends when its time is over or `signal` aborts; rejects with {@link SnsFailure}. The
   * call must hand its options on to the SDK: they tell its request from those that fetch credentials.
   */
  within<T>(signal: AbortSignal, call: (options: CallOptions) => Promise<T>): Promise<T>
  /** Waits for the requests on their way, each of which has a deadline, then closes the sockets. */
  close(): Promise<void>
}

/**
 * Makes a request handler for the SDK over undici: keep-alive, no pipelining, no redirect, no repeat, an answer
 * of at most 64 KB, and `timeoutMs` for a call as a whole, finding credentials and connecting included. The
 * SDK's own handler bounds each silence but not the whole, and cannot tell what left from what never did.
 */
export function makeSnsHttp(settings: { readonly timeoutMs: number }): SnsHttp {
  const { timeoutMs } = settings
  const agent = new Agent({
    connections: CONNECTIONS_MAX,
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: Math.min(CONNECT_TIMEOUT_MAX_MS, timeoutMs) },
  })
  const exchanges = new WeakMap<AbortSignal, Exchange>()
  let closing: Promise<void> | undefined

  return {
    handler: {
      handle: async (request, { abortSignal } = {}) => {
        const exchange = abortSignal === undefined ? undefined : exchanges.get(abortSignal)
        const options = dispatchOptions(request)
        if (exchange !== undefined) return { response: await exchange.run(agent, options) }
        // The SDK lends its handler to the clients that fetch credentials, of STS or SSO.
        const other = new Exchange(timeoutMs)
        return { response: await other.settle(() => other.run(agent, options)) }
      },
      destroy: () => {},
    },
    within: (signal, call) => {
      const exchange = new Exchange(timeoutMs, signal)
      const { signal: abortSignal } = new AbortController()
      exchanges.set(abortSignal, exchange)
      return exchange.settle(() => call({ abortSignal }))
    },
    close: () => (closing ??= agent.close()),
  }
}

function dispatchOptions(request: SdkRequest): Dispatcher.DispatchOptions {
  const { protocol, hostname, port, path, query = {}, method, headers, body } = request
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    for (const item of [value ?? ''].flat()) search.append(name, item)
  return {
    origin: `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`,
    path: search.size === 0 ? path : `${path}?${search.toString()}`,
    method,
    headers,
    body: typeof body === 'string' || body instanceof Uint8Array ? body : null,
  }
}

/**
 * One call of the SDK and the request it makes. undici tells a handler the moment before the first byte is
 * written, which is what separates "never sent" from "may have been taken"; an error's name alone cannot.
 */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout
  readonly #onAbort = (): void => this.#stop('aborted')
  readonly #ended = Promise.withResolvers<SdkResponse['response']>()
  #controller: Dispatcher.DispatchController | undefined
  /** What broke, once something did. */
  #broken: string | undefined
  #asked = false
  #left = false
  #status: number | undefined
  #headers: IncomingHttpHeaders = {}
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(timeoutMs: number, signal?: AbortSignal) {
    this.#signal = signal
    this.#ended.promise.catch(() => {})
    this.#timer = setTimeout(() => this.#stop('timeout'), timeoutMs)
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (signal?.aborted) this.#stop('aborted')
  }

  /** Runs the call to its end, or until this exchange is given up. */
  async settle<T>(call: () => Promise<T>): Promise<T> {
    // Before the request there are the credentials, which may come over the network too.
    const givenUp = this.#ended.promise.then(() => new Promise<never>(() => {}))
    try {
      return await Promise.race([givenUp, ...(this.#broken === undefined ? [call()] : [])])
    } catch (error) {
      throw this.#failure(error)
    } finally {
      clearTimeout(this.#timer)
      this.#signal?.removeEventListener('abort', this.#onAbort)
    }
  }

  run(agent: Agent, options: Dispatcher.DispatchOptions): Promise<SdkResponse['response']> {
    this.#asked = true
    if (this.#broken === undefined) agent.dispatch(options, this)
    return this.#ended.promise
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // The call was given up while it waited for a socket: aborting now keeps it from being written.
    if (this.#broken !== undefined) controller.abort(new Error('given up'))
    else this.#left = true
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > BODY_MAX) this.#stop('too_large')
    else this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const headers = Object.entries(this.#headers).map(([name, value]) => [name, [value].flat().join(', ')])
    this.#ended.resolve({
      statusCode: this.#status ?? 0,
      headers: Object.fromEntries(headers),
      body: Buffer.concat(this.#chunks),
    })
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#break('code' in error && typeof error.code === 'string' ? error.code : 'socket')
  }

  #stop(broken: string): void {
    this.#break(broken)
    this.#controller?.abort(new Error(broken))
  }

  #break(broken: string): void {
    this.#broken ??= broken
    this.#ended.reject(new Error(broken))
  }

  #failure(error: unknown): SnsFailure {
    const { name, message } = error instanceof Error ? error : { name: undefined, message: '' }
    if (this.#status === undefined) {
      if (this.#left) return new SnsFailure('unknown', this.#broken ?? 'sdk')
      if (error instanceof SnsFailure) return new SnsFailure('unavailable', error.code, true)
      // The SDK gave up by itself before it asked for anything: no credentials, or settings that do not fit.
      if (this.#broken === undefined && !this.#asked)
        return new SnsFailure('misconfigured', name === 'CredentialsProviderError' ? 'credentials' : 'sdk')
      return new SnsFailure('unavailable', this.#broken ?? 'sdk', true)
    }
    // A 2xx says that something took the message, even if what it says about it cannot be read.
    if (this.#status < 300) return new SnsFailure('unknown', this.#broken ?? 'garbled')
    const { why, code, again } = meaningOf(this.#status, name, message)
    return new SnsFailure(why, code, again, this.#headers['retry-after'])
  }
}
