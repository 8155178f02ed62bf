import { spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '../../..')
const MODULES = join(ROOT, 'node_modules')
type Room = 'client' | 'react'

/**
 * Packs packages of the repository as they are published, and installs them into an example's `node_modules`. They are
 * packed from a copy, so that no other test and no leftover of a build gets in the way. Gives the files of each tarball.
 */
export function installPacked(folder: string, rooms: readonly Room[]): Record<string, string[]> {
  const copy = mkdtempSync(join(tmpdir(), 'countersign-packed-'))
  try {
    for (const path of ['package.json', 'tsconfig.json', 'LICENSE', ...rooms.flatMap(sourcesOf)])
      cpSync(join(ROOT, path), join(copy, path), { recursive: true })
    linkModules(copy, rooms)
    // Scripts must run even where somebody's npm is told not to: they build what is packed.
    const workspaces = rooms.flatMap((room) => ['-w', `@countersign/${room}`])
    run('npm', ['pack', ...workspaces, '--ignore-scripts=false', '--silent'], copy)
    const files: Record<string, string[]> = {}
    for (const room of rooms) {
      const tarball = globSync(`countersign-${room}-*.tgz`, { cwd: copy })[0] ?? ''
      files[room] = run('tar', ['tzf', tarball], copy).trim().split('\n')
      const target = join(folder, 'node_modules/@countersign', room)
      mkdirSync(target, { recursive: true })
      run('tar', ['xzf', tarball, '--strip-components=1', '-C', target], copy)
    }
    return files
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function sourcesOf(room: Room): string[] {
  return ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'src'].map((path) => `${room}/${path}`)
}

/** Everything that is installed, and the workspaces of the copy in the place of the repository's. */
function linkModules(copy: string, rooms: readonly Room[]): void {
  const modules = join(copy, 'node_modules')
  for (const name of readdirSync(MODULES)) {
    if (name !== '@countersign') link(join(MODULES, name), join(modules, name))
  }
  for (const room of rooms) link(join(copy, room), join(modules, '@countersign', room))
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path)
}

/** Runs a program to its end and gives what it printed; throws with everything it said when it fails. */
function run(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, HOME: cwd },
  })
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stdout}${stderr}`, { cause: error })
  return stdout
}
