import { expect, test } from 'vitest'
import { SupervisorFigures } from '../../src/cli/supervisor-figures.ts'
import type { ToWorker } from '../../src/cli/worker-messages.ts'
import { WorkerFigures } from '../../src/cli/worker-figures.ts'
import { makeMetrics, type Metrics } from '../../src/http/metrics.ts'

type Tell = (message: ToWorker) => void

/** A worker that tells its figures when it is asked, as one that is a process does. */
function makeWorker(supervisor: SupervisorFigures, id: number): { metrics: Metrics; tell: Tell } {
  const figures = new WorkerFigures(async (message) => {
    if (message.countersign === 'figures') supervisor.take(id, message)
  })
  const metrics = makeMetrics((own) => figures.share(own))
  return {
    metrics,
    tell: (message) => {
      if (message.countersign === 'tell figures') void figures.send(message.round)
    },
  }
}

function figure(text: string, name: string): number {
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(name))
      ?.split(' ')
      .at(-1),
  )
}

test('counts are added up; of the alarm the highest counts, because it is on or off', async () => {
  const supervisor = new SupervisorFigures()
  const [one, other] = [makeWorker(supervisor, 1), makeWorker(supervisor, 2)]
  const asked = new Map([
    [1, one.tell],
    [2, other.tell],
  ])
  for (const { metrics } of [one, other]) {
    metrics.checks.labels('approved').inc(3)
    metrics.wrongRateAlarm.set(1)
  }
  const text = await supervisor.gather(asked)
  expect(figure(text, 'countersign_checks_total{')).toBe(6)
  expect(figure(text, 'countersign_wrong_rate_alarm')).toBe(1)
  one.metrics.wrongRateAlarm.set(0)
  expect(figure(await supervisor.gather(asked), 'countersign_wrong_rate_alarm')).toBe(1)
})

test('what has ended stays counted, however many that were, and its alarm does not go on ringing', async () => {
  const supervisor = new SupervisorFigures()
  for (let id = 1; id <= 20; id++) {
    const { metrics, tell } = makeWorker(supervisor, id)
    metrics.checks.labels('approved').inc(id)
    metrics.wrongRateAlarm.set(1)
    await supervisor.gather(new Map([[id, tell]]))
    await supervisor.end(id)
  }
  const { tell } = makeWorker(supervisor, 21)
  const text = await supervisor.gather(new Map([[21, tell]]))
  expect(figure(text, 'countersign_checks_total{')).toBe(210)
  expect(figure(text, 'countersign_wrong_rate_alarm')).toBe(0)
})

test('one that does not answer counts as it last did, and holds a scrape up for two seconds at most', async () => {
  const supervisor = new SupervisorFigures()
  const { metrics, tell } = makeWorker(supervisor, 1)
  metrics.checks.labels('approved').inc(5)
  await supervisor.gather(new Map([[1, tell]]))
  const from = performance.now()
  const text = await supervisor.gather(new Map([[1, () => {}]]))
  expect(figure(text, 'countersign_checks_total{')).toBe(5)
  expect(performance.now() - from).toBeLessThan(2_500)
})

test('one that ends while it is asked is not waited for', async () => {
  const supervisor = new SupervisorFigures()
  const from = performance.now()
  const gathering = supervisor.gather(new Map([[1, () => {}]]))
  await supervisor.end(1)
  await gathering
  expect(performance.now() - from).toBeLessThan(1_000)
})
