import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildOtpgateway, otpgatewayFolder } from './otpgateway.ts'

export const targets = [
  'floor',
  'better-auth-consume',
  'better-auth',
  'otpgateway',
  'countersign',
  // The same server, asked through Twilio Verify's API.
  'countersign-twilio',
  // The same servers, asked to sign people in.
  'better-auth-login',
  'countersign-login',
] as const
export type Target = (typeof targets)[number]
/** What everybody's data is in: SQLite with this `synchronous`, Postgres, or Postgres with counters in Redis. */
export const media = ['normal', 'full', 'postgres', 'postgres+redis'] as const
export type Medium = (typeof media)[number]

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

/** Whether a contestant is ours. */
export function isCountersign(target: Target): boolean {
  return target.startsWith('countersign')
}

/**
 * Whether a contestant can run on a medium: otpgateway knows Redis alone, and the codes of Twilio Verify's API are looked up
 * in SQLite.
 */
export function runsOn(target: Target, medium: Medium): boolean {
  if (target === 'countersign-twilio') return !medium.startsWith('postgres')
  return target !== 'otpgateway' || medium === 'postgres+redis'
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
  medium: Medium
  /** The contestant's own database; with `postgres` only. */
  databaseUrl?: string
  /** For counters; with `postgres+redis` only, and for those that count there. */
  redisUrl?: string
  workers?: number
  dataDir: string
  nodeArgs?: string[]
}

/** The secret key that Countersign is given and the load generator presents; new in every process. */
export const apiKey = process.env['BENCH_API_KEY'] ?? `sk_${randomBytes(32).toString('hex')}`
process.env['BENCH_API_KEY'] = apiKey

/** The account that calls Twilio Verify's API, and its token; new in every process. */
export const account = `AC${'0'.repeat(31)}1`
export const accountToken = process.env['BENCH_ACCOUNT_TOKEN'] ?? randomBytes(16).toString('hex')
process.env['BENCH_ACCOUNT_TOKEN'] = accountToken

/** The secret that codes are derived from; new in every process. */
export const secretKey = process.env['BENCH_SECRET_KEY'] ?? randomBytes(32).toString('base64url')
process.env['BENCH_SECRET_KEY'] = secretKey
const bench = import.meta.dirname
export const serverDir = join(bench, '../server')
const countersignEntry = join(serverDir, 'countersign.mjs')

/** Whether there is a Countersign to measure. */
export function serverExists(): boolean {
  return existsSync(countersignEntry)
}

export function mediumNamed(name: string): Medium {
  const medium = media.find((medium) => medium === name)
  if (!medium) throw new Error(`${name} is not one of ${media.join()}`)
  return medium
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
  const [file = '', ...args] = command(options, port)
  const child = spawn(file, args, {
    env: environment(options, port),
    ...(options.target === 'otpgateway' ? { cwd: otpgatewayFolder } : {}),
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

function command({ target, nodeArgs = [], dataDir, redisUrl = '' }: StartOptions, port: number): string[] {
  if (target === 'otpgateway') return buildOtpgateway(dataDir, port, redisUrl)
  const node = [process.execPath, ...nodeArgs]
  // As `npm start` starts it.
  if (isCountersign(target)) return [...node, '--max-semi-space-size=8', countersignEntry, 'serve']
  return [...node, join(bench, 'servers', target === 'floor' ? 'floor.ts' : 'better-auth.ts')]
}

/** Only PATH and HOME are inherited, so that a setting in the caller's shell cannot favour anyone. */
function environment(options: StartOptions, port: number): NodeJS.ProcessEnv {
  const { target, medium, dataDir, databaseUrl, redisUrl, workers } = options
  const common = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    PORT: String(port),
    DATA_DIR: dataDir,
    SECRET_KEY: secretKey,
    LOG_LEVEL: 'info',
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
  }
  const sqlite = databaseUrl === undefined
  if (!isCountersign(target))
    return { ...common, NODE_ENV: 'production', ...(sqlite ? { BENCH_SYNCHRONOUS: medium } : {}) }
  return {
    ...common,
    HOST: '127.0.0.1',
    // The development inbox is one process's, so several workers go without it and tell no codes.
    ...(workers === undefined ? { DEV_MODE: 'true' } : {}),
    SMS_PROVIDER: 'mock',
    ...(target === 'countersign-login' ? { TRUSTED_PROXIES: '127.0.0.1' } : {}),
    API_KEYS: `${apiKey},${account}:${accountToken}`,
    ...(sqlite ? { SQLITE_SYNCHRONOUS: medium } : {}),
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    ...(workers === undefined ? {} : { WORKERS: String(workers) }),
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
    if (status === 200 || (status === 404 && child.spawnargs.some((part) => part.endsWith('otpgateway'))))
      return
    await sleep(5)
  }
  child.kill('SIGKILL')
  throw new Error(
    `${child.spawnargs.join(' ')} was not ready. Its last words:\n${readFileSync(logFile, 'utf8').slice(-2000)}`,
  )
}
