import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, vi } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const MODULES = join(ROOT, 'node_modules')

/**
 * Lays an example into a folder of its own, beside the compiled `countersign/verify-token` and the packages named,
 * as a reader would have it; gives the folder. `server/test/library.test.ts` proves that the package that is packed
 * is made so.
 */
export function installExample(
  name: string,
  { packages = [], beneath = tmpdir() }: { packages?: readonly string[]; beneath?: string } = {},
): string {
  const folder = mkdtempSync(join(beneath, `countersign-example-${name}-`))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(ROOT, 'examples', name), folder, { recursive: true })
  const modules = join(folder, 'node_modules')
  mkdirSync(modules)
  compile(join(modules, 'countersign'))
  for (const each of packages) symlinkSync(join(MODULES, each), join(modules, each))
  return folder
}

function compile(target: string): void {
  mkdirSync(target)
  cpSync(join(ROOT, 'server/package.json'), join(target, 'package.json'))
  const project = {
    extends: join(ROOT, 'server/tsconfig.build.json'),
    compilerOptions: {
      rootDir: join(ROOT, 'server/src'),
      outDir: 'dist',
      typeRoots: [join(MODULES, '@types')],
    },
    include: [join(ROOT, 'server/src/verify-token')],
  }
  writeFileSync(join(target, 'tsconfig.json'), JSON.stringify(project))
  tsc(target, '-p', '.')
}

/** Checks the types of an example as a strict project has them. */
export function checkTypes(folder: string, ...files: readonly string[]): void {
  const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess']
  const target = ['--target', 'es2024', '--types', 'node', '--skipLibCheck', '--allowImportingTsExtensions']
  // As Next.js and others that bundle have it: imports need no ending.
  tsc(folder, ...strict, ...target, '--module', 'preserve', ...files)
}

function tsc(cwd: string, ...args: readonly string[]): void {
  const { status, stdout, error } = spawnSync(join(MODULES, '.bin/tsc'), args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`tsc refused it: ${stdout}`, { cause: error })
}

/** Reads an example's file, with the settings that it reads when it is loaded. */
export async function load<Module>(
  folder: string,
  file: string,
  countersignUrl: string,
  issuer: string,
): Promise<Module> {
  vi.stubEnv('COUNTERSIGN_URL', countersignUrl)
  vi.stubEnv('COUNTERSIGN_ISSUER', issuer)
  try {
    return (await import(join(folder, file))) as Module
  } finally {
    vi.unstubAllEnvs()
  }
}
