import { randomUUID } from 'node:crypto'
import { stringify } from 'node:querystring'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { signatureOf } from '../primitives/twilio-signature.ts'

/** Twilio's own limits: five seconds for a connection, fifteen for an answer. */
const CONNECT_MS = 5_000
const ANSWER_MS = 15_000
/** The pauses before a connection is tried again. */
const AGAIN_MS = [250, 1_000]
const CONNECTIONS_MAX = 100
/** More than these wait only where nobody answers them: they are given up, so that memory is bounded. */
const WAITING_MAX = 20_000
const TEXT_MAX = 64 * 1024

/** A request to the user's app. */
export type Callback = {
  readonly url: string
  readonly method: string
  readonly params: Readonly<Record<string, string>>
  /** The same for every time that one thing is told. */
  readonly token?: string
}

/** What the app answered; `failure` is a word for what kept it from answering. */
export type Reply = { readonly status?: number; readonly text?: string; readonly failure?: string }

/** Calls the user's app, signed as Twilio signs. */
export class Callbacks {
  readonly #authToken: string
  readonly #agent = new Agent({
    connections: CONNECTIONS_MAX,
    connect: { timeout: CONNECT_MS },
    headersTimeout: ANSWER_MS,
    bodyTimeout: ANSWER_MS,
  })
  #waiting = 0
  #closed = false

  constructor(authToken: string) {
    this.#authToken = authToken
  }

  /** Puts the request, and once more where no connection was to be had. Never rejects. */
  async put(callback: Callback): Promise<Reply> {
    if (this.#waiting >= WAITING_MAX) return { failure: 'too many waiting' }
    this.#waiting++
    try {
      for (let tries = 0; ; tries++) {
        const reply = await this.#try(callback)
        const pause = AGAIN_MS[tries]
        if (reply.failure === undefined || !isUnconnected(reply.failure)) return reply
        if (pause === undefined || this.#closed) return reply
        await sleep(pause, undefined, { ref: false })
      }
    } finally {
      this.#waiting--
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#agent.destroy()
  }

  async #try({ url, method, params, token = randomUUID() }: Callback): Promise<Reply> {
    try {
      const isGet = method === 'GET'
      const address = asSent(isGet ? withQuery(url, params) : url)
      const { username, password } = new URL(address)
      const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString(
        'base64',
      )
      const { statusCode, body } = await request(address, {
        dispatcher: this.#agent,
        method: isGet ? 'GET' : 'POST',
        headers: {
          'user-agent': 'TwilioProxy/1.1',
          accept: '*/*',
          'i-twilio-idempotency-token': token,
          'x-twilio-signature': signatureOf(this.#authToken, address, isGet ? {} : params),
          ...(isGet ? {} : { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' }),
          ...(username === '' ? {} : { authorization: `Basic ${basic}` }),
        },
        body: isGet ? null : stringify(params),
      })
      return { status: statusCode, text: await readText(body) }
    } catch (error) {
      return { failure: wordOf(error) }
    }
  }
}

/** Reads what is needed of an answer: an app may answer with anything. */
async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > TEXT_MAX) break
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function withQuery(url: string, params: Readonly<Record<string, string>>): string {
  const [plain = '', fragment] = url.split('#', 2)
  const joint = plain.includes('?') ? '&' : '?'
  return `${plain}${joint}${stringify(params)}${fragment === undefined ? '' : `#${fragment}`}`
}

/** The address as the app sees it, which is what is signed: it has a path, and no fragment. */
function asSent(url: string): string {
  return url.replace(/#.*$/s, '').replace(/^(https?:\/\/[^/?]+)(?=\?|$)/i, '$1/')
}

function wordOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'failed'
}

function isUnconnected(failure: string): boolean {
  return /^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT)$/.test(
    failure,
  )
}
