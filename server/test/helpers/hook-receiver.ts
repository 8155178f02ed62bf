import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { parse } from 'node:querystring'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { portOf } from '../conformance/provider-faults.ts'

/** An event as a receiver gets it. */
export type Hook = {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly params: Readonly<Record<string, string>>
}

/** A server of a tenant's that listens for events. */
export type HookReceiver = {
  readonly url: string
  readonly got: readonly Hook[]
  /** What it answers with; undefined: nothing, ever. */
  answer: { readonly status: number; readonly headers?: Record<string, string> } | undefined
  /** Closes the port, or opens it again. */
  stop(): Promise<void>
  start(): Promise<void>
}

/** Starts one, for this test. */
export async function receiveHooks(): Promise<HookReceiver> {
  const got: Hook[] = []
  let server: Server | undefined
  let port = 0
  const receiver: HookReceiver = {
    get url() {
      return `http://127.0.0.1:${port}/hooks?tenant=acme%20co`
    },
    got,
    answer: { status: 200 },
    start: async () => {
      const opened = createServer(async (request, response) => {
        const { url: path = '', headers } = request
        const params = parse(await text(request)) as Record<string, string>
        got.push({ url: `http://127.0.0.1:${port}${path}`, headers, params })
        const { answer } = receiver
        if (answer) response.writeHead(answer.status, answer.headers ?? {}).end()
      })
      server = opened
      await new Promise<void>((resolve) => {
        opened.listen(port, '127.0.0.1', resolve)
      })
      port = portOf(opened)
    },
    stop: () =>
      new Promise((resolve) => {
        if (server === undefined) return resolve()
        server.close(() => resolve())
        server.closeAllConnections()
        server = undefined
      }),
  }
  await receiver.start()
  onTestFinished(() => receiver.stop())
  return receiver
}
