import { createHash, createHmac, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { Ajv } from 'ajv'
import {
  listen,
  misbehave,
  portOf,
  VENDOR_TEXT,
  type Answer,
  type Scenario,
} from '../conformance/provider-faults.ts'

export const API_KEY = 'abcd1234'
export const API_SECRET = 'api-secret-never-shown'
export const SIGNATURE_SECRET = 'signature-secret-never-shown-0123'
/** Numbers that Vonage's own examples use. */
export const FROM_OK = '+447700900001'
export const TO_OK = '+447700900000'

const REFUSAL_CODES: Partial<Record<Scenario, number>> = {
  bad_number: 1430,
  opted_out: 1240,
  wrong_channel: 1300,
  blocked: 1210,
  misconfigured: 1420,
}

/**
 * A text by SMS as developer.vonage.com/en/api/messages describes it, written down by hand. A member Vonage does not
 * know is most likely a misspelt one, so the list is closed.
 */
const REQUEST = new Ajv({ allErrors: true }).compile({
  type: 'object',
  additionalProperties: false,
  required: ['message_type', 'channel', 'to', 'from', 'text'],
  properties: {
    message_type: { const: 'text' },
    channel: { const: 'sms' },
    to: { type: 'string', pattern: '^[1-9][0-9]{6,14}$' },
    from: { type: 'string', pattern: '^([1-9][0-9]{2,14}|[A-Za-z0-9 ]{1,11})$' },
    text: { type: 'string', minLength: 1, maxLength: 1_000 },
    ttl: { type: 'integer', minimum: 20, maximum: 604_800 },
    client_ref: { type: 'string', maxLength: 100 },
    webhook_url: { type: 'string', pattern: '^https?://' },
    webhook_version: { enum: ['v0.1', 'v1'] },
  },
})

/** One request to send, as it came. */
export type Seen = { readonly body: Readonly<Record<string, unknown>> }

/** A local server that answers as Vonage's Messages API, and holds every request to Vonage's description of it. */
export class VonageServer {
  readonly seen: Seen[] = []
  /** What was wrong with requests. Must stay empty. */
  readonly faults: string[] = []
  /** What a probe is answered with, when not by the rules. */
  probed: Answer | undefined
  followed = 0
  readWhole = false
  readonly #server = createServer((req, res) => void this.#take(req, res))
  readonly #queue: Answer[] = []
  #scenario: Scenario = 'accepted'

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

  play(scenario: Scenario): void {
    this.#scenario = scenario
    this.#queue.length = 0
    this.seen.length = 0
    this.probed = undefined
    this.followed = 0
    this.readWhole = false
  }

  /** Gives these answers to the next requests to send, in order, before the scenario's. */
  answer(...answers: Answer[]): void {
    this.#queue.push(...answers)
  }

  async #take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await buffer(req)
    const url = new URL((req.url ?? '/').replace(/^\/behind\/a\/proxy\//, '/'), this.baseUrl)
    if (url.pathname === '/elsewhere') {
      this.followed++
      res.end()
      return
    }
    const basic = Buffer.from(`${API_KEY}:${API_SECRET}`).toString('base64')
    if (req.headers.authorization !== `Basic ${basic}`) {
      reply(res, problem(401, 'https://developer.vonage.com/api-errors#unauthorized'))
    } else if (req.method === 'POST' && url.pathname === '/v1/messages') {
      this.#check(req.headers['content-type'], body)
      const request: Record<string, unknown> = JSON.parse(body.toString())
      this.seen.push({ body: request })
      this.#send(res)
    } else if (req.method === 'GET' && url.pathname === '/v2/applications') {
      const none = { page_size: 1, page: 1, total_items: 0, total_pages: 0, _embedded: { applications: [] } }
      reply(res, this.probed ?? json(200, none))
    } else {
      reply(res, problem(404, 'https://developer.vonage.com/api-errors#not-found'))
    }
  }

  #check(type: string | undefined, body: Buffer): void {
    if (type !== 'application/json') this.faults.push(`content-type ${type ?? 'missing'}`)
    if (!REQUEST(JSON.parse(body.toString()))) this.faults.push(JSON.stringify(REQUEST.errors))
  }

  #send(res: ServerResponse): void {
    const queued = this.#queue.shift()
    if (queued !== undefined) return reply(res, queued)
    const accepted = json(202, { message_uuid: randomUUID() })
    res.once('finish', () => {
      this.readWhole = true
    })
    if (misbehave(res, this.#scenario, accepted, `${this.baseUrl}/elsewhere`)) return undefined
    return reply(res, this.#script(accepted))
  }

  /** The scenarios that take the vendor's dialect. */
  #script(accepted: Answer): Answer {
    const code = REFUSAL_CODES[this.#scenario]
    if (code !== undefined) return refusal(422, code)
    if (this.#scenario === 'throttled') return refusal(429, 1000, { 'retry-after': '1' })
    if (this.#scenario === 'throttled_long') return refusal(429, 1000, { 'retry-after': '3600' })
    if (this.#scenario === 'throttled_once' && this.seen.length === 1) {
      return refusal(429, 1000, { 'retry-after': '1' })
    }
    if (this.#scenario === 'error') return refusal(500, 1030)
    if (this.#scenario === 'unavailable') return refusal(503, 1100)
    if (this.#scenario === 'wrong_id') return json(202, { message_uuid: VENDOR_TEXT })
    return accepted
  }
}

/** An answer with a JSON body. */
export function json(status: number, body: object): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

/** A problem (RFC 7807), Vonage's form of an error. */
export function problem(status: number, type: string, headers: Record<string, string> = {}): Answer {
  const answer = json(status, { type, title: VENDOR_TEXT, detail: VENDOR_TEXT, instance: 'bf0ca0bf927b3b52' })
  return { ...answer, headers: { 'content-type': 'application/problem+json', ...headers } }
}

/** A problem of the Messages API. */
export function refusal(status: number, code: number, headers: Record<string, string> = {}): Answer {
  return problem(status, `https://developer.vonage.com/api-errors/messages#${code}`, headers)
}

/** A token as Vonage signs its callbacks. */
export function sign(body: string, over: { claims?: object; header?: object; secret?: string } = {}): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = {
    iat: 1_768_478_400,
    jti: randomUUID(),
    iss: 'Vonage',
    payload_hash: createHash('sha256').update(body).digest('hex'),
    api_key: API_KEY,
    application_id: randomUUID(),
    ...over.claims,
  }
  const signed = `${part({ alg: 'HS256', typ: 'JWT', ...over.header })}.${part(claims)}`
  const signature = createHmac('sha256', over.secret ?? SIGNATURE_SECRET)
    .update(signed)
    .digest('base64url')
  return `${signed}.${signature}`
}

function reply(res: ServerResponse, { status, headers, body }: Answer): void {
  res.writeHead(status, headers).end(body)
}
