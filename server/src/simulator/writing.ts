import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Agenda } from './agenda.ts'
import { refused, type Answer } from './answers.ts'
import { Refusal } from './refusals.ts'
import type { Outage } from './settings.ts'

const SLOW_MS = 25_000

/** Fails a request as an outage does. */
export function fail(response: ServerResponse, outage: Outage): void {
  if (outage === 'refuse') write(response, refused(new Refusal(20503)))
  else if (outage === 'reset') cut(response.socket)
}

/** Sends an answer in its manner. */
export function send(agenda: Agenda, response: ServerResponse, answer: Answer): void {
  const { manner, body = '' } = answer
  if (manner === undefined) write(response, answer)
  else if (manner === 'slow') agenda.after(SLOW_MS, () => write(response, answer))
  else if (manner === 'cut') write(response, { ...answer, body: body.slice(0, body.length / 2) })
  else if (manner === 'lost') response.socket?.destroy()
  else if (manner === 'reset') cut(response.socket)
}

function cut(socket: Socket | null): void {
  socket?.resetAndDestroy()
}

/** Writes an answer. */
export function write(response: ServerResponse, { status, headers, body = '' }: Answer): void {
  // A client that has gone needs none.
  if (response.destroyed || response.headersSent) return
  const length = status === 204 ? {} : { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { ...headers, ...length, 'cache-control': 'no-store' }).end(body)
}
