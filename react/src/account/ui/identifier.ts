import { homeCountry } from '../../fields/home-country.ts'
import { significant } from '../../fields/significant.ts'
import { loadNumbers } from '../../fields/use-numbers.ts'

/**
 * What somebody typed to say who they are: an e-mail in small letters, or a number in E.164, for which one without its
 * calling code is read as one of the country. Undefined where it is neither.
 */
export async function identifierOf(typed: string, country: string | undefined): Promise<string | undefined> {
  const text = typed.trim()
  if (text.includes('@')) return text.toLowerCase()
  const number = significant(text)
  if (/^\+\d{8,15}$/.test(number)) return number
  const home = country ?? homeCountry(navigator.languages)
  return (await loadNumbers())?.readNumber(number, home).e164
}
