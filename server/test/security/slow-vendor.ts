import { randomBytes } from 'node:crypto'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A message as the list of them shows it. */
type Taken = { readonly to: string; readonly sid: string; readonly date_created: string }

/** A vendor that takes a message and keeps its sender waiting until it is let go. What it has taken can be asked. */
export class SlowVendor {
  readonly bodies: string[] = []
  /** False: it does not know what it has taken. */
  remembers = true
  readonly #taken: Taken[] = []
  readonly #waiting: { readonly response: ServerResponse; readonly sid: string }[] = []
  readonly #arrived: (() => void)[] = []
  readonly #server: Server = createServer((request, response) => {
    if (request.method === 'GET') return this.#list(request.url ?? '', response)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      this.bodies.push(body)
      // No two messages share an id, whichever vendor of these tests took them.
      const sid = `SM${randomBytes(16).toString('hex')}`
      this.#taken.push({
        to: new URLSearchParams(body).get('To') ?? '',
        sid,
        date_created: new Date().toUTCString(),
      })
      this.#waiting.push({ response, sid })
      for (const tell of this.#arrived.splice(0)) tell()
    })
  })

  /** Listens; gives the settings of a server that sends by it, as if it were Twilio. */
  async listen(): Promise<Record<string, string>> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve)
    })
    return {
      SMS_PROVIDER: 'twilio',
      TWILIO_ACCOUNT_SID: `AC${'0a'.repeat(16)}`,
      TWILIO_AUTH_TOKEN: 'auth-token-of-the-process-tests',
      TWILIO_PHONE_NUMBER: '+15005550006',
      TWILIO_BASE_URL: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
    }
  }

  /** Resolves when so many messages have come. */
  async arrivals(count: number): Promise<void> {
    while (this.bodies.length < count) {
      await new Promise<void>((resolve) => {
        this.#arrived.push(resolve)
      })
    }
  }

  letGo(): void {
    for (const { response, sid } of this.#waiting.splice(0)) {
      response.writeHead(201, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ sid, status: 'queued' }))
    }
  }

  /** Answers those that wait as a vendor does that cannot be used with these credentials. */
  refuse(): void {
    for (const { response } of this.#waiting.splice(0)) {
      response.writeHead(401, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ code: 20003, message: 'Authenticate', more_info: '', status: 401 }))
    }
  }

  #list(url: string, response: ServerResponse): void {
    const to = new URL(url, 'http://vendor').searchParams.get('To')
    response.writeHead(this.remembers ? 200 : 503, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ messages: this.#taken.filter((taken) => taken.to === to) }))
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
