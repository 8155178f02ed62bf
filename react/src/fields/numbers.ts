import {
  AsYouType,
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/min'
import { significant } from './significant.ts'

/** A number as far as it is typed. */
export type ReadNumber = {
  /** As one writes it. */
  readonly text: string
  /** The country of an international one, where it can be told. */
  readonly country: string | undefined
  /** Where it is whole, as far as its length tells. */
  readonly e164: string | undefined
  /** The whole number for people, such as `+1 415 555 2671`. */
  readonly international: string | undefined
}

/** Reads and formats what was typed, in a country or, with a +, in any. */
export function readNumber(typed: string, country: string | undefined): ReadNumber {
  const within = country !== undefined && isSupportedCountry(country) ? country : undefined
  const text = significant(typed)
  const isInternational = text.startsWith('+')
  const formatter = new AsYouType(isInternational ? undefined : within)
  const formatted = formatter.input(text)
  const parsed = parsePhoneNumberFromString(text, within)
  const whole = parsed?.isPossible() === true ? parsed : undefined
  return {
    text: formatted,
    country: isInternational ? countryOf(formatter, within) : (whole?.country ?? within),
    e164: whole?.number,
    international: whole?.formatInternational(),
  }
}

/** Several countries share +1 and others: the one that was chosen stays where the digits do not say another. */
function countryOf(formatter: AsYouType, within: CountryCode | undefined): string | undefined {
  const found = formatter.getCountry()
  if (found !== undefined) return found
  const code = formatter.getCallingCode()
  if (within !== undefined && (code === undefined || getCountryCallingCode(within) === code)) return within
  return getCountries().find((country) => getCountryCallingCode(country) === code)
}

/** The same number in another country: what stood behind the calling code stays. */
export function moveNumber(text: string, country: string): string {
  const typed = significant(text)
  if (!typed.startsWith('+') || !isSupportedCountry(country)) return readNumber(typed, country).text
  const formatter = new AsYouType()
  formatter.input(typed)
  const national = formatter.getNumber()?.nationalNumber ?? ''
  return readNumber(`+${getCountryCallingCode(country)}${national}`, country).text
}

/** Every country that has phone numbers, with its calling code. */
export function phoneCountries(): readonly { readonly country: string; readonly callingCode: string }[] {
  return getCountries().map((country) => ({ country, callingCode: getCountryCallingCode(country) }))
}
