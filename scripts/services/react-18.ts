import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached, run } from './tools.ts'

const VERSION = '18.3.1'

/**
 * Installs the older React that the components also run on, where it is not in the cache yet; gives the folder. Not with
 * everything else: npm refuses two versions of `react-dom` side by side.
 */
export function installReact18(): Promise<string> {
  const dependencies = { react: VERSION, 'react-dom': VERSION }
  return cached(`react-${VERSION}`, async (folder) => {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }))
    await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder })
  })
}
