import { connect, createServer, type Server, type Socket } from 'node:net'
import { listen } from '../conformance/provider-faults.ts'

type What = 'request' | 'answer'
type Next = {
  readonly command: Buffer
  readonly what: What
  /** Is given the way to let through what is kept back; where there is none, it is lost. */
  readonly keep?: (letThrough: () => void) => void
}

/** A command of this name to one collection, as `LossyWire` is told it. */
export function commandTo(name: string, collection: string): string {
  return `${name}\0${String.fromCharCode(collection.length + 1)}\0\0\0${collection}`
}

/**
 * A way to a MongoDB that can lose one command, or the answer to it, and with it that connection; or keep it back for as
 * long as is wanted.
 */
export class LossyWire {
  readonly url: string
  readonly #server: Server
  readonly #sockets: Set<Socket>
  #next: Next | undefined
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

  /** Keeps the next command of this name back; resolves once it has come, with the way to let it through. */
  hold(command: string, what: What): Promise<() => void> {
    return new Promise((keep) => {
      this.#next = { command: Buffer.from(`${command}\0`), what, keep }
    })
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => {
      this.#server.close(resolve)
    })
  }

  #carry(client: Socket, server: Socket): void {
    let spoiled: Next | undefined
    const end = () => {
      client.destroy()
      server.destroy()
    }
    const spoil = ({ keep }: Next, pass: () => void) => {
      if (!keep) return end()
      spoiled = undefined
      keep(pass)
    }
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', end).on('close', end)
    }
    client.on('data', (bytes: Buffer) => {
      this.seen.push(...commandsIn(bytes))
      const next = this.#next
      const pass = () => server.write(bytes)
      if (!next || !bytes.includes(next.command)) return pass()
      this.#next = undefined
      this.lost++
      if (next.what === 'request') return spoil(next, pass)
      spoiled = next
      return pass()
    })
    server.on('data', (bytes: Buffer) => {
      const pass = () => client.write(bytes)
      return spoiled ? spoil(spoiled, pass) : pass()
    })
  }
}

/** The first member of a command is its name: after the header, the flags and the kind of section of an OP_MSG. */
function commandsIn(bytes: Buffer): string[] {
  const NAME = 16 + 4 + 1 + 4 + 1
  const end = bytes.indexOf(0, NAME)
  const name = bytes.toString('latin1', NAME, end)
  return /^[a-zA-Z]{3,30}$/.test(name) ? [name] : []
}
