import { connect, createServer, type Server, type Socket } from 'node:net'
import { listen } from '../conformance/provider-faults.ts'

type What = 'request' | 'answer'

/** A way to a MongoDB that can lose one command, or the answer to it, and with it that connection. */
export class LossyWire {
  readonly url: string
  readonly #server: Server
  readonly #sockets: Set<Socket>
  #next: { readonly command: Buffer; readonly what: What } | undefined
  /** How many were lost. */
  lost = 0
  /** The commands that came through, by name. */
  readonly seen: string[] = []

  private constructor(url: string, server: Server, sockets: Set<Socket>) {
    this.url = url
    this.#server = server
    this.#sockets = sockets
  }

  static async start(url: string): Promise<LossyWire> {
    const behind = new URL(url)
    const sockets = new Set<Socket>()
    const server = createServer((client) =>
      wire.#carry(client, connect(Number(behind.port), behind.hostname)),
    )
    const through = new URL(url)
    through.host = `127.0.0.1:${await listen(server)}`
    const wire = new LossyWire(through.href, server, sockets)
    return wire
  }

  /** Loses the next command of this name. */
  lose(command: string, what: What): void {
    this.#next = { command: Buffer.from(`${command}\0`), what }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => {
      this.#server.close(resolve)
    })
  }

  #carry(client: Socket, server: Socket): void {
    let isLosing = false
    const end = () => {
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', end).on('close', end)
    }
    client.on('data', (bytes: Buffer) => {
      this.seen.push(...commandsIn(bytes))
      const { command, what } = this.#next ?? {}
      if (command && bytes.includes(command)) {
        this.#next = undefined
        this.lost++
        if (what === 'request') return end()
        isLosing = true
      }
      server.write(bytes)
    })
    server.on('data', (bytes: Buffer) => (isLosing ? end() : client.write(bytes)))
  }
}

/** The first member of a command is its name: after the header, the flags and the kind of section of an OP_MSG. */
function commandsIn(bytes: Buffer): string[] {
  const NAME = 16 + 4 + 1 + 4 + 1
  const end = bytes.indexOf(0, NAME)
  const name = bytes.toString('latin1', NAME, end)
  return /^[a-zA-Z]{3,30}$/.test(name) ? [name] : []
}
