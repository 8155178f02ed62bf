import { Agent, request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { buildApp } from '../../src/http/app.ts'
import { beginAtZero } from '../../src/http/known-labels.ts'
import { makeMetrics } from '../../src/http/metrics.ts'
import { receiptFigures } from '../../src/http/receipt-figures.ts'
import type { Services } from '../../src/http/services.ts'
import type { Provider } from '../../src/messaging/provider.ts'
import { Receipts } from '../../src/messaging/receipts.ts'
import type { MessagingStore, Send } from '../../src/messaging/store.ts'
import { portOf } from '../conformance/provider-faults.ts'
import { FakeClock } from '../fake-clock.ts'
import { MemoryMessaging } from './memory-messaging.ts'
import type { Callback } from './signed-receipts.ts'

/** Where vendors reach every receipt server, as they know it. */
export const PUBLIC_URL = 'https://verify.example.com/countersign'

/** The address that a vendor calls and signs. */
export function hookOf(provider: string, query = ''): string {
  return `${PUBLIC_URL}/hooks/${provider}/status${query}`
}

/** What came back over the socket. */
export type HookAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The stable code of a problem. */
  readonly code: string | undefined
}

/** A server that listens, with nothing behind it but receipts. */
export type ReceiptServer = {
  readonly port: number
  readonly clock: FakeClock
  readonly receipts: Receipts
  /** Every step a send took, in order. */
  readonly news: readonly Send[]
  readonly logs: readonly string[]
  /** Bytes read from all sockets. */
  bytesRead(): number
  /** Posts to `/hooks/{provider}/status` or to another path. */
  post(where: string, callback: Callback, options?: PostOptions): Promise<HookAnswer>
  /** The value of one line of `/metrics`. */
  figure(line: string): Promise<number | undefined>
  close(): Promise<void>
}

export type PostOptions = { readonly headers?: Record<string, string>; readonly method?: string }

/** Serves receipts of these providers over a real socket. */
export async function startReceiptServer(options: {
  readonly providers: readonly Provider[]
  readonly store?: MessagingStore
  readonly clock?: FakeClock
  readonly publicUrl?: string
  readonly trustedProxies?: readonly string[]
}): Promise<ReceiptServer> {
  const clock = options.clock ?? new FakeClock()
  const logs: string[] = []
  const news: Send[] = []
  const metrics = makeMetrics()
  beginAtZero(metrics, options.providers)
  const figures = receiptFigures(metrics, clock)
  const receipts = new Receipts({
    store: options.store ?? new MemoryMessaging(clock),
    providers: options.providers,
    observe: figures.observe,
    onNews: (send, receipt) => {
      news.push(send)
      figures.onNews(send, receipt)
    },
  })
  const app = await buildApp({
    // Nothing here is asked for by a hook.
    ...({} as Services),
    auth: {} as Services['auth'],
    clock,
    metrics,
    receipts,
    log: pino({ level: 'info' }, { write: (line: string) => void logs.push(line) }),
    settings: {
      publicUrl: options.publicUrl ?? PUBLIC_URL,
      corsOrigins: [],
      trustedProxies: options.trustedProxies ?? [],
      docsEnabled: true,
      metricsToken: undefined,
      requestTimeoutSeconds: 30,
      devMode: false,
      production: false,
      publishableReadsPerAddressHour: 600,
      messagesPerPhoneHour: 30,
      deviceSeconds: 2_592_000,
      account: undefined,
      brand: {
        name: 'Countersign',
        logo: undefined,
        accent: '#0b6b5b',
        supportUrl: undefined,
        termsUrl: undefined,
        privacyUrl: undefined,
      },
      codeLength: 6,
      devKeys: {},
    },
  })
  const sockets: Socket[] = []
  app.server.on('connection', (socket) => sockets.push(socket))
  await app.listen({ port: 0, host: '127.0.0.1' })
  const port = portOf(app.server)
  const agent = new Agent({ keepAlive: true })
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    agent.destroy()
    for (const socket of sockets) socket.destroy()
    await app.close()
  }
  onTestFinished(close)
  return {
    port,
    clock,
    receipts,
    news,
    logs,
    bytesRead: () => sockets.reduce((sum, socket) => sum + socket.bytesRead, 0),
    post: (where, callback, post) => postTo(port, where, callback, { ...post, agent }),
    figure: async (line) => {
      const found = (await metrics.registry.metrics()).split('\n').find((one) => one.startsWith(`${line} `))
      return found === undefined ? undefined : Number(found.split(' ').at(-1))
    },
    close,
  }
}

/** Posts a callback to any server of this machine. */
export function postTo(
  port: number,
  where: string,
  { headers, body }: Callback,
  options: PostOptions & { readonly agent?: Agent } = {},
): Promise<HookAnswer> {
  const path = where.startsWith('/') ? where : `/hooks/${where}/status`
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      {
        host: '127.0.0.1',
        port,
        path,
        ...(options.agent === undefined ? {} : { agent: options.agent }),
        method: options.method ?? 'POST',
        headers: { 'content-length': Buffer.byteLength(body), ...headers, ...options.headers },
      },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const { statusCode: status = 0, headers } = answer
          resolve({ status, headers, text, code: codeIn(text) })
        })
      },
    )
    call.on('error', reject)
    call.end(body)
  })
}

function codeIn(text: string): string | undefined {
  if (text === '') return undefined
  const problem: unknown = JSON.parse(text)
  const code: unknown =
    typeof problem === 'object' && problem !== null ? Reflect.get(problem, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}
