import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  Missing,
  asServiceUser,
  findProgram,
  freePort,
  launch,
  makeServiceFolder,
  removeFolder,
  ask,
} from './tools.ts'

/** A pgbouncer that pools by transaction; `url` is the same database's, through it. */
export type Pgbouncer = { readonly url: string; stop(): Promise<void> }

/** Where this machine has pgbouncer. */
export function findPgbouncer(): string | undefined {
  return findProgram('pgbouncer', ['/usr/sbin', '/usr/local/sbin'])
}

/** Starts a pgbouncer before this database, with this many connections to it. */
export async function startPgbouncer(databaseUrl: string, poolSize = 20): Promise<Pgbouncer> {
  const program = findPgbouncer()
  if (program === undefined) throw new Missing('no pgbouncer in PATH')
  const database = new URL(databaseUrl)
  const folder = makeServiceFolder('pgbouncer')
  const port = await freePort()
  const config = join(folder, 'pgbouncer.ini')
  const behind = {
    host: database.hostname,
    port: database.port || '5432',
    dbname: decodeURIComponent(database.pathname.slice(1)),
    user: decodeURIComponent(database.username),
    ...(database.password === '' ? {} : { password: decodeURIComponent(database.password) }),
  }
  const target = Object.entries(behind).map(([key, value]) => `${key}='${value.replaceAll("'", "''")}'`)
  writeFileSync(
    config,
    `[databases]
* = ${target.join(' ')}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 500
default_pool_size = ${poolSize}
ignore_startup_parameters = extra_float_digits
`,
    { mode: 0o644 },
  )
  const remove = () => removeFolder(folder)
  try {
    const running = await launch(folder, asServiceUser([program, config]), () => ask(port, ''))
    const url = new URL(databaseUrl)
    url.host = `127.0.0.1:${port}`
    url.password = ''
    return {
      url: url.href,
      stop: async () => {
        await running.stop('SIGKILL')
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}
