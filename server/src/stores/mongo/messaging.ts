import type { Collection } from 'mongodb'
import type { Receipt } from '../../messaging/provider.ts'
import type {
  HeldSend,
  MessageRecord,
  MessagingStore,
  PlannedSend,
  RetakenSend,
  Send,
  SendOutcome,
  Told,
} from '../../messaging/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import { toMessage } from '../rows.ts'
import type { MongoDatabase, Step } from './database.ts'
import { MongoReceipts } from './receipts.ts'
import {
  changing,
  holding,
  leaseFrom,
  newSend,
  only,
  type Owner,
  ownersOf,
  readRetaken,
  readSend,
  type SendDocument,
  settled,
} from './sends.ts'

type MessageDocument = {
  _id: string
  service: string
  phone: string
  channel: MessageRecord['channel']
  template: string | null
  segments: number
  created_at: number
  send_log: SendDocument[]
  purge_at: Date
}

const WITHOUT_SENDS = { send_log: 0 } as const

/** Sends and messages in MongoDB. A send lies inside the verification or message it belongs to. */
export class MongoMessaging implements MessagingStore {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #retentionMs: number
  readonly #messages: Collection<MessageDocument>
  readonly #receipts: MongoReceipts

  constructor(db: MongoDatabase, clock: Clock, retentionDays: number) {
    this.#db = db
    this.#clock = clock
    this.#retentionMs = retentionDays * 86_400_000
    this.#messages = db.collection('messages')
    this.#receipts = new MongoReceipts(db, clock)
  }

