import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { endProcesses, ServerProcess } from '../helpers/process.ts'
import { type Asked, type Mood, MoodyGateway, MoodyTwilio } from './bad-vendors.ts'

const LONG = process.env['TEST_LONG'] === '1'
const SECONDS = LONG ? 300 : 12
const RATE = 50
/** Every hundredth number is one that the first vendor blocks for fraud. */
const isFraud = (to: string) => to.endsWith('00')

let first: MoodyTwilio
let second: MoodyGateway
beforeEach(() => {
  first = new MoodyTwilio()
  second = new MoodyGateway()
})
afterEach(() => {
  first.close()
  second.close()
})
afterAll(endProcesses)

/** The n-th of many numbers of the United States that are valid. */
function phoneAt(n: number): string {
  return `+1${[201, 202, 203, 206, 207, 208, 209, 210][n % 8]}${2_000_000 + Math.floor(n / 8)}`
}

async function startServer(): Promise<ServerProcess> {
  const [a, b] = await Promise.all([first.listen(), second.listen()])
  return ServerProcess.start({
    output: 'none',
    settings: { SMS_PROVIDER: 'twilio,webhook', ...first.settings(a), ...second.settings(b) },
  })
}

/** Starts `RATE` verifications a second, whatever becomes of those before. */
async function load(
  server: ServerProcess,
  seconds: number,
): Promise<{ ms: number; status: number; to: string }[]> {
  const answers: Promise<{ ms: number; status: number; to: string }>[] = []
  const began = performance.now()
  for (let n = 0; n < seconds * RATE; n += 1) {
    const due = began + (n * 1_000) / RATE
    if (due > performance.now()) await sleep(due - performance.now())
    const to = phoneAt(n)
    const before = performance.now()
    answers.push(server.start(to).then(({ status }) => ({ ms: performance.now() - before, status, to })))
  }
  return Promise.all(answers)
}

const countBy = (asked: readonly Asked[]) => {
  const counts = new Map<string, number>()
  for (const { to } of asked) counts.set(to, (counts.get(to) ?? 0) + 1)
  return counts
}

describe('50 starts a second, of which the first provider', () => {
  test(
    'F9, F12, F13, R35: takes none and answers none: all go by the second, soon, and hardly any twice',
    { timeout: (SECONDS + 60) * 1_000 },
    async () => {
      first.mood = (to): Mood => (isFraud(to) ? 'fraud' : 'hole')
      const server = await startServer()
      const answers = await load(server, SECONDS)
      // Those that were on their way to the first are found out about in the background.
      await sleep(LONG ? 15_000 : 8_000)
      await server.stop()
      const delivered = countBy(second.delivered)
      const blocked = new Set(first.asked.filter(({ mood }) => mood === 'fraud').map(({ to }) => to))
      const wanted = answers.filter(({ to }) => !blocked.has(to))
      const share = wanted.filter(({ to }) => delivered.has(to)).length / wanted.length
      const twice = [...delivered.values()].filter((count) => count > 1).length / wanted.length
      const ms = answers.map((answer) => answer.ms).sort((a, b) => a - b)
      const p99 = ms[Math.floor(ms.length * 0.99)] ?? 0
      const rerouted = [...blocked].filter((to) => delivered.has(to)).length
      // oxlint-disable-next-line no-console -- the figures are what a long run is for
      console.log(
        `black hole: ${answers.length} starts, ${(share * 100).toFixed(3)} % accepted elsewhere, p99 ${p99.toFixed(0)} ms, ` +
          `${(twice * 100).toFixed(3)} % twice, ${rerouted} of ${blocked.size} fraud blocks rerouted, ${first.asked.length} calls to the hole`,
      )
      expect(share).toBeGreaterThanOrEqual(0.999)
      expect(twice).toBeLessThanOrEqual(0.005)
      expect(p99).toBeLessThanOrEqual(5_000)
      expect(rerouted).toBe(0)
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    },
  )

  test(
    'F10, R36: comes and goes every five seconds: no storm of calls, and nobody is left without a message',
    { timeout: (SECONDS + 60) * 1_000 },
    async () => {
      const began = performance.now()
      first.mood = () => (Math.floor((performance.now() - began) / 5_000) % 2 === 0 ? 'ok' : 'down')
      const server = await startServer()
      const answers = await load(server, SECONDS)
      await server.stop()
      const calls = first.asked.length + second.asked.length
      const delivered = countBy([...first.delivered, ...second.delivered])
      const share = answers.filter(({ to }) => delivered.has(to)).length / answers.length
      // oxlint-disable-next-line no-console -- the figures are what a long run is for
      console.log(
        `flapping: ${answers.length} starts, ${calls} calls (${(calls / answers.length).toFixed(3)} ×), ` +
          `${(share * 100).toFixed(3)} % delivered`,
      )
      expect(calls / answers.length).toBeLessThanOrEqual(1.2)
      expect(share).toBe(1)
      expect([...delivered.values()].every((count) => count === 1)).toBe(true)
    },
  )
})
