import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'

/** The largest answer read, in bytes. Vendors' own are under 2 KB, a page of 20 messages under 30 KB. */
const BODY_MAX = 64 * 1024

/** What came of a request, as far as it came. */
export type Answer = {
  /** Whether a byte of the request may have reached the vendor. */
  readonly left: boolean
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  /** The body, if it came whole. */
  readonly text: string | undefined
  /** What broke, where something did: a socket's word such as `ECONNREFUSED`, or ours. */
  readonly broken: string
}

/** What an exchange is held to. */
export type Bounds = {
  /** For the request as a whole, waiting for a socket and connecting included. */
  readonly timeoutMs: number
  /** Gives the request up. */
  readonly signal: AbortSignal | undefined
}

/**
 * One request and its answer. undici tells a handler the moment before the first byte is written, which is what
 * separates "never sent" from "may have been taken"; an error's name alone cannot.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #settle: (answer: Answer) => void
  readonly #release: () => void
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

  /** `settle`: called once, with the answer; `release`: called once undici is done with a request that it was given. */
  constructor(
    { timeoutMs, signal }: Bounds,
    settle: (answer: Answer) => void,
    release: () => void = () => {},
  ) {
    this.#settle = settle
    this.#release = release
    this.#signal = signal
    this.#timer = setTimeout(() => this.#stop('timeout'), timeoutMs)
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (signal?.aborted) this.#stop('aborted')
  }

  /** Whether the answer is told already. */
  get ended(): boolean {
    return this.#ended
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
    const [first] = this.#chunks
    const whole = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)
    this.#end('garbled', whole.toString('utf8'))
    this.#release()
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#end(wordOf(error))
    this.#release()
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

/** The word for what broke a connection: a socket's such as `ECONNREFUSED`. */
export function wordOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'socket'
}
