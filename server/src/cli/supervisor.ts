import cluster, { type Worker } from 'node:cluster'
import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { makeLog } from '../log.ts'
import { type MadeForDevelopment, prepare } from '../main.ts'
import { banner } from './banner.ts'
import { WAIT_MS } from './server.ts'
import { SupervisorFigures } from './supervisor-figures.ts'
import { warnOfTimeout } from './timeout-warning.ts'
import { type FromWorker, isFromWorker, type ToWorker } from './worker-messages.ts'

/** A worker that has been up for so long has started well; one that ends sooner has not. */
const SETTLED_MS = 10_000
/** After so many in a row that ended early, with none left that started well, there is no use in going on. */
const EARLY_ENDS_MAX = 5
const RESTART_MS = 250
const RESTART_MAX_MS = 30_000
/** A worker that does not answer for so long hangs, and in it is asked so often. */
const HUNG_MS = 30_000
const PINGS = 6
/** A little more than the workers give themselves, and less than ten seconds. */
const STOP_MS = 9_800

/**
 * Starts workers on one port and keeps so many running, in the place of those that end or that answer nothing for
 * `hungMs` milliseconds; ends the process with them.
 */
export async function supervise(
  config: Config,
  count: number,
  args: readonly string[],
  { hungMs = HUNG_MS }: { readonly hungMs?: number } = {},
): Promise<void> {
  const log = makeLog(config)
  const made = await prepare(config, log, WAIT_MS)
  cluster.setupPrimary({ args: [...args] })
  const supervisor = new Supervisor(config, count, log, made, hungMs)
  closeWithGrace(
    {
      delay: STOP_MS,
      logger: false,
      onTimeout: () => supervisor.kill(),
      onSecondSignal: () => supervisor.kill(),
    },
    async ({ err }) => {
      if (err) log.fatal({ err }, 'stopping')
      await supervisor.stop()
      await flush(log)
    },
  )
  supervisor.start()
  void warnOfTimeout(config, log)
}

type State = {
  readonly worker: Worker
  isUp: boolean
  settled: boolean
  /** How often it was asked since it last answered. */
  unanswered: number
  isHung: boolean
  reason?: string
}

class Supervisor {
  readonly #config: Config
  readonly #count: number
  readonly #log: Logger
  readonly #made: MadeForDevelopment
  readonly #hungMs: number
  readonly #figures = new SupervisorFigures()
  readonly #workers = new Map<number, State>()
  readonly #restarts = new Set<NodeJS.Timeout>()
  #earlyEnds = 0
  #wasUp = false
  #isStopping = false
  #stopped: () => void = () => {}
  #asking: NodeJS.Timeout | undefined

  constructor(config: Config, count: number, log: Logger, made: MadeForDevelopment, hungMs: number) {
    this.#config = config
    this.#count = count
    this.#log = log
    this.#made = made
    this.#hungMs = hungMs
  }

