import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { installPackages } from './packages.ts'
import { Missing, ask, findProgram, freePort, launch, makeServiceFolder, removeFolder, run } from './tools.ts'

const SOURCE = join(import.meta.dirname, 'smsc/smsc.pl')

/** An SMSC of a foreign make: Net::SMPP. */
export type SmscServer = {
  readonly port: number
  /** What it has got so far, a line each; see `smsc/smsc.pl`. */
  lines(): string[]
  remove(): Promise<void>
}

/** Installs Net::SMPP where it is not yet; throws what is missing where that cannot be. */
export async function installSmsc(): Promise<string> {
  const perl = findProgram('perl')
  if (perl === undefined) throw new Missing('no perl in PATH')
  const isThere = await run(perl, ['-MNet::SMPP', '-e1']).then(
    () => true,
    () => false,
  )
  if (!isThere) await installPackages(['libnet-smpp-perl'])
  return perl
}

/** Starts one. */
export async function startSmsc(): Promise<SmscServer> {
  const perl = await installSmsc()
  const folder = makeServiceFolder('smsc')
  const port = await freePort()
  const file = join(folder, 'lines')
  try {
    const running = await launch(folder, [perl, SOURCE, `${port}`, file], () => ask(port, ''))
    return {
      port,
      lines: () => readFileSync(file, 'latin1').split('\n').slice(0, -1),
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
