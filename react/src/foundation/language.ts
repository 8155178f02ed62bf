const RTL = new Set(['ar', 'he', 'fa', 'ur'])

/** The first of the languages that one of the locales asks for; English where none does. */
export function languageOf(locales: readonly string[], languages: readonly string[]): string {
  for (const locale of locales) {
    const language = locale.toLowerCase().split('-')[0] ?? ''
    // Hebrew's old code is what some browsers still say.
    const now = language === 'iw' ? 'he' : language
    if (languages.includes(now)) return now
  }
  return 'en'
}

/** Which way a language is written. */
export function directionOf(language: string): 'ltr' | 'rtl' {
  return RTL.has(language) ? 'rtl' : 'ltr'
}
