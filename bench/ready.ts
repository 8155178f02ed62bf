/** How long from the start of the process until /readyz answers 200: with an empty data folder and with a used one. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { median, printTable } from './stats.ts'
import { scratch, startTarget, targetNamed } from './targets.ts'

const { values: flags } = parseArgs({
  options: { runs: { type: 'string', default: '10' }, target: { type: 'string', default: 'countersign' } },
})
const space = scratch()
const target = targetNamed(flags.target)
const first: number[] = []
const again: number[] = []
for (let run = 0; run < Number(flags.runs); run++) {
  for (const times of [first, again]) {
    const server = await startTarget({ target, medium: 'full', dataDir: join(space.dir, String(run)) })
    times.push(server.readyMs)
    await server.stop()
  }
}
space.remove()
const ms = (value: number) => `${value.toFixed(0)} ms`
printTable([
  [`${target}, ${flags.runs} runs`, 'median', 'min', 'max'],
  ['first start', ms(median(first)), ms(Math.min(...first)), ms(Math.max(...first))],
  ['next start', ms(median(again)), ms(Math.min(...again)), ms(Math.max(...again))],
])
