import type { Money } from './price.ts'
import type { Channel } from './provider.ts'
import { channelOf, countriesOf, listOf, membersOf, providerOf, senderOf, wrong } from './table-file.ts'

/** A message as far as its price depends on it. */
export type Priced = {
  readonly provider: string
  /** ISO 3166-1 alpha-2. */
  readonly country: string
  readonly channel: Channel
  readonly sender?: string | null
  /** Counted for SMS; a call and a WhatsApp message are one each. */
  readonly segments: number
}

/** What messages cost by the operator's own table, in one currency. */
export interface PriceTable {
  /** The price of a message; null where the table does not tell. */
  of(message: Priced): Money | null
  /**
   * Orders prices of this table: less than 0 where `a` is cheaper. What is not known comes last.
   *
   * @throws Error for a price in another currency: there is no order between two.
   */
  compare(a: Money | null, b: Money | null): number
}

type Entry = {
  readonly provider: string
  readonly countries: ReadonlySet<string> | null
  readonly channel: Channel | null
  readonly sender: string | null
  readonly price: Decimal
}

/** `units` × 10^-`places`, exactly. */
type Decimal = { readonly units: bigint; readonly places: number }

/**
 * Reads the operator's price table.
 *
 * @param names the providers there may be prices for; every name may be when it is not given.
 * @throws Error that says where the table is wrong, and what must stand there.
 */
export function parsePrices(json: unknown, names?: readonly string[]): PriceTable {
  const { currency, prices } = membersOf('', json, ['currency', 'prices'])
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency)) {
    throw wrong('currency', 'must be three capital letters, such as "USD"')
  }
  const entries = listOf('prices', prices).map((item, index) => entryOf(`prices[${index}]`, item, names))
  refuseRepeats(entries)
  return tableOf(currency, entries)
}

/** The table of who has none: no price is known. */
export function noPrices(): PriceTable {
  return tableOf('USD', [])
}

/** Orders two amounts of one currency, exactly. */
export function compareAmounts(a: string, b: string): number {
  const [one, other] = [decimalOf(a), decimalOf(b)]
  if (one === undefined || other === undefined) throw new Error('An amount is not a decimal')
  const places = Math.max(one.places, other.places)
  const difference =
    one.units * 10n ** BigInt(places - one.places) - other.units * 10n ** BigInt(places - other.places)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

function tableOf(currency: string, entries: readonly Entry[]): PriceTable {
  const byProvider = new Map<string, Entry[]>()
  for (const entry of entries.toSorted((a, b) => precision(b) - precision(a))) {
    const list = byProvider.get(entry.provider)
    if (list) list.push(entry)
    else byProvider.set(entry.provider, [entry])
  }
  const check = (price: Money) => {
    if (price.currency !== currency) throw new Error(`Prices in ${currency} have no order with others`)
  }
  return {
    of({ provider, country, channel, sender, segments }) {
      const entry = byProvider
        .get(provider)
        ?.find(
          (one) =>
            (one.countries === null || one.countries.has(country)) &&
            (one.channel === null || one.channel === channel) &&
            (one.sender === null || one.sender === sender),
        )
      if (!entry) return null
      const { units, places } = entry.price
      return { amount: write({ units: units * BigInt(channel === 'sms' ? segments : 1), places }), currency }
    },
    compare(a, b) {
      for (const price of [a, b]) if (price) check(price)
      if (a === null || b === null) return Number(a === null) - Number(b === null)
      return compareAmounts(a.amount, b.amount)
    },
  }
}

function entryOf(place: string, item: unknown, names: readonly string[] | undefined): Entry {
  const members = membersOf(place, item, ['provider', 'country', 'channel', 'sender', 'price'])
  const price = typeof members.price === 'string' ? decimalOf(members.price) : undefined
  const entry = {
    provider: providerOf(`${place}.provider`, members.provider, names),
    countries: countriesOf(`${place}.country`, members.country),
    channel: channelOf(`${place}.channel`, members.channel),
    sender: senderOf(`${place}.sender`, members.sender),
  }
  // A number of JSON is a float by the time it is read: 0.1 would be a little more than that.
  if (price === undefined) throw wrong(`${place}.price`, 'must be a decimal such as "0.0079"')
  return { ...entry, price }
}

/** Whoever names the sender knows best, then the country, then the channel. */
function precision({ sender, countries, channel }: Entry): number {
  return (sender === null ? 0 : 4) + (countries === null ? 0 : 2) + (channel === null ? 0 : 1)
}

/** Two prices for the same would leave it to their order which one counts. */
function refuseRepeats(entries: readonly Entry[]): void {
  const seen = new Map<string, number>()
  for (const [index, { provider, countries, channel, sender }] of entries.entries()) {
    for (const country of countries ?? ['*']) {
      const key = JSON.stringify([provider, country, channel, sender])
      const before = seen.get(key)
      if (before !== undefined) {
        throw wrong(
          `prices[${index}]`,
          `is for the same as prices[${before}]${country === '*' ? '' : `, in ${country}`}`,
        )
      }
      seen.set(key, index)
    }
  }
}

function decimalOf(text: string): Decimal | undefined {
  const [, whole, fraction = ''] = /^(\d{1,9})(?:\.(\d{1,12}))?$/.exec(text) ?? []
  return whole === undefined ? undefined : { units: BigInt(whole + fraction), places: fraction.length }
}

/** With as many places as the table gives, so that prices of a table line up. */
function write({ units, places }: Decimal): string {
  const digits = units.toString().padStart(places + 1, '0')
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`
}
