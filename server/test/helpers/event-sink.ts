import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import type { CloudEvent } from '../../src/events/cloud-event.ts'
import { portOf } from '../conformance/provider-faults.ts'

/** A request as a sink gets it. */
export type Sunk = {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly events: readonly CloudEvent[]
}

/** An operator's sink for events. */
export type EventSink = {
  readonly url: string
  readonly got: readonly Sunk[]
  /** What it answers with. */
  status: number
}

/** Starts one, for this test. */
export async function startSink(): Promise<EventSink> {
  const got: Sunk[] = []
  const server: Server = createServer(async (request, response) => {
    const body = await text(request)
    const { url = '', headers } = request
    got.push({
      url: sink.url.replace('/events', url),
      headers,
      body,
      events: JSON.parse(body) as CloudEvent[],
    })
    response.writeHead(sink.status).end()
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const sink = { url: `http://127.0.0.1:${portOf(server)}/events`, got, status: 204 }
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return sink
}