  recordSend(owner: string, send: PlannedSend): Promise<void> {
    return this.#db.run(async (step) => {
      const push = { $push: { send_log: newSend(send, this.#clock.now()) } }
      const { matchedCount } = await step(() => this.#owners(owner).updateOne({ _id: owner }, push))
      if (matchedCount !== 1) throw new Error('a send of nothing cannot be recorded')
    })
  }

  settleSend(send: HeldSend, outcome: SendOutcome): Promise<boolean> {
    return this.#db.run(async (step) => {
      const isOpen = { status: { $in: ['sending' as const, 'unknown' as const] } }
      const change = settled(send.id, outcome, this.#clock.now())
      const { matchedCount } = await step(() =>
        this.#owners(send.owner).updateOne(holding(send, isOpen), change, only(send.id)),
      )
      return matchedCount === 1
    })
  }

  renewSends(sends: readonly HeldSend[]): Promise<void> {
    return this.#db.run(async (step) => {
      const leaseUntil = leaseFrom(this.#clock.now())
      // A watch that ends later than the lease, and one that has ended, stay as they are.
      const isShorter = { lease_until: { $lt: leaseUntil } }
      const change = changing({ lease_until: leaseUntil })
      await Promise.all(
        sends.map((send) =>
          step(() => this.#owners(send.owner).updateOne(holding(send, isShorter), change, only(send.id))),
        ),
      )
    })
  }

  retakeSends(limit: number): Promise<RetakenSend[]> {
    return this.#db.run(async (step) => {
      const taken: RetakenSend[] = []
      for (const owners of this.#allOwners()) {
        for (let isMore = true; isMore && taken.length < limit;) {
          const now = this.#clock.now()
          const overdue = await this.#overdue(step, owners, now, limit)
          for (const { owner, send } of overdue) {
            if (taken.length === limit) return taken
            const retaken = await this.#retake(step, owners, { owner, send, now })
            if (retaken) taken.push(retaken)
          }
          // Those that others were quicker to take are not overdue any more; there may be more behind them.
          isMore = overdue.length > 0
        }
      }
      return taken
    })
  }

  releaseSend(send: HeldSend): Promise<void> {
    return this.#db.run(async (step) => {
      const change = changing({ lease_until: null })
      await step(() => this.#owners(send.owner).updateOne(holding(send, {}), change, only(send.id)))
    })
  }

  tell(provider: string, receipt: Receipt): Promise<Told> {
    return this.#receipts.tell(provider, receipt)
  }

  knownRefs(provider: string, refs: readonly string[]): Promise<Set<string>> {
    return this.#receipts.knownRefs(provider, refs)
  }

  tellWaiting(limit: number): Promise<Send[]> {
    return this.#receipts.tellWaiting(limit)
  }

  sendsOf(owner: string): Promise<Send[]> {
    return this.#db.run(async (step) => {
      const projection = { send_log: 1 }
      const found = await step(() => this.#owners(owner).findOne({ _id: owner }, { projection }))
      return (found?.send_log ?? []).map((send) => readSend(owner, send))
    })
  }

  openMessage(message: Omit<MessageRecord, 'createdAt'>, send: PlannedSend): Promise<MessageRecord> {
    const { id, service, to, channel, template, segments } = message
    return this.#db.run(async (step) => {
      const createdAt = this.#clock.now()
      await step(() =>
        this.#messages.insertOne({
          _id: id,
          service,
          phone: to,
          channel,
          template,
          segments,
          created_at: createdAt,
          send_log: [newSend(send, createdAt)],
          purge_at: new Date(createdAt + this.#retentionMs),
        }),
      )
      return { ...message, createdAt }
    })
  }

  message(service: string, id: string): Promise<MessageRecord | undefined> {
    return this.#db.run(async (step) => {
      const options = { projection: WITHOUT_SENDS }
      const found = await step(() => this.#messages.findOne({ _id: id, service }, options))
      return found ? toMessage({ ...found, id }) : undefined
    })
  }

  messages(filter: {
    readonly service: string
    readonly limit: number
    readonly cursor?: string
  }): Promise<{ data: MessageRecord[]; nextCursor: string | null }> {
    const { service, limit, cursor = '~' } = filter
    return this.#db.run(async (step) => {
      const options = { projection: WITHOUT_SENDS, sort: { _id: -1 }, limit: limit + 1 } as const
      const found = await step(() =>
        this.#messages.find({ service, _id: { $lt: cursor } }, options).toArray(),
      )
      const data = found.slice(0, limit).map((document) => toMessage({ ...document, id: document._id }))
      return { data, nextCursor: found.length > limit ? (data.at(-1)?.id ?? null) : null }
    })
  }

  /** Sends whose turn has run out, those of `limit` owners at most. */
  async #overdue(step: Step, owners: Collection<Owner>, nowMs: number, limit: number) {
    const filter = { 'send_log.lease_until': { $lte: nowMs } }
    const found = await step(() => owners.find(filter, { limit, projection: { send_log: 1 } }).toArray())
    return found.flatMap(({ _id: owner, send_log }) =>
      send_log
        .filter(({ lease_until: until }) => until !== null && until <= nowMs)
        .map((send) => ({ owner, send })),
    )
  }

  /** Takes the next turn at a send, if it is still the last one's that ran out. */
  async #retake(
    step: Step,
    owners: Collection<Owner>,
    { owner, send, now }: { owner: string; send: SendDocument; now: number },
  ): Promise<RetakenSend | undefined> {
    const { id, fence, lease_until } = send
    const overdue = { $elemMatch: { id, fence, lease_until } }
    const change = changing({ lease_until: leaseFrom(now), fence: fence + 1 })
    const options = { ...only(id), returnDocument: 'after', projection: { send_log: 1 } } as const
    const found = await step(() =>
      owners.findOneAndUpdate({ _id: owner, send_log: overdue }, change, options),
    )
    const taken = found?.send_log.find((one) => one.id === id)
    return taken && readRetaken(owner, taken)
  }

  /** An id tells by its prefix where its document lies. */
  #owners(owner: string): Collection<Owner> {
    const [verifications, messages] = this.#allOwners()
    return owner.startsWith('msg_') ? messages : verifications
  }

  #allOwners() {
    return ownersOf(this.#db)
  }
}
