import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Pool } from 'undici'
import { endAll, makeFolder, running } from './scratch.ts'

export { endAll as endProcesses, makeFolder }

/** The settings' secret of every server process, so that a test can derive what the server derives. */
export const SECRET_KEY = 'secret-of-the-process-tests-of-32-characters-or-more'
export const SK = 'sk_countersign_process_secret_0123456789'
export const PK = 'pk_countersign_process_browser_0123456789'

const MAIN = join(import.meta.dirname, '../../countersign.mjs')
const BOOT_MS = 30_000
const CONNECTIONS = 48

/** Whatever a call answers with; members that are not there are undefined. */
export type Wire = {
  readonly id?: string
  readonly status?: string | number
  readonly reason?: string
  readonly valid?: boolean
  readonly proof?: string
  readonly preview_code?: string
  readonly checks_left?: number
  readonly sends_left?: number
  readonly created_at?: string
  readonly expires_at?: string
  readonly resend_at?: string
  readonly decided_at?: string | null
  readonly sends?: readonly { readonly id: string; readonly status: string; readonly error: string | null }[]
  readonly code?: string
  readonly detail?: string
  readonly limit?: string
  readonly retry_after?: number
  readonly data?: readonly InboxMessage[]
}

/** A message as the development inbox shows it. */
export type InboxMessage = { readonly to: string; readonly body: string; readonly at: string }

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly body: Wire
}

