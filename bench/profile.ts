/** Where the CPU time goes: runs a server under load with V8's sampling profiler and prints the costliest functions. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startDatabases } from './databases.ts'
import { loader } from './load.ts'
import { printTable } from './stats.ts'
import { addressPool, mediumNamed, scratch, startTarget, targetNamed } from './targets.ts'

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[]
  samples: number[]
  timeDeltas: number[]
}

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '15' },
    concurrency: { type: 'string', default: '32' },
    target: { type: 'string', default: 'countersign' },
    top: { type: 'string', default: '40' },
    medium: { type: 'string', default: 'normal' },
  },
})
const space = scratch()
const target = targetNamed(flags.target)
const medium = mediumNamed(flags.medium)
const databases = await startDatabases(medium)
const server = await startTarget({
  target,
  medium,
  dataDir: join(space.dir, 'data'),
  ...(await databases.place(target)),
  nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${space.dir}`],
})
const load = loader()
const measured = await load.run({
  target,
  origin: server.origin,
  pid: server.pid,
  dataDir: server.dataDir,
  concurrency: Number(flags.concurrency),
  addresses: addressPool(target),
  from: 0,
  warmupSeconds: 0,
  seconds: Number(flags.seconds),
})
load.stop()
await server.stop()
await databases.remove()
print(JSON.parse(readFileSync(join(space.dir, profileFile()), 'utf8')) as Profile, measured.verifications)
space.remove()

function profileFile(): string {
  const file = readdirSync(space.dir).find((name) => name.endsWith('.cpuprofile'))
  if (!file) throw new Error('the server wrote no profile: did it end by itself at SIGTERM?')
  return file
}

/** Adds up self time by function, and by package or folder, and prints both. */
function print({ nodes, samples, timeDeltas }: Profile, verifications: number) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const functions = new Map<string, number>()
  const places = new Map<string, number>()
  let total = 0
  for (const [i, id] of samples.entries()) {
    const frame = frames.get(id)
    const micros = timeDeltas[i] ?? 0
    if (!frame || frame.functionName === '(idle)' || frame.functionName === '(program)') continue
    const file = place(frame.url)
    add(
      functions,
      `${frame.functionName || '(anonymous)'} ${file}${file && `:${frame.lineNumber + 1}`}`,
      micros,
    )
    add(places, packageOf(file), micros)
    total += micros
  }
  const rows = (sums: Map<string, number>) =>
    [...sums]
      .sort(([, a], [, b]) => b - a)
      .slice(0, Number(flags.top))
      .map(([name, sum]) => [name, `${((100 * sum) / total).toFixed(1)}%`, (sum / verifications).toFixed(1)])
  console.log(`${target}: ${verifications} verifications, profiled`)
  printTable([['function', 'self', 'µs each'], ...rows(functions)])
  console.log()
  printTable([['package or folder', 'self', 'µs each'], ...rows(places)])
}

function add(sums: Map<string, number>, key: string, amount: number) {
  sums.set(key, (sums.get(key) ?? 0) + amount)
}

function place(url: string): string {
  return url.startsWith('file:') ? relative(join(import.meta.dirname, '..'), fileURLToPath(url)) : url
}

function packageOf(file: string): string {
  const modules = file.lastIndexOf('node_modules/')
  if (modules >= 0) return /^(@[^/]+\/)?[^/]+/.exec(file.slice(modules + 'node_modules/'.length))?.[0] ?? file
  if (file.startsWith('node:')) return file
  return file === '' ? '(native)' : file.slice(0, file.lastIndexOf('/'))
}
