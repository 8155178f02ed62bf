/** What memory a server holds after many verifications: RSS at the start, after each tenth, and after a pause. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { loader } from './load.ts'
import { rssBytes } from './proc.ts'
import { printTable } from './stats.ts'
import { addressPool, scratch, startTarget, targetNamed } from './targets.ts'

const { values: flags } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    concurrency: { type: 'string', default: '32' },
    target: { type: 'string', default: 'countersign' },
  },
})
const space = scratch()
const target = targetNamed(flags.target)
const server = await startTarget({ target, medium: 'normal', dataDir: join(space.dir, 'data') })
const load = loader()
const megabytes = () => (rssBytes(server.pid) / 2 ** 20).toFixed(0)
const rows = [
  ['verifications', 'RSS MB', 'CPU µs each'],
  ['0', megabytes(), ''],
]
let from = 0
for (let tenth = 1; tenth <= 10; tenth++) {
  const measured = await load.run({
    target,
    origin: server.origin,
    pid: server.pid,
    concurrency: Number(flags.concurrency),
    addresses: addressPool(target),
    from,
    warmupSeconds: 0,
    count: Number(flags.count) / 10,
  })
  from = measured.next
  rows.push([String(from), megabytes(), (measured.serverCpuMicros / measured.verifications).toFixed(0)])
}
await sleep(5_000)
rows.push(['5 s later', megabytes(), ''])
load.stop()
await server.stop()
space.remove()
printTable(rows)