export type Call = {
  /** `sk` unless told; `none` sends no key. */
  readonly key?: 'sk' | 'pk' | 'none' | (string & {})
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

/** How a process ended. */
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type ProcessOptions = {
  /** Working folder and data folder; servers that share one share its SQLite file. A new one unless told. */
  readonly folder?: string
  /** Environment variables over the usual ones; undefined takes one away. */
  readonly settings?: Readonly<Record<string, string | undefined>>
  /** How far its clock is from this machine's, in seconds. */
  readonly clockSeconds?: number
  /** Where its output goes: `none` throws it away; a file unless told. */
  readonly output?: 'file' | 'none'
  /** JavaScript that runs before the server and breaks a part of it; `require` finds what the server imports. */
  readonly breakage?: string
}

/**
 * What every server process runs before the server: tells its port, lets the test move its clock, and ends the
 * process when the test is gone. Nothing of the server's own is touched, unless the test breaks it.
 */
function preload({ clockSeconds = 0, breakage }: ProcessOptions): string {
  const source = `
    import net from 'node:net'
    let shiftMs = ${clockSeconds * 1000}
    let frozenAt
    const now = Date.now
    Date.now = () => frozenAt ?? now() + shiftMs
    const listen = net.Server.prototype.listen
    net.Server.prototype.listen = function (...args) {
      this.once('listening', () => process.send?.({ port: this.address().port }))
      return listen.apply(this, args)
    }
    process.on('message', (message) => {
      shiftMs = message.shiftMs ?? shiftMs
      frozenAt = message.frozenAt
      process.send?.({ shifted: shiftMs })
    })
    process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
    process.channel?.unref()`
  const broken = `
    import { createRequire } from 'node:module'
    const require = createRequire(${JSON.stringify(MAIN)})
    ${breakage}`
  return `data:text/javascript,${encodeURIComponent(breakage === undefined ? source : source + broken)}`
}

/** A real server process, talked to over HTTP as anybody would. */
export class ServerProcess {
  readonly folder: string
  readonly port: number
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #pool: Pool
  readonly #options: ProcessOptions
  readonly #log: string

  private constructor(
    child: ChildProcess,
    started: { folder: string; port: number; log: string; exited: Promise<Exit> },
    options: ProcessOptions,
  ) {
    this.#child = child
    this.#options = options
    this.#log = started.log
    this.folder = started.folder
    this.port = started.port
    this.exited = started.exited
    this.#pool = new Pool(this.url, { connections: CONNECTIONS, bodyTimeout: 60_000, headersTimeout: 60_000 })
  }

  /** Boots a server and resolves once it listens; rejects with what it printed when it does not. */
  static async start(options: ProcessOptions = {}): Promise<ServerProcess> {
    const folder = options.folder ?? makeFolder()
    const log = join(folder, `${process.hrtime.bigint()}`)
    const isKept = options.output !== 'none'
    const out = openSync(isKept ? `${log}.out` : '/dev/null', 'w')
    const err = openSync(isKept ? `${log}.err` : '/dev/null', 'w')
    const child = spawn(process.execPath, ['--import', preload(options), MAIN, 'serve'], {
      cwd: folder,
      env: environment(folder, options),
      stdio: ['ignore', out, err, 'ipc'],
    })
    closeSync(out)
    closeSync(err)
    const exited = new Promise<Exit>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
    })
    running.add(child)
    void exited.then(() => running.delete(child))
    const port = await Promise.race([
      message<number>(child, 'port'),
      exited.then(() => undefined),
      new Promise<undefined>((resolve) => {
        setTimeout(() => resolve(undefined), BOOT_MS).unref()
      }),
    ])
    if (port === undefined) {
      child.kill('SIGKILL')
      throw new Error(`the server did not start: ${isKept ? readFileSync(`${log}.err`, 'utf8') : ''}`)
    }
    return new ServerProcess(child, { folder, port, log, exited }, options)
  }

  /** Boots several on one SQLite file. */
  static async startSeveral(count: number, options: ProcessOptions = {}): Promise<ServerProcess[]> {
    const folder = options.folder ?? makeFolder()
    return Promise.all(Array.from({ length: count }, () => ServerProcess.start({ ...options, folder })))
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** What it has printed: log lines, and whatever else went to standard output. */
  get stdout(): string {
    return readFileSync(`${this.#log}.out`, 'utf8')
  }

  get stderr(): string {
    return readFileSync(`${this.#log}.err`, 'utf8')
  }

  /** The SQLite file. */
  get database(): string {
    return join(this.folder, 'data/countersign.db')
  }

  async call(method: string, path: string, call: Call = {}): Promise<Answer> {
    const { statusCode, headers, body } = await this.#pool.request({
      method,
      path,
      headers: { ...requestHeaders(call.key, call.body !== undefined), ...call.headers },
      body: call.body === undefined ? null : JSON.stringify(call.body),
    })
    const text = await body.text()
    const isJson = String(headers['content-type']).includes('json')
    return { status: statusCode, headers, text, body: isJson ? (JSON.parse(text) as Wire) : {} }
  }

  start(to: string, more: object = {}, call: Call = {}): Promise<Answer> {
    return this.call('POST', '/v1/verifications', { ...call, body: { to, ...more } })
  }

  check(id: string, code: string, call: Call = {}): Promise<Answer> {
    return this.call('POST', `/v1/verifications/${id}/check`, { ...call, body: { code } })
  }

  async read(id: string): Promise<Wire> {
    return (await this.call('GET', `/v1/verifications/${id}`)).body
  }

  /** The messages this process sent, newest first. */
  async inbox(to?: string): Promise<readonly InboxMessage[]> {
    const query = to === undefined ? '' : `&to=${encodeURIComponent(to)}`
    return (await this.call('GET', `/dev/inbox/messages?limit=500${query}`)).body.data ?? []
  }

  /** Sets how far its clock is from this machine's. */
  setClock(seconds: number): Promise<void> {
    return this.#tell({ shiftMs: seconds * 1000 })
  }

  /** Stops its clock at this time, until the next `setClock`. */
  freezeClock(atMs: number): Promise<void> {
    return this.#tell({ frozenAt: atMs })
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited
    await this.#pool.destroy()
  }

  /** SIGTERM; resolves with how it ended and how long that took. */
  async stop(): Promise<Exit & { readonly ms: number }> {
    const from = performance.now()
    this.#child.kill('SIGTERM')
    const exit = await this.exited
    await this.#pool.destroy()
    return { ...exit, ms: performance.now() - from }
  }

  async #tell(what: { shiftMs: number } | { frozenAt: number }): Promise<void> {
    const done = message<number>(this.#child, 'shifted')
    this.#child.send(what)
    await done
  }

  /** Boots another on the same data, with the same settings unless told. */
  again(options: ProcessOptions = {}): Promise<ServerProcess> {
    return ServerProcess.start({ ...this.#options, folder: this.folder, ...options })
  }
}

/** The n-th of eight million numbers of the United States that are valid and take texts. */
export function numberOf(n: number): string {
  return `+1415${2_000_000 + n}`
}

/** The head that a raw request of one of these servers carries. */
export function requestHeaders(key: Call['key'] = 'sk', hasBody = true): Record<string, string> {
  const token = key === 'sk' ? SK : key === 'pk' ? PK : key
  return {
    ...(key === 'none' ? {} : { authorization: `Bearer ${token}` }),
    ...(hasBody ? { 'content-type': 'application/json' } : {}),
  }
}

function environment(folder: string, options: ProcessOptions): Record<string, string> {
  const settings: Record<string, string | undefined> = {
    PATH: process.env['PATH'],
    NODE_ENV: 'test',
    PORT: '0',
    HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
    DEV_MODE: 'true',
    DATA_DIR: join(folder, 'data'),
    SECRET_KEY,
    API_KEYS: `${SK},${PK}`,
    SMS_PROVIDER: 'mock',
    STARTS_PER_ADDRESS_HOUR: '1000',
    CHECKS_PER_ADDRESS_HOUR: '1000',
    WRONG_CHECKS_PER_ADDRESS_DAY: '1000',
    ...options.settings,
  }
  return Object.fromEntries(
    Object.entries(settings).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

/** The next message of a child that has this member. */
function message<T>(child: ChildProcess, member: string): Promise<T> {
  return new Promise((resolve) => {
    const listen = (sent: Record<string, unknown>) => {
      if (!(member in sent)) return
      child.off('message', listen)
      resolve(sent[member] as T)
    }
    child.on('message', listen)
  })
}
