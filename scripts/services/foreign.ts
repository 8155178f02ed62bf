import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { findPip } from './moto.ts'
import { Missing, cached, findProgram, run } from './tools.ts'

/** What reads our tokens and hashes without a line of ours: PyJWT, and argon2-cffi over the reference implementation. */
const PACKAGES = ['pyjwt==2.10.1', 'cryptography==46.0.3', 'argon2-cffi==25.1.0']

/** Installs them, from wheels alone, where they are not in the cache yet. */
export function buildForeign(): Promise<string> {
  const name = PACKAGES.join('-').replaceAll('==', '-')
  return cached(`python-${name}`, async (folder) => {
    const python = findPip()
    if (python === undefined) throw new Missing('needs Python (python3, with pip) in PATH to install PyJWT')
    const wheels = ['--only-binary', ':all:', '--target', join(folder, 'packages')]
    const quiet = ['-q', '--disable-pip-version-check', '--no-compile']
    await run(python, ['-m', 'pip', 'install', ...quiet, ...wheels, ...PACKAGES])
  })
}

/** Runs a Python program that finds PyJWT and argon2-cffi, with these arguments; gives what it printed. */
export async function runPython(program: string, args: readonly string[]): Promise<string> {
  const packages = join(await buildForeign(), 'packages')
  const python = findProgram('python3') ?? 'python3'
  return run(python, ['-c', program, ...args], { env: { ...process.env, PYTHONPATH: packages } })
}

/** An openssl that verifies Ed25519; undefined where there is none. */
export function findOpenssl(): string | undefined {
  const openssl = findProgram('openssl')
  if (openssl === undefined) return undefined
  try {
    const version = execFileSync(openssl, ['version'], { encoding: 'utf8' })
    return Number(/^OpenSSL (\d+)\./.exec(version)?.[1]) >= 3 ? openssl : undefined
  } catch {
    return undefined
  }
}

/** OATH Toolkit's program for one-time codes (RFC 6238); undefined where there is none. */
export function findOathtool(): string | undefined {
  return findProgram('oathtool')
}
