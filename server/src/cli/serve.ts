import { availableParallelism } from 'node:os'
import { defineCommand } from 'citty'
import closeWithGrace from 'close-with-grace'
import type { Config } from '../config.ts'
import { banner } from './banner.ts'
import { messageOf, settingsOrExit, storeProblem } from './run.ts'
import { DRAIN_MS, listenProblem, startServer, WAIT_MS } from './server.ts'
import { warnOfTimeout } from './timeout-warning.ts'

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
    workers: {
      type: 'string',
      valueHint: 'N|auto',
      description:
        'How many processes serve the port; auto is one for every core. More than one needs Postgres or MongoDB. Without it: WORKERS',
    },
  },
  async run({ args }) {
    const dev = args.dev ?? false
    const config = settingsOrExit({ dev, workers: args.workers })
    const workers = config.workers === 'auto' ? availableParallelism() : config.workers
    try {
      if (workers === 1) return await serveAlone(config)
      const { supervise } = await import('./supervisor.ts')
      await supervise(config, workers, ['worker', `--workers=${workers}`, ...(dev ? ['--dev'] : [])])
    } catch (error) {
      const problem = listenProblem(error, config) ?? storeProblem(error, config) ?? messageOf(error)
      console.error(`Countersign cannot start: ${problem}`)
      process.exit(1)
    }
  },
})

async function serveAlone(config: Config): Promise<void> {
  const server = await startServer(config, { waitMs: WAIT_MS })
  const { countersign, port } = server
  countersign.log.info({ port, host: config.http.host }, 'listening')
  void warnOfTimeout(config, countersign.log)
  if (config.dev.mode) console.log(banner(config, port, countersign))
  closeWithGrace({ delay: DRAIN_MS, logger: false }, ({ err }) => server.drain(err))
}
