import { buildConnector, Client } from 'undici'
import { type Answer, Exchange } from './exchange.ts'

/**
 * Sockets open at once, where nothing else is said. They are what bounds the rate: at a vendor's usual 0.2 to 0.5 s an
 * answer, 256 carry 500 to 1,300 messages a second. Each costs some 40 KB, and only while it is needed.
 */
export const CONNECTIONS_MAX = 256
/** Requests that wait for a socket. At the rates above the last has its turn after 4 to 10 s; more are turned away. */
export const WAITING_MAX = 5_000
const CONNECT_TIMEOUT_MAX_MS = 5_000

/** What turned a request away because too many were waiting. */
export const TOO_MANY = 'too_many_waiting'

/** One request, written out. */
export type Written = {
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Names and values; in a list they take turns. */
  readonly headers: Readonly<Record<string, string>> | readonly string[]
  readonly body: string | Uint8Array | null
}

/** How the way to an origin is made. */
export type WayOptions = {
  /** For one request as a whole, waiting for a socket and connecting included. */
  readonly timeoutMs: number
  /** Sockets open at once. */
  readonly connections?: number
  /** Opens connections; undici's own if nothing is said. */
  readonly connector?: buildConnector.connector
}

/**
 * The way to one origin: keep-alive, no pipelining, no redirect, no repeat, an answer of at most 64 KB, and a bounded
 * number of sockets and of requests that wait for one.
 *
 * Each socket is an undici `Client` of its own, given one request at a time. A `Pool` would do the same with more work,
 * and forgets a client that was given a request it could not write: the client counts as busy for good.
 */
export class Way {
  readonly #origin: string
  readonly #timeoutMs: number
  readonly #connections: number
  readonly #connector: buildConnector.connector
  readonly #waiting = new Map<Exchange, Written>()
  /** Clients without a request; the one that was used last comes first, so that those not needed lose their sockets. */
  readonly #free: Client[] = []
  #busy = 0
  #closing: PromiseWithResolvers<unknown> | undefined

  constructor(origin: string, { timeoutMs, connections, connector }: WayOptions) {
    this.#origin = origin
    this.#timeoutMs = timeoutMs
    this.#connections = connections ?? CONNECTIONS_MAX
    // One for all, because it keeps the TLS sessions.
    this.#connector = connector ?? buildConnector({ timeout: connectTimeoutMs(timeoutMs) })
  }

  /** Puts a request once. Resolves whatever happens. */
  ask(written: Written, signal?: AbortSignal): Promise<Answer> {
    if (this.#closing !== undefined) return notAsked('closed')
    if (signal?.aborted === true) return notAsked('aborted')
    const isTurn = this.#busy < this.#connections
    if (!isTurn && this.#waiting.size >= WAITING_MAX) return notAsked(TOO_MANY)
    return new Promise((resolve) => {
      const exchange = new Exchange({ timeoutMs: this.#timeoutMs, signal }, (answer) => {
        this.#waiting.delete(exchange)
        resolve(answer)
      })
      if (isTurn) this.#run(exchange, written, this.#free.pop() ?? this.#open())
      else this.#waiting.set(exchange, written)
    })
  }

  /** Waits for the requests on their way, each of which has a deadline, then closes the sockets. */
  async close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers()
      this.#closeIfIdle()
    }
    await this.#closing.promise
  }

  #open(): Client {
    return new Client(this.#origin, {
      pipelining: 1,
      // An exchange has one timer over all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: this.#connector,
    })
  }

  #run(exchange: Exchange, { method, path, headers, body }: Written, client: Client): void {
    this.#busy += 1
    const options = {
      method,
      path,
      headers: headers as string[],
      body,
      // Said of a GET too: it may send a text, so nothing on the way may think that a repeat is free.
      idempotent: false,
    }
    exchange.run(client, options, (isWhole) => this.#release(client, isWhole))
  }

  #release(client: Client, isWhole: boolean): void {
    this.#busy -= 1
    // What broke, or was given up in the middle, is not trusted with another request.
    if (isWhole) this.#free.push(client)
    else void client.destroy()
    for (const [exchange, written] of this.#waiting) {
      this.#waiting.delete(exchange)
      return this.#run(exchange, written, this.#free.pop() ?? this.#open())
    }
    this.#closeIfIdle()
  }

  #closeIfIdle(): void {
    if (this.#closing === undefined || this.#busy > 0) return
    this.#closing.resolve(Promise.all(this.#free.splice(0).map((client) => client.close())))
  }
}

/** How long a connection may take to open, of a request that has so long. */
export function connectTimeoutMs(timeoutMs: number): number {
  return Math.min(CONNECT_TIMEOUT_MAX_MS, timeoutMs)
}

function notAsked(broken: string): Promise<Answer> {
  return Promise.resolve({ left: false, status: undefined, headers: {}, text: undefined, broken })
}
