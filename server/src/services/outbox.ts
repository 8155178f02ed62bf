import type { Clock } from '../primitives/clock.ts'
import { LATE, withDeadline } from '../primitives/deadline.ts'
import type { RecordStore, TenantRecord } from './records.ts'
import { makeSid } from './sids.ts'

/** Something that happened, on its way to somebody who wants to be told. */
export type OutgoingEvent = {
  /** Of one telling, however often it is tried. */
  readonly id: string
  readonly account: string
  /** Where it goes, in a way that its sender knows. */
  readonly to: string
  /** What is told, as its sender reads it. */
  readonly what: unknown
  readonly createdAt: number
}

/**
 * Carries events of one kind. Resolves with whether it is done with: told, or wanted by nobody any more; otherwise it is
 * tried again, as where it rejects.
 */
export type EventSender = (event: OutgoingEvent) => Promise<boolean>

/** What an outbox is made of. */
export type OutboxDeps = {
  readonly records: RecordStore
  readonly clock: Clock
  /** Who carries which kind. */
  readonly senders: Readonly<Record<string, EventSender>>
  /** Told that there is something to deliver. */
  readonly onDue: () => void
  /** Told of an event that nobody took in all the time there was. */
  readonly onLost: (event: OutgoingEvent) => void
}

type EventBody = {
  readonly kind: string
  readonly to: string
  readonly what: unknown
  readonly tries: number
}

const KEPT_SECONDS = 3 * 86_400
/** How long after each try that failed comes the next; after the last of them it comes again and again. */
const BACK_OFF_SECONDS = [10, 30, 60, 300, 1_800, 7_200, 21_600]
/** Longer than any try takes. Of a process that dies in the middle another takes it then. */
const LEASE_SECONDS = 60
const BATCH = 50
const AT_ONCE = 200
/** At one place: who is slow there keeps nobody else waiting. */
const AT_ONCE_PER_PLACE = 10
const BUSY_SECONDS = 10

/**
 * Events that are told at least once, whatever dies in between: each is kept from before the call that caused it is
 * answered until somebody has taken it, for three days at most.
 */
export class Outbox {
  readonly #deps: OutboxDeps
  readonly #underWay = new Set<Promise<void>>()
  readonly #places = new Map<string, number>()

  constructor(deps: OutboxDeps) {
    this.#deps = deps
  }

  /** Resolves when the event is kept. It is told at once, or after so long. */
  async put(
    account: string,
    event: Pick<EventBody, 'kind' | 'to' | 'what'>,
    dueInSeconds = 0,
  ): Promise<void> {
    const { records, clock, onDue } = this.#deps
    const body: EventBody = { ...event, tries: 0 }
    await records.insert({
      id: makeSid('EV', clock.now()),
      kind: 'event',
      parent: account,
      name: null,
      body: JSON.stringify(body),
      dueInSeconds,
      ttlSeconds: KEPT_SECONDS,
    })
    onDue()
  }

  /** Begins to tell what is due, and resolves without waiting for anybody who is told. */
  async deliver(): Promise<void> {
    for (;;) {
      const room = Math.min(BATCH, AT_ONCE - this.#underWay.size)
      if (room <= 0) return
      const due = await this.#deps.records.takeDue('event', LEASE_SECONDS, room)
      for (const record of due) this.#begin(record)
      if (due.length < room) return
    }
  }

  /** Waits for what is being told, at most so long. What is not told by then is told by another process, or later. */
  async close(graceMs: number): Promise<void> {
    const all = Promise.all(this.#underWay)
    if ((await withDeadline(all, graceMs)) === LATE) this.#underWay.clear()
  }

  #begin(record: TenantRecord): void {
    const { to } = JSON.parse(record.body) as EventBody
    const count = this.#places.get(to) ?? 0
    const isBusy = count >= AT_ONCE_PER_PLACE
    this.#places.set(to, count + 1)
    const work = (isBusy ? this.#putOff(record, BUSY_SECONDS) : this.#carry(record))
      // The store did not answer: the lease ends, and it is due again.
      .catch(() => {})
      .finally(() => {
        this.#underWay.delete(work)
        const left = (this.#places.get(to) ?? 1) - 1
        if (left === 0) this.#places.delete(to)
        else this.#places.set(to, left)
      })
    this.#underWay.add(work)
  }

  async #carry(record: TenantRecord): Promise<void> {
    const { records, clock, senders, onLost } = this.#deps
    const { id, parent: account, createdAt } = record
    const { kind, to, what, tries } = JSON.parse(record.body) as EventBody
    const event: OutgoingEvent = { id, account, to, what, createdAt }
    // A kind that is not known here was put by a newer process, and is left to such a one.
    const isDone = (await senders[kind]?.(event).catch(() => false)) ?? false
    if (isDone) return void (await records.remove(id))
    const seconds = BACK_OFF_SECONDS[tries] ?? BACK_OFF_SECONDS.at(-1) ?? 0
    if (clock.now() + seconds * 1_000 < createdAt + KEPT_SECONDS * 1_000) {
      const body: EventBody = { kind, to, what, tries: tries + 1 }
      return this.#putOff(record, seconds, JSON.stringify(body))
    }
    await records.remove(id)
    onLost(event)
  }

  async #putOff({ id, version, body }: TenantRecord, seconds: number, changed = body): Promise<void> {
    await this.#deps.records.change(id, version, { body: changed, dueInSeconds: seconds })
  }
}
