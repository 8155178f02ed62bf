import { CountersignError, type ErrorCode } from './errors.ts'
import type { CallOptions, ClientOptions } from './options.ts'
import { makeServerClock, type ServerClock } from './server-clock.ts'
import type { Calls, Problem } from './wire.ts'

/** One call of the wire; see `wire.ts`. */
export type CallName = keyof Calls

/** What a call carries. */
export type Request<Name extends CallName> = {
  /** In the place of `{id}`. */
  readonly id?: string
  readonly body?: Calls[Name]['body'] | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly credentials?: 'include' | undefined
}

/** Ends a piece of work in time. */
export type Within = <T>(
  options: CallOptions | undefined,
  work: (signal: AbortSignal) => Promise<T>,
) => Promise<T>

/** Carries calls to the server and reads the answers. */
export type Transport = {
  readonly clock: ServerClock
  /** Does some work until it is done, the caller aborts, or the time is up. */
  readonly within: Within
  /** Makes one call, once. Throws `CountersignError` and nothing else. */
  readonly send: <Name extends CallName>(
    name: Name,
    request: Request<Name>,
    signal: AbortSignal,
  ) => Promise<Calls[Name]['answer']>
}

/** What timers can hold; a longer one would be over at once. */
const LONGEST_MS = 2 ** 31 - 1

/** Makes the transport of a client. */
export function makeTransport(options: ClientOptions): Transport {
  const base = options.baseUrl.replace(/\/+$/, '')
  const clock = makeServerClock()
  return {
    clock,
    within: (call, work) => within(call?.timeoutMs ?? options.timeoutMs ?? 15_000, call?.signal, work),
    send: async (name, { id = '', body, headers, credentials }, signal) => {
      const [method = '', path = ''] = name.split(' ')
      const sentAt = Date.now()
      try {
        // Looked up at each call: a page may put another `fetch` in its place.
        const answer = await (options.fetch ?? fetch)(base + path.replace('{id}', encodeURIComponent(id)), {
          method,
          signal,
          headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
          ...(body ? { body: JSON.stringify(body) } : {}),
          ...(credentials ? { credentials } : {}),
        })
        clock.hear(answer.headers.get('date'), sentAt, Date.now())
        return read(answer, await answer.text()) as Calls[typeof name]['answer']
      } catch (cause) {
        if (cause instanceof CountersignError) throw cause
        throw new CountersignError(isOffline() ? 'offline' : 'network', { cause })
      }
    },
  }
}

function within<T>(
  timeoutMs: number,
  given: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const control = new AbortController()
    const end = (code: ErrorCode) => {
      control.abort()
      reject(new CountersignError(code))
    }
    const abort = () => end('aborted')
    if (given?.aborted) return abort()
    given?.addEventListener('abort', abort)
    const timer = setTimeout(() => end('timeout'), Math.min(timeoutMs, LONGEST_MS))
    work(control.signal)
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer)
        given?.removeEventListener('abort', abort)
      })
  })
}

/** Only a browser knows, and it is sure of no more than being offline. */
function isOffline(): boolean {
  // Where there is a navigator and no word of it, as in Node, nothing is known.
  const known: Partial<Navigator> | undefined = globalThis.navigator
  return known?.onLine === false
}

/** Reads an answer. What is not JSON, or no error of Countersign's, came from something on the way. */
function read({ ok, status, headers }: Response, text: string): unknown {
  const answer = parse(text)
  if (ok && (answer !== undefined || status === 204)) return answer
  const problem = !ok && isProblem(answer) ? answer : undefined
  throw new CountersignError((problem?.code as ErrorCode | undefined) ?? 'unexpected', {
    status,
    problem,
    retryAfter: retryAfterOf(headers.get('retry-after')),
    requestId: headers.get('x-request-id') ?? undefined,
  })
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function isProblem(answer: object | undefined): answer is Problem {
  return answer !== undefined && 'code' in answer && typeof answer.code === 'string'
}

/** Seconds, which may be written as the time when they are over. */
function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined
  const seconds = Number.isNaN(Number(header)) ? (Date.parse(header) - Date.now()) / 1000 : Number(header)
  return Number.isNaN(seconds) ? undefined : Math.max(0, Math.ceil(seconds))
}
