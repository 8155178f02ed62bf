import type { IncomingHttpHeaders } from 'node:http'
import { Pool, type Dispatcher } from 'undici'
import { type Connector, makeConnector, wordOf, type ConnectRules } from './webhook-connect.ts'

/** The largest answer read, in bytes. */
const BODY_MAX = 64 * 1024
/** Sockets open at once. */
const CONNECTIONS_MAX = 50
const CONNECT_TIMEOUT_MAX_MS = 5_000

/** One request to the gateway, written out. */
export type Written = {
  readonly method: 'POST' | 'PUT' | 'GET'
  /** Path and query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Nothing for a GET. */
  readonly body: string | undefined
}

/** What came of a request, as far as it came. */
export type Answer = {
  /** Whether a byte of the request may have reached the gateway. */
  readonly left: boolean
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  /** The body, if it came whole. */
  readonly text: string | undefined
  /** What broke, where something did: a socket's word such as `ECONNREFUSED`, or ours. */
  readonly broken: string
}

/** The way to one gateway. */
export type WebhookHttp = {
  /** Puts a request once. Resolves whatever happens. */
  request(written: Written, signal: AbortSignal): Promise<Answer>
  /** Opens a connection, with TLS where the URL says so, and closes it; tells what broke. */
  reach(signal: AbortSignal): Promise<string | undefined>
  /** Waits for the requests on their way, each of which has a deadline, then closes the sockets. */
  close(): Promise<void>
}

/**
 * Makes the way to one origin: keep-alive, no pipelining, no redirect, no repeat, an answer of at most 64 KB, and
 * `timeoutMs` for a request as a whole.
 */
export function makeWebhookHttp(origin: string, timeoutMs: number, rules: ConnectRules): WebhookHttp {
  const connect = makeConnector(Math.min(CONNECT_TIMEOUT_MAX_MS, timeoutMs), rules)
  const pool = new Pool(origin, {
    connections: CONNECTIONS_MAX,
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect,
  })
  let closing: Promise<void> | undefined
  return {
    request: ({ method, path, headers, body = null }, signal) =>
      new Promise((resolve) => {
        // Said of a GET too: it may send a text, so nothing on the way may think that a repeat is free.
        const options = { origin, method, path, headers: { ...headers }, body, idempotent: false }
        pool.dispatch(options, new Exchange(resolve, timeoutMs, signal))
      }),
    reach: (signal) => reach(new URL(origin), connect, signal),
    close: () => (closing ??= pool.close()),
  }
}

function reach(origin: URL, connect: Connector, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const onAbort = () => resolve('aborted')
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    const { protocol, hostname, host, port } = origin
    connect({ protocol, hostname, host, port }, (error, socket) => {
      signal.removeEventListener('abort', onAbort)
      socket?.destroy()
      resolve(error === null ? undefined : wordOf(error))
    })
    return undefined
  })
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
    this.#end('garbled', Buffer.concat(this.#chunks).toString('utf8'))
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#end(wordOf(error))
  }

  #stop(broken: string): void {
    this.#end(broken)
    this.#controller?.abort(new Error(broken))
  }

  #end(broken: string, text?: string): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#onAbort)
    const status = this.#status !== undefined && this.#status >= 200 ? this.#status : undefined
    this.#settle({ left: this.#left, status, headers: this.#headers, text, broken })
  }
}
