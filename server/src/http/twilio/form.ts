import { TwilioRefusal } from './errors.ts'

/** What a caller says in a form, or in the query of a list. Of a parameter that comes twice the last counts. */
export class Form {
  readonly #values: URLSearchParams

  constructor(values: URLSearchParams) {
    this.#values = values
  }

  /** A parameter as it was written; undefined where it is missing. */
  text(name: string): string | undefined {
    return this.#values.getAll(name).at(-1)
  }

  /** A parameter that must be there and say something. Throws 60200. */
  required(name: string): string {
    const value = this.text(name)
    if (value === undefined || value === '') throw new TwilioRefusal(60200, name)
    return value
  }

  /** A whole number from the least to the most; undefined where it is missing. Throws 60200. */
  integer(name: string, least: number, most: number): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const number = /^-?\d{1,15}$/.test(value) ? Number(value) : Number.NaN
    if (!(number >= least && number <= most)) throw new TwilioRefusal(60200, name)
    return number
  }

  /** `true` or `false`, in either case; undefined where it is missing. Throws 60200. */
  flag(name: string): boolean | undefined {
    const value = this.text(name)?.toLowerCase()
    if (value === undefined) return undefined
    if (value !== 'true' && value !== 'false') throw new TwilioRefusal(60200, name)
    return value === 'true'
  }

  /** One of the words, in either case; undefined where it is missing. Throws 60200. */
  word<T extends string>(name: string, words: readonly T[]): T | undefined {
    const value = this.text(name)?.toLowerCase()
    if (value === undefined) return undefined
    const word = words.find((candidate) => candidate.toLowerCase() === value)
    if (word === undefined) throw new TwilioRefusal(60200, name)
    return word
  }

  /** Every value of a parameter that may come several times. */
  all(name: string): readonly string[] {
    return this.#values.getAll(name)
  }

  /** A JSON object whose members are all text; undefined where it is missing. Throws 60200. */
  texts(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.text(name)
    return value === undefined || value === '' ? undefined : parseTexts(value, name)
  }
}

/** A text of some characters, none for a parameter that is missing. Throws 60200. */
export function shortText(form: Form, name: string, most = 255): string | undefined {
  const text = form.text(name)
  if (text !== undefined && text.length > most) throw new TwilioRefusal(60200, name)
  return text
}

/** Reads a JSON object whose members are all text. Throws 60200, naming the parameter. */
export function parseTexts(value: string, name: string): Readonly<Record<string, string>> {
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch {
    throw new TwilioRefusal(60200, name)
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed))
    throw new TwilioRefusal(60200, name)
  const entries = Object.entries(parsed as Record<string, unknown>)
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
    throw new TwilioRefusal(60200, name)
  }
  // No prototype: a member named `__proto__` is only a name.
  return Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(entries))
}
