import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type EventSender, Outbox, type OutgoingEvent } from '../../src/services/outbox.ts'
import type { RecordStore } from '../../src/services/records.ts'
import { openSqlite } from '../../src/stores/sqlite/store.ts'
import { FakeClock } from '../fake-clock.ts'

const ACCOUNT = 'AC0'
const DAY = 86_400
const NEVER = new Promise<boolean>(() => {})

let clock: FakeClock
let records: RecordStore
let sent: OutgoingEvent[]
let lost: OutgoingEvent[]
let answer: (event: OutgoingEvent) => Promise<boolean>

beforeEach(() => {
  clock = new FakeClock()
  const retention = { retentionDays: 30, eventRetentionDays: 30 }
  const store = openSqlite({ path: ':memory:', synchronous: 'normal', clock, ...retention })
  onTestFinished(() => store.close())
  ;({ records } = store)
  ;[sent, lost] = [[], []]
  answer = async () => true
})

/** An outbox of a process of its own, on the one store. */
function outbox(on: RecordStore = records): Outbox {
  const send: EventSender = (event) => {
    sent.push(event)
    return answer(event)
  }
  return new Outbox({
    records: on,
    clock,
    senders: { test: send },
    onDue: () => {},
    onLost: (event) => void lost.push(event),
  })
}

/** Delivers what is due, and waits for it. */
async function round(of: Outbox): Promise<number> {
  const before = sent.length
  await of.deliver()
  await of.close(1_000)
  return sent.length - before
}

const event = (to = 'place', what: unknown = { n: 1 }) => ({ kind: 'test', to, what })

describe('an event', () => {
  test('is told once, as it was put, and is gone', async () => {
    const box = outbox()
    await box.put(ACCOUNT, event())
    expect(await round(box)).toBe(1)
    expect(sent).toEqual([
      {
        id: expect.stringMatching(/^EV[0-9a-f]{32}$/) as string,
        account: ACCOUNT,
        to: 'place',
        what: { n: 1 },
        createdAt: clock.now(),
      },
    ])
    clock.advance(3 * DAY)
    expect(await round(box)).toBe(0)
    expect(await records.find(sent[0]?.id ?? '')).toBeUndefined()
  })

  test.each([
    ['is not taken', async () => false],
    ['cannot be brought', () => Promise.reject(new Error('down'))],
  ])('that %s is tried again, later each time, for three days', async (_, fails) => {
    answer = fails
    const box = outbox()
    await box.put(ACCOUNT, event())
    expect(await round(box)).toBe(1)
    for (const seconds of [10, 30, 60, 300, 1_800, 7_200, 21_600, 21_600]) {
      clock.advance(seconds - 1)
      expect([seconds, await round(box)]).toEqual([seconds, 0])
      clock.advance(1)
      expect([seconds, await round(box)]).toEqual([seconds, 1])
    }
    const first = sent[0]
    while (lost.length === 0) {
      clock.advance(21_600)
      await round(box)
    }
    expect(sent.every(({ id }) => id === first?.id)).toBe(true)
    expect(lost).toEqual([first])
    expect(clock.now() - (first?.createdAt ?? 0)).toBeGreaterThan(2.5 * DAY * 1_000)
    clock.advance(DAY)
    expect(await round(box)).toBe(0)
  })

  test('that is taken at the second try is told no third time', async () => {
    answer = async () => sent.length > 1
    const box = outbox()
    await box.put(ACCOUNT, event())
    await round(box)
    clock.advance(10)
    expect(await round(box)).toBe(1)
    clock.advance(DAY)
    expect(await round(box)).toBe(0)
  })

  test('goes by one of several processes', async () => {
    const boxes = [outbox(), outbox(), outbox()]
    for (let n = 0; n < 60; n++) await boxes[0]?.put(ACCOUNT, event(`place ${n}`))
    await Promise.all(boxes.map(round))
    expect(sent).toHaveLength(60)
    expect(new Set(sent.map(({ id }) => id)).size).toBe(60)
  })

  test('of a process that dies while it tells is told by another', async () => {
    answer = () => NEVER
    const dying = outbox()
    await dying.put(ACCOUNT, event())
    await dying.deliver()
    expect(sent).toHaveLength(1)
    answer = async () => true
    const other = outbox()
    clock.advance(59)
    expect(await round(other)).toBe(0)
    clock.advance(1)
    expect(await round(other)).toBe(1)
    expect(sent[0]?.id).toBe(sent[1]?.id)
  })

  test('that was told when the store went down is told again', async () => {
    let isDown = true
    const flaky: RecordStore = Object.assign(Object.create(records) as RecordStore, {
      insert: records.insert.bind(records),
      takeDue: records.takeDue.bind(records),
      remove: (id: string) => (isDown ? Promise.reject(new Error('down')) : records.remove(id)),
    })
    const box = outbox(flaky)
    await box.put(ACCOUNT, event())
    expect(await round(box)).toBe(1)
    isDown = false
    clock.advance(60)
    expect(await round(box)).toBe(1)
    clock.advance(60)
    expect(await round(box)).toBe(0)
  })

  test('of a kind that this process does not know is kept for one that does', async () => {
    const box = outbox()
    await box.put(ACCOUNT, { kind: 'newer', to: 'place', what: {} })
    expect(await round(box)).toBe(0)
    const newer = new Outbox({
      records,
      clock,
      senders: { newer: async (told) => sent.push(told) > 0 },
      onDue: () => {},
      onLost: () => {},
    })
    clock.advance(10)
    expect(await round(newer)).toBe(1)
  })
})

test('a place that does not answer keeps no other waiting', async () => {
  answer = ({ to }) => (to === 'slow' ? NEVER : Promise.resolve(true))
  const box = outbox()
  for (let n = 0; n < 250; n++) await box.put(ACCOUNT, event('slow'))
  for (let n = 0; n < 5; n++) await box.put(ACCOUNT, event('quick'))
  await box.deliver()
  const count = (place: string) => sent.filter(({ to }) => to === place).length
  expect(count('slow')).toBe(10)
  expect(count('quick')).toBe(5)
})
