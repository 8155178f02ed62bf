import { createServer, connect, type Server, type Socket } from 'node:net'
import { portOf } from '../conformance/provider-faults.ts'

/**
 * A way to a server that can lose connections as a firewall does: without a word. Toxiproxy closes what it has
 * disturbed; this does not.
 */
export class Tunnel {
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()

  private constructor(target: URL) {
    this.#server = createServer((client) => {
      const upstream = connect(Number(target.port), target.hostname)
      const pair = [client, upstream] as const
      this.#pairs.add(pair)
      for (const [from, to] of [pair, [upstream, client] as const]) {
        from.pipe(to)
        from.on('error', () => undefined)
        from.on('close', () => {
          this.#pairs.delete(pair)
          to.destroy()
        })
      }
    })
  }

  static async open(target: string): Promise<Tunnel> {
    const tunnel = new Tunnel(new URL(target))
    await new Promise<void>((resolve) => {
      tunnel.#server.listen(0, '127.0.0.1', resolve)
    })
    return tunnel
  }

  /** The server's address through the tunnel. */
  through(target: string): string {
    const url = new URL(target)
    url.host = `127.0.0.1:${portOf(this.#server)}`
    return url.href
  }

  /** From now on nothing comes through the first connections, as many as told, in either direction. New ones work. */
  silence(count = Infinity): void {
    for (const [client, upstream] of [...this.#pairs].slice(0, count)) {
      client.unpipe(upstream)
      upstream.unpipe(client)
      client.pause()
      upstream.pause()
    }
  }

  close(): void {
    for (const [client, upstream] of this.#pairs) {
      client.destroy()
      upstream.destroy()
    }
    this.#server.close()
  }
}
