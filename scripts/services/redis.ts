import {
  Missing,
  type Running,
  ask,
  findProgram,
  freePort,
  launch,
  makeServiceFolder,
  removeFolder,
} from './tools.ts'

/** Every test takes a database of its own. */
const DATABASES = 4096

/** A Redis of its own, without persistence: what it held is gone after a stop. */
export type RedisServer = {
  readonly url: string
  readonly port: number
  /** Holds `service.log`, and whatever else it keeps on disk. */
  readonly folder: string
  /** Starts it again, empty, on the same port. */
  start(): Promise<void>
  stop(): Promise<void>
  /** kill -9. */
  kill(): Promise<void>
  /** Stops it and deletes its folder. */
  remove(): Promise<void>
}

/** Where this machine has a Redis server. */
export function findRedis(): string | undefined {
  return findProgram('redis-server', ['/usr/sbin', '/usr/local/sbin'])
}

/** Starts a Redis. `settings` are arguments over the usual ones. */
export async function startRedis(settings: readonly string[] = []): Promise<RedisServer> {
  const program = findRedis()
  if (program === undefined) throw new Missing('no redis-server in PATH')
  const folder = makeServiceFolder('redis')
  const port = await freePort()
  const usual = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  const isReady = async () => {
    const answer = await ask(port, 'PING\r\n')
    if (!answer.startsWith('+PONG')) throw new Error(answer)
  }
  let running: Running | undefined

  const start = async () => {
    if (running?.isRunning() === true) return
    running = await launch(folder, [program, ...usual, '--databases', `${DATABASES}`, ...settings], isReady)
  }
  const end = async (signal: NodeJS.Signals) => running?.stop(signal)
  const remove = async () => {
    await end('SIGKILL')
    removeFolder(folder)
  }

  try {
    await start()
  } catch (error) {
    await remove()
    throw error
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    folder,
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    remove,
  }
}
