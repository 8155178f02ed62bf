import { flushCompileCache } from 'node:module'
import type { AddressInfo } from 'node:net'
import type { Config } from '../config.ts'
import type { Countersign, Process } from '../main.ts'

/** Everything under way is finished or given up within this after a signal to stop, and within ten seconds at all. */
export const DRAIN_MS = 9_500
const CUT_MS = 8_000
const CLOSE_MS = 500
/** Containers start in any order: a store is waited for this long. */
export const WAIT_MS = 10_000

/** A Countersign that listens. */
export type RunningServer = {
  readonly countersign: Countersign
  readonly port: number
  /** Finishes what is under way, closes everything and writes the log out; an error is what made it end. */
  drain(error?: Error): Promise<void>
}

/** Composes a Countersign and listens on its port. */
export async function startServer(config: Config, self: Process): Promise<RunningServer> {
  // Loaded when it is needed: help, and settings that are wrong, are told without it.
  const { compose } = await import('../main.ts')
  const countersign = await compose(config, {}, self)
  const app = await countersign.http()
  // What was compiled is left to the next start now, for a process that is killed leaves nothing: 0.1 s, the first time,
  // and no request waits for it.
  flushCompileCache()
  await app.listen({ port: config.http.port, host: config.http.host })
  const { port } = app.server.address() as AddressInfo
  const drain = async (err?: Error) => {
    if (err) countersign.log.fatal({ err }, 'stopping')
    const deadline = performance.now() + DRAIN_MS
    // What holds nothing, or never finishes, is cut in time for the rest to end well.
    const cut = setTimeout(() => app.server.closeAllConnections(), CUT_MS)
    // A connection that was answering when the stop came is idle after it, and is closed then.
    const idle = setInterval(() => app.server.closeIdleConnections(), 100)
    await app.close()
    clearTimeout(cut)
    clearInterval(idle)
    // A send whose request has been answered gets what is left of the time, less a moment to close.
    await countersign.close(Math.max(0, deadline - performance.now() - CLOSE_MS))
    await new Promise((resolve) => countersign.log.flush(resolve))
  }
  return { countersign, port, drain }
}

/** What keeps the port from us, and which setting says which one it is. */
export function listenProblem(error: unknown, { http }: Config): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return `port ${http.port} of ${http.host} is in use; set PORT to another`
  if (code === 'EACCES') return `port ${http.port} of ${http.host} may not be used; set PORT to another`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `${http.host} is no address of this machine; set HOST to another`
  return undefined
}
