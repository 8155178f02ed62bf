import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

export const targets = ['floor', 'better-auth-consume', 'better-auth', 'countersign'] as const
export type Target = (typeof targets)[number]
export type Synchronous = 'normal' | 'full'

export function targetNamed(name: string): Target {
  const target = targets.find((target) => target === name)
  if (!target) throw new Error(`${name} is not one of ${targets.join()}`)
  return target
}

/**
 * Out of how many client addresses a contestant is called. Everyone's every verification comes from an address of
 * its own, so that limits stay as they are by default; only better-auth, whose limiter walks all the addresses of
 * the last minute at every request, is spared that by a small pool and raised limits.
 */
export function addressPool(target: Target, override?: string): number {
  return Number(override ?? (target.startsWith('better-auth') ? 256 : 2 ** 24))
}

/** A contestant that answers, and how to end it. */
export interface Running {
  target: Target
  pid: number
  origin: string
  dataDir: string
  /** From the start of the process until /readyz answered 200. */
  readyMs: number
  stop(): Promise<void>
}

export interface StartOptions {
  target: Target
  synchronous: Synchronous
  dataDir: string
  nodeArgs?: string[]
}

/** The secret key that Countersign is given and the load generator presents; new in every process. */
export const apiKey = process.env['BENCH_API_KEY'] ?? `sk_${randomBytes(32).toString('hex')}`
process.env['BENCH_API_KEY'] = apiKey

const secretKey = randomBytes(32).toString('base64url')
const bench = import.meta.dirname
export const serverDir = join(bench, '../server')
const countersignEntry = join(serverDir, 'countersign.mjs')

/** Whether there is a Countersign to measure. */
export function serverExists(): boolean {
  return existsSync(countersignEntry)
}

/** A new folder on the disk of the repository (a RAM disk would hide the cost of syncing), and its removal. */
export function scratch(): { dir: string; remove: () => void } {
  const root = join(bench, 'results', `run-${process.pid}.tmp`)
  mkdirSync(root, { recursive: true })
  const remove = () => rmSync(root, { recursive: true, force: true })
  process.once('exit', remove)
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
  return { dir: root, remove }
}

/** Starts a contestant in its own process and waits until it is ready. */
export async function startTarget(options: StartOptions): Promise<Running> {
  mkdirSync(options.dataDir, { recursive: true })
  const port = await freePort()
  const logFile = join(options.dataDir, `${options.target}.log`)
  const log = openSync(logFile, 'a')
  const began = performance.now()
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), ...command(options.target)], {
    env: environment(options, port),
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const endWithParent = () => child.kill('SIGKILL')
  process.once('exit', endWithParent)
  const origin = `http://127.0.0.1:${port}`
  await ready(child, origin, logFile)
  return {
    target: options.target,
    pid: child.pid ?? 0,
    origin,
    dataDir: options.dataDir,
    readyMs: performance.now() - began,
    stop: async () => {
      process.off('exit', endWithParent)
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

function command(target: Target): string[] {
  // As `npm start` starts it.
  if (target === 'countersign') return ['--max-semi-space-size=8', countersignEntry, 'serve']
  return [join(bench, 'servers', target === 'floor' ? 'floor.ts' : 'better-auth.ts')]
}

/** Only PATH and HOME are inherited, so that a setting in the caller's shell cannot favour anyone. */
function environment({ target, synchronous, dataDir }: StartOptions, port: number): NodeJS.ProcessEnv {
  const common = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    PORT: String(port),
    DATA_DIR: dataDir,
    SECRET_KEY: secretKey,
    LOG_LEVEL: 'info',
  }
  if (target !== 'countersign') return { ...common, NODE_ENV: 'production', BENCH_SYNCHRONOUS: synchronous }
  return {
    ...common,
    HOST: '127.0.0.1',
    DEV_MODE: 'true',
    SMS_PROVIDER: 'mock',
    API_KEYS: apiKey,
    SQLITE_SYNCHRONOUS: synchronous,
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function ready(child: ChildProcess, origin: string, logFile: string): Promise<void> {
  const deadline = performance.now() + 20_000
  while (performance.now() < deadline && child.exitCode === null) {
    const status = await fetch(`${origin}/readyz`).then(
      (response) => response.status,
      () => 0,
    )
    if (status === 200) return
    await sleep(5)
  }
  child.kill('SIGKILL')
  throw new Error(
    `${child.spawnargs.join(' ')} was not ready. Its last words:\n${readFileSync(logFile, 'utf8').slice(-2000)}`,
  )
}
