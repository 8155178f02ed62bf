import { expect, onTestFinished, test } from 'vitest'
import { LATE, withDeadline } from '../../src/primitives/deadline.ts'

test('work that is done in time is what it resolves with; work that fails in time is what it rejects with', async () => {
  expect(await withDeadline(Promise.resolve(1), 1_000)).toBe(1)
  await expect(withDeadline(Promise.reject(new Error('no')), 1_000)).rejects.toThrow('no')
})

test('work that takes longer is late, and its end is nobody’s trouble', async () => {
  const work = Promise.withResolvers<number>()
  expect(await withDeadline(work.promise, 5)).toBe(LATE)
  work.reject(new Error('after the deadline'))
})

test('what has no time left is late at once, and Node complains about nothing', async () => {
  const warnings: string[] = []
  const listen = ({ name }: Error) => void warnings.push(name)
  process.on('warning', listen)
  onTestFinished(() => void process.off('warning', listen))
  expect(await withDeadline(new Promise(() => {}), -20)).toBe(LATE)
  expect(await withDeadline(Promise.resolve(1), -20)).toBe(1)
  expect(warnings).toEqual([])
})
