import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import {
  Missing,
  cached,
  findProgram,
  freePort,
  launch,
  makeServiceFolder,
  removeFolder,
  run,
} from './tools.ts'

const VERSION = '5.2.5'

/** A moto: Amazon's services as Python's testers know them. It checks parameters, and no signatures. */
export type MotoServer = { readonly url: string; remove(): Promise<void> }

/** The Python that can install packages; undefined where there is none. */
export function findPip(): string | undefined {
  const python = findProgram('python3')
  if (python === undefined) return undefined
  try {
    execFileSync(python, ['-m', 'pip', '--version'], { stdio: 'ignore' })
    return python
  } catch {
    return undefined
  }
}

/** Installs it, from wheels alone, where it is not in the cache yet. */
export function buildMoto(): Promise<string> {
  return cached(`moto-${VERSION}`, async (folder) => {
    const python = findPip()
    if (python === undefined) throw new Missing('needs Python (python3, with pip) in PATH to install moto')
    const wheels = ['--only-binary', ':all:', '--target', join(folder, 'packages')]
    const quiet = ['-q', '--disable-pip-version-check', '--no-compile']
    await run(python, ['-m', 'pip', 'install', ...quiet, ...wheels, `moto[server]==${VERSION}`])
  })
}

/** Starts one, empty. */
export async function startMoto(): Promise<MotoServer> {
  const packages = join(await buildMoto(), 'packages')
  const folder = makeServiceFolder('moto')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const start = `import sys; sys.path.insert(0, ${JSON.stringify(packages)}); sys.argv = ["moto_server", "-H", "127.0.0.1", "-p", "${port}"]; from moto.server import main; main()`
  try {
    const running = await launch(folder, [findProgram('python3') ?? 'python3', '-c', start], () =>
      fetch(`${url}/moto-api/data.json`),
    )
    return {
      url,
      remove: async () => {
        await running.stop('SIGKILL')
        removeFolder(folder)
      },
    }
  } catch (error) {
    removeFolder(folder)
    throw error
  }
}
