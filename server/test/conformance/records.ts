import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NewRecord, RecordKind, RecordStore, TenantRecord } from '../../src/services/records.ts'
import { makeSid } from '../../src/services/sids.ts'
import { FakeClock } from '../fake-clock.ts'

/** A fresh, empty store on this clock. */
export type RecordsFixture = {
  records: RecordStore
  /** The same data over a connection of its own, as another process has it. */
  other: RecordStore
  sweep(): Promise<number>
  close(): Promise<void>
}

const ACCOUNT = `AC${'0'.repeat(31)}1`
const LEASE_SECONDS = 15

/** What every store promises of what tenants keep, races over two connections included. */
export function describeRecords(name: string, make: (clock: FakeClock) => Promise<RecordsFixture>): void {
  describe(`records: ${name}`, () => {
    let clock: FakeClock
    let fixture: RecordsFixture
    let records: RecordStore

    const draft = (changes: Partial<NewRecord> = {}): NewRecord => ({
      id: makeSid('RK', clock.now()),
      kind: 'rate_limit',
      parent: ACCOUNT,
      name: null,
      body: '{}',
      ...changes,
    })
    /** Makes a record, a millisecond after the one before. */
    const insert = async (changes: Partial<NewRecord> = {}): Promise<TenantRecord> => {
      clock.advanceMs(1)
      return (await records.insert(draft(changes))).record
    }
    /** The two connections in turn. */
    const either = (n: number) => (n % 2 === 0 ? fixture.records : fixture.other)
    const many = <T>(count: number, work: (store: RecordStore, n: number) => Promise<T>) =>
      Promise.all(Array.from({ length: count }, (_, n) => work(either(n), n)))
    const list = (changes: { kind?: RecordKind; parent?: string; limit?: number; cursor?: string } = {}) =>
      records.list({ kind: 'rate_limit', parent: ACCOUNT, limit: 100, ...changes })
    const idsOf = (all: readonly TenantRecord[]) => all.map(({ id }) => id)
    const there = async (...all: readonly TenantRecord[]) => {
      const found = await Promise.all(all.map(({ id }) => records.find(id)))
      return found.map((one) => one !== undefined)
    }

    beforeEach(async () => {
      clock = new FakeClock()
      fixture = await make(clock)
      records = fixture.records
    })
    afterEach(() => fixture.close())

    describe('inserting', () => {
      test('a record is kept as it was made, by the store’s clock, and is found by its id and its name', async () => {
        const wanted = draft({ name: 'é "x"', body: '{"a":"é \\"x\\"\\n"}', dueInSeconds: 5, ttlSeconds: 60 })
        const { record, isTaken } = await records.insert(wanted)
        expect(isTaken).toBe(false)
        expect(record).toEqual({
          id: wanted.id,
          kind: 'rate_limit',
          parent: ACCOUNT,
          name: 'é "x"',
          body: '{"a":"é \\"x\\"\\n"}',
          version: 1,
          createdAt: clock.now(),
          updatedAt: clock.now(),
          dueAt: clock.now() + 5_000,
          expiresAt: clock.now() + 60_000,
        })
        expect(await fixture.other.find(wanted.id)).toEqual(record)
        expect(await fixture.other.findNamed('rate_limit', ACCOUNT, 'é "x"')).toEqual(record)
      })

      test('without a name, a time or an end it has none', async () => {
        expect(await insert()).toMatchObject({ name: null, dueAt: null, expiresAt: null })
        expect(await records.find('RKnone')).toBeUndefined()
        expect(await records.findNamed('rate_limit', ACCOUNT, 'none')).toBeUndefined()
      })

      test('a name is one’s of its kind and parent, and another’s of another', async () => {
        const first = await insert({ name: 'a' })
        expect(await records.insert(draft({ name: 'a', body: '[2]' }))).toEqual({
          record: first,
          isTaken: true,
        })
        const kind = await insert({ name: 'a', kind: 'bucket' })
        const parent = await insert({ name: 'a', parent: first.id })
        const other = await insert({ name: 'A' })
        expect(new Set([first, kind, parent, other].map(({ id }) => id)).size).toBe(4)
        expect(await records.findNamed('rate_limit', ACCOUNT, 'a')).toEqual(first)
        expect(await records.findNamed('bucket', ACCOUNT, 'a')).toEqual(kind)
        expect(await records.findNamed('rate_limit', first.id, 'a')).toEqual(parent)
        // As often as anybody likes.
        const nameless = [await insert(), await insert()]
        expect(await there(...nameless)).toEqual([true, true])
      })

      test('of 30 that insert one name at once one is made, and the others are told which', async () => {
        const all = await many(30, (store, n) => store.insert(draft({ name: 'a', body: `[${n}]` })))
        expect(all.filter(({ isTaken }) => !isTaken)).toHaveLength(1)
        expect(new Set(idsOf(all.map(({ record }) => record))).size).toBe(1)
        expect((await list()).data).toEqual([all[0]?.record])
      })

      test('a name whose record is gone is free', async () => {
        const first = await insert({ name: 'a' })
        await records.remove(first.id)
        expect(await records.findNamed('rate_limit', ACCOUNT, 'a')).toBeUndefined()
        expect(await records.insert(draft({ name: 'a' }))).toMatchObject({ isTaken: false })
      })
    })

    describe('changing', () => {
      test('what was read is changed, and nothing of it but what is said', async () => {
        const made = await insert({ name: 'a', dueInSeconds: 5, ttlSeconds: 60 })
        clock.advance(3)
        const changed = await records.change(made.id, 1, { body: '[2]' })
        expect(changed).toEqual({ ...made, body: '[2]', version: 2, updatedAt: clock.now() })
        expect(await fixture.other.find(made.id)).toEqual(changed)
      })

      test('what somebody else has changed since stays as they left it, and so does what is gone', async () => {
        const made = await insert()
        const theirs = await fixture.other.change(made.id, 1, { body: '["theirs"]' })
        for (const version of [1, 3])
          expect(await records.change(made.id, version, { body: '[]' })).toBeUndefined()
        expect(await records.find(made.id)).toEqual(theirs)
        await records.remove(made.id)
        expect(await records.change(made.id, 2, { body: '[]' })).toBeUndefined()
        expect(await records.find(made.id)).toBeUndefined()
      })

      test('of 30 changes of one version one is made', async () => {
        const { id } = await insert()
        const all = await many(30, (store, n) => store.change(id, 1, { body: `[${n}]` }))
        const made = all.filter((one) => one !== undefined)
        expect(made).toHaveLength(1)
        expect(await records.find(id)).toEqual(made[0])
      })

      test('of 30 who change one record, each until it has, none is lost and none is made twice', async () => {
        const { id } = await insert({ body: '0' })
        await many(30, async (store) => {
          for (;;) {
            const { body = '', version = 0 } = (await store.find(id)) ?? {}
            if (await store.change(id, version, { body: String(Number(body) + 1) })) return
          }
        })
        expect(await records.find(id)).toMatchObject({ body: '30', version: 31 })
      })

      test('F22: with the clock set back, a change is not from before the record was made', async () => {
        const made = await insert()
        clock.advance(-60)
        const changed = await records.change(made.id, 1, { body: '[]' })
        expect(changed?.updatedAt).toBe(made.createdAt)
      })
    })

    describe('removing', () => {
      test('takes all that belongs to it, three levels down, and nothing else', async () => {
        const service = await insert({ kind: 'service' })
        const limit = await insert({ parent: service.id, name: 'a' })
        const bucket = await insert({ kind: 'bucket', parent: limit.id })
        const lowest = await insert({ kind: 'event', parent: bucket.id })
        const beside = await insert({ kind: 'service' })
        const below = await insert({ parent: beside.id, name: 'a' })
        const gone = [service, limit, bucket, lowest]
        expect(await records.remove(service.id)).toBe(true)
        expect(await there(...gone)).toEqual(gone.map(() => false))
        expect(await there(beside, below)).toEqual([true, true])
      })

      test('takes the lower ones, and leaves what it belongs to and what lies beside it', async () => {
        const service = await insert({ kind: 'service' })
        const limits = [await insert({ parent: service.id }), await insert({ parent: service.id })]
        const buckets = [
          await insert({ kind: 'bucket', parent: limits[0]!.id }),
          await insert({ kind: 'bucket', parent: limits[1]!.id }),
        ]
        expect(await records.remove(limits[0]!.id)).toBe(true)
        expect(await there(service, ...limits, ...buckets)).toEqual([true, false, true, false, true])
      })

      test('of 10 that remove one at once one has, and there is none to remove then', async () => {
        const { id } = await insert()
        await insert({ parent: id })
        const all = await many(10, (store) => store.remove(id))
        expect(all.filter(Boolean)).toHaveLength(1)
        expect(await records.remove(id)).toBe(false)
        expect(await records.remove('RKnone')).toBe(false)
      })

      test('what is changed while it is removed is gone', async () => {
        for (let round = 0; round < 10; round++) {
          const { id } = await insert()
          const change = () => fixture.other.change(id, 1, { body: '[]' })
          const remove = () => records.remove(id)
          // Each comes first in half of the rounds.
          await Promise.all(round % 2 === 0 ? [change(), remove()] : [remove(), change()])
          expect(await records.find(id)).toBeUndefined()
        }
      })
    })

    describe('listing', () => {
      test('is of a kind and a parent, newest first', async () => {
        const service = await insert({ kind: 'service' })
        const made = [await insert(), await insert(), await insert()]
        await insert({ kind: 'bucket' })
        const below = await insert({ parent: service.id })
        expect(await list()).toEqual({ data: made.toReversed(), nextCursor: null })
        expect((await list({ parent: service.id })).data).toEqual([below])
        expect((await list({ kind: 'service' })).data).toEqual([service])
        expect(await list({ kind: 'webhook' })).toEqual({ data: [], nextCursor: null })
      })

      test('is page by page without a gap or a double, while others are added', async () => {
        const made: string[] = []
        for (let n = 0; n < 7; n++) made.unshift((await insert()).id)
        const seen: string[] = []
        let cursor: string | null = null
        do {
          const page: Awaited<ReturnType<typeof list>> = await list({
            limit: 3,
            ...(cursor === null ? {} : { cursor }),
          })
          expect(page.data.length).toBeLessThanOrEqual(3)
          seen.push(...idsOf(page.data))
          cursor = page.nextCursor
          await insert()
        } while (cursor !== null)
        expect(seen).toEqual(made)
      })

      test('tells no next page where there is none', async () => {
        await insert()
        await insert()
        expect((await list({ limit: 2 })).nextCursor).toBeNull()
        expect((await list({ limit: 1 })).nextCursor).not.toBeNull()
      })
    })

    describe('what is due', () => {
      const due = (dueInSeconds: number, kind: RecordKind = 'event') => insert({ kind, dueInSeconds })
      const take = (limit = 100, kind: RecordKind = 'event') => records.takeDue(kind, LEASE_SECONDS, limit)
      const idsTaken = async (limit?: number) => idsOf(await take(limit)).toSorted()

      test('is taken from its time on, of its kind alone, and told with its lease', async () => {
        await due(1, 'challenge')
        const soon = await due(5)
        await due(6)
        await insert({ kind: 'event' })
        clock.advanceMs(soon.dueAt! - clock.now() - 1)
        expect(await take()).toEqual([])
        clock.advanceMs(1)
        const leased = { ...soon, dueAt: clock.now() + LEASE_SECONDS * 1_000 }
        expect(await take()).toEqual([leased])
        expect(await records.find(soon.id)).toEqual(leased)
      })

      test('the longest due is taken first, and no more than are asked for', async () => {
        const [late, first, second] = [await due(9), await due(1), await due(5)]
        clock.advance(60)
        expect(await idsTaken(2)).toEqual([first.id, second.id].toSorted())
        expect(await idsTaken(2)).toEqual([late.id])
        expect(await idsTaken(2)).toEqual([])
      })

      test('of 20 that take at once, each record goes to one', async () => {
        const made: string[] = []
        for (let n = 0; n < 40; n++) made.push((await due(1)).id)
        clock.advance(60)
        const all = await many(20, (store) => store.takeDue('event', LEASE_SECONDS, 5))
        const rest = await take()
        expect(idsOf([...all.flat(), ...rest]).toSorted()).toEqual(made.toSorted())
      })

      test('is due again when its lease is over and whoever had it said nothing', async () => {
        const { id } = await due(1)
        clock.advance(1)
        expect(await idsTaken()).toEqual([id])
        clock.advanceMs(LEASE_SECONDS * 1_000 - 1)
        expect(await idsTaken()).toEqual([])
        clock.advanceMs(1)
        expect(await idsTaken()).toEqual([id])
      })

      test('is changed by whoever took it: done with, put off, or left to its lease', async () => {
        const [done, later, left] = [await due(1), await due(1), await due(1)]
        clock.advance(1)
        const taken = await take()
        const versions = new Map(taken.map(({ id, version }) => [id, version]))
        const change = (id: string, dueInSeconds?: number | null) =>
          records.change(id, versions.get(id) ?? 0, {
            body: '[]',
            ...(dueInSeconds === undefined ? {} : { dueInSeconds }),
          })
        expect(await change(done.id, null)).toMatchObject({ dueAt: null })
        expect(await change(later.id, 60)).toMatchObject({ dueAt: clock.now() + 60_000 })
        expect(await change(left.id)).toMatchObject({ dueAt: clock.now() + LEASE_SECONDS * 1_000 })
        clock.advance(LEASE_SECONDS)
        expect(await idsTaken()).toEqual([left.id])
        clock.advance(3_600)
        expect(await idsTaken()).toEqual([later.id, left.id].toSorted())
      })

      test('what was not due is made due by a change', async () => {
        const { id } = await insert({ kind: 'event' })
        await records.change(id, 1, { body: '[]', dueInSeconds: 0 })
        expect(await idsTaken()).toEqual([id])
      })
    })

    describe('what has an end', () => {
      test('is there until it is swept, which is not before its time, and nothing else is swept', async () => {
        const [ends, later, stays] = [
          await insert({ ttlSeconds: 60 }),
          await insert({ ttlSeconds: 3_600 }),
          await insert({ dueInSeconds: 1 }),
        ]
        clock.advanceMs(ends.expiresAt! - clock.now() - 1)
        expect(await fixture.sweep()).toBe(0)
        expect(await there(ends)).toEqual([true])
        clock.advanceMs(1)
        expect(await fixture.sweep()).toBe(1)
        expect(await there(ends, later, stays)).toEqual([false, true, true])
        clock.advance(365 * 86_400)
        expect(await fixture.sweep()).toBe(1)
        expect(await there(stays)).toEqual([true])
      })

      test('leaves its name when it is swept', async () => {
        await insert({ name: 'a', ttlSeconds: 60 })
        clock.advance(60)
        expect(await records.insert(draft({ name: 'a' }))).toMatchObject({ isTaken: true })
        await fixture.sweep()
        expect(await records.insert(draft({ name: 'a' }))).toMatchObject({ isTaken: false })
      })
    })
  })
}
