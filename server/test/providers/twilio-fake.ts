import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { ValidateFunction } from 'ajv'
import {
  listen,
  misbehave,
  portOf,
  VENDOR_TEXT,
  type Answer,
  type Scenario,
} from '../conformance/provider-faults.ts'
import { sure } from './twilio-openapi.ts'

export const ACCOUNT = `AC${'0a'.repeat(16)}`
export const AUTH_TOKEN = 'auth-token-never-shown'
export const API_KEY = `SK${'1b'.repeat(16)}`
export const API_SECRET = 'api-secret-never-shown'

/** A form; what was given several times is a list. */
export type Form = Readonly<Record<string, string | string[]>>
/** A request as it came. */
export type Asked = {
  readonly method: string
  readonly path: string
  readonly user: string
  readonly agent: string
  readonly query: Form
  readonly form: Form
}
/** What scenarios are played to. */
export type Kind = 'send' | 'check' | 'cancel' | 'lookup'
/** A request that a scenario may answer otherwise than this. */
export type Playable = {
  readonly kind: Kind
  readonly accepted: () => Answer
  readonly magic?: Answer | undefined
}

/** A local server that answers as an API of Twilio's, and holds every request to Twilio's description of it. */
export abstract class TwilioFake {
  /** Requests to send. */
  readonly seen: Asked[] = []
  /** All other requests that a scenario may answer. */
  readonly asked: (Asked & { readonly kind: Kind })[] = []
  /** What was wrong with requests, in the description's terms. Must stay empty. */
  readonly faults: string[] = []
  followed = 0
  readWhole = false
  readonly #server = createServer((req, res) => void this.#take(req, res))
  readonly #queues = new Map<Kind, Answer[]>()
  readonly #scenarios = new Map<Kind, Scenario>()
  readonly #codes: Partial<Record<Scenario, Answer>>

  /** `refusals`: how this API says each. */
  constructor(refusals: Partial<Record<Scenario, Answer>>) {
    this.#codes = refusals
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${portOf(this.#server)}`
  }

  async listen(): Promise<this> {
    await listen(this.#server)
    return this
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => {
      this.#server.close(resolve)
    })
  }

  play(scenario: Scenario, kind: Kind = 'send'): void {
    this.#scenarios.set(kind, scenario)
    if (kind !== 'send') return
    this.#queues.clear()
    this.seen.length = 0
    this.asked.length = 0
    this.followed = 0
    this.readWhole = false
  }

  /** Gives these answers to the next requests to send, in order, before the scenario's. */
  answer(...answers: Answer[]): void {
    this.answerTo('send', ...answers)
  }

  answerTo(kind: Kind, ...answers: Answer[]): void {
    this.#queues.set(kind, [...(this.#queues.get(kind) ?? []), ...answers])
  }

  /** What this API has at an address. */
  protected abstract route(asked: Asked): Answer | Playable | undefined

  /** Notes what is wrong with a form or a query. */
  protected hold(check: ValidateFunction, value: Form, what: string): void {
    try {
      sure(check, { ...value }, what)
    } catch (error) {
      this.faults.push(String(error))
    }
  }

  async #take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await buffer(req)
    const url = new URL((req.url ?? '/').replace(/^\/behind\/a\/proxy\//, '/'), this.baseUrl)
    if (url.pathname === '/elsewhere') {
      this.followed++
      res.end()
      return
    }
    const basic = Buffer.from((req.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString()
    if (basic !== `${ACCOUNT}:${AUTH_TOKEN}` && basic !== `${API_KEY}:${API_SECRET}`) {
      reply(res, refusal(401, 20003))
      return
    }
    const asked: Asked = {
      method: req.method ?? '',
      path: url.pathname,
      user: basic.slice(0, basic.indexOf(':')),
      agent: req.headers['user-agent'] ?? '',
      query: formOf(url.searchParams),
      form: formOf(new URLSearchParams(body.toString())),
    }
    const found = this.route(asked) ?? refusal(404, 20404)
    if ('status' in found) reply(res, found)
    else this.#perform(asked, found, res)
  }

  #perform(asked: Asked, { kind, accepted, magic }: Playable, res: ServerResponse): void {
    if (kind === 'send') this.seen.push(asked)
    else this.asked.push({ ...asked, kind })
    const queued = this.#queues.get(kind)?.shift()
    if (queued !== undefined) return reply(res, queued)
    const scenario = this.#scenarios.get(kind) ?? 'accepted'
    const answer = accepted()
    res.once('finish', () => {
      this.readWhole = true
    })
    if (misbehave(res, scenario, answer, `${this.baseUrl}/elsewhere`)) return undefined
    return reply(res, this.#script(scenario, answer) ?? magic ?? answer)
  }

  /** The scenarios that take the vendor's dialect. */
  #script(scenario: Scenario, accepted: Answer): Answer | undefined {
    if (scenario === 'throttled') return refusal(429, 20429, { 'retry-after': '1' })
    if (scenario === 'throttled_long') return refusal(429, 20429, { 'retry-after': '3600' })
    if (scenario === 'throttled_once' && this.seen.length === 1) {
      return refusal(429, 20429, { 'retry-after': '1' })
    }
    if (scenario === 'error') return refusal(500, 20500)
    if (scenario === 'unavailable') return refusal(503, 20503)
    if (scenario === 'wrong_id') {
      return { ...accepted, body: accepted.body.replace(/"(SM|CA|VE)[0-9a-f]+"/, `"$1${VENDOR_TEXT}"`) }
    }
    return this.#codes[scenario]
  }
}

/** The one value of a name. */
export function one(form: Form, name: string): string | undefined {
  const value = form[name]
  return typeof value === 'string' ? value : undefined
}

function formOf(params: URLSearchParams): Form {
  return Object.fromEntries(
    [...params.keys()].map((name) => {
      const values = params.getAll(name)
      return [name, values.length > 1 ? values : (values[0] ?? '')]
    }),
  )
}

/** An answer of Twilio's with a JSON body. */
export function json(status: number, body: object): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

/** Twilio's form of an error. `message`: where it names a parameter. */
export function refusal(
  status: number,
  code: number,
  headers: Record<string, string> = {},
  message: string = VENDOR_TEXT,
): Answer {
  const body = { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status }
  const answer = json(status, body)
  return { ...answer, headers: { ...answer.headers, ...headers } }
}

function reply(res: ServerResponse, { status, headers, body }: Answer): void {
  res.writeHead(status, headers).end(body)
}
