import type { Refusal } from '../messaging/provider.ts'
import type { Answer } from './shared/exchange.ts'
import { Way, type Written } from './shared/way.ts'
import { meaningOf } from './sns-codes.ts'

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
 * Makes a request handler for the SDK over a {@link Way} to each origin, which for the SDK are few: the region's, and
 * those that credentials come from. `timeoutMs` is for a call as a whole, finding credentials and connecting included.
 * The SDK's own handler bounds each silence but not the whole, and cannot tell what left from what never did.
 */
export function makeSnsHttp(settings: { readonly timeoutMs: number }): SnsHttp {
  const { timeoutMs } = settings
  const ways = new Map<string, Way>()
  const calls = new WeakMap<AbortSignal, Call>()
  let isClosed = false

  const wayTo = (origin: string): Way => {
    const way = ways.get(origin) ?? new Way(origin, { timeoutMs })
    ways.set(origin, way)
    if (isClosed) void way.close()
    return way
  }
  return {
    handler: {
      handle: async (request, { abortSignal } = {}) => {
        const call = abortSignal === undefined ? undefined : calls.get(abortSignal)
        const way = wayTo(originOf(request))
        if (call !== undefined) return { response: responseOf(await call.ask(way, writtenOf(request))) }
        // The SDK lends its handler to the clients that fetch credentials, of STS or SSO.
        const answer = await way.ask(writtenOf(request))
        if (answer.text === undefined) throw new SnsFailure('unavailable', answer.broken, true)
        return { response: responseOf(answer) }
      },
      destroy: () => {},
    },
    within: async (signal, make) => {
      const call = new Call(timeoutMs, signal)
      const { signal: abortSignal } = new AbortController()
      calls.set(abortSignal, call)
      return call.settle(() => make({ abortSignal }))
    },
    close: async () => {
      isClosed = true
      await Promise.all([...ways.values()].map((way) => way.close()))
    },
  }
}

function originOf({ protocol, hostname, port }: SdkRequest): string {
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`
}

function writtenOf({ path, query = {}, method, headers, body }: SdkRequest): Written {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    for (const item of [value ?? ''].flat()) search.append(name, item)
  return {
    method,
    path: search.size === 0 ? path : `${path}?${search.toString()}`,
    headers,
    body: typeof body === 'string' || body instanceof Uint8Array ? body : null,
  }
}

function responseOf({ status = 0, headers, text }: Answer): SdkResponse['response'] {
  if (text === undefined) throw new Error('no whole answer')
  const joined = Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')])
  return { statusCode: status, headers: Object.fromEntries(joined), body: Buffer.from(text) }
}

/** One call of the SDK and the request that it makes, once it has found its credentials. */
class Call {
  readonly #signal: AbortSignal
  readonly #timer: NodeJS.Timeout
  readonly #onAbort = (): void => this.#stop('aborted')
  /** Gives the request up. */
  readonly #givingUp = new AbortController()
  readonly #unasked = Promise.withResolvers<never>()
  /** What ended the call, where we did. */
  #stopped: string | undefined
  #isAsked = false
  #answer: Answer | undefined

  constructor(timeoutMs: number, signal: AbortSignal) {
    this.#signal = signal
    this.#unasked.promise.catch(() => {})
    this.#timer = setTimeout(() => this.#stop('timeout'), timeoutMs)
    signal.addEventListener('abort', this.#onAbort, { once: true })
    if (signal.aborted) this.#stop('aborted')
  }

  /** Runs the call to its end, or until it is given up. */
  async settle<T>(make: () => Promise<T>): Promise<T> {
    try {
      return await Promise.race([this.#unasked.promise, ...(this.#stopped === undefined ? [make()] : [])])
    } catch (error) {
      throw this.#failure(error)
    } finally {
      clearTimeout(this.#timer)
      this.#signal.removeEventListener('abort', this.#onAbort)
    }
  }

  async ask(way: Way, written: Written): Promise<Answer> {
    this.#isAsked = true
    this.#answer = await way.ask(written, this.#givingUp.signal)
    return this.#answer
  }

  #stop(why: string): void {
    this.#stopped ??= why
    this.#givingUp.abort()
    // Before the request there are the credentials, which may come over the network too. A request ends by itself.
    if (!this.#isAsked) this.#unasked.reject(new Error(why))
  }

  #failure(error: unknown): SnsFailure {
    const { name, message } = error instanceof Error ? error : { name: undefined, message: '' }
    if (this.#answer === undefined) {
      if (this.#stopped !== undefined) return new SnsFailure('unavailable', this.#stopped, true)
      if (error instanceof SnsFailure) return new SnsFailure('unavailable', error.code, true)
      // The SDK gave up by itself before it asked for anything: no credentials, or settings that do not fit.
      return new SnsFailure('misconfigured', name === 'CredentialsProviderError' ? 'credentials' : 'sdk')
    }
    const { left, status, headers, broken } = this.#answer
    if (status === undefined) {
      return new SnsFailure(left ? 'unknown' : 'unavailable', this.#stopped ?? broken, !left)
    }
    // A 2xx says that something took the message, even if what it says about it cannot be read.
    if (status < 300) return new SnsFailure('unknown', this.#stopped ?? broken)
    const { why, code, again } = meaningOf(status, name, message)
    return new SnsFailure(why, code, again, headers['retry-after'])
  }
}
