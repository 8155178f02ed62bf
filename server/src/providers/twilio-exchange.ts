import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'

/** The largest answer read, in bytes. Twilio's own are under 2 KB; a page of 20 messages is under 30 KB. */
const BODY_MAX = 64 * 1024

/** What came of a request, as far as it came. */
export type Answer = {
  /** Whether a byte of the request may have reached Twilio. */
  readonly left: boolean
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  /** The body, if it came whole. */
  readonly text: string | undefined
  /** What broke, where something did. */
  readonly broken: string
}

/**
 * One request and its answer. undici tells a handler the moment before the first byte is written, which is
 * what separates "never sent" from "may have been taken"; an error's name alone cannot.
 */
export class Exchange implements Dispatcher.DispatchHandler {
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
