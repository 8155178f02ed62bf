import { randomBytes } from 'node:crypto'
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
import { ACCOUNT_PATH, makeTwilioChecks, MESSAGES_PATH, sure } from './twilio-openapi.ts'

export const ACCOUNT = `AC${'0a'.repeat(16)}`
export const AUTH_TOKEN = 'auth-token-never-shown'
export const API_KEY = `SK${'1b'.repeat(16)}`
export const API_SECRET = 'api-secret-never-shown'
/** Twilio's own test numbers: a sender that works, and a number that no rule speaks of. */
export const FROM_OK = '+15005550006'
export const TO_OK = '+14155552671'

const FROM_CODES: Readonly<Record<string, number>> = {
  '+15005550001': 21212,
  '+15005550007': 21606,
  '+15005550008': 21611,
}
const TO_CODES: Readonly<Record<string, number>> = {
  '+15005550001': 21211,
  '+15005550002': 21612,
  '+15005550003': 21408,
  '+15005550004': 21610,
  '+15005550009': 21614,
}
const REFUSAL_CODES: Partial<Record<Scenario, number>> = {
  bad_number: 21211,
  opted_out: 21610,
  wrong_channel: 21614,
  blocked: 21408,
  misconfigured: 21606,
}

/** One request to send, as it came. */
export type Seen = {
  readonly user: string
  readonly form: Readonly<Record<string, string>>
  readonly agent: string
}

/** A local server that answers as Twilio's Messages API, and holds every request to Twilio's description of it. */
export class TwilioServer {
  readonly seen: Seen[] = []
  /** What was wrong with requests, in the description's terms. Must stay empty. */
  readonly faults: string[] = []
  followed = 0
  readWhole = false
  /** Whether the API key is a Standard one, which may not read the account. */
  standardKey = true
  accountStatus = 'active'
  readonly #checks = makeTwilioChecks()
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
    const basic = Buffer.from((req.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString()
    const user = basic.slice(0, basic.indexOf(':'))
    if (basic !== `${ACCOUNT}:${AUTH_TOKEN}` && basic !== `${API_KEY}:${API_SECRET}`) {
      reply(res, refusal(401, 20003))
    } else if (req.method === 'POST' && url.pathname === MESSAGES_PATH.replace('{AccountSid}', ACCOUNT)) {
      const form = Object.fromEntries(new URLSearchParams(body.toString()))
      this.seen.push({ user, form, agent: req.headers['user-agent'] ?? '' })
      this.#send(form, res)
    } else if (req.method === 'GET' && url.pathname === MESSAGES_PATH.replace('{AccountSid}', ACCOUNT)) {
      reply(res, json(200, { messages: [], page: 0, page_size: 1, next_page_uri: null, uri: url.pathname }))
    } else if (req.method === 'GET' && url.pathname === ACCOUNT_PATH.replace('{Sid}', ACCOUNT)) {
      reply(res, user === API_KEY && this.standardKey ? refusal(401, 20003) : this.#account())
    } else {
      reply(res, refusal(404, 20404))
    }
  }

  #send(form: Record<string, string>, res: ServerResponse): void {
    try {
      sure(this.#checks.request, { ...form }, 'request')
    } catch (error) {
      this.faults.push(String(error))
    }
    const queued = this.#queue.shift()
    if (queued !== undefined) return reply(res, queued)
    const accepted = this.#message(form)
    res.once('finish', () => {
      this.readWhole = true
    })
    if (misbehave(res, this.#scenario, accepted, `${this.baseUrl}/elsewhere`)) return undefined
    return reply(res, this.#script(form, accepted))
  }

  /** The scenarios that take the vendor's dialect. */
  #script(form: Record<string, string>, accepted: Answer): Answer {
    const code = REFUSAL_CODES[this.#scenario]
    if (code !== undefined) return refusal(400, code)
    if (this.#scenario === 'throttled') return refusal(429, 20429, { 'retry-after': '1' })
    if (this.#scenario === 'throttled_long') return refusal(429, 20429, { 'retry-after': '3600' })
    if (this.#scenario === 'throttled_once' && this.seen.length === 1) {
      return refusal(429, 20429, { 'retry-after': '1' })
    }
    if (this.#scenario === 'error') return refusal(500, 20500)
    if (this.#scenario === 'unavailable') return refusal(503, 20503)
    if (this.#scenario === 'wrong_id') {
      return { ...accepted, body: accepted.body.replace(/"SM[0-9a-f]+"/, `"SM${VENDOR_TEXT}"`) }
    }
    return this.#magic(form) ?? accepted
  }

  #magic(form: Record<string, string>): Answer | undefined {
    const from = form['From']
    if (from === undefined && form['MessagingServiceSid'] === undefined) return refusal(400, 21603)
    if ((form['Body'] ?? '').length > 1_600) return refusal(400, 21617)
    const fromCode = from === undefined || from === FROM_OK ? undefined : (FROM_CODES[from] ?? 21606)
    const code = fromCode ?? TO_CODES[form['To'] ?? '']
    return code === undefined ? undefined : refusal(code === 21611 ? 429 : 400, code)
  }

  #message(form: Record<string, string>): Answer {
    const sid = `SM${randomBytes(16).toString('hex')}`
    const at = 'Thu, 15 Jan 2026 12:00:00 +0000'
    const uri = `/2010-04-01/Accounts/${ACCOUNT}/Messages/${sid}`
    const service = form['MessagingServiceSid'] ?? null
    const message = {
      sid,
      account_sid: ACCOUNT,
      api_version: '2010-04-01',
      body: form['Body'],
      status: service === null ? 'queued' : 'accepted',
      direction: 'outbound-api',
      from: form['From'] ?? null,
      to: form['To'],
      messaging_service_sid: service,
      num_media: '0',
      num_segments: service === null ? '1' : '0',
      error_code: null,
      error_message: null,
      price: null,
      price_unit: 'USD',
      date_created: at,
      date_updated: at,
      date_sent: null,
      uri: `${uri}.json`,
      subresource_uris: { media: `${uri}/Media.json` },
    }
    sure(this.#checks.message, structuredClone(message), 'our message')
    return json(201, message)
  }

  #account(): Answer {
    const uri = `/2010-04-01/Accounts/${ACCOUNT}`
    const at = 'Thu, 30 Jul 2015 20:00:00 +0000'
    const account = {
      sid: ACCOUNT,
      owner_account_sid: ACCOUNT,
      auth_token: AUTH_TOKEN,
      friendly_name: VENDOR_TEXT,
      status: this.accountStatus,
      type: 'Full',
      date_created: at,
      date_updated: at,
      uri: `${uri}.json`,
      subresource_uris: { messages: `${uri}/Messages.json` },
    }
    sure(this.#checks.account, structuredClone(account), 'our account')
    return json(200, account)
  }
}

/** An answer of Twilio's with a JSON body. */
export function json(status: number, body: object): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

/** Twilio's form of an error. */
export function refusal(status: number, code: number, headers: Record<string, string> = {}): Answer {
  const body = { code, message: VENDOR_TEXT, more_info: `https://www.twilio.com/docs/errors/${code}`, status }
  const answer = json(status, body)
  return { ...answer, headers: { ...answer.headers, ...headers } }
}

function reply(res: ServerResponse, { status, headers, body }: Answer): void {
  res.writeHead(status, headers).end(body)
}
