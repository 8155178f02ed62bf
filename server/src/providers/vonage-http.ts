import type { IncomingHttpHeaders } from 'node:http'
import { Pool, type Dispatcher } from 'undici'

/** The largest answer read, in bytes. Vonage's own are under 1 KB. */
const BODY_MAX = 64 * 1024
/** Sockets open at once. */
const CONNECTIONS_MAX = 50
const CONNECT_TIMEOUT_MAX_MS = 5_000

/** What came of a request, as far as it came. */
export type Answer = {
  /** Whether a byte of the request may have reached Vonage. */
  readonly left: boolean
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  /** The JSON object of the body, if it came whole and holds one. */
  readonly body: object | undefined
  /** What broke, where something did: a socket's word such as `ECONNREFUSED`, or ours. */
  readonly broken: string
}

/** The way to Vonage. */
export type VonageHttp = {
  /** Puts a request once; `body` is posted as JSON, and without one it is a GET. Resolves whatever happens. */
  request(path: string, body: object | undefined, signal: AbortSignal): Promise<Answer>
  /** Waits for the requests on their way, each of which has a deadline, then closes the sockets. */
  close(): Promise<void>
}

/**
 * Makes the way to one origin: keep-alive, no pipelining, no redirect, no repeat, an answer of at most 64 KB, and
 * `timeoutMs` for a request as a whole.
 */
export function makeVonageHttp(origin: string, authorization: string, timeoutMs: number): VonageHttp {
  const pool = new Pool(origin, {
    connections: CONNECTIONS_MAX,
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: Math.min(CONNECT_TIMEOUT_MAX_MS, timeoutMs) },
  })
  let closing: Promise<void> | undefined
  return {
    request: (path, body, signal) =>
      new Promise((resolve) => {
        const headers = { authorization, accept: 'application/json' }
        const options: Dispatcher.DispatchOptions =
          body === undefined
            ? { origin, path, method: 'GET', headers }
            : {
                origin,
                path,
                method: 'POST',
                headers: { ...headers, 'content-type': 'application/json' },
                body: JSON.stringify(body),
              }
        pool.dispatch(options, new Exchange(resolve, timeoutMs, signal))
      }),
    close: () => (closing ??= pool.close()),
  }
}

/**
 * One request and its answer. undici tells a handler the moment before the first byte is written, which is
 * what separates "never sent" from "may have been taken"; an error's name alone cannot.
 */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #settle: (answer: Answer) => void
  readonly #signal: AbortSignal
  readonly #timer: NodeJS.Timeout
  readonly #onAbort = (): void => this.#stop('aborted')
  #controller: Dispatcher.DispatchController | undefined
  #ended = false
  #left = false
  #status: number | undefined
  #headers: IncomingHttpHeaders = {}
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(settle: (answer: Answer) => void, timeoutMs: number, signal: AbortSignal) {
    this.#settle = settle
    this.#signal = signal
    this.#timer = setTimeout(() => this.#stop('timeout'), timeoutMs)
    signal.addEventListener('abort', this.#onAbort, { once: true })
    if (signal.aborted) this.#stop('aborted')
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
    this.#end('garbled', parseObject(Buffer.concat(this.#chunks).toString('utf8')))
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#end('code' in error && typeof error.code === 'string' ? error.code : 'socket')
  }

  #stop(broken: string): void {
    this.#end(broken)
    this.#controller?.abort(new Error(broken))
  }

  #end(broken: string, body?: object): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#onAbort)
    const status = this.#status !== undefined && this.#status >= 200 ? this.#status : undefined
    this.#settle({ left: this.#left, status, headers: this.#headers, body, broken })
  }
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
