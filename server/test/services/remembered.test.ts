import { expect, test } from 'vitest'
import { Remembered } from '../../src/services/remembered.ts'
import { FakeClock } from '../fake-clock.ts'

function makeCounted() {
  const clock = new FakeClock()
  const known = new Remembered<number>(clock)
  let reads = 0
  const look = (key = 'a') => known.of(key, async () => ++reads)
  return { clock, known, look }
}

test('believes what it was told for two seconds, of each key by itself', async () => {
  const { clock, look } = makeCounted()
  expect([await look(), await look('b'), await look()]).toEqual([1, 2, 1])
  clock.advanceMs(1_999)
  expect(await look()).toBe(1)
  clock.advanceMs(1)
  expect(await look()).toBe(3)
})

test('does not believe it for longer where the clock was set back', async () => {
  const { clock, look } = makeCounted()
  await look()
  clock.advance(-60)
  expect(await look()).toBe(2)
})

test('those who ask at one moment share a look', async () => {
  const { look } = makeCounted()
  expect(await Promise.all([look(), look(), look()])).toEqual([1, 1, 1])
})

test('a look that a change overtakes is not believed', async () => {
  const { known, look } = makeCounted()
  const slow = Promise.withResolvers<number>()
  const before = known.of('a', () => slow.promise)
  known.forget('a')
  slow.resolve(100)
  expect(await before).toBe(100)
  expect(await look()).toBe(1)
})

test('a look that failed is made again', async () => {
  const { known, look } = makeCounted()
  await expect(known.of('a', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
  expect(await look()).toBe(1)
})
