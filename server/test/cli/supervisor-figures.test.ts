import { expect, onTestFinished, test, vi } from 'vitest'
import { SupervisorFigures } from '../../src/cli/supervisor-figures.ts'
import type { ToWorker } from '../../src/cli/worker-messages.ts'
import { WorkerFigures } from '../../src/cli/worker-figures.ts'
import { makeMetrics, type Metrics } from '../../src/http/metrics.ts'
import { VERSION } from '../../src/version.ts'

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
  expect(figure(text, 'countersign_checks_total{reason="approved"}')).toBe(6)
  expect(figure(text, 'countersign_wrong_rate_alarm')).toBe(1)
  one.metrics.wrongRateAlarm.set(0)
  expect(figure(await supervisor.gather(asked), 'countersign_wrong_rate_alarm')).toBe(1)
})

test('however many workers: one build, which is 1, and times that are those of all, bucket by bucket', async () => {
  const supervisor = new SupervisorFigures()
  const workers = [1, 2, 3].map((id) => makeWorker(supervisor, id))
  for (const [at, { metrics }] of workers.entries())
    metrics.storeSeconds.labels('store', 'judge').observe([0.0008, 0.004, 9][at] ?? 0)
  const text = await supervisor.gather(new Map(workers.map(({ tell }, at) => [at + 1, tell])))
  const builds = text.split('\n').filter((line) => line.startsWith('countersign_build_info{'))
  expect(builds).toEqual([`countersign_build_info{version="${VERSION}",node="${process.versions.node}"} 1`])
  const of = (le: string) =>
    figure(text, `countersign_store_seconds_bucket{le="${le}",part="store",verb="judge"}`)
  expect([of('0.0005'), of('0.001'), of('0.0025'), of('0.005'), of('2.5'), of('+Inf')]).toEqual([
    0, 1, 1, 2, 2, 3,
  ])
  expect(figure(text, 'countersign_store_seconds_count{')).toBe(3)
  expect(figure(text, 'countersign_store_seconds_sum{')).toBeCloseTo(9.0048)
})

test('all are ready only when each that was asked is; one that nobody asked does not count', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const supervisor = new SupervisorFigures()
  const workers = [1, 2, 3].map((id) => makeWorker(supervisor, id))
  const [one, other] = workers
  const ready = async () => {
    const text = await supervisor.gather(new Map(workers.map(({ tell }, at) => [at + 1, tell])))
    return figure(text, 'countersign_ready ')
  }
  expect(await ready()).toBeNaN()
  one?.metrics.ready.tell(true)
  expect(await ready()).toBe(1)
  other?.metrics.ready.tell(false)
  expect(await ready()).toBe(0)
  // It is asked no more, as the balancer asks the other now: what it said is not kept for ever.
  vi.advanceTimersByTime(40_000)
  one?.metrics.ready.tell(true)
  expect(await ready()).toBe(0)
  vi.advanceTimersByTime(30_000)
  expect(await ready()).toBe(1)
})

test('restarts are counted by the supervisor alone, and once', async () => {
  const supervisor = new SupervisorFigures()
  const workers = [1, 2].map((id) => makeWorker(supervisor, id))
  const restarts = async () => {
    const text = await supervisor.gather(new Map(workers.map(({ tell }, at) => [at + 1, tell])))
    return text.split('\n').filter((line) => line.startsWith('countersign_worker_restarts_total'))
  }
  expect(await restarts()).toEqual(['countersign_worker_restarts_total 0'])
  supervisor.restarted()
  supervisor.restarted()
  await supervisor.end(1)
  expect(await restarts()).toEqual(['countersign_worker_restarts_total 2'])
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
  expect(figure(text, 'countersign_checks_total{reason="approved"}')).toBe(210)
  expect(figure(text, 'countersign_wrong_rate_alarm')).toBe(0)
})

test('one that does not answer counts as it last did, and holds a scrape up for two seconds at most', async () => {
  const supervisor = new SupervisorFigures()
  const { metrics, tell } = makeWorker(supervisor, 1)
  metrics.checks.labels('approved').inc(5)
  await supervisor.gather(new Map([[1, tell]]))
  const from = performance.now()
  const text = await supervisor.gather(new Map([[1, () => {}]]))
  expect(figure(text, 'countersign_checks_total{reason="approved"}')).toBe(5)
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
