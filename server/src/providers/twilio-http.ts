import { AsyncLocalStorage } from 'node:async_hooks'
import type Sdk from 'twilio'
import type { Answer } from './shared/exchange.ts'
import { Way, type Written } from './shared/way.ts'
import { objectIn } from './twilio-failure.ts'

/**
 * Sockets open at once: at Twilio's usual 0.2 to 0.5 s an answer they carry 2,000 to 5,000 messages a second. The more
 * answers come in one turn of the event loop, the less each costs (decision 020).
 */
export const TWILIO_CONNECTIONS = 1_024

type RequestClient = InstanceType<typeof Sdk.RequestClient>
type RequestOptions = Parameters<RequestClient['request']>[0]

/** The SDK's way to the network, and what the SDK has no words for: aborting a call, and not making it. */
export type TwilioHttp = {
  readonly client: RequestClient
  /** For requests that are not the SDK's. */
  readonly way: Way
  /** Runs SDK calls that `signal` aborts. Those calls reject with a `TwilioFailure`. */
  within<T>(signal: AbortSignal, calls: () => Promise<T>): Promise<T>
  /** What the SDK would ask in a call, which is not made. */
  written(call: () => Promise<unknown>): Promise<Written>
}

type Ask = (written: Written) => Promise<Answer>

/** Makes a request client for the SDK over a {@link Way} to one origin. */
export function makeTwilioHttp(
  Base: typeof Sdk.RequestClient,
  settings: { readonly origin: string; readonly timeoutMs: number },
): TwilioHttp {
  const way = new Way(settings.origin, { ...settings, connections: TWILIO_CONNECTIONS })
  const asks = new AsyncLocalStorage<Ask>()

  class WayRequestClient extends Base {
    // The SDK says what it expects an answer to hold, as `TData`, and reads each member for itself.
    // oxlint-disable typescript/no-unnecessary-type-parameters, typescript/no-unsafe-type-assertion
    override async request<TData>(options: RequestOptions) {
      const ask = asks.getStore() ?? ((written: Written) => way.ask(written))
      const answer = await ask(writtenOf(options))
      return { statusCode: answer.status ?? 0, body: objectIn(answer) as TData, headers: answer.headers }
    }
    // oxlint-enable typescript/no-unnecessary-type-parameters, typescript/no-unsafe-type-assertion
  }
  return {
    client: new WayRequestClient(),
    way,
    within: (signal, calls) => asks.run((written) => way.ask(written, signal), calls),
    written: (call) =>
      new Promise((resolve, reject) => {
        const note: Ask = (written) => {
          resolve(written)
          return Promise.reject(new Error('not to be sent'))
        }
        void asks.run(note, () => call().catch(reject))
      }),
  }
}

function writtenOf(options: RequestOptions): Written {
  const url = new URL(options.uri)
  for (const [name, value] of fieldsOf(options.params)) url.searchParams.append(name, value)
  const basic = Buffer.from(`${options.username ?? ''}:${options.password ?? ''}`).toString('base64')
  return {
    method: METHODS[options.method] ?? 'GET',
    path: url.pathname + url.search,
    headers: { ...options.headers, Authorization: `Basic ${basic}` },
    body: options.data === undefined ? null : new URLSearchParams(fieldsOf(options.data)).toString(),
  }
}

const METHODS: Readonly<Record<string, Written['method']>> = {
  get: 'GET',
  post: 'POST',
  put: 'PUT',
  delete: 'DELETE',
}

/** Names and values of a form; a list repeats its name, as Twilio wants it. */
function fieldsOf(form: object | null | undefined): [string, string][] {
  return Object.entries(form ?? {}).flatMap(([name, value]: [string, unknown]) =>
    (Array.isArray(value) ? value : [value]).map((item): [string, string] => [name, String(item)]),
  )
}
