import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Message } from './evidence.ts'
import type { Dice } from './random.ts'

/** How long the carrier has a message before it answers: a server that is killed meanwhile does not know. */
const ANSWERS_WITHIN_MS = { soon: 20, late: 150, very_late: 600 } as const
const HOW_LATE = { soon: 12, late: 6, very_late: 2 } as const
/** Of all requests; such a message is not taken. */
const REFUSED = 0.02

/** The world's end of every message: what came here was sent, whatever a server believes. Speaks as Twilio does. */
export class Carrier {
  readonly messages: Message[] = []
  readonly #dice: Dice
  readonly #newest = new Map<string, string>()
  readonly #arrived: (() => void)[] = []
  /** By number, the newest first. */
  readonly #taken = new Map<string, readonly object[]>()
  readonly #server: Server

  private constructor(dice: Dice) {
    this.#dice = dice
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  static async listen(dice: Dice): Promise<Carrier> {
    const carrier = new Carrier(dice)
    await new Promise<void>((resolve) => {
      carrier.#server.listen(0, '127.0.0.1', resolve)
    })
    return carrier
  }

  /** The settings of a server that sends by it. */
  get settings(): Record<string, string> {
    return {
      SMS_PROVIDER: 'twilio',
      TWILIO_ACCOUNT_SID: `AC${'0a'.repeat(16)}`,
      TWILIO_AUTH_TOKEN: 'auth-token-of-the-history-tests',
      TWILIO_PHONE_NUMBER: '+15005550006',
      TWILIO_BASE_URL: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
      TWILIO_MAX_RETRIES: '1',
      TWILIO_RETRY_DELAY_MS: '100',
    }
  }

  /** The code that the owner of a number reads in the newest message for a purpose. */
  codeFor(to: string, purpose: string): string | undefined {
    return this.#newest.get(`${to} ${purpose}`)
  }

  /** Resolves when the next message comes. */
  arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#arrived.push(resolve)
    })
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') return this.#list(request.url ?? '', response)
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      // The server died with the request half written: nothing was sent.
      return
    }
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    if (this.#dice.chance(REFUSED)) {
      const [status, refusal] = this.#dice.pick(REFUSALS)
      return answer(response, status, refusal)
    }
    const sid = `SM${randomBytes(16).toString('hex')}`
    this.#take(form.get('To') ?? '', form.get('Body') ?? '', sid)
    const waitMs = this.#dice.next() * ANSWERS_WITHIN_MS[this.#dice.weigh(HOW_LATE)]
    setTimeout(() => answer(response, 201, { sid, status: 'queued' }), waitMs)
  }

  /** What it has taken for a number, for a server that does not know whether its message was. */
  #list(url: string, response: ServerResponse): void {
    const to = new URL(url, 'http://carrier').searchParams.get('To') ?? ''
    answer(response, 200, { messages: this.#taken.get(to) ?? [] })
  }

  #take(to: string, body: string, sid: string): void {
    const taken = { sid, date_created: new Date().toUTCString(), price: null, price_unit: 'USD' }
    this.#taken.set(to, [taken, ...(this.#taken.get(to) ?? [])].slice(0, 20))
    const code = /\b\d{6}\b/.exec(body)?.[0] ?? ''
    const purpose = purposeOf(body)
    this.messages.push({ to, code, purpose, at: Date.now() })
    this.#newest.set(`${to} ${purpose}`, code)
    for (const tell of this.#arrived.splice(0)) tell()
  }
}

/** The purposes that a person can tell apart by the message's words. */
export const PURPOSES = ['verify', 'login', 'reset'] as const

function purposeOf(body: string): (typeof PURPOSES)[number] {
  if (body.includes('sign-in')) return 'login'
  return body.includes('password reset') ? 'reset' : 'verify'
}

/** Turned away at the door, which is tried once more, and credentials refused, which is not. */
const REFUSALS = [
  [503, { code: 20503, message: 'Service unavailable', status: 503 }],
  [401, { code: 20003, message: 'Authenticate', status: 401 }],
] as const satisfies readonly (readonly [number, object])[]

function answer(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
