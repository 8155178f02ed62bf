import { isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/max'
import type { CountryCode, NumberType, PhoneNumber } from 'libphonenumber-js/max'
import { CountersignError } from './errors.ts'

/** What a number is used for, as its numbering plan says; `unknown` where the plan does not say. */
export type LineType =
  | 'mobile'
  | 'fixed_line'
  | 'fixed_line_or_mobile'
  | 'toll_free'
  | 'premium_rate'
  | 'shared_cost'
  | 'voip'
  | 'personal_number'
  | 'pager'
  | 'uan'
  | 'voicemail'
  | 'unknown'

/** A valid phone number. Two spellings of one number give equal values. */
export type Phone = {
  /** The only key a number is known by: ITU-T E.164, at most 15 digits, such as `+14155552671`. */
  readonly e164: string
  /** ISO 3166-1 alpha-2; `ZZ` for a number of no country (satellite, international freephone). */
  readonly country: string
  /** The calling code without the plus: `1`, `44`, `870`. */
  readonly callingCode: string
  readonly type: LineType
  /** As people of that country write it: `(415) 555-2671`. */
  readonly national: string
}

/** How to read a number. */
export type PhoneReading = {
  /** ISO 3166-1 alpha-2, in either case. Needed for a national number; a number with a plus ignores it. */
  readonly country?: string | undefined
  /** The request member to name in the error; `to` unless told. */
  readonly field?: string | undefined
}

const LINE_TYPES: Readonly<Record<NonNullable<NumberType>, LineType>> = {
  MOBILE: 'mobile',
  FIXED_LINE: 'fixed_line',
  FIXED_LINE_OR_MOBILE: 'fixed_line_or_mobile',
  TOLL_FREE: 'toll_free',
  PREMIUM_RATE: 'premium_rate',
  SHARED_COST: 'shared_cost',
  VOIP: 'voip',
  PERSONAL_NUMBER: 'personal_number',
  PAGER: 'pager',
  UAN: 'uan',
  VOICEMAIL: 'voicemail',
}

const INPUT_MAX = 64
/** E.164 allows 15; a dialled national form may put an international and a carrier prefix before them. */
const DIGITS_MAX = 22
const E164 = /^\+[1-9]\d{4,14}$/

/** Decimal digits of the scripts phones type in, by their zero: Arabic, Persian, Devanagari, Bengali, wide. */
const ZEROS = [0x660, 0x6f0, 0x966, 0x9e6, 0xff10]
const FOREIGN_DIGIT = /[\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u09e6-\u09ef\uff10-\uff19]/g

/**
 * What people and address books put between digits. The invisible marks (U+200E, U+202A and their like) come
 * with every number copied from a contact on iOS. Control characters are not in it, so they refuse a number.
 */
const SEPARATOR =
  /[ .()[\]~/\u00a0\u00ad\u2000-\u200b\u200e\u200f\u2010-\u2015\u202a-\u202f\u2060\u2066-\u2069\u2212\u3000\u30fc\uff08\uff09\uff0d-\uff0f\uff3b\uff3d\uff5e-]/g

/** RFC 3966 §3: the number, then parameters. The scheme is optional here: `;ext=` is also met without it. */
const TEL_URI = /^(?:tel:)?([^;]+)((?:;[^;]+)*)$/i
const EXTENSION = / *(?:ext(?:ensio)?n?[.:]?|x|#) *\d{1,7}$/i

/**
 * Reads a phone number in any usual spelling. Every spelling of one number gives one `e164`, so limits,
 * blocks and accounts may be keyed by it:
 *
 * - Spaces, dots, dashes, brackets, foreign digits, and `tel:` URIs (RFC 3966) are understood. A `tel:` number
 *   that is local to a domain is refused.
 * - An extension (`x12`, `ext. 12`, `#12`, `;ext=12`) is dropped: a text message reaches the number, not it.
 * - `00` means plus when no country is given. With a country the number is first read as it is dialled there,
 *   because `00` can begin a national number or another international prefix (`0011` in Australia); only when
 *   that reading is not valid does `00` mean plus.
 * - Mexico: the mobile `1` of before 2019 goes, `+52 1 55…` is `+52 55…`; so do `01`, `044` and `045`.
 * - Argentina: `+54 11…`, `+54 11 15…` and `+54 9 11…` all reach one mobile phone and become `+54 9 11…`.
 *   The plan does not tell fixed lines apart there, so an Argentine fixed line also reads as a mobile.
 * - Nothing is guessed: Brazil's missing ninth digit makes a number invalid.
 *
 * @throws CountersignError `invalid_phone`, naming `field`; `invalid_request` naming `country` when there is
 *   no such country.
 */
export function parsePhone(input: string, reading: PhoneReading = {}): Phone {
  const country = reading.country === undefined ? undefined : toCountry(reading.country)
  if (reading.country !== undefined && country === undefined) {
    throw new CountersignError('invalid_request', 'Unknown country', { field: 'country' })
  }
  const phone = read(input, country)
  if (phone === undefined) {
    throw new CountersignError('invalid_phone', 'Invalid phone number', { field: reading.field ?? 'to' })
  }
  return phone
}

/** Like `parsePhone`, but an invalid number, or an unknown country, gives `undefined`. */
export function tryParsePhone(input: string, country?: string): Phone | undefined {
  const known = country === undefined ? undefined : toCountry(country)
  if (country !== undefined && known === undefined) return undefined
  return read(input, known)
}

/**
 * Hides a number for logs and screens: `+******2671`. The shape is the same for every number, so it tells
 * neither the country nor the length; of a number under eight digits nothing is shown.
 */
export function maskPhone(e164: string): string {
  return /^\+[1-9]\d{7,14}$/.test(e164) ? `+******${e164.slice(-4)}` : '+******'
}

function toCountry(text: string): CountryCode | undefined {
  // The pattern also keeps names like `__proto__` away from the library, which looks them up in an object.
  if (!/^[A-Za-z]{2}$/.test(text)) return undefined
  const code = text.toUpperCase()
  return isSupportedCountry(code) ? code : undefined
}

function read(input: string, country: CountryCode | undefined): Phone | undefined {
  const digits = toDigits(input)
  if (digits === undefined) return undefined
  if (digits.startsWith('+')) return readInternational(digits)
  const dialled = country === undefined ? undefined : finish(parse(digits, country))
  if (dialled !== undefined) return dialled
  return digits.startsWith('00') ? finish(parse(`+${digits.slice(2)}`)) : undefined
}

/** The number that was read last: a request reads its number more than once, one right after the other. */
let last: { readonly digits: string; readonly phone: Phone | undefined } | undefined

function readInternational(digits: string): Phone | undefined {
  if (last?.digits !== digits) last = { digits, phone: finish(parse(digits)) }
  return last.phone
}

/** Reduces a spelling to ASCII digits with at most a plus before them; `undefined` when it is no number. */
function toDigits(input: string): string | undefined {
  // This guard stands before every pattern, so that a long text costs nothing.
  if (input.length > INPUT_MAX) return undefined
  if (E164.test(input)) return input
  const ascii = input.replace('\uff0b', '+').replace(FOREIGN_DIGIT, toAsciiDigit)
  const uri = TEL_URI.exec(ascii)
  if (uri === null) return undefined
  const [, subscriber = '', parameters = ''] = uri
  const number = subscriber.replace(EXTENSION, '').replace(SEPARATOR, '')
  const prefix = contextOf(parameters)
  if (prefix === undefined) return undefined
  const digits = prefix + number
  return /^\+?\d+$/.test(digits) && digits.length <= DIGITS_MAX ? digits : undefined
}

function toAsciiDigit(digit: string): string {
  const code = digit.charCodeAt(0)
  const zero = ZEROS.find((first) => code >= first && code <= first + 9) ?? code
  return String(code - zero)
}

/**
 * The prefix that a `tel:` URI's `phone-context` gives its number, empty where it has none; `undefined` when
 * a parameter is unknown or repeated. A number that has a plus of its own then has two, and is refused for it.
 */
function contextOf(parameters: string): string | undefined {
  let prefix: string | undefined
  for (const parameter of parameters.split(';').slice(1)) {
    if (/^(?:ext|isub)=[\d.()-]{1,20}$/i.test(parameter)) continue
    const context = /^phone-context=(\+[\d.()-]{1,20})$/i.exec(parameter)?.[1]
    if (context === undefined || prefix !== undefined) return undefined
    prefix = context.replace(SEPARATOR, '')
  }
  return prefix ?? ''
}

function parse(digits: string, country?: CountryCode): PhoneNumber | undefined {
  // `extract: false` reads the text as one number; the default would look for a number inside it.
  const options = country === undefined ? { extract: false } : { extract: false, defaultCountry: country }
  return parsePhoneNumberFromString(digits, options)
}

/** Chooses the canonical one of a number's forms, and describes it if it is valid. */
function finish(parsed: PhoneNumber | undefined): Phone | undefined {
  if (parsed === undefined) return undefined
  for (const rewritten of otherForms(parsed)) {
    const phone = describe(parse(rewritten))
    if (phone !== undefined) return phone
  }
  return describe(parsed)
}

/** Forms to prefer to the number as written, where the plan has two forms for one phone; best first. */
function otherForms({ countryCallingCode, nationalNumber }: PhoneNumber): readonly string[] {
  if (countryCallingCode === '52') {
    const plain = /^(?:1|01|04[45])(\d{10})$/.exec(nationalNumber)?.[1]
    return plain === undefined ? [] : [`+52${plain}`]
  }
  if (countryCallingCode === '54') {
    if (!nationalNumber.startsWith('9')) return [`+549${nationalNumber}`]
    // Longer than 9 and ten digits: the 15 of a national mobile number was kept behind the 9 that replaces it.
    return nationalNumber.length > 11 ? [`+54${nationalNumber.slice(1)}`] : []
  }
  return []
}

function describe(parsed: PhoneNumber | undefined): Phone | undefined {
  if (parsed === undefined || !E164.test(parsed.number)) return undefined
  const type = parsed.getType()
  // Where the metadata has types, a number without one is not valid, and this saves matching it twice.
  if (type === undefined && !parsed.isValid()) return undefined
  return {
    e164: parsed.number,
    country: parsed.country ?? 'ZZ',
    callingCode: parsed.countryCallingCode,
    type: type === undefined ? 'unknown' : LINE_TYPES[type],
    national: parsed.formatNational(),
  }
}
