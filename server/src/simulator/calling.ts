import { randomUUID } from 'node:crypto'
import { inOrder, play, tellings, type Step } from './beats.ts'
import type { Carrier } from './carrier.ts'
import type { Course } from './fates.ts'
import type { Item } from './phones.ts'
import { callReport } from './reports.ts'

/** The states of a call by the name under which they may be asked for. */
const EVENTS: Readonly<Record<string, string>> = {
  initiated: 'initiated',
  ringing: 'ringing',
  'in-progress': 'answered',
}

/** Lets a phone ring: the call's status goes on step by step. `answered` is what happens when it is picked up. */
export function ring(carrier: Carrier, item: Item, course: Course, answered: () => void): void {
  const { settings, agenda } = carrier
  const steps = stepsOf(course, settings.delivery_ms, settings.late_ms).map((step) => ({
    ...step,
    at: step.at + settings.latency_ms,
  }))
  const beats = steps.map((step) => ({
    at: step.at,
    act: () => {
      // Hung up before it came so far.
      if (item.endedAt !== null) return
      reach(carrier, item, step.status)
      if (step.status === 'in-progress') answered()
    },
  }))
  let line: Promise<unknown> = Promise.resolve()
  let sequence = 0
  const tokens = new Map(steps.map((step) => [step, randomUUID()]))
  const told = tellings(steps, course.receipts).filter(({ of }) => isAsked(item, of.status))
  const calls = told.map(({ at, of }) => ({
    at,
    act: () => {
      if (item.status === 'canceled' && of.status !== 'initiated') return
      const order = sequence++
      line = line.then(() => tell(carrier, item, of.status, order, tokens.get(of)))
    },
  }))
  play(agenda, inOrder([...beats, ...calls]))
}

/** Takes a call to a state: all that follows from it is written down. */
export function reach(carrier: Carrier, item: Item, status: string): void {
  item.updatedAt = carrier.clock.now()
  // Only a callback knows `initiated`; the interface goes on saying `queued`.
  if (status !== 'initiated') item.status = status
  if (status === 'in-progress') item.sentAt = item.updatedAt
  if (isEnd(status)) item.endedAt = item.updatedAt
  carrier.phones.tell(item)
}

/** Tells a state to the app, where it asked for it. */
export async function tell(
  carrier: Carrier,
  item: Item,
  status: string,
  sequence: number,
  token: string = randomUUID(),
): Promise<void> {
  if (item.hook === undefined || !isAsked(item, status)) return
  const params = callReport(carrier.account.sid, item, status, { at: carrier.clock.now(), sequence })
  const reply = await carrier.callbacks.put({ ...item.hook, params, token })
  item.told.push({ status, answer: reply.failure ?? String(reply.status) })
  carrier.phones.tell(item)
}

function isEnd(status: string): boolean {
  return ['completed', 'busy', 'no-answer', 'failed', 'canceled'].includes(status)
}

/** Only the end is told unless more is asked for. */
function isAsked({ hook }: Item, status: string): boolean {
  return hook !== undefined && (hook.events ?? new Set(['completed'])).has(EVENTS[status] ?? 'completed')
}

function stepsOf(course: Course, deliveryMs: number, lateMs: number): Step[] {
  const end = course.call?.status ?? 'completed'
  const way = [
    'initiated',
    ...(end === 'failed' ? [] : ['ringing']),
    ...(end === 'completed' ? ['in-progress'] : []),
  ]
  const share = deliveryMs / (way.length + 1)
  const steps = way.map((status, index) => ({ at: Math.round(share * (index + 1)), status, error: null }))
  const at = course.receipts === 'late' ? Math.max(lateMs, deliveryMs) : deliveryMs
  return [...steps, { at, status: end, error: null }]
}
