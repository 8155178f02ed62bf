import { lookupLocale } from '../messaging/locale.ts'

// Twilio answers 404 for any other (twilio.com/docs/verify/supported-languages).
const TAGS = [
  'af',
  'ar',
  'ca',
  'cs',
  'da',
  'de',
  'el',
  'en',
  'en-GB',
  'es',
  'et',
  'fi',
  'fr',
  'he',
  'hi',
  'hr',
  'hu',
  'id',
  'it',
  'ja',
  'kn',
  'ko',
  'lt',
  'mr',
  'ms',
  'nb',
  'nl',
  'pl',
  'pt',
  'pt-BR',
  'ro',
  'ru',
  'sk',
  'sv',
  'te',
  'th',
  'tl',
  'tr',
  'uk',
  'vi',
  'zh',
  'zh-CN',
  'zh-HK',
] as const

const KNOWN: ReadonlyMap<string, string> = new Map([
  ...TAGS.map((tag) => [tag.toLowerCase(), tag] as const),
  // Other names of the same.
  ['fil', 'tl'],
  ['no', 'nb'],
  ['zh-hant', 'zh-HK'],
  ['zh-tw', 'zh-HK'],
])

/**
 * The language to ask Twilio Verify for; nothing where it has not that of the reader, or nobody told: Twilio then goes
 * by the country of the number.
 */
export function verifyLocale(locale: string | null): string | undefined {
  return locale === null ? undefined : lookupLocale(KNOWN, [locale])
}
