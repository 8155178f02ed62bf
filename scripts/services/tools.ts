import { type ExecFileOptions, execFile, execFileSync, spawn } from 'node:child_process'
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/countersign-services')
const WATCHDOG = join(import.meta.dirname, 'watchdog.ts')
const INSTALL_MS = 600_000
const START_MS = 30_000
const STOP_MS = 10_000
const LOG_LINES = 15
const handedOut = new Set<number>()

/** Something a service needs is not on this machine; the message says what, and what to do about it. */
export class Missing extends Error {}

/** A service's process. */
export type Running = {
  /** Resolves when it has ended. */
  readonly exited: Promise<void>
  readonly isRunning: () => boolean
  /** Sends it a signal and waits for its end, which is kill -9 when the signal did not do. */
  stop(signal: NodeJS.Signals): Promise<void>
}

/** Where the machine has this program, looking at these folders after PATH. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  const path = (process.env['PATH'] ?? '').split(delimiter)
  return [...path, ...folders].map((folder) => join(folder, name)).find((file) => existsSync(file))
}

/** Runs a command to its end; rejects with the last lines that it printed. */
export function run(
  command: string,
  args: readonly string[],
  options: ExecFileOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const all = { timeout: INSTALL_MS, maxBuffer: 1 << 26, ...options, encoding: 'utf8' as const }
    const child = execFile(command, args, all, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else
        reject(
          new Error(
            `${command} ${args.join(' ')} failed: ${lastLines(`${stdout}${stderr}` || error.message)}`,
          ),
        )
    })
    child.stdin?.end()
  })
}

/** The folder of this name in the cache, filled once: half-filled ones are never seen, not even by another run. */
export async function cached(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(CACHE, name)
  if (existsSync(folder)) return folder
  const draft = `${folder}.${process.pid}`
  mkdirSync(draft, { recursive: true })
  try {
    await fill(draft)
    if (!existsSync(folder)) renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return folder
}

/** A new temporary folder that belongs to whoever runs the service. */
export function makeServiceFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `countersign-${name}-`))
  const user = serviceUser()
  if (user !== undefined) chownSync(folder, idOf('-u', user), idOf('-g', user))
  return folder
}

/** Who runs what refuses to run as root; undefined where this process is not root anyway. */
export function serviceUser(): string | undefined {
  if (process.getuid?.() !== 0) return undefined
  return /^postgres:/m.test(readFileSync('/etc/passwd', 'utf8')) ? 'postgres' : 'nobody'
}

/** The command that runs another as `serviceUser`. */
export function asServiceUser(command: readonly string[]): readonly string[] {
  const user = serviceUser()
  if (user === undefined) return command
  return ['setpriv', `--reuid=${user}`, `--regid=${idOf('-g', user)}`, '--clear-groups', ...command]
}

/**
 * A free port. Below those that outgoing connections are given: a service that restarts must find its port free.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000)
    if (handedOut.has(port)) continue
    handedOut.add(port)
    if (await isFree(port)) return port
  }
}

/**
 * Starts a service under its watchdog, with its output in `service.log` of its folder, and resolves when `isReady`
 * does not reject any more.
 */
export async function launch(
  folder: string,
  command: readonly string[],
  isReady: () => Promise<unknown>,
  lastSignal: NodeJS.Signals = 'SIGKILL',
): Promise<Running> {
  const log = join(folder, 'service.log')
  const out = openSync(log, 'a')
  const child = spawn(process.execPath, [WATCHDOG, folder, lastSignal, ...command], {
    detached: true,
    env: cleanEnvironment(),
    stdio: ['pipe', out, out],
  })
  closeSync(out)
  const orders = child.stdin as Writable
  // A line to a watchdog that has just ended is of no interest.
  orders.on('error', () => undefined)
  child.unref()
  let isRunning = true
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      isRunning = false
      resolve()
    })
  })
  const stop = async (signal: NodeJS.Signals) => {
    if (!isRunning) return
    child.ref()
    orders.write(`${signal}\n`)
    const late = setTimeout(() => orders.write('SIGKILL\n'), STOP_MS)
    await exited
    clearTimeout(late)
  }
  const until = performance.now() + START_MS
  for (;;) {
    try {
      await isReady()
      if (isRunning) return { exited, isRunning: () => isRunning, stop }
    } catch (error) {
      if (isRunning && performance.now() < until) {
        await sleep(30)
        continue
      }
      await stop('SIGKILL')
      throw new Error(`${command.join(' ')} did not start: ${lastLines(readFileSync(log, 'utf8'))}`, {
        cause: error,
      })
    }
    throw new Error(`${command.join(' ')} ended: ${lastLines(readFileSync(log, 'utf8'))}`)
  }
}

/** Sends this to a port and resolves with the answer's beginning; rejects when nothing answers. */
export function ask(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const fail = (error: Error) => {
      socket.destroy()
      reject(error)
    }
    socket.setTimeout(2000, () => fail(new Error('no answer in time')))
    socket.once('error', fail)
    socket.once('close', () => fail(new Error('closed without an answer')))
    socket.once('data', (data) => {
      resolve(data.toString('latin1'))
      socket.destroy()
    })
    socket.once('connect', () => {
      if (request !== '') socket.write(request)
      else {
        resolve('')
        socket.destroy()
      }
    })
  })
}

/** Deletes a stopped service's folder. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
}

/** Without what would point a service or its tools somewhere else. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([key]) => !/^(PG|NODE_|VITEST|JAVA_TOOL)/.test(key))
  return { ...Object.fromEntries(entries), LC_ALL: 'C' }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-LOG_LINES).join('\n')
}

function idOf(kind: '-u' | '-g', user: string): number {
  return Number(execFileSync('id', [kind, user], { encoding: 'utf8' }))
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
