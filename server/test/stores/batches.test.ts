import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type BatchOptions, Batches } from '../../src/stores/batches.ts'

/** Batches of numbers that are answered with their squares, each batch after a while. */
function squares(options: Partial<BatchOptions<number, number | undefined>> = {}) {
  const asked: number[][] = []
  let running = 0
  let most = 0
  const batches = new Batches<number, number | undefined>({
    run: async (ops) => {
      asked.push([...ops])
      most = Math.max(most, ++running)
      await sleep(20)
      running--
      return ops.map((op) => (op < 0 ? undefined : op * op))
    },
    patienceMs: 1_000,
    leastMs: 100,
    leastAfterFailureMs: 500,
    refuse: (why) => new Error(`refused: ${why}`),
    ...options,
  })
  return { batches, asked, most: () => most }
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
const outcomes = async (all: readonly Promise<unknown>[]) =>
  (await Promise.allSettled(all)).map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)))

test('one that comes alone is asked alone and at once', async () => {
  const { batches, asked } = squares()
  expect(await batches.add(3)).toBe(9)
  expect(asked).toEqual([[3]])
})

test('what comes together goes together, each with its own answer, in batches of at most 64', async () => {
  const { batches, asked } = squares()
  const answers = await Promise.all(numbers(200).map((n) => batches.add(n)))
  expect(answers).toEqual(numbers(200).map((n) => n * n))
  expect(asked.map(({ length }) => length)).toEqual([64, 64, 64, 8])
})

test('one batch runs at a time, and what comes meanwhile goes with the next', async () => {
  const { batches, asked, most } = squares()
  const all: Promise<unknown>[] = []
  for (const n of numbers(30)) {
    all.push(batches.add(n))
    await sleep(2)
  }
  await Promise.all(all)
  expect(most()).toBe(1)
  expect(asked.length).toBeLessThan(10)
})

test('each is answered for itself, also where two ask the same', async () => {
  let hits = 0
  const { batches } = squares({ run: async (ops) => ops.map(() => hits++) })
  expect(await Promise.all([batches.add(1), batches.add(1), batches.add(1)])).toEqual([0, 1, 2])
})

test('nothing is told to anyone when not everyone is answered', async () => {
  const { batches } = squares({ run: async () => [1] })
  expect(await outcomes([batches.add(1), batches.add(2)])).toEqual([
    'Error: not everyone was answered',
    'Error: not everyone was answered',
  ])
})

test('a batch that fails fails for all in it, once, and the next one runs', async () => {
  let tries = 0
  const run = async (ops: readonly number[]) => {
    if (tries++ === 0) throw new Error('no connection')
    return ops
  }
  const { batches } = squares({ run })
  expect(await outcomes([batches.add(1), batches.add(2)])).toEqual([
    'Error: no connection',
    'Error: no connection',
  ])
  expect(await batches.add(3)).toBe(3)
  expect(tries).toBe(2)
})

test('one that cannot be taken is refused without the others', async () => {
  const run = async (ops: readonly number[]) => {
    if (ops.includes(13)) throw new Error('not that one')
    return ops
  }
  const { batches } = squares({ run, isOfOne: (error) => String(error).includes('not that one') })
  expect(await outcomes([12, 13, 14].map((n) => batches.add(n)))).toEqual([12, 'Error: not that one', 14])
})

test('one that has waited too long is refused and not asked; the step is told when the first gives up', async () => {
  const asked: number[] = []
  const spare: number[] = []
  const run = async (ops: readonly number[], until: number) => {
    asked.push(...ops)
    spare.push(until - performance.now())
    await sleep(450)
    return ops
  }
  const { batches } = squares({ run, patienceMs: 600, leastMs: 300 })
  const first = batches.add(1)
  await sleep(15)
  const second = batches.add(2)
  await sleep(345)
  const third = batches.add(3)
  expect(await outcomes([first, second, third])).toEqual([1, 'Error: refused: it is slow', 3])
  expect(asked).toEqual([1, 3])
  for (const ms of spare) expect(ms).toBeLessThanOrEqual(600)
  expect(spare[1]).toBeGreaterThan(300)
})

test('after a step that failed, who has not the time for a whole one is refused', async () => {
  let tries = 0
  const run = async (ops: readonly number[]) => {
    await sleep(60)
    if (tries++ === 0) throw new Error('given up')
    return ops
  }
  const { batches } = squares({ run, patienceMs: 200, leastMs: 10, leastAfterFailureMs: 160 })
  const first = batches.add(1)
  await sleep(5)
  const second = batches.add(2)
  await sleep(45)
  const third = batches.add(3)
  const expected = ['Error: given up', 'Error: refused: it is slow', 3]
  expect(await outcomes([first, second, third])).toEqual(expected)
  // And once one has worked again, as before.
  const later = [batches.add(4)]
  await sleep(5)
  later.push(batches.add(5))
  expect(await outcomes(later)).toEqual([4, 5])
})

test('no more than 2,000 wait', async () => {
  const { batches } = squares()
  const all = await outcomes(numbers(2_001).map((n) => batches.add(n)))
  expect(all.filter((one) => one === 'Error: refused: too much waits for it')).toHaveLength(1)
  expect(all[2_000]).toBe('Error: refused: too much waits for it')
})
