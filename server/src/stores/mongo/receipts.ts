import type { Collection } from 'mongodb'
import type { Receipt } from '../../messaging/provider.ts'
import { statusOf } from '../../messaging/send-ranks.ts'
import type { Send, Told } from '../../messaging/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import { packReceipt, RECEIPT_WAIT_SECONDS, statusesBefore, toReceipt } from '../receipts.ts'
import { packStep } from '../rows.ts'
import type { MongoDatabase, Step } from './database.ts'
import { isDuplicate } from './errors.ts'
import { idOf } from './transfer-documents.ts'
import { changing, only, type Owner, ownersOf, readSend, type SendDocument } from './sends.ts'

/** A receipt that waits, and of which provider. */
type ReceiptDocument = ReturnType<typeof packReceipt> & {
  _id: string
  provider: string
  tried_at: number
  purge_at: Date
}

/** A send as it was found. */
type Found = { readonly owners: Collection<Owner>; readonly owner: string; readonly send: SendDocument }

/**
 * Receipts in MongoDB. A send is read, and changed only if what the change was made for is still so; who finds that it
 * is not looks again. Each round that fails is one in which somebody else took the send further, so there are few.
 */
export class MongoReceipts {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #waiting: Collection<ReceiptDocument>

  constructor(db: MongoDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#waiting = db.collection('receipts')
  }

  tell(provider: string, receipt: Receipt): Promise<Told> {
    return this.#db.run(async (step) => {
      const told = await this.#tell(step, provider, receipt)
      if (told.state === 'waiting') await this.#park(step, provider, receipt)
      return told
    })
  }

  async tellWaiting(limit: number): Promise<Send[]> {
    const news: Send[] = []
    for (const document of await this.#oldest(limit)) {
      const { _id, provider } = document
      // Each has the time of a verb to itself.
      const told = await this.#db.run((step) => this.#tell(step, provider, toReceipt(document)))
      if (told.state === 'news') news.push(told.send)
      if (told.state !== 'waiting') await this.#db.run((step) => step(() => this.#waiting.deleteOne({ _id })))
    }
    return news
  }

  knownRefs(provider: string, refs: readonly string[]): Promise<Set<string>> {
    return this.#db.run(async (step) => {
      const wanted = { send_log: { $elemMatch: { provider, ref: { $in: [...refs] } } } }
      const found = await Promise.all(
        ownersOf(this.#db).map((owners) =>
          step(() => owners.find(wanted, { projection: { send_log: 1 } }).toArray()),
        ),
      )
      const sends = found.flat().flatMap(({ send_log }) => send_log)
      const known = sends.flatMap((send) => (send.provider === provider ? (send.ref ?? []) : []))
      return new Set(known.filter((ref) => refs.includes(ref)))
    })
  }

  /** Takes those that have waited longest, and puts them at the end: what waits for nothing holds up no others. */
  #oldest(limit: number): Promise<ReceiptDocument[]> {
    return this.#db.run(async (step) => {
      const now = this.#clock.now()
      const options = { sort: { tried_at: 1 }, limit, batchSize: limit + 1 } as const
      const isKept = { purge_at: { $gt: new Date(now) } }
      const found = await step(() => this.#waiting.find(isKept, options).toArray())
      const ids = found.map(({ _id }) => _id)
      const tried = { $set: { tried_at: now } }
      if (ids.length > 0) await step(() => this.#waiting.updateMany({ _id: { $in: ids } }, tried))
      return found
    })
  }

  async #tell(step: Step, provider: string, receipt: Receipt): Promise<Told> {
    for (;;) {
      const found = await this.#find(step, provider, receipt)
      if (!found) return { state: 'waiting' }
      const { owners, owner, send } = found
      const now = this.#clock.now()
      const isNews = statusesBefore(receipt.progress).includes(send.status)
      const [change, without] = isNews ? newsOf(send, receipt, now) : [priceOf(receipt), [] as const]
      const isSame = Object.keys(change).length === 0
      if (!isSame && !(await this.#change(step, { owners, owner, send }, changing(change, without)))) continue
      return { state: isNews ? 'news' : 'old', send: readSend(owner, { ...send, ...change }) }
    }
  }

  /** Changes a send if it is as it was found. */
  async #change(
    step: Step,
    { owners, owner, send }: Found,
    change: ReturnType<typeof changing>,
  ): Promise<boolean> {
    const { id, status, lease_until } = send
    const isSame = { _id: owner, send_log: { $elemMatch: { id, status, lease_until } } }
    const { matchedCount } = await step(() => owners.updateOne(isSame, change, only(id)))
    return matchedCount === 1
  }

  /** Finds the send that a receipt is of, settled or lost. */
  async #find(step: Step, provider: string, { ref, send }: Receipt): Promise<Found | undefined> {
    const byRef = () => this.#look(step, { ref, provider })
    const found = await byRef()
    if (found || send === undefined) return found
    // Another receipt may tell the vendor's id between the two looks, and then it is found by that.
    return (await this.#look(step, { lost: send, provider })) ?? byRef()
  }

  async #look(
    step: Step,
    wanted: Pick<SendDocument, 'provider'> & Partial<Pick<SendDocument, 'ref' | 'lost'>>,
  ): Promise<Found | undefined> {
    const all = await Promise.all(
      ownersOf(this.#db).map(async (owners): Promise<Found[]> => {
        const options = { projection: { send_log: 1 }, sort: { _id: -1 } } as const
        const found = await step(() => owners.findOne({ send_log: { $elemMatch: wanted } }, options))
        // A vendor that gives one id to several messages speaks of the last one.
        const send = found?.send_log.findLast(
          (one) =>
            one.provider === wanted.provider &&
            (wanted.ref ?? one.ref) === one.ref &&
            (wanted.lost ?? one.lost) === one.lost,
        )
        return found && send ? [{ owners, owner: found._id, send }] : []
      }),
    )
    return all.flat()[0]
  }

  /** Lets a receipt wait; one that waits already may get a price. */
  async #park(step: Step, provider: string, receipt: Receipt): Promise<void> {
    const now = this.#clock.now()
    const { price, currency, ...word } = packReceipt(receipt)
    const purgeAt = new Date(now + RECEIPT_WAIT_SECONDS * 1000)
    const made = { ...word, provider, tried_at: now, purge_at: purgeAt }
    const change =
      price === null
        ? { $setOnInsert: { ...made, price, currency } }
        : { $setOnInsert: made, $set: { price, currency } }
    const park = () =>
      this.#waiting.updateOne({ _id: receiptId(provider, receipt) }, change, { upsert: true })
    await step(() =>
      park().catch((error: unknown) => {
        // Of two who would make one document, the second finds it there.
        if (isDuplicate(error)) return park()
        throw error
      }),
    )
  }
}

