import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import {
  listen,
  misbehave,
  portOf,
  VENDOR_TEXT,
  type Answer,
  type Scenario,
} from '../conformance/provider-faults.ts'

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
export const OLD_SECRET = `whsec_${Buffer.alloc(24, 9).toString('base64')}`
export const TOKEN = 'gateway-token-never-shown'

/**
 * Standard Webhooks' signature written out from the specification, apart from the code under test: HMAC-SHA256 of
 * `id.timestamp.body` with the bytes behind `whsec_`.
 */
export function signatureOf(secret: string, id: string, timestamp: string, body: Buffer | string): string {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), Buffer.from(body)])
  return `v1,${createHmac('sha256', key).update(content).digest('base64')}`
}

/** One request as it came. */
export type Seen = {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** How a gateway speaks: what is wrong with a request to it, and how it answers. */
export type Dialect = {
  fault(seen: Seen): string | undefined
  accepted(number: number): Answer
  wrongId: Answer
  refused(scenario: string): Answer
  failed: Answer
}

/** A gateway that takes our own form and holds every request to it, signature first. */
export const OWN: Dialect = {
  fault({ method, headers, body }) {
    const id = String(headers['webhook-id'])
    const timestamp = String(headers['webhook-timestamp'])
    const good = signatureOf(SECRET, id, timestamp, body)
    if (!String(headers['webhook-signature']).split(' ').includes(good)) return 'signature'
    if (Math.abs(Date.now() / 1_000 - Number(timestamp)) > 300) return 'timestamp'
    const message = JSON.parse(body)
    const members = Object.keys(message).sort().join()
    if (!/^body,channel,id,to(?:,validity_seconds)?$/.test(members)) return `members ${members}`
    if (message.id !== id) return 'id'
    return method === 'POST' && headers['content-type'] === 'application/json' ? undefined : 'request'
  },
  accepted: (number) => json(200, { ref: `gw-${number}` }),
  wrongId: json(200, { ref: `${VENDOR_TEXT} is no ref` }),
  refused: (scenario) => json(422, { refused: scenario, code: 'E-17', message: VENDOR_TEXT }),
  failed: json(500, { refused: 'unavailable', message: VENDOR_TEXT }),
}

/** A gateway of its own kind: a form, a token, ids that are long numbers, and refusals under a 200. */
export const FOREIGN: Dialect = {
  fault({ method, url, headers, body }) {
    if (method !== 'PUT' || url !== '/send/sms?trace=snd_1&v=2') return `request line ${method} ${url}`
    if (headers.authorization !== `Bearer ${TOKEN}`) return 'token'
    if (headers['content-type'] !== 'application/x-www-form-urlencoded') return 'type'
    const names = [...new URLSearchParams(body).keys()].join()
    return names === 'recipient,text,ttl' ? undefined : `fields ${names}`
  },
  accepted: (number) => {
    const [status, headers] = [202, { 'content-type': 'application/json' }]
    return {
      status,
      headers,
      body: `{"messages":[{"id":90071992547409930${String(number).padStart(4, '0')}}]}`,
    }
  },
  wrongId: json(202, { messages: [{ id: { text: VENDOR_TEXT } }] }),
  refused: (scenario) => json(200, { error: { code: FOREIGN_CODES[scenario], text: VENDOR_TEXT } }),
  failed: json(500, { error: { code: 900, text: VENDOR_TEXT } }),
}
const FOREIGN_CODES: Readonly<Record<string, number>> = {
  bad_number: 101,
  opted_out: 102,
  wrong_channel: 103,
  blocked: 104,
  misconfigured: 105,
}

/** A local server that plays a gateway. */
export class GatewayServer {
  readonly seen: Seen[] = []
  /** What was wrong with requests. Must stay empty. */
  readonly faults: string[] = []
  followed = 0
  readWhole = false
  readonly #dialect: Dialect
  readonly #server = createServer((req, res) => void this.#take(req, res))
  readonly #queue: Answer[] = []
  #scenario: Scenario = 'accepted'
  #taken = 0

  constructor(dialect: Dialect) {
    this.#dialect = dialect
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

  play(scenario: Scenario): void {
    this.#scenario = scenario
    this.#queue.length = 0
    this.seen.length = 0
    this.followed = 0
    this.readWhole = false
  }

  /** Gives these answers to the next requests, in order, before the scenario's. */
  answer(...answers: Answer[]): void {
    this.#queue.push(...answers)
  }

  async #take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = (await buffer(req)).toString()
    const { method = '', url = '', headers } = req
    if (url === '/elsewhere') {
      this.followed++
      res.end()
      return
    }
    const seen = { method, url, headers, body }
    this.seen.push(seen)
    const fault = this.#dialect.fault(seen)
    if (fault !== undefined) this.faults.push(fault)
    const accepted = this.#dialect.accepted(this.#taken++)
    res.once('finish', () => {
      this.readWhole = true
    })
    const queued = this.#queue.shift()
    if (queued === undefined && misbehave(res, this.#scenario, accepted, `${this.baseUrl}/elsewhere`)) return
    const answer = queued ?? this.#script(accepted)
    res.writeHead(answer.status, answer.headers).end(answer.body)
  }

  /** The scenarios that take the gateway's dialect. */
  #script(accepted: Answer): Answer {
    switch (this.#scenario) {
      case 'bad_number':
      case 'opted_out':
      case 'wrong_channel':
      case 'blocked':
      case 'misconfigured':
        return this.#dialect.refused(this.#scenario)
      case 'throttled':
        return json(429, {}, { 'retry-after': '1' })
      case 'throttled_long':
        return json(429, {}, { 'retry-after': '3600' })
      case 'throttled_once':
        return this.seen.length === 1 ? json(429, {}, { 'retry-after': '1' }) : accepted
      case 'error':
        return this.#dialect.failed
      case 'unavailable':
        return json(503, { message: VENDOR_TEXT })
      case 'wrong_id':
        return this.#dialect.wrongId
      default:
        return accepted
    }
  }
}

/** An answer with a JSON body. */
export function json(status: number, body: object, headers: Record<string, string> = {}): Answer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
}
