/**
 * Messages through the Twilio provider and through the bare SDK with its own client, against the simulator: sends a
 * second, CPU a send and memory, each client in a process of its own, in turn. See README.md.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Sent } from './sends-child.ts'
import { median, printTable } from './stats.ts'

const { values: flags } = parseArgs({
  options: {
    'in-flight': { type: 'string', default: '2000' },
    latency: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: 'countersign,sdk' },
  },
})
const child = join(import.meta.dirname, 'sends-child.ts')
const running = fork(child, ['simulator', flags.latency])
const { url } = await told<{ url: string }>(running)
const names = flags.only.split(',')
const rounds: Record<string, Sent>[] = []
for (let round = 0; round < Number(flags.rounds); round += 1) {
  const measured: Record<string, Sent> = {}
  for (const name of names) {
    measured[name] = await told<Sent>(
      fork(child, [name, url, flags['in-flight'], flags.seconds, flags.warmup]),
    )
  }
  rounds.push(measured)
}
running.kill()

const cpuOf = ({ cpuMicros, sends }: Sent) => cpuMicros / sends
const results = names.map((name) => {
  const all = rounds.flatMap((round) => round[name] ?? [])
  const ratios = rounds.flatMap(({ [name]: own, sdk }) => (own && sdk ? [cpuOf(sdk) / cpuOf(own)] : []))
  return {
    name,
    cpuMicros: median(all.map(cpuOf)),
    perSecond: median(all.map(({ sends, seconds }) => sends / seconds)),
    perCpuSecond: median(all.map((sent) => 1e6 / cpuOf(sent))),
    ...(ratios.length > 0 ? { timesTheSdk: median(ratios) } : {}),
    rssMb: Math.max(...all.map(({ rssMb }) => rssMb)),
    refused: all.reduce((sum, { refused }) => sum + refused, 0),
  }
})
printTable([
  ['client', 'CPU µs a send', 'sends a CPU second', 'times the SDK', 'sends/s', 'RSS MB', 'refused'],
  ...results.map((one) => [
    one.name,
    one.cpuMicros.toFixed(0),
    one.perCpuSecond.toFixed(0),
    one.timesTheSdk === undefined ? '-' : `${one.timesTheSdk.toFixed(2)}×`,
    one.perSecond.toFixed(0),
    one.rssMb.toFixed(0),
    String(one.refused),
  ]),
])
const machine = { node: process.version, cpu: cpus()[0]?.model ?? '', cpus: cpus().length }
writeFileSync(
  join(import.meta.dirname, 'results', 'sends.json'),
  `${JSON.stringify({ at: new Date().toISOString(), machine, settings: flags, results }, null, 2)}\n`,
)

/** The first message of a process, or an error when it ends without one. */
function told<T>(from: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    from.once('message', (message) => resolve(message as T))
    from.once('exit', (code) => reject(new Error(`a process ended with ${code}`)))
  })
}