/** One document for one word of a provider, however often it is told. */
function receiptId(provider: string, { ref, progress }: Pick<Receipt, 'ref' | 'progress'>): string {
  return idOf([ref, provider, progress])
}

/** What news changes in a send, and what it takes away. */
function newsOf(
  send: SendDocument,
  receipt: Receipt,
  nowMs: number,
): readonly [change: Partial<SendDocument>, without: readonly (keyof SendDocument)[]] {
  const status = statusOf[receipt.progress]
  const at = Math.min(Math.max(receipt.at ?? nowMs, send.at), nowMs)
  const isLost = status === 'undelivered'
  const isThere = status === 'delivered' || status === 'read'
  const change: Partial<SendDocument> = {
    status,
    ref: send.ref ?? receipt.ref,
    error: isLost ? (receipt.why ?? null) : null,
    vendor_code: isLost ? (receipt.code ?? null) : null,
    history: [...(send.history === null ? [] : [send.history]), packStep(status, at)].join(),
    ...(isThere ? { delivered_at: send.delivered_at ?? at, lease_until: null } : {}),
    ...(isLost && send.lease_until !== null ? { lease_until: nowMs } : {}),
    ...priceOf(receipt),
  }
  return [change, send.lost === undefined ? [] : ['lost']]
}

function priceOf({ price }: Receipt): Partial<SendDocument> {
  return price === undefined ? {} : { price: price.amount, currency: price.currency }
}
