import type { Provider, Receipt, SignedRequest, Unreadable } from './provider.ts'
import type { MessagingStore, Send, Told } from './store.ts'

/** Receipts that waited for their send, tried again at once. */
const WAITING_MAX = 500

/** What can come of what a vendor, or somebody else, tells. `failed`: the store could not write it down. */
export const RECEIPT_OUTCOMES = [
  'news',
  'old',
  'waiting',
  'unsigned',
  'forged',
  'stale',
  'malformed',
  'failed',
] as const

/** One of {@link RECEIPT_OUTCOMES}. */
export type ReceiptOutcome = (typeof RECEIPT_OUTCOMES)[number]

/** How many receipts of a callback came to what. */
export type Tally = Readonly<Record<Told['state'], number>>

export type ReceiptsDeps = {
  readonly store: MessagingStore
  readonly providers: readonly Provider[]
  /** Told what became of each receipt and of each callback that was refused. Must not throw. */
  readonly observe?: (provider: string, outcome: ReceiptOutcome) => void
  /** Told of each step that a send took, once it is in the store; without a receipt where one had waited. Must not throw. */
  readonly onNews?: (send: Send, receipt?: Receipt) => void
  /** The same, and awaited before the vendor is answered. Must not reject. */
  readonly onChange?: ((send: Send) => Promise<void>) | undefined
}

/**
 * Takes what vendors tell later of messages, on whatever way it comes, and writes it down. Nothing is remembered
 * here: the store takes a receipt that comes again, late or too early for what it is.
 */
export class Receipts {
  readonly #store: MessagingStore
  readonly #providers: ReadonlyMap<string, Provider>
  readonly #observe: (provider: string, outcome: ReceiptOutcome) => void
  readonly #onNews: (send: Send, receipt?: Receipt) => void
  readonly #onChange: ReceiptsDeps['onChange']

  /** Listens from here on to every provider that tells on a connection of ours. */
  constructor({ store, providers, observe, onNews, onChange }: ReceiptsDeps) {
    this.#store = store
    this.#providers = new Map(providers.map((provider) => [provider.name, provider]))
    this.#observe = observe ?? (() => {})
    this.#onNews = onNews ?? (() => {})
    this.#onChange = onChange
    for (const provider of providers) {
      // A store that fails rejects here, so that the vendor keeps the receipt and tells it again.
      provider.hear?.(async (receipt) => {
        await this.#tell(provider.name, receipt)
      })
    }
  }

  /** Whether callbacks of this provider are read at all: there is one of that name, and it can check a signature. */
  reads(provider: string): boolean {
    return this.#providers.get(provider)?.receipts !== undefined
  }

  /**
   * Whether a callback lacks its vendor's signature, by its head alone: no body can make up for that. A signature
   * that is there may be anybody's until `take` has checked it.
   */
  isUnsigned(provider: string, head: Omit<SignedRequest, 'body'>): boolean {
    const told = this.#providers.get(provider)?.receipts?.({ ...head, body: Buffer.alloc(0) })
    const unsigned = told !== undefined && 'refused' in told && told.refused === 'unsigned'
    if (unsigned) this.#observe(provider, 'unsigned')
    return unsigned
  }

  /**
   * Takes a callback: checks its signature before anything is awaited, then writes its receipts down in their order.
   * Rejects when the store fails; the vendor's next try then finds what was written already, and changes nothing.
   */
  async take(provider: string, request: SignedRequest): Promise<Tally | Unreadable> {
    const receipts = this.#providers.get(provider)?.receipts?.(request)
    if (receipts === undefined) throw new Error('This provider reads no receipts')
    if ('refused' in receipts) {
      this.#observe(provider, receipts.refused)
      return receipts
    }
    const tally = { news: 0, old: 0, waiting: 0 }
    for (const receipt of receipts) tally[await this.#tell(provider, receipt)] += 1
    return tally
  }

  /** Tries receipts again that came before their send was settled; to be called about once a second. */
  async tick(): Promise<void> {
    for (const send of await this.#store.tellWaiting(WAITING_MAX)) {
      this.#onNews(send)
      await this.#onChange?.(send)
    }
  }

  async #tell(provider: string, receipt: Receipt): Promise<Told['state']> {
    let told: Told
    try {
      told = await this.#store.tell(provider, receipt)
    } catch (error) {
      this.#observe(provider, 'failed')
      throw error
    }
    this.#observe(provider, told.state)
    if (told.state === 'news') {
      this.#onNews(told.send, receipt)
      await this.#onChange?.(told.send)
    }
    return told.state
  }
}
