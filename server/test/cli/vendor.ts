import { createServer, type IncomingMessage } from 'node:http'
import { portOf } from '../conformance/provider-faults.ts'

/** Plays Twilio on this machine, with one answer for everything. */
export type Vendor = {
  /** `METHOD path` of the requests that came. */
  readonly requests: readonly string[]
  /** Settings that make a server of ours send to it. */
  readonly settings: Readonly<Record<string, string>>
  close(): void
}

const ACCOUNT = `AC${'0123456789abcdef'.repeat(2)}`

/** Starts one that answers with this status and JSON. */
export async function startVendor(status: number, body: object): Promise<Vendor> {
  const requests: string[] = []
  const server = createServer((request: IncomingMessage, response) => {
    requests.push(`${request.method} ${new URL(request.url ?? '', 'http://vendor').pathname}`)
    request.resume()
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    requests,
    settings: {
      SMS_PROVIDER: 'twilio',
      TWILIO_ACCOUNT_SID: ACCOUNT,
      TWILIO_AUTH_TOKEN: '9f8e7d6c5b4a39281706f5e4d3c2b1a0',
      TWILIO_PHONE_NUMBER: '+15005550006',
      TWILIO_BASE_URL: `http://127.0.0.1:${portOf(server)}`,
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
