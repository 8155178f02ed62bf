import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'

/** What a careful app allows: nothing inline, and nothing of anybody else. */
export const STRICT_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self'"

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
}

/** A built app on a port of its own. */
export type ServedApp = { readonly url: string; close(): Promise<void> }

/**
 * Serves a built app under a strict policy, and the API below `/v1` and `/api` on the same origin. Answers carry the
 * time of `clock`, as the server's own would.
 */
export async function serveApp(options: {
  readonly dist: string
  readonly api: string
  readonly clock: { now(): number }
}): Promise<ServedApp> {
  const server = createServer((incoming, answer) => {
    const path = new URL(incoming.url ?? '/', 'http://localhost').pathname
    if (/^\/(?:v1|api|dev)\//.test(path)) forward(options, incoming, answer)
    else void serveFile(options.dist, path, answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

function forward(
  { api, clock }: { readonly api: string; readonly clock: { now(): number } },
  incoming: IncomingMessage,
  answer: ServerResponse,
): void {
  const { method, headers, url } = incoming
  const outgoing = request(new URL(url ?? '/', api), { method, headers }, (reply) => {
    answer.writeHead(reply.statusCode ?? 502, {
      ...reply.headers,
      date: new Date(clock.now()).toUTCString(),
    })
    reply.pipe(answer)
  })
  outgoing.on('error', () => answer.destroy())
  incoming.pipe(outgoing)
}

async function serveFile(dist: string, path: string, answer: ServerResponse): Promise<void> {
  const name = normalize(path === '/' ? '/index.html' : path)
  try {
    const body = await readFile(join(dist, name))
    answer.writeHead(200, {
      'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
      'content-security-policy': STRICT_CSP,
      'cache-control': 'no-store',
    })
    answer.end(body)
  } catch {
    answer.writeHead(404).end()
  }
}
