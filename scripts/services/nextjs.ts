import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached, run } from './tools.ts'

type Manifest = { dependencies: Record<string, string>; devDependencies: Record<string, string> }

const EXAMPLE = join(import.meta.dirname, '../../examples/nextjs/package.json')

/**
 * Installs what the Next.js example asks for besides `countersign`, where it is not in the cache yet; gives the folder.
 * Not with everything else: it is many times as large, and only this one test needs it.
 */
export function installNextjs(): Promise<string> {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(EXAMPLE, 'utf8')) as Manifest
  const { countersign: _, ...others } = dependencies
  const manifest = JSON.stringify({ private: true, dependencies: { ...others, ...devDependencies } })
  const name = `nextjs-${createHash('sha256').update(manifest).digest('hex').slice(0, 12)}`
  return cached(name, async (folder) => {
    mkdirSync(join(folder, 'apps'))
    writeFileSync(join(folder, 'package.json'), manifest)
    await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder })
  })
}
