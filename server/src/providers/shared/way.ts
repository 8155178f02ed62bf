import { type buildConnector, Pool } from 'undici'
import { type Answer, Exchange } from './exchange.ts'

/**
 * Sockets open at once. They are what bounds the rate: at a vendor's usual 0.2 to 0.5 s an answer, 256 carry 500 to
 * 1,300 messages a second. Each costs some 40 KB, and only while it is needed.
 */
const CONNECTIONS_MAX = 256
/** Requests that wait for a socket. At the rates above the last has its turn after 4 to 10 s; more are turned away. */
const WAITING_MAX = 5_000
const CONNECT_TIMEOUT_MAX_MS = 5_000

/** What turned a request away because too many were waiting. */
export const TOO_MANY = 'too_many_waiting'

/** One request, written out. */
export type Written = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Path and query. */
  readonly path: string
  /** Names and values; in a list they take turns. */
  readonly headers: Readonly<Record<string, string>> | readonly string[]
  readonly body: string | null
}

/** How the way to an origin is made. */
export type WayOptions = {
  /** For one request as a whole, waiting for a socket and connecting included. */
  readonly timeoutMs: number
  /** Makes what opens connections, given how long that may take; undici's own if nothing is said. */
  readonly connector?: (timeoutMs: number) => buildConnector.connector
}

/**
 * The way to one origin: keep-alive, no pipelining, no redirect, no repeat, an answer of at most 64 KB, and a bounded
 * number of sockets and of requests that wait for one.
 */
export class Way {
  readonly #origin: string
  readonly #timeoutMs: number
  readonly #pool: Pool
  readonly #waiting = new Map<Exchange, Written>()
  #busy = 0
  #closing: PromiseWithResolvers<void> | undefined

  constructor(origin: string, { timeoutMs, connector }: WayOptions) {
    const connectMs = connectTimeoutMs(timeoutMs)
    this.#origin = origin
    this.#timeoutMs = timeoutMs
    this.#pool = new Pool(origin, {
      connections: CONNECTIONS_MAX,
      pipelining: 1,
      // An exchange has one timer over all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: connector === undefined ? { timeout: connectMs } : connector(connectMs),
    })
  }

  /** Puts a request once. Resolves whatever happens. */
  ask(written: Written, signal?: AbortSignal): Promise<Answer> {
    return new Promise((resolve) => {
      if (this.#closing !== undefined) return resolve(notAsked('closed'))
      if (this.#waiting.size >= WAITING_MAX) return resolve(notAsked(TOO_MANY))
      const isTurn = this.#busy < CONNECTIONS_MAX
      const settle = isTurn
        ? resolve
        : (answer: Answer) => {
            this.#waiting.delete(exchange)
            resolve(answer)
          }
      const exchange: Exchange = new Exchange({ timeoutMs: this.#timeoutMs, signal }, settle, this.#release)
      if (exchange.ended) return undefined
      if (isTurn) this.#dispatch(exchange, written)
      else this.#waiting.set(exchange, written)
      return undefined
    })
  }

  /** Waits for the requests on their way, each of which has a deadline, then closes the sockets. */
  async close(): Promise<void> {
    this.#closing ??= Promise.withResolvers()
    this.#closeIfIdle()
    await this.#closing.promise
  }

  #dispatch(exchange: Exchange, { method, path, headers, body }: Written): void {
    this.#busy += 1
    // Said of a GET too: it may send a text, so nothing on the way may think that a repeat is free.
    const options = {
      origin: this.#origin,
      method,
      path,
      headers: headers as string[],
      body,
      idempotent: false,
    }
    this.#pool.dispatch(options, exchange)
  }

  readonly #release = (): void => {
    this.#busy -= 1
    for (const [exchange, written] of this.#waiting) {
      this.#waiting.delete(exchange)
      this.#dispatch(exchange, written)
      return
    }
    this.#closeIfIdle()
  }

  #closeIfIdle(): void {
    if (this.#closing !== undefined && this.#busy === 0) this.#closing.resolve(this.#pool.close())
  }
}

/** How long a connection may take to open, of a request that has so long. */
export function connectTimeoutMs(timeoutMs: number): number {
  return Math.min(CONNECT_TIMEOUT_MAX_MS, timeoutMs)
}

function notAsked(broken: string): Answer {
  return { left: false, status: undefined, headers: {}, text: undefined, broken }
}
