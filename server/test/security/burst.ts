import { connect, type Socket } from 'node:net'
import { requestHeaders, type ServerProcess } from '../helpers/process.ts'

/** What one request of a burst was answered with. */
export type BurstAnswer = {
  readonly status: number
  readonly reason: string | undefined
  readonly body: string
}

/**
 * Sends requests so that they arrive together: each on a socket of its own, all but the last byte of each first,
 * and then every last byte in one turn of the event loop. A server has read and parsed everything else by then, so
 * the requests race inside it and not on the wire.
 */
export async function burst(
  requests: readonly { readonly server: ServerProcess; readonly path: string; readonly body: object }[],
): Promise<BurstAnswer[]> {
  const ready = await Promise.all(
    requests.map(async ({ server, path, body }) => {
      const socket = await open(server.port)
      const bytes = Buffer.from(requestOf(path, body))
      await new Promise((resolve) => {
        socket.write(bytes.subarray(0, -1), resolve)
      })
      return { socket, last: bytes.subarray(-1) }
    }),
  )
  const answers = ready.map(({ socket }) => readAnswer(socket))
  for (const { socket, last } of ready) socket.write(last)
  return Promise.all(answers)
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

function requestOf(path: string, body: object): string {
  const text = JSON.stringify(body)
  const head = Object.entries({
    host: 'localhost',
    connection: 'close',
    'content-length': String(Buffer.byteLength(text)),
    ...requestHeaders(),
  })
  return `POST ${path} HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${text}`
}

async function readAnswer(socket: Socket): Promise<BurstAnswer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  const body = text.slice(text.indexOf('\r\n\r\n') + 4)
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]),
    reason: /"(?:reason|limit)":"(\w+)"/.exec(body)?.[1],
    body,
  }
}