  start(): void {
    for (let n = 0; n < this.#count; n++) this.#fork()
    this.#asking = setInterval(() => this.#askAll(), this.#hungMs / PINGS).unref()
  }

  /** Lets every worker finish what it does; resolves when all have ended. */
  async stop(): Promise<void> {
    this.#isStopping = true
    clearInterval(this.#asking)
    for (const restart of this.#restarts) clearTimeout(restart)
    const stopped = new Promise<void>((resolve) => (this.#stopped = resolve))
    if (this.#workers.size === 0) return
    for (const { worker } of this.#workers.values()) tell(worker, { countersign: 'stop' })
    await stopped
  }

  /** Ends every worker at once. */
  kill(): void {
    for (const { worker } of this.#workers.values()) worker.process.kill('SIGKILL')
  }

  #fork(): void {
    const worker = cluster.fork()
    const state: State = { worker, isUp: false, settled: false, unanswered: 0, isHung: false }
    this.#workers.set(worker.id, state)
    worker.on('message', (message: unknown) => {
      if (isFromWorker(message)) this.#hear(state, message)
    })
    worker.on('error', (err) => this.#log.error({ err, worker: worker.id }, 'a worker cannot be reached'))
    worker.on('exit', (code, signal) => this.#ended(state, signal ?? `exit code ${code}`))
  }

  #hear(state: State, message: FromWorker): void {
    const { worker } = state
    switch (message.countersign) {
      case 'up':
        this.#up(state, message.port)
        break
      case 'failed':
        state.reason = message.reason
        break
      case 'pong':
        state.unanswered = 0
        break
      case 'figures':
        this.#figures.take(worker.id, message)
        break
      case 'scrape':
        void this.#figures
          .gather(this.#reachable())
          .then((text) => tell(worker, { countersign: 'scraped', id: message.id, text }))
    }
  }

  #up(state: State, port: number): void {
    const { host } = this.#config.http
    state.isUp = true
    this.#log.info({ worker: state.worker.id, pid: state.worker.process.pid }, 'a worker is up')
    setTimeout(() => {
      if (!this.#workers.has(state.worker.id)) return
      state.settled = true
      this.#earlyEnds = 0
    }, SETTLED_MS).unref()
    if (this.#wasUp || [...this.#workers.values()].filter(({ isUp }) => isUp).length < this.#count) return
    this.#wasUp = true
    this.#log.info({ port, host, workers: this.#count }, 'listening')
    if (this.#config.dev.mode) console.log(banner(this.#config, port, this.#made))
  }

  /**
   * Asks every worker that is up whether it still does anything, and ends one that has not answered so often. That is
   * counted in our own turns and not in time: while this process was held up itself, as by a machine that slept, it
   * asked nobody, and an answer that is there is read before the next turn.
   */
  #askAll(): void {
    for (const state of this.#workers.values()) {
      if (!state.isUp) continue
      if (state.unanswered >= PINGS) {
        state.isHung = true
        state.worker.process.kill('SIGKILL')
      }
      state.unanswered++
      tell(state.worker, { countersign: 'ping' })
    }
  }

  #ended(state: State, how: string): void {
    const { worker } = state
    this.#workers.delete(worker.id)
    void this.#figures.end(worker.id)
    if (this.#isStopping) {
      if (this.#workers.size === 0) this.#stopped()
      return
    }
    const hung = `it did not answer for ${this.#hungMs / 1000} s and was killed`
    const reason = state.reason ?? (state.isHung ? hung : how)
    if (!state.settled) this.#earlyEnds++
    // What keeps a first worker from starting will keep the next one too; and there is nobody to serve meanwhile.
    const isHopeless = !this.#wasUp && state.reason !== undefined
    const isLast = ![...this.#workers.values()].some(({ settled }) => settled)
    if (isHopeless || (this.#earlyEnds >= EARLY_ENDS_MAX && isLast)) return this.#giveUp(reason)
    this.#log.error({ worker: worker.id, reason }, 'a worker ended; another takes its place')
    this.#figures.restarted()
    const pause = state.settled
      ? 0
      : Math.min(RESTART_MAX_MS, RESTART_MS * 2 ** Math.min(this.#earlyEnds, 10))
    const restart = setTimeout(() => {
      this.#restarts.delete(restart)
      this.#fork()
    }, pause)
    this.#restarts.add(restart)
  }

  #giveUp(reason: string): void {
    this.#isStopping = true
    for (const restart of this.#restarts) clearTimeout(restart)
    const what = this.#wasUp ? 'stops: its workers end again and again' : 'cannot start'
    console.error(`Countersign ${what}: ${reason}`)
    this.kill()
    this.#log.flush(() => process.exit(1))
  }

  #reachable(): ReadonlyMap<number, (message: ToWorker) => void> {
    const up = [...this.#workers.values()].filter(({ isUp, worker }) => isUp && worker.isConnected())
    return new Map(up.map(({ worker }) => [worker.id, (message: ToWorker) => tell(worker, message)]))
  }
}

function tell(worker: Worker, message: ToWorker): void {
  // A worker that has just ended hears nothing; its end is seen by itself.
  if (worker.isConnected()) worker.send(message, () => {})
}

function flush(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    log.flush(() => resolve())
  })
}
