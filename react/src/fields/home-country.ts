/** The country a person is likely to have a number of, as far as the languages of the browser tell. */
export function homeCountry(locales: readonly string[]): string | undefined {
  for (const locale of locales) {
    try {
      const { region } = new Intl.Locale(locale)
      if (region !== undefined && /^[A-Z]{2}$/.test(region)) return region
    } catch {
      // No tag of a language: the next one.
    }
  }
  try {
    return new Intl.Locale(locales[0] ?? '').maximize().region
  } catch {
    return undefined
  }
}
