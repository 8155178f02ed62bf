import { codeTexts, type CodeTexts } from './code-texts.ts'
import { lookupLocale } from './locale.ts'
import { countSegments } from './segments.ts'

export { codeLocales } from './code-texts.ts'
export { isLocale } from './locale.ts'
export { renderTemplate, templateNames } from './notices.ts'
export { serviceNameMax, validateServiceName } from './service-name.ts'

/** What a code is for, as far as the text of its message tells. */
export type CodePurpose = 'verify' | 'login' | 'signup' | 'reset' | 'phone_change' | 'second_factor'

/** What goes into a code message. */
export type CodeMessage = {
  /** The reader's language, BCP 47; one that is unknown or misshapen falls back. */
  readonly locale?: string | undefined
  /** The service's own language, used when the reader's is unknown; English after it. */
  readonly defaultLocale?: string | undefined
  /** Has passed `validateServiceName`. */
  readonly serviceName: string
  readonly code: string
  /** Minutes until the code dies; without it the message does not say. */
  readonly ttlMinutes?: number | undefined
  readonly purpose: CodePurpose
}

const SENTENCES = {
  verify: 'verify',
  signup: 'verify',
  phone_change: 'verify',
  login: 'login',
  second_factor: 'login',
  reset: 'reset',
} as const satisfies Record<CodePurpose, keyof CodeTexts>

/**
 * Writes the message that carries a code: always one SMS segment. What it says besides the code and the
 * service is as much as fits: what the code is for, a warning never to pass it on, when it expires; when
 * room runs out they are dropped from the end.
 */
export function renderCode(message: CodeMessage): string {
  const texts = lookupLocale(codeTexts, [message.locale, message.defaultLocale, 'en'])
  if (texts === undefined) throw new Error('no texts for English')
  const purpose = texts[SENTENCES[message.purpose]] ?? texts.code
  const wordings =
    message.ttlMinutes === undefined
      ? [join(purpose, texts.never), purpose]
      : [join(purpose, texts.never, texts.minutes), join(purpose, texts.never), purpose]
  for (const wording of wordings) {
    const text = fill(wording, message)
    if (countSegments(text).segments === 1) return text
  }
  return fill(texts.code, message)
}

/** Joins sentences with a space, except after the full stop of Chinese and Japanese, which brings its own. */
function join(...sentences: readonly string[]): string {
  let text = ''
  for (const sentence of sentences) {
    text += text === '' || text.endsWith('。') ? sentence : ` ${sentence}`
  }
  return text
}

/** Fills all places in one pass: a service named `{code}` is written as it is, not filled again. */
function fill(wording: string, message: CodeMessage): string {
  return wording.replace(/\{(?:code|name|minutes)\}/g, (place) => {
    if (place === '{code}') return message.code
    if (place === '{name}') return message.serviceName
    return String(Math.floor(message.ttlMinutes ?? 0))
  })
}
