import { randomUUID } from 'node:crypto'
import { inOrder, play, tellings, type Step } from './beats.ts'
import type { Carrier } from './carrier.ts'
import type { Course } from './fates.ts'
import type { End } from './magic.ts'
import type { Item } from './phones.ts'
import { messageReport } from './reports.ts'

const DELIVERED: End = { status: 'delivered' }

/** Carries a message to its phone: its status goes on step by step, and each step but the first is told. */
export function deliver(carrier: Carrier, item: Item, course: Course): void {
  const { settings, agenda, phones } = carrier
  const steps = stepsOf(item.status, course, settings.delivery_ms, settings.late_ms).map((step) => ({
    ...step,
    // What the request asked for begins when it is answered.
    at: step.at + settings.latency_ms,
  }))
  const beats = steps.map((step) => ({
    at: step.at,
    act: () => {
      item.status = step.status
      item.error = step.error
      item.updatedAt = carrier.clock.now()
      // A Messaging Service chooses a sender when the message is queued.
      item.from ??= carrier.sender
      if (step.status === 'sent') item.sentAt = item.updatedAt
      phones.tell(item)
    },
  }))
  if (item.hook === undefined) return play(agenda, beats)
  const told = tellings(steps, course.receipts)
  // An app that answers late is told the next when it has answered, so that the order is the one we chose.
  let line: Promise<unknown> = Promise.resolve()
  const tokens = new Map(steps.map((step) => [step, randomUUID()]))
  const carriedMs = item.createdAt + settings.latency_ms + settings.delivery_ms
  const calls = told.map(({ at, of }) => ({
    at,
    act: () => {
      line = line.then(() => tell(carrier, item, of, carriedMs, tokens.get(of) ?? ''))
    },
  }))
  return play(agenda, inOrder([...beats, ...calls]))
}

/** The statuses a message goes through after its first, and when. */
function stepsOf(first: string, course: Course, deliveryMs: number, lateMs: number): Step[] {
  const end = course.message ?? DELIVERED
  const way = [
    ...(first === 'accepted' ? ['queued'] : []),
    // What is stopped before it leaves never was on its way.
    ...(end.status === 'failed' ? [] : ['sending', 'sent']),
  ]
  const share = deliveryMs / (way.length + 1)
  const steps = way.map((status, index) => ({ at: share * (index + 1), status, error: null }))
  const at = course.receipts === 'late' ? Math.max(lateMs, deliveryMs) : deliveryMs
  const final = { at, status: end.status, error: end.error ?? null }
  const after = end.thenDelivered ? [{ at: at + deliveryMs + 100, status: 'delivered', error: null }] : []
  return [...steps, final, ...after].map((step) => ({ ...step, at: Math.round(step.at) }))
}

async function tell(carrier: Carrier, item: Item, step: Step, at: number, token: string): Promise<void> {
  if (item.hook === undefined) return
  const params = messageReport(carrier.account.sid, item, { ...step, at })
  const { status, failure } = await carrier.callbacks.put({ ...item.hook, params, token })
  item.told.push({ status: step.status, answer: failure ?? String(status) })
  carrier.phones.tell(item)
}
