import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Missing, ask, findProgram, freePort, launch, makeServiceFolder, removeFolder } from './tools.ts'

const SOURCE = join(import.meta.dirname, 'smsc/smsc.pl')

/** An SMSC of a foreign make: Net::SMPP. */
export type SmscServer = {
  readonly port: number
  /** What it has got so far, a line each; see `smsc/smsc.pl`. */
  lines(): string[]
  remove(): Promise<void>
}

/** The Perl that has Net::SMPP; undefined where there is none. */
export function findSmsc(): string | undefined {
  const perl = findProgram('perl')
  if (perl === undefined) return undefined
  try {
    execFileSync(perl, ['-MNet::SMPP', '-e1'], { stdio: 'ignore' })
    return perl
  } catch {
    return undefined
  }
}

/** Starts one. */
export async function startSmsc(): Promise<SmscServer> {
  const perl = findSmsc()
  if (perl === undefined) throw new Missing('no Perl with Net::SMPP (libnet-smpp-perl)')
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
