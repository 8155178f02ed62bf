import { defineCommand } from 'citty'
import closeWithGrace from 'close-with-grace'
import type { AddressInfo } from 'node:net'
import { compose, type Countersign } from '../main.ts'
import { messageOf, settingsOrExit } from './run.ts'

/** Everything under way is finished or given up within this after a signal to stop, and within ten seconds at all. */
const DRAIN_MS = 9_500
const CUT_MS = 8_000

export const serve = defineCommand({
  meta: {
    name: 'serve',
    description: 'Start the server. Stops within 10 seconds on SIGTERM, finishing what is under way.',
  },
  args: {
    dev: {
      type: 'boolean',
      description: 'Development defaults: DEV_MODE is on unless it is set (never with NODE_ENV=production)',
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
        // What holds nothing, or never finishes, is cut in time for the rest to end well.
        const cut = setTimeout(() => app.server.closeAllConnections(), CUT_MS)
        await app.close()
        clearTimeout(cut)
        await countersign.close(DRAIN_MS - CUT_MS)
        await new Promise((resolve) => countersign.log.flush(resolve))
      })
    } catch (error) {
      console.error(`Countersign cannot start: ${messageOf(error)}`)
      process.exit(1)
    }
  },
})

function banner(countersign: Countersign, port: number): string {
  const url = countersign.config.http.publicUrlGiven
    ? countersign.config.http.publicUrl
    : `http://localhost:${port}`
  const { apiKeys } = countersign.config.secrets
  const key = countersign.devKeys?.secret ?? apiKeys.find((fixed) => fixed.startsWith('sk_')) ?? 'sk_…'
  const publishable = countersign.devKeys ? `\n  Publishable   ${countersign.devKeys.publishable}` : ''
  const inbox = countersign.inbox ? `\n  Inbox         ${url}/dev/inbox` : ''
  const json = `-H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json'`
  return `
  Countersign is up at ${url}   (development: not for real users)

  Docs          ${url}/docs${inbox}
  Secret key    ${key}${publishable}

  Verify a number: start, take the code from the message, check it.

    CODE=$(curl -s ${url}/v1/verifications ${json} \\
      -d '{"to":"+14155552671"}' | sed -E 's/.*"preview_code":"([0-9]+)".*/\\1/')
    curl -s ${url}/v1/checks ${json} \\
      -d '{"to":"+14155552671","code":"'$CODE'"}'
`
}
