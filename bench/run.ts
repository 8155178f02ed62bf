/**
 * Whole verifications over HTTP, side by side: every server runs in a process of its own, and the load goes round
 * them in turn, so that whatever else the machine does falls on all of them. See README.md.
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loader, type Measured } from './load.ts'
import { otpgatewayExists } from './otpgateway.ts'
import { startDatabases } from './databases.ts'
import { median, percentile, printTable } from './stats.ts'
import {
  addressPool,
  isCountersign,
  scratch,
  serverExists,
  mediumNamed,
  runsOn,
  startTarget,
  targetNamed,
  targets,
  type Running,
  type Medium,
  type Target,
} from './targets.ts'

interface Result {
  target: Target
  medium: Medium
  verifications: number
  /** CPU time of the server a verification, over the rounds. */
  cpuMicros: { median: number; min: number; max: number }
  /** The same CPU time as a multiple of another's: the median of the quotients within each round. */
  ratioToFloor?: number
  ratioToBetterAuth?: number
  ratioToBetterAuthConsume?: number
  ratioToCountersign?: number
  perSecond: number
  startMs: { p50: number; p99: number }
  checkMs: { p50: number; p99: number }
  rssMb: number
}

const cpu = (measured: Measured) => measured.serverCpuMicros / measured.verifications
const times = (ratio: number | undefined) => (ratio === undefined ? '-' : `${ratio.toFixed(2)}×`)
const ms = ({ p50, p99 }: { p50: number; p99: number }) => `${p50.toFixed(1)} / ${p99.toFixed(1)}`

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '2' },
    concurrency: { type: 'string', default: '32' },
    addresses: { type: 'string' },
    only: {
      type: 'string',
      default: targets.filter((target) => isHere(target) && !target.endsWith('-login')).join(),
    },
    medium: { type: 'string', default: 'full,normal,postgres,postgres+redis' },
  },
})
const rounds = Number(flags.rounds)
const only = flags.only.split(',').map(targetNamed)
const space = scratch()
const load = loader()
const results: Result[] = []
for (const medium of flags.medium.split(',').map(mediumNamed)) {
  const measured = await race(medium)
  const figures = only
    .filter((target) => runsOn(target, medium))
    .map((target) => summarize(target, medium, measured))
  print(medium, figures)
  results.push(...figures)
}
load.stop()
space.remove()
const machine = { node: process.version, cpu: cpus()[0]?.model ?? '', cpus: cpus().length }
const settings = { ...flags, only: only.join() }
const isLogin = only.every((target) => target.endsWith('-login'))
const file = join(import.meta.dirname, 'results', isLogin ? 'login.json' : 'latest.json')
writeFileSync(
  file,
  `${JSON.stringify({ at: new Date().toISOString(), machine, settings, results }, null, 2)}\n`,
)

/** Runs all servers side by side and gives each the load in turn, in an order that rotates. */
async function race(medium: Medium): Promise<Map<Target, Measured[]>> {
  const databases = await startDatabases(medium)
  const running: Running[] = []
  const measured = new Map<Target, Measured[]>(only.map((target) => [target, []]))
  try {
    for (const target of only.filter((target) => runsOn(target, medium))) {
      const dataDir = join(space.dir, medium, target)
      running.push(await startTarget({ target, medium, dataDir, ...(await databases.place(target)) }))
    }
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < running.length; turn++) {
        const server = running[(round + turn) % running.length]
        const done = server && measured.get(server.target)
        if (!done) continue
        done.push(
          await load.run({
            target: server.target,
            origin: server.origin,
            pid: server.pid,
            dataDir: server.dataDir,
            concurrency: Number(flags.concurrency),
            addresses: addressPool(server.target, flags.addresses),
            from: done.at(-1)?.next ?? 0,
            // The first time, the compiler has to get warm too.
            warmupSeconds: Number(flags.warmup) * (round === 0 ? 3 : 1),
            seconds: Number(flags.seconds),
          }),
        )
      }
    }
    return measured
  } finally {
    await Promise.all(running.map((server) => server.stop()))
    await databases.remove()
  }
}

/** Whether a contestant can be started on this machine. */
function isHere(target: Target): boolean {
  if (target === 'otpgateway') return otpgatewayExists()
  return !isCountersign(target) || serverExists()
}

function summarize(target: Target, medium: Medium, all: Map<Target, Measured[]>): Result {
  const rounds = all.get(target) ?? []
  const cpus = rounds.map(cpu)
  const ratioTo = (other: Target) => {
    const others = all.get(other)
    return others && median(rounds.map((round, i) => cpu(round) / cpu(others[i] ?? round)))
  }
  const latency = (key: 'startMs' | 'checkMs') => {
    const values = rounds.flatMap((round) => [...round[key]])
    return { p50: percentile(values, 0.5), p99: percentile(values, 0.99) }
  }
  const [floor, betterAuth, consume, countersign] = [
    ratioTo('floor'),
    ratioTo('better-auth') ?? ratioTo('better-auth-login'),
    ratioTo('better-auth-consume'),
    ratioTo('countersign'),
  ]
  return {
    target,
    medium,
    verifications: rounds.reduce((sum, round) => sum + round.verifications, 0),
    cpuMicros: { median: median(cpus), min: Math.min(...cpus), max: Math.max(...cpus) },
    ...(floor && { ratioToFloor: floor }),
    ...(betterAuth && { ratioToBetterAuth: betterAuth }),
    ...(consume && { ratioToBetterAuthConsume: consume }),
    ...(countersign && { ratioToCountersign: countersign }),
    perSecond: median(rounds.map((round) => round.verifications / round.seconds)),
    startMs: latency('startMs'),
    checkMs: latency('checkMs'),
    rssMb: (rounds.at(-1)?.rssBytes ?? 0) / 2 ** 20,
  }
}

function print(medium: Medium, figures: readonly Result[]) {
  console.log(`\n${medium}: ${rounds} rounds of ${flags.seconds} s, ${flags.concurrency} connections`)
  printTable([
    [
      'server',
      'CPU µs',
      'min–max',
      '× floor',
      '× b-a',
      '× b-a-c',
      '× c',
      'per s',
      'start ms',
      'check ms',
      'RSS MB',
      'done',
    ],
    ...figures.map((figure) => [
      figure.target,
      figure.cpuMicros.median.toFixed(0),
      `${figure.cpuMicros.min.toFixed(0)}–${figure.cpuMicros.max.toFixed(0)}`,
      times(figure.ratioToFloor),
      times(figure.ratioToBetterAuth),
      times(figure.ratioToBetterAuthConsume),
      times(figure.ratioToCountersign),
      figure.perSecond.toFixed(0),
      ms(figure.startMs),
      ms(figure.checkMs),
      figure.rssMb.toFixed(0),
      String(figure.verifications),
    ]),
  ])
}
