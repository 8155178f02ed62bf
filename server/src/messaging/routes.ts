import { type Dice, fractionOf } from './dice.ts'
import type { Money } from './price.ts'
import type { PriceTable } from './prices.ts'
import type { Channel, Provider } from './provider.ts'
import {
  channelOf,
  countriesOf,
  listOf,
  membersOf,
  providerOf,
  senderOf,
  wordOf,
  wrong,
} from './table-file.ts'

/** A message as far as its route depends on it. */
export type Routed = {
  /** ISO 3166-1 alpha-2 of the number. */
  readonly country: string
  readonly channel: Channel
  readonly segments: number
  /** Whether it carries a code: a vendor that makes the codes itself carries nothing else. */
  readonly hasCode: boolean
}

/** Who may carry a message, as whom, and for how much. */
export type Candidate = {
  readonly provider: Provider
  /** Who it comes from, where the route names one. */
  readonly sender: string | null
  /** By the operator's table; null where that does not tell. */
  readonly price: Money | null
}

/** What candidates are made of. */
export type RouteMeans = {
  readonly providers: readonly Provider[]
  readonly prices: PriceTable
  readonly random: Dice
}

/** Decides who may carry a message, and in what order. */
export interface RoutingTable {
  /** Everyone who may carry the message, the preferred one first; none when nobody may. */
  candidates(message: Routed, means: RouteMeans): Candidate[]
}

const ORDERS = ['listed', 'price', 'weight'] as const

type Way = { readonly provider: string; readonly sender: string | null; readonly weight: number }

type Route = {
  readonly countries: ReadonlySet<string> | null
  readonly channel: Channel | null
  readonly order: (typeof ORDERS)[number]
  readonly through: readonly Way[]
}

/**
 * Reads the operator's routing table.
 *
 * @param names the providers there are, in order of preference: messages that no route matches go by them.
 * @throws Error that says where the table is wrong, and what must stand there.
 */
export function parseRoutes(json: unknown, names: readonly string[]): RoutingTable {
  const { routes } = membersOf('', json, ['routes'])
  const read = listOf('routes', routes).map((item, index) => routeOf(`routes[${index}]`, item, names))
  for (const [index, route] of read.entries()) {
    const before = read.slice(0, index).findIndex((earlier) => covers(earlier, route))
    if (before !== -1) throw wrong(`routes[${index}]`, `is never used: routes[${before}] matches all of it`)
  }
  return tableOf([...read, everywhere(names)])
}

/** The table of who has none: every message goes by the providers in this order. */
export function defaultRoute(names: readonly string[]): RoutingTable {
  return tableOf([everywhere(names)])
}

/**
 * Puts those that were tried without getting through behind the others, the most often tried last: a resend takes
 * another way, and the same one when there is no other. The order stays otherwise.
 */
export function avoiding(
  candidates: readonly Candidate[],
  tried: readonly { readonly provider: string; readonly sender: string | null }[],
): Candidate[] {
  const timesTried = ({ provider, sender }: Candidate) =>
    tried.filter((send) => send.provider === provider.name && send.sender === sender).length
  return candidates
    .map((candidate) => ({ candidate, times: timesTried(candidate) }))
    .sort((a, b) => a.times - b.times)
    .map(({ candidate }) => candidate)
}

function tableOf(routes: readonly Route[]): RoutingTable {
  return {
    candidates(message, { providers, prices, random }) {
      const { country, channel, segments, hasCode } = message
      const route = routes.find((one) => matches(one, message))
      if (!route) return []
      const possible = route.through.flatMap(({ provider: name, sender, weight }) => {
        const provider = providers.find((one) => one.name === name)
        if (!provider?.channels.includes(channel)) return []
        if (provider.ownsCode === true && !hasCode) return []
        const price = prices.of({ provider: name, country, channel, sender, segments })
        return [{ weight, candidate: { provider, sender, price } }]
      })
      if (route.order === 'weight') return shuffle(possible, random)
      const listed = possible.map(({ candidate }) => candidate)
      return route.order === 'price' ? listed.sort((a, b) => prices.compare(a.price, b.price)) : listed
    },
  }
}

function matches({ countries, channel }: Route, message: Routed): boolean {
  return (
    (countries === null || countries.has(message.country)) &&
    (channel === null || channel === message.channel)
  )
}

/** Whether all that a later route could match is matched by an earlier one already. */
function covers(earlier: Route, later: Route): boolean {
  const { countries, channel } = earlier
  if (channel !== null && channel !== later.channel) return false
  if (countries === null) return true
  return later.countries !== null && [...later.countries].every((country) => countries.has(country))
}

function everywhere(names: readonly string[]): Route {
  const through = names.map((provider) => ({ provider, sender: null, weight: 1 }))
  return { countries: null, channel: null, order: 'listed', through }
}

function routeOf(place: string, item: unknown, names: readonly string[]): Route {
  const members = membersOf(place, item, ['countries', 'channel', 'order', 'through'])
  const countries = countriesOf(`${place}.countries`, members.countries)
  const channel = channelOf(`${place}.channel`, members.channel)
  const order = members.order === undefined ? 'listed' : wordOf(`${place}.order`, members.order, ORDERS)
  const ways = listOf(`${place}.through`, members.through)
  const through = ways.map((way, index) => wayOf(`${place}.through[${index}]`, way, names))
  for (const [index, { provider, sender }] of through.entries()) {
    const before = through.findIndex((way) => way.provider === provider && way.sender === sender)
    if (before < index) throw wrong(`${place}.through[${index}]`, `is the same as through[${before}]`)
  }
  // Weights that nobody reads would look like a share of the messages that is not kept.
  if (members.order === undefined && ways.some((way) => (way as { weight?: unknown }).weight !== undefined)) {
    throw wrong(`${place}.order`, 'must be given where there are weights; "weight" is what they are for')
  }
  return { countries, channel, order, through }
}

function wayOf(place: string, item: unknown, names: readonly string[]): Way {
  const { provider, sender, weight = 1 } = membersOf(place, item, ['provider', 'sender', 'weight'])
  const way = {
    provider: providerOf(`${place}.provider`, provider, names),
    sender: senderOf(`${place}.sender`, sender),
  }
  if (typeof weight !== 'number' || !(weight > 0 && weight <= 1_000_000)) {
    throw wrong(`${place}.weight`, 'must be a number above 0, up to 1000000')
  }
  return { ...way, weight }
}

/** Each place is drawn among those that are left, with a chance by weight. */
function shuffle(
  possible: readonly { readonly weight: number; readonly candidate: Candidate }[],
  random: Dice,
): Candidate[] {
  const left = [...possible]
  const drawn: Candidate[] = []
  while (left.length > 0) {
    let mark = fractionOf(random) * left.reduce((sum, { weight }) => sum + weight, 0)
    const index = left.findIndex(({ weight }) => (mark -= weight) < 0)
    // The sum of floats may be a hair more than its parts.
    const [picked] = left.splice(index === -1 ? left.length - 1 : index, 1)
    if (picked) drawn.push(picked.candidate)
  }
  return drawn
}
