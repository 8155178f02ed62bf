import { createServer, type IncomingMessage, type Server } from 'node:http'
import { makeAuthentication } from './accounts.ts'
import { json, refused, type Answer } from './answers.ts'
import type { Carrier } from './carrier.ts'
import { AGAIN_SECONDS, Diverted } from './fates.ts'
import { readForm } from './form.ts'
import { makeGuard } from './guard.ts'
import type { Panel } from './panel.ts'
import { Refusal } from './refusals.ts'
import { makeRoutes } from './routes.ts'
import { fail, send, write } from './writing.ts'

/** More than any request of an SDK. */
const BODY_MAX = 256 * 1024
const SECOND_MS = 1_000
/** Longer than clients keep a connection, so that none is closed under a request. */
const KEEP_ALIVE_MS = 75_000

/**
 * Makes the HTTP server: the interfaces at Twilio's own paths, and the page with its JSON at `/` and `/simulator/…`.
 * Every answer of an interface waits the latency; what it asked for was taken when it came.
 */
export function makeServer(carrier: Carrier, panel: Panel, hosts: ReadonlySet<string>): Server {
  const isKnown = makeAuthentication(carrier.account)
  const route = makeRoutes(carrier)
  const throttle = makeThrottle(carrier)
  const reasonToRefuse = makeGuard(hosts)

  function answerTo(request: IncomingMessage, path: string, query: string, body: string): Answer {
    try {
      throttle()
      if (!isKnown(request.headers.authorization)) throw new Refusal(20003)
      return route({ method: request.method ?? '', path, query, form: readForm(body) })
    } catch (error) {
      if (error instanceof Refusal) return refused(error)
      if (error instanceof Diverted) return error.answer
      // A fault of ours. Whoever tests against us goes on with what Twilio says of its own.
      process.emitWarning(error instanceof Error ? error : String(error))
      return refused(new Refusal(20500))
    }
  }

  const server = createServer((request, response) => {
    const reason = reasonToRefuse(request.headers)
    if (reason !== undefined) return write(response, json(403, { message: reason }))
    const [path = '', query = ''] = (request.url ?? '/').split('?', 2)
    const isApi = !panel.isOf(path)
    const { outage } = carrier.settings
    if (isApi && outage !== 'none') return fail(response, outage)
    return readBody(request, (body) => {
      if (body === undefined) return write(response, json(413, { message: 'Too large' }))
      if (!isApi) return panel.handle(request, response, { path, query, body })
      const { latency_ms } = carrier.settings
      const answer = answerTo(request, path, query, body)
      if (latency_ms === 0) return send(carrier.answers, response, answer)
      return carrier.answers.after(latency_ms, () => send(carrier.answers, response, answer))
    })
  })
  server.keepAliveTimeout = KEEP_ALIVE_MS
  return server
}

/** Lets so many requests a second through. */
function makeThrottle(carrier: Carrier): () => void {
  let second = 0
  let taken = 0
  return () => {
    const { throttle } = carrier.settings
    if (throttle === null) return
    const now = Math.floor(carrier.clock.now() / SECOND_MS)
    if (now !== second) [second, taken] = [now, 0]
    if (++taken > throttle) throw new Refusal(20429, '', AGAIN_SECONDS)
  }
}

/** Reads a body whole; undefined when it is too large. A request that is cut says nothing. */
function readBody(request: IncomingMessage, done: (body: string | undefined) => void): void {
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= BODY_MAX) chunks.push(chunk)
  })
  request.on('end', () => {
    if (bytes > BODY_MAX) return done(undefined)
    return done(chunks.length === 1 ? chunks[0]?.toString('utf8') : Buffer.concat(chunks).toString('utf8'))
  })
}
