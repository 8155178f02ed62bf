import { defineCommand } from 'citty'
import closeWithGrace from 'close-with-grace'
import type { AddressInfo } from 'node:net'
import type { Config } from '../config.ts'
import { compose, type Countersign } from '../main.ts'
import { messageOf, settingsOrExit, storeProblem } from './run.ts'

/** Everything under way is finished or given up within this after a signal to stop, and within ten seconds at all. */
const DRAIN_MS = 9_500
const CUT_MS = 8_000
const CLOSE_MS = 500

export const serve = defineCommand({
  meta: {
    description:
      'Start the server on HOST and PORT, with its data in DATA_DIR. Ctrl-C or SIGTERM stops it within 10 seconds, finishing what is under way.',
  },
  args: {
    dev: {
      type: 'boolean',
      description:
        'For development: DEV_MODE=true unless it is set (never with NODE_ENV=production). Prints keys and commands to try; codes go to an inbox on a local page.',
    },
  },
  async run({ args }) {
    const config = settingsOrExit({ dev: args.dev ?? false })
    try {
      const countersign = await compose(config)
      const app = await countersign.http()
      await app.listen({ port: config.http.port, host: config.http.host })
      const { port } = app.server.address() as AddressInfo
      countersign.log.info({ port, host: config.http.host }, 'listening')
      if (config.dev.mode) console.log(banner(countersign, port))
      closeWithGrace({ delay: DRAIN_MS, logger: false }, async ({ err }) => {
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
      })
    } catch (error) {
      console.error(
        `Countersign cannot start: ${listenProblem(error, config) ?? storeProblem(error, config) ?? messageOf(error)}`,
      )
      process.exit(1)
    }
  },
})

/** What keeps the port from us, and which setting says which one it is. */
function listenProblem(error: unknown, { http }: Config): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return `port ${http.port} of ${http.host} is in use; set PORT to another`
  if (code === 'EACCES') return `port ${http.port} of ${http.host} may not be used; set PORT to another`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `${http.host} is no address of this machine; set HOST to another`
  return undefined
}

/** Hosts that are this machine, by the name that people know it by. */
const LOCAL = new Set(['127.0.0.1', '::1', 'localhost', '0.0.0.0', '::'])

function banner(countersign: Countersign, port: number): string {
  const { publicUrl, publicUrlGiven, host } = countersign.config.http
  const name = LOCAL.has(host) ? 'localhost' : host.includes(':') ? `[${host}]` : host
  const url = publicUrlGiven ? publicUrl : `http://${name}:${port}`
  const { apiKeys } = countersign.config.secrets
  const key = countersign.devKeys?.secret ?? apiKeys.find((fixed) => fixed.startsWith('sk_'))
  const publishable = countersign.devKeys ? `\n  Publishable   ${countersign.devKeys.publishable}` : ''
  const inbox = countersign.inbox ? `\n  Inbox         ${url}/dev/inbox` : ''
  return `
  Countersign is up at ${url}   (development: not for real users)

  Docs          ${url}/docs${inbox}
  Secret key    ${key ?? 'none: API_KEYS holds no sk_…; make one: countersign keys create'}${publishable}
${key === undefined ? '' : sample(url, key)}`
}

/** Two commands that verify a number, to paste as they are. */
function sample(url: string, key: string): string {
  const json = `-H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json'`
  return `
  Verify a number: start, take the code from the message, check it.

    CODE=$(curl -s ${url}/v1/verifications ${json} \\
      -d '{"to":"+14155552671"}' | sed -E 's/.*"preview_code":"([0-9]+)".*/\\1/')
    curl -s ${url}/v1/checks ${json} \\
      -d '{"to":"+14155552671","code":"'$CODE'"}'
`
}
