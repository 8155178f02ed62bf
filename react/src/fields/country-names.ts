/** A country as it is listed. */
export type ListedCountry = {
  readonly country: string
  readonly name: string
  readonly callingCode: string
  /** What is searched, without accents and in small letters. */
  readonly search: string
}

/** The name of a country in a language; its code where there is none. */
export function countryName(country: string, locale: string): string {
  try {
    return new Intl.DisplayNames([locale], { type: 'region' }).of(country) ?? country
  } catch {
    return country
  }
}

/** Names countries and sorts them as the language does. */
export function listCountries(
  countries: readonly { readonly country: string; readonly callingCode: string }[],
  locale: string,
): readonly ListedCountry[] {
  const names = new Intl.DisplayNames([locale], { type: 'region' })
  const english = new Intl.DisplayNames(['en'], { type: 'region' })
  const { compare } = new Intl.Collator(locale)
  return countries
    .map(({ country, callingCode }) => {
      const name = names.of(country) ?? country
      const search = [name, english.of(country) ?? '', country, `+${callingCode}`, callingCode].map(plain)
      return { country, callingCode, name, search: ` ${search.join(' ')}` }
    })
    .sort((a, b) => compare(a.name, b.name))
}

/** Those in whose names, or codes, a word begins with what was typed; names that begin with it come first. */
export function findCountries(listed: readonly ListedCountry[], query: string): readonly ListedCountry[] {
  const wanted = plain(query).trim()
  if (wanted === '') return listed
  const found = listed.filter(({ search }) => search.includes(` ${wanted}`))
  const begins = ({ search, country }: ListedCountry) =>
    plain(country) === wanted || search.startsWith(` ${wanted}`) ? 0 : 1
  return [...found].sort((a, b) => begins(a) - begins(b))
}

function plain(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}+]+/gu, ' ')
}
