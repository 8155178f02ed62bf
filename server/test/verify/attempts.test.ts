import { describe, expect, test } from 'vitest'
import {
  type Attempt,
  type AttemptStore,
  listAttempts,
  summarizeAttempts,
} from '../../src/verify/attempts.ts'

const OWN = { services: ['VA1'] }
const attempt = { ordinal: 1 } as Attempt

/** A store of so many looks, each of which finds so much; it remembers where each look began and what was wanted. */
function makeStore(finds: readonly number[], looks = finds.length) {
  const asked: { readonly cursor: string | undefined; readonly limit: number | undefined }[] = []
  const look = (filter: { readonly cursor?: string; readonly limit?: number }) => {
    const { cursor, limit } = filter
    const at = Number(cursor ?? 0)
    asked.push({ cursor, limit })
    return { found: finds[at] ?? 0, nextCursor: at + 1 < looks ? String(at + 1) : null }
  }
  const store: AttemptStore = {
    list: async (filter) => {
      const { found, nextCursor } = look(filter)
      return { data: Array.from({ length: Math.min(found, filter.limit) }, () => attempt), nextCursor }
    },
    summary: async (filter) => {
      const { found, nextCursor } = look(filter)
      return { total: found, converted: found > 0 ? 1 : 0, nextCursor }
    },
  }
  return { store, asked }
}

describe('a page of attempts', () => {
  test('is filled over looks that find little, each from where the one before ended', async () => {
    const { store, asked } = makeStore([2, 0, 1, 9])
    const page = await listAttempts(store, { ...OWN, limit: 5 })
    expect(page.data).toHaveLength(5)
    expect(page.nextCursor).toBeNull()
    expect(asked).toEqual([
      { cursor: undefined, limit: 5 },
      { cursor: '1', limit: 3 },
      { cursor: '2', limit: 3 },
      { cursor: '3', limit: 2 },
    ])
  })

  test('is no longer looked for when it is full, and goes on where a cursor says', async () => {
    const { store, asked } = makeStore([1, 3, 3])
    expect(await listAttempts(store, { ...OWN, limit: 3, cursor: '1' })).toMatchObject({ nextCursor: '2' })
    expect(asked).toHaveLength(1)
  })

  test('ends after 20 looks, however empty, and tells where the next begins', async () => {
    const { store, asked } = makeStore([], 1_000)
    expect(await listAttempts(store, { ...OWN, limit: 3 })).toEqual({ data: [], nextCursor: '20' })
    expect(asked).toHaveLength(20)
  })
})

describe('a summary of attempts', () => {
  test('is the sum of as many looks as it takes, each from where the one before ended', async () => {
    const { store, asked } = makeStore([7, 0, 5])
    expect(await summarizeAttempts(store, OWN)).toEqual({ total: 12, converted: 2 })
    expect(asked.map(({ cursor }) => cursor)).toEqual([undefined, '1', '2'])
  })

  test('of more than a thousand looks is refused, with what would make it less', async () => {
    expect(await summarizeAttempts(makeStore([1], 1_000).store, OWN)).toEqual({ total: 1, converted: 1 })
    const { store, asked } = makeStore([1], 1_001)
    await expect(summarizeAttempts(store, OWN)).rejects.toMatchObject({
      code: 'invalid_request',
      help: { field: 'dateCreatedAfter' },
    })
    expect(asked).toHaveLength(1_000)
  })

  test('lets others come in between', async () => {
    let isOver = false
    const summary = summarizeAttempts(makeStore([], 100).store, OWN).finally(() => {
      isOver = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(isOver).toBe(false)
    await summary
  })
})
