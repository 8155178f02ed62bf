import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Inbox } from '../../messaging/inbox.ts'
import { CountersignError } from '../../primitives/errors.ts'
import type { App } from '../app.ts'

const LISTENERS_MAX = 50
const HEARTBEAT_MS = 15_000
/** A reader this far behind is gone or stuck; it reads the whole inbox again when it comes back. */
const BEHIND_MAX = 1_048_576

/**
 * Makes the handler of the inbox's server-sent events: each new message as JSON, a comment every 15 s so that
 * nothing between takes the connection for dead. Streams end when the server closes.
 */
export function streamInbox(app: App, inbox: Inbox): (request: FastifyRequest, reply: FastifyReply) => void {
  const open = new Set<ServerResponse>()
  let heartbeat: NodeJS.Timeout | undefined

  function leave(response: ServerResponse): void {
    open.delete(response)
    if (open.size > 0) return
    clearInterval(heartbeat)
    heartbeat = undefined
  }

  app.addHook('preClose', async () => {
    for (const response of open) response.end()
  })

  return (request, reply) => {
    if (open.size >= LISTENERS_MAX) {
      throw new CountersignError('rate_limited', 'Too many pages are listening to the inbox', {
        retryAfterSeconds: 5,
      })
    }
    reply.hijack()
    const response = reply.raw
    // The heartbeat decides how long the connection may be silent, not the server's usual time-out.
    request.raw.socket.setTimeout(0)
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-accel-buffering': 'no',
    })
    write(response, 'retry: 2000\n\n')
    open.add(response)
    heartbeat ??= setInterval(() => {
      for (const listening of open) write(listening, ': alive\n\n')
    }, HEARTBEAT_MS).unref()
    const unsubscribe = inbox.subscribe((message) => write(response, `data: ${JSON.stringify(message)}\n\n`))
    response.once('close', () => {
      unsubscribe()
      leave(response)
    })
  }
}

function write(response: ServerResponse, text: string): void {
  if (response.writableLength > BEHIND_MAX) response.destroy()
  else response.write(text)
}
