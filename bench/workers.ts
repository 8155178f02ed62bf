/** What a second worker adds: whole verifications on Postgres, one worker and two in turn. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startDatabases } from './databases.ts'
import { loader, type Measured } from './load.ts'
import { cpuMicros } from './proc.ts'
import { median, percentile, printTable } from './stats.ts'
import { addressPool, scratch, startTarget } from './targets.ts'

const { values: flags } = parseArgs({
  options: {
    workers: { type: 'string', default: '1,2' },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '4' },
    concurrency: { type: 'string', default: '32' },
  },
})
const target = 'countersign'
const space = scratch()
const load = loader()
const databases = await startDatabases('postgres')
const contestants = []
for (const workers of flags.workers.split(',').map(Number)) {
  const server = await startTarget({
    target,
    medium: 'postgres',
    dataDir: join(space.dir, String(workers)),
    workers,
    ...(await databases.place(target)),
  })
  contestants.push({ workers, server, measured: [] as Measured[], cpu: [] as number[] })
}
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const { server, measured, cpu } of contestants) {
    const pids = family(server.pid)
    const before = pids.reduce((sum, pid) => sum + cpuMicros(pid), 0)
    const done = await load.run({
      target,
      origin: server.origin,
      pid: server.pid,
      concurrency: Number(flags.concurrency),
      addresses: addressPool(target),
      from: measured.at(-1)?.next ?? 0,
      warmupSeconds: 0,
      seconds: Number(flags.seconds),
    })
    measured.push(done)
    cpu.push((pids.reduce((sum, pid) => sum + cpuMicros(pid), 0) - before) / done.verifications)
  }
}
load.stop()
await Promise.all(contestants.map(({ server }) => server.stop()))
await databases.remove()
space.remove()
printTable([
  ['workers', 'per s', 'CPU µs, all workers', 'start p50 ms', 'check p50 ms'],
  ...contestants.map(({ workers, measured, cpu }) => [
    String(workers),
    median(measured.map((round) => round.verifications / round.seconds)).toFixed(0),
    median(cpu).toFixed(0),
    percentile(
      measured.flatMap((round) => [...round.startMs]),
      0.5,
    ).toFixed(1),
    percentile(
      measured.flatMap((round) => [...round.checkMs]),
      0.5,
    ).toFixed(1),
  ]),
])

/** A process and those that it has started. */
function family(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((other) => parentOf(other) === pid)
  return [pid, ...children.flatMap(family)]
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return 0
  }
}
