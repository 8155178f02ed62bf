import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** What a vendor does with a request: takes it, refuses it, blocks it as fraud, or never answers. */
export type Mood = 'ok' | 'down' | 'hole' | 'fraud'

/** A message that a vendor was asked to carry. */
export type Asked = { readonly to: string; readonly text: string; readonly mood: Mood }

/** A vendor over real HTTP whose mood a test sets, and what it was asked. */
export abstract class MoodyVendor {
  readonly asked: Asked[] = []
  mood: (to: string) => Mood = () => 'ok'
  readonly #server = createServer((request, response) => {
    void this.#serve(request, response)
  })

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve)
    })
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  /** The messages that are on a phone now. */
  get delivered(): readonly Asked[] {
    return this.asked.filter(({ mood }) => mood === 'ok')
  }

  protected abstract read(body: string): { readonly to: string; readonly text: string } | undefined
  protected abstract answer(mood: Mood, n: number): { readonly status: number; readonly body: object }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const read = this.read((await buffer(request)).toString())
    // A question about what it has; one that does not answer does not answer that either.
    if (read === undefined) {
      if (this.mood('') === 'hole') return
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"messages":[]}')
      return
    }
    const mood = this.mood(read.to)
    this.asked.push({ ...read, mood })
    if (mood === 'hole') return
    const { status, body } = this.answer(mood, this.asked.length)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
}

/** Twilio's Messages API, as far as it is needed. */
export class MoodyTwilio extends MoodyVendor {
  settings(url: string): Record<string, string> {
    return {
      TWILIO_ACCOUNT_SID: `AC${'0a'.repeat(16)}`,
      TWILIO_AUTH_TOKEN: 'auth-token-of-the-process-tests',
      TWILIO_PHONE_NUMBER: '+15005550006',
      TWILIO_BASE_URL: url,
    }
  }

  protected read(body: string) {
    const form = new URLSearchParams(body)
    const to = form.get('To')
    return to === null ? undefined : { to, text: form.get('Body') ?? '' }
  }

  protected answer(mood: Mood, n: number) {
    if (mood === 'down') return { status: 503, body: { code: 20503, message: 'down', status: 503 } }
    if (mood === 'fraud') return { status: 403, body: { code: 30450, message: 'blocked', status: 403 } }
    const sid = `SM${createHash('md5').update(String(n)).digest('hex')}`
    return { status: 201, body: { sid, status: 'queued', price: null, price_unit: 'USD' } }
  }
}

/** A gateway that takes our own webhook form. */
export class MoodyGateway extends MoodyVendor {
  settings(url: string): Record<string, string> {
    return { WEBHOOK_URL: `${url}/send`, WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}` }
  }

  protected read(body: string) {
    const { to, body: text } = JSON.parse(body) as { to: string; body: string }
    return { to, text }
  }

  protected answer(mood: Mood, n: number) {
    return mood === 'ok' ? { status: 200, body: { ref: `gw-${n}` } } : { status: 503, body: {} }
  }
}
