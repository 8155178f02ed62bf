import cluster, { type Worker } from 'node:cluster'
import { defineCommand } from 'citty'
import closeWithGrace from 'close-with-grace'
import type { Config } from '../config.ts'
import { messageOf, settingsOrExit, storeProblem } from './run.ts'
import { DRAIN_MS, listenProblem, startServer, WAIT_MS } from './server.ts'
import { WorkerFigures } from './worker-figures.ts'
import { type FromWorker, isToWorker } from './worker-messages.ts'

export const worker = defineCommand({
  meta: {
    description: 'One of the processes of `serve --workers`, which starts it. Not for people.',
    hidden: true,
  },
  args: { dev: { type: 'boolean' }, workers: { type: 'string' } },
  async run({ args }) {
    const { worker: self } = cluster
    if (!self) throw new Error('A worker is started by: countersign serve --workers N')
    const config = settingsOrExit({ dev: args.dev ?? false, workers: args.workers })
    await work(config, self)
  },
})

type Tell = (message: FromWorker) => Promise<void>

async function work(config: Config, self: Worker): Promise<void> {
  // Resolves when it is on its way; a supervisor that is gone needs no answer.
  const tell: Tell = (message) =>
    new Promise<void>((resolve) => {
      if (process.connected) process.send?.(message, () => resolve())
      else resolve()
    })
  const figures = new WorkerFigures(tell)
  const stopped = untilStopped(self, figures, tell)
  const starting = startServer(config, {
    worker: self.id,
    waitMs: WAIT_MS,
    shareFigures: (own) => figures.share(own),
  })
  try {
    const server = await Promise.race([starting, stopped])
    // It was stopped before it served anybody: there is nothing to finish.
    if (!server) process.exit(0)
    // Signals that a terminal or a service manager gives to all processes at once are the supervisor's to pass on.
    const grace = closeWithGrace(
      { delay: DRAIN_MS, logger: false, skip: ['SIGINT', 'SIGTERM', 'SIGHUP'] },
      async ({ err }) => {
        await server.drain(err)
        await figures.send()
      },
    )
    await tell({ countersign: 'up', port: server.port })
    await stopped
    grace.close()
  } catch (error) {
    const reason = listenProblem(error, config) ?? storeProblem(error, config) ?? messageOf(error)
    await tell({ countersign: 'failed', reason })
    process.exit(1)
  }
}

/** Resolves when the supervisor says so, when it is gone, or when somebody ends this one process. */
function untilStopped(self: Worker, figures: WorkerFigures, tell: Tell): Promise<void> {
  return new Promise((resolve) => {
    process.on('message', (message: unknown) => {
      if (!isToWorker(message)) return
      if (message.countersign === 'stop') resolve()
      else if (message.countersign === 'ping') void tell({ countersign: 'pong' })
      else if (message.countersign === 'scraped') figures.answer(message)
      else void figures.send(message.round)
    })
    // Node would end a worker at once whose supervisor is gone; it has requests to finish.
    self.on('disconnect', () => {
      self.exitedAfterDisconnect = true
      resolve()
    })
    process.on('SIGTERM', () => resolve())
    for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
  })
}
