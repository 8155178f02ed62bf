import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Installs packages as they are published now into a folder of their own. Their scripts do not run. */
export async function install(folder: string, packages: readonly string[]): Promise<void> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  if (packages.length === 0) return
  // What they want beside them is named: else npm would bring a whole Next.js for Clerk.
  await npm(folder, 'install', '--legacy-peer-deps', '--no-package-lock', ...packages)
}

/** Unpacks a package as a CDN has it: the files alone, and not what it depends on. Gives its folder. */
export async function unpack(folder: string, spec: string): Promise<string> {
  const target = join(folder, 'cdn', spec.replaceAll(/[^a-z0-9.-]/g, '_'))
  mkdirSync(target, { recursive: true })
  const { stdout } = await npm(target, 'pack', spec)
  await run('tar', ['xzf', stdout.trim().split('\n').at(-1) ?? ''], { cwd: target })
  return join(target, 'package')
}

/** The version of a package that lies in a folder. */
export function versionOf(folder: string): string {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  return version
}

function npm(cwd: string, ...args: readonly string[]): Promise<{ stdout: string }> {
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  return run('npm', [...args, ...quiet], { cwd, encoding: 'utf8' })
}
