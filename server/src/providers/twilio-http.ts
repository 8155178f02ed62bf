import { AsyncLocalStorage } from 'node:async_hooks'
import type Sdk from 'twilio'
import { Pool, type Dispatcher } from 'undici'
import { Exchange, type Answer } from './twilio-exchange.ts'
import { objectIn } from './twilio-failure.ts'

/** Sockets open at once; at Twilio's usual 0.2–0.5 s an answer they carry more than 100 messages a second. */
const CONNECTIONS_MAX = 50
const CONNECT_TIMEOUT_MAX_MS = 5_000

type RequestClient = InstanceType<typeof Sdk.RequestClient>
type RequestOptions = Parameters<RequestClient['request']>[0]

/** The SDK's way to the network, and what the SDK has no words for: aborting a call and closing sockets. */
export type TwilioHttp = {
  readonly client: RequestClient
  /** Runs SDK calls that `signal` aborts. Those calls reject with a `TwilioFailure`. */
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
      return { statusCode: answer.status ?? 0, body: objectIn(answer) as TData, headers: answer.headers }
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
