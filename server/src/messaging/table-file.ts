import { isSupportedCountry } from 'libphonenumber-js/max'
import type { Channel } from './provider.ts'

/** An object of a file that an operator writes. */
export type Members = Readonly<Record<string, unknown>>

const CHANNELS: readonly string[] = ['sms', 'whatsapp', 'call'] satisfies readonly Channel[]

/**
 * What is wrong with a file that an operator wrote, and where: `prices[3].price must be …`.
 *
 * @param place empty for the file as a whole.
 */
export function wrong(place: string, what: string): Error {
  return new Error(`${place === '' ? 'the file' : place} ${what}`)
}

/** Reads an object that has no other members than these. */
export function membersOf(place: string, value: unknown, names: readonly string[]): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(place, 'must be an object')
  }
  const unknown = Object.keys(value).find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw wrong(place, `has a member ${show(unknown)}; there is ${names.join(', ')}`)
  }
  return value as Members
}

/** Reads a list that has something in it. */
export function listOf(place: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(place, 'must be a list')
  if (value.length === 0) throw wrong(place, 'must not be empty')
  return value as readonly unknown[]
}

/** Reads one of these words. */
export function wordOf<W extends string>(place: string, value: unknown, words: readonly W[]): W {
  const word = words.find((known) => known === value)
  if (word === undefined) throw wrong(place, `must be one of ${words.join(', ')}${not(value)}`)
  return word
}

/** Reads a channel; null where none is named. */
export function channelOf(place: string, value: unknown): Channel | null {
  return value === undefined ? null : (wordOf(place, value, CHANNELS) as Channel)
}

/** Reads a country, a list of them, or `*`; null for every country. `ZZ` are the numbers that belong to none. */
export function countriesOf(place: string, value: unknown): ReadonlySet<string> | null {
  if (value === undefined || value === '*') return null
  if (!Array.isArray(value)) return new Set([countryOf(place, value)])
  const list = listOf(place, value)
  if (list.length === 1 && list[0] === '*') return null
  const countries = new Set<string>()
  for (const [index, item] of list.entries()) {
    const country = countryOf(`${place}[${index}]`, item)
    if (countries.has(country)) throw wrong(`${place}[${index}]`, `has ${country} again`)
    countries.add(country)
  }
  return countries
}

/** Reads who a message comes from; null where nobody is named. */
export function senderOf(place: string, value: unknown): string | null {
  if (value === undefined) return null
  // What a sender may be its provider knows; here is only kept out what nobody can have meant.
  if (typeof value !== 'string' || !/^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/.test(value)) {
    throw wrong(place, 'must be a number, a short code or a name, of at most 64 characters')
  }
  return value
}

/** Reads the name of a provider. */
export function providerOf(place: string, value: unknown, names: readonly string[] | undefined): string {
  if (names !== undefined) return wordOf(place, value, names)
  if (typeof value === 'string' && /^[a-z][a-z0-9_-]{0,31}$/.test(value)) return value
  throw wrong(place, `must be the name of a provider, such as twilio${not(value)}`)
}

function countryOf(place: string, value: unknown): string {
  if (typeof value === 'string' && (isSupportedCountry(value) || value === 'ZZ')) return value
  throw wrong(place, `must be a country such as "DE"${not(value)}`)
}

function not(value: unknown): string {
  return value === undefined ? '' : `; ${show(value)} is not`
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'it'
  return text.length > 40 ? 'the value given' : text
}
