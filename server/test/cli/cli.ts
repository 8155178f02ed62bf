import { type ChildProcess, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { endAll, makeFolder, running } from '../helpers/scratch.ts'

export { endAll, makeFolder }

/** The command line, as it is run from the sources. */
export const MAIN = join(import.meta.dirname, '../../countersign.mjs')

const RUN_MS = 20_000
const BOOT_MS = 20_000

/** How a process ended and what it printed. */
export type Ran = {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Where a command runs, and the variables it sees: nothing of this process's own but PATH. */
export type Place = { readonly cwd: string; readonly env?: Readonly<Record<string, string>> }

/** A server that listens. */
export type Serving = {
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly exited: Promise<Ran>
  /** What it has printed so far. */
  readonly stdout: () => string
  /** Calls it with a key; a body makes it a POST. */
  call(path: string, key: string, body?: object, headers?: Record<string, string>): Promise<Called>
  /** Sends it a signal, SIGINT (Ctrl-C) unless told; resolves with how it ended. */
  stop(signal?: NodeJS.Signals): Promise<Ran>
}

export type Called = { readonly status: number; readonly body: Wire }

/** The members of answers that these tests look at; the others are not there. */
export type Wire = {
  readonly id: string
  readonly valid: boolean
  readonly reason: string
  readonly code: string
  readonly preview_code?: string
  readonly checks_left: number
  readonly data: readonly { readonly body: string }[]
}

/** Runs `countersign …` to its end. One that does not end is killed, which `signal` then tells. */
export function countersign(args: readonly string[], place: Place): Promise<Ran> {
  return execute(process.execPath, [MAIN, ...args], place)
}

/** Runs any program to its end. */
export async function execute(program: string, args: readonly string[], place: Place): Promise<Ran> {
  const { child, exited } = launch(program, args, place)
  const late = setTimeout(() => child.kill('SIGKILL'), RUN_MS)
  return exited.finally(() => clearTimeout(late))
}

/**
 * Runs `countersign serve …`, or another program that takes its place, on a free port until it listens; rejects with
 * what it printed when it does not.
 */
export async function serve(args: readonly string[], place: Place, main = MAIN): Promise<Serving> {
  const { child, exited, stdout } = launch(process.execPath, [main, 'serve', ...args], {
    ...place,
    env: { PORT: '0', ...place.env },
  })
  const port = await listening(child, exited, stdout)
  // Not `localhost`, which may be another address than the one it listens on.
  const url = `http://${place.env?.['HOST'] ?? '127.0.0.1'}:${port}`
  return {
    url,
    port,
    pid: child.pid ?? 0,
    exited,
    stdout,
    call: async (path, key, body, headers) => {
      const answer = await fetch(url + path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await answer.text()
      return { status: answer.status, body: (text.startsWith('{') ? JSON.parse(text) : {}) as Wire }
    },
    stop: (signal = 'SIGINT') => {
      child.kill(signal)
      return exited
    },
  }
}

/** The keys that `serve` printed. */
export function printedKeys(stdout: string): { secret: string; publishable: string } {
  const secret = /Secret key +(sk_\S+)/.exec(stdout)?.[1]
  const publishable = /Publishable +(pk_\S+)/.exec(stdout)?.[1]
  if (secret === undefined || publishable === undefined) throw new Error(`no keys were printed: ${stdout}`)
  return { secret, publishable }
}

function launch(program: string, args: readonly string[], { cwd, env }: Place) {
  const child = spawn(program, args, {
    cwd,
    env: { PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, HOME: cwd, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const exited = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve({ code, signal, stdout, stderr })
    })
  })
  return { child, exited, stdout: () => stdout }
}

/** Waits for the log line that names the port. */
async function listening(child: ChildProcess, exited: Promise<Ran>, stdout: () => string): Promise<number> {
  let ended: Ran | undefined
  void exited.then((ran) => (ended = ran))
  const until = Date.now() + BOOT_MS
  for (;;) {
    const port = /"port":(\d+),.*"msg":"listening"/.exec(stdout())?.[1]
    if (port !== undefined) return Number(port)
    if (ended !== undefined) throw new Error(`it ended with ${ended.code}: ${ended.stderr}`)
    if (Date.now() > until) {
      child.kill('SIGKILL')
      throw new Error(`it did not start: ${stdout()}`)
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 10)
    })
  }
}
