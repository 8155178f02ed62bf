// Language, script, region and variants: the shapes of BCP 47 that people use. Extensions and private use
// choose no text, so they are refused rather than carried along.
const LOCALE = /^[a-z]{2,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*$/i
const LONGEST = 35

/** Whether a text has the shape of a BCP 47 language tag, such as `pt-BR` or `zh-Hant-TW`. */
export function isLocale(text: string): boolean {
  return text.length <= LONGEST && LOCALE.test(text)
}

/**
 * Finds what is kept for a locale: the tag itself, then the tag shortened from the right (`de-AT` → `de`), then
 * the same for each further locale in turn. Undefined when none of them is known.
 */
export function lookupLocale<T>(
  known: ReadonlyMap<string, T>,
  locales: readonly (string | undefined)[],
): T | undefined {
  for (const locale of locales) {
    if (locale === undefined || !isLocale(locale)) continue
    let tag = locale.toLowerCase()
    for (;;) {
      const found = known.get(tag)
      if (found !== undefined) return found
      const end = tag.lastIndexOf('-')
      if (end < 0) break
      tag = tag.slice(0, end)
    }
  }
  return undefined
}
