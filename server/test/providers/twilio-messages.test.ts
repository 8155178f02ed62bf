import { createServer, type Socket } from 'node:net'
import * as fc from 'fast-check'
import Sdk from 'twilio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeTwilioProvider } from '../../src/providers/twilio.ts'
import { connectTwilio, type TwilioConnection } from '../../src/providers/twilio-connection.ts'
import {
  makeMessageAsker,
  type AskMessages,
  type MessageRequest,
} from '../../src/providers/twilio-messages.ts'
import { listen } from '../conformance/provider-faults.ts'
import { ACCOUNT, AUTH_TOKEN, FROM_OK, TO_OK } from './twilio-server.ts'

const never = new AbortController().signal
const REQUESTS: readonly MessageRequest[] = [
  { to: TO_OK, from: FROM_OK, body: '736281 is your code — nie weitergeben ✓ (100% ~safe~)' },
  {
    to: TO_OK,
    messagingServiceSid: `MG${'2c'.repeat(16)}`,
    body: 'a+b&c=d\r\n\ud83d half a pair',
    statusCallback: 'https://a.example/b?tenant=a%20b&send=snd_1#rc=5&rp=ct,rt,5xx',
    validityPeriod: 600,
    contentRetention: 'discard',
    riskCheck: 'enable',
  },
  {
    to: `whatsapp:${TO_OK}`,
    from: `whatsapp:${FROM_OK}`,
    contentSid: `HX${'4e'.repeat(16)}`,
    contentVariables: '{"1":"736281"}',
    contentRetention: 'discard',
    validityPeriod: 1,
  },
]

/** Takes requests down to their last byte, and answers each as Twilio does. */
class Recorder {
  readonly requests: string[] = []
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((socket) => this.#hear(socket))

  async listen(): Promise<string> {
    return `http://127.0.0.1:${await listen(this.#server)}`
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #hear(socket: Socket): void {
    this.#sockets.add(socket)
    let heard = ''
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1')
      const end = heard.indexOf('\r\n\r\n') + 4
      const length = Number(/^content-length: (\d+)\r$/im.exec(heard)?.[1] ?? 'NaN')
      if (end < 4 || heard.length < end + length) return
      this.requests.push(heard)
      heard = ''
      const body = JSON.stringify({ sid: `SM${'3d'.repeat(16)}` })
      socket.write(`HTTP/1.1 201 Created\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    })
  }
}

describe('a message is asked for as by the SDK', () => {
  const recorder = new Recorder()
  const account = { accountSid: ACCOUNT, authToken: AUTH_TOKEN, maxRetries: 0, retryDelayMs: 1 }
  let connection: TwilioConnection
  let ask: AskMessages
  let baseUrl: string

  beforeAll(async () => {
    baseUrl = `${await recorder.listen()}/behind/a/proxy`
    connection = await connectTwilio({ ...account, requestTimeoutSeconds: 5, baseUrl }, 'api')
    ask = await makeMessageAsker(connection)
  })
  afterAll(async () => {
    await connection.http.way.close()
    recorder.close()
  })

  async function bytesOf(call: () => Promise<unknown>): Promise<string> {
    recorder.requests.length = 0
    await call()
    expect(recorder.requests).toHaveLength(1)
    return recorder.requests[0] ?? ''
  }
  const ours = (request: MessageRequest) => bytesOf(() => ask(request, never))
  const theirs = (request: MessageRequest) =>
    bytesOf(() => connection.http.within(never, () => connection.sdk.messages.create(request)))

  test.each(REQUESTS)('byte for byte, headers and path included: %#', async (request) => {
    const asked = await ours(request)
    expect(asked).toBe(await theirs(request))
    expect(asked).toMatch(
      /^POST \/behind\/a\/proxy\/2010-04-01\/Accounts\/AC0a.*\/Messages\.json HTTP\/1\.1\r\n/,
    )
  })

  test('byte for byte, whatever the texts', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 30 })
    const optional = { requiredKeys: ['to'] as ['to'] }
    const requests = fc.record(
      {
        to: text,
        from: text,
        messagingServiceSid: text,
        body: text,
        statusCallback: text,
        contentSid: text,
        contentVariables: text,
        riskCheck: fc.constantFrom('enable' as const, 'disable' as const),
        contentRetention: fc.constantFrom('discard' as const, 'retain' as const),
        validityPeriod: fc.nat(),
      },
      optional,
    )
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        expect(await ours(request)).toBe(await theirs(request))
      }),
      { numRuns: 300 },
    )
  })

  test.each(REQUESTS)('as the SDK asks with the client that it brings: %#', async (request) => {
    const bare = Sdk(ACCOUNT, AUTH_TOKEN)
    bare.api.baseUrl = baseUrl
    const [own, brought] = [
      split(await ours(request)),
      split(await bytesOf(() => bare.messages.create(request))),
    ]
    expect(own.line).toBe(brought.line)
    // Its spaces are `%20`, which is the same to whoever reads a form.
    expect([...new URLSearchParams(own.body)]).toEqual([...new URLSearchParams(brought.body)])
    for (const name of ['authorization', 'content-type', 'user-agent', 'accept', 'accept-charset']) {
      expect([name, own.headers.get(name)]).toEqual([name, brought.headers.get(name)])
    }
  })

  test('the provider asks in no other way', async () => {
    const provider = await makeTwilioProvider({
      ...account,
      from: FROM_OK,
      requestTimeoutSeconds: 5,
      baseUrl,
      statusCallback: 'https://a.example/b',
    })
    const message = { id: 'snd_1', to: TO_OK, country: 'US', channel: 'sms', body: 'Hi ✓' } as const
    const asked = await bytesOf(() => provider.send({ ...message, validitySeconds: 600 }, never))
    await provider.close?.()
    expect(asked).toBe(
      await theirs({
        to: TO_OK,
        from: FROM_OK,
        body: 'Hi ✓',
        riskCheck: 'enable',
        contentRetention: 'discard',
        statusCallback: 'https://a.example/b?send=snd_1#rc=5&rp=ct,rt,5xx',
        validityPeriod: 600,
      }),
    )
  })
})

function split(request: string): { line: string; headers: Map<string, string>; body: string } {
  const [head = '', body = ''] = request.split('\r\n\r\n', 2)
  const [line = '', ...headers] = head.split('\r\n')
  const pairs = headers.map((header): [string, string] => {
    const at = header.indexOf(':')
    return [header.slice(0, at).toLowerCase(), header.slice(at + 1).trim()]
  })
  return { line, headers: new Map(pairs), body }
}
