import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  Missing,
  type Running,
  asServiceUser,
  findProgram,
  freePort,
  launch,
  makeServiceFolder,
  removeFolder,
  run,
} from './tools.ts'

const DEBIAN = '/usr/lib/postgresql'
const MAX_CONNECTIONS = 300
const STOP_SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const
/** After kill -9, Postgres refuses to start until the last of its old processes has noticed. */
const RESTART_TRIES = 20

/** A Postgres of its own: its cluster, its port, everyone trusted. */
export type PostgresServer = {
  readonly url: string
  readonly port: number
  /** Holds `service.log`, and whatever else it keeps on disk. */
  readonly folder: string
  /** Starts it again on the same data and the same port. */
  start(): Promise<void>
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  /** kill -9. */
  kill(): Promise<void>
  /** Stops it and deletes its data. */
  remove(): Promise<void>
}

/** The folder of the newest Postgres server programs on this machine. */
export function findPostgres(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : []
  const folders = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(DEBIAN, version, 'bin'))
  const initdb = findProgram('initdb', folders)
  // PATH may hold a link to one of several programs that belong together.
  return initdb === undefined ? undefined : dirname(realpathSync(initdb))
}

/** Starts a Postgres in a new folder. `settings` are lines over those of `postgresql.conf`. */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<PostgresServer> {
  const programs = findPostgres()
  if (programs === undefined) throw new Missing('no initdb, neither in PATH nor in /usr/lib/postgresql')
  const all = Object.entries({ ...(await usualSettings(programs)), ...settings })
  const folder = makeServiceFolder('postgres')
  const data = join(folder, 'data')
  const port = await freePort()
  const isReady = () => run(join(programs, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', `${port}`])
  const make = `'${join(programs, 'initdb')}' -D '${data}' -U postgres -A trust -E UTF8 --no-locale --no-sync`
  // One command, so that the watchdog answers for both.
  const command = asServiceUser([
    'sh',
    '-c',
    `[ -e '${data}' ] || ${make} || exit; exec "$@"`,
    'sh',
    join(programs, 'postgres'),
    '-D',
    data,
    '-p',
    `${port}`,
    '-h',
    '127.0.0.1',
    '-k',
    '',
    ...all.flatMap(([key, value]) => ['-c', `${key}=${value}`]),
  ])
  let running: Running | undefined

  const start = async () => {
    if (running?.isRunning() === true) return
    for (let tries = 1; ; tries++) {
      try {
        running = await launch(folder, command, isReady, 'SIGQUIT')
        return
      } catch (error) {
        if (tries === RESTART_TRIES || !String(error).includes('shared memory block')) throw error
      }
    }
  }
  const end = async (signal: NodeJS.Signals) => running?.stop(signal)
  const remove = async () => {
    await end('SIGQUIT')
    removeFolder(folder)
  }

  try {
    await start()
  } catch (error) {
    await remove()
    throw error
  }
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    folder,
    start,
    stop: (mode = 'fast') => end(STOP_SIGNALS[mode]),
    kill: () => end('SIGKILL'),
    remove,
  }
}

/** Durable as in production: tests kill servers and count what was kept. */
async function usualSettings(programs: string): Promise<Record<string, string>> {
  const libraries = (await run(join(programs, 'pg_config'), ['--pkglibdir'])).trim()
  const hasStatements = existsSync(join(libraries, 'pg_stat_statements.so'))
  return {
    max_connections: `${MAX_CONNECTIONS}`,
    fsync: 'on',
    synchronous_commit: 'on',
    ...(hasStatements ? { shared_preload_libraries: 'pg_stat_statements' } : {}),
  }
}
