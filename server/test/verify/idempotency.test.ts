import { expect, test } from 'vitest'
import { CountersignError } from '../../src/primitives/errors.ts'
import { once } from '../../src/verify/idempotency.ts'
import { MemoryVerifyStore } from '../broken/memory-verify-store.ts'
import { draft } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'

const down = () => new CountersignError('store_unavailable', 'The store cannot be reached at the moment')

/** A start under one key, whose work and recovery are told. */
function starter(store: MemoryVerifyStore, clock: FakeClock) {
  const opened: string[] = []
  const open = async () => {
    const { verification } = await store.open(draft(clock, { claimKey: 'k' }))
    opened.push(verification.id)
    return verification.id
  }
  const request = (run: () => Promise<string>, recover = async (id: string) => id) =>
    once(store, { key: 'k', fingerprint: 'f', keepSeconds: 3600, run, recover })
  return { opened, open, request }
}

test('F19: a recovery that fails leaves the claim, so that no later try opens a second verification', async () => {
  const clock = new FakeClock()
  const { opened, open, request } = starter(new MemoryVerifyStore(clock), clock)
  const died = request(async () => {
    await open()
    throw down()
  })
  await expect(died).rejects.toMatchObject({ code: 'store_unavailable' })
  clock.advance(31)
  await expect(request(open, () => Promise.reject(down()))).rejects.toThrow()
  expect(await request(open)).toBe(opened[0])
  expect(await request(open)).toBe(opened[0])
  expect(opened).toHaveLength(1)
})

test('F5: an answer that was lost after the verification was opened is not taken for nothing having happened', async () => {
  const clock = new FakeClock()
  const { opened, open, request } = starter(new MemoryVerifyStore(clock), clock)
  const lost = request(async () => {
    await open()
    throw down()
  })
  await expect(lost).rejects.toThrow()
  clock.advance(31)
  expect(await request(open)).toBe(opened[0])
  expect(opened).toHaveLength(1)
})

test('a refusal is not kept: the same key may try again, and so may one whose store failed before it opened', async () => {
  const clock = new FakeClock()
  const { opened, open, request } = starter(new MemoryVerifyStore(clock), clock)
  const refused = new CountersignError('rate_limited', 'Too many requests')
  await expect(request(() => Promise.reject(refused))).rejects.toBe(refused)
  await expect(request(() => Promise.reject(down()))).rejects.toThrow()
  expect(await request(open)).toBe(opened[0])
})

test('a claim that cannot be given up hides nothing: the caller is told the first error', async () => {
  const clock = new FakeClock()
  const store = new MemoryVerifyStore(clock)
  const { request } = starter(store, clock)
  store.releaseClaim = () => Promise.reject(new Error('second'))
  const first = down()
  await expect(request(() => Promise.reject(first))).rejects.toBe(first)
})
