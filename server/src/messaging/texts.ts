import { codeTexts, type CodeTexts } from './code-texts.ts'
import { lookupLocale } from './locale.ts'
import { countSegments } from './segments.ts'
import { fillPlaces } from './template-places.ts'

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
  /** What is paid, and to whom: the text says nothing else than that beside the code. */
  readonly payment?: { readonly amount: string; readonly payee: string }
  /** A text in place of ours, with places such as `{{code}}`. */
  readonly template?: string | undefined
  /** What stands in the template's own places. */
  readonly substitutions?: Readonly<Record<string, string>> | undefined
  /** A line for machines at the end that must be there, whatever the message then costs. */
  readonly lastLine?: string
  /** Lines for machines that are there where they cost no second segment. */
  readonly autofill?: Autofill | undefined
}

/** By what phones and browsers find the code of a text by themselves. */
export type Autofill = {
  /** The host whose pages the code is for: `@host #code`, always the last line. */
  readonly domain?: string | undefined
  /** The hash of the Android app that may read the message: 11 characters in a line of their own. */
  readonly appHash?: string | undefined
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
 * room runs out they are dropped from the end, and after them the lines for machines. A tenant's own template is
 * written as it is, and a payment always.
 */
export function renderCode(message: CodeMessage): string {
  const { template, lastLine } = message
  if (lastLine !== undefined) return `${bodyOf(message)}\n${lastLine}`
  const tails = tailsOf(message)
  if (template !== undefined || message.payment !== undefined) {
    const body = bodyOf(message)
    const { segments } = countSegments(body)
    return body + (tails.find((tail) => countSegments(body + tail).segments === segments) ?? '')
  }
  return ourText(message, tails)
}

function bodyOf(message: CodeMessage): string {
  return message.template === undefined ? ourText(message, ['']) : fillTemplate(message.template, message)
}

/**
 * The ends that a message may have, the best one first. Browsers look for the domain in the last line alone; Android
 * finds the hash in any.
 */
function tailsOf({ autofill: { domain, appHash } = {}, code }: CodeMessage): readonly string[] {
  const hash = appHash === undefined ? '' : `\n${appHash}`
  const bound = domain === undefined ? '' : `\n@${domain} #${code}`
  return [...new Set([hash + bound, bound, hash, ''])]
}

function ourText(message: CodeMessage, tails: readonly string[]): string {
  const texts = lookupLocale(codeTexts, [message.locale, message.defaultLocale, 'en'])
  if (texts === undefined) throw new Error('no texts for English')
  if (message.payment !== undefined) return `${fill(texts.code, message)} ${paymentLine(message.payment)}`
  const purpose = texts[SENTENCES[message.purpose]] ?? texts.code
  const wordings =
    message.ttlMinutes === undefined
      ? [joinSentences(purpose, texts.never), purpose]
      : [joinSentences(purpose, texts.never, texts.minutes), joinSentences(purpose, texts.never), purpose]
  for (const tail of tails) {
    for (const wording of wordings) {
      const text = fill(wording, message) + tail
      if (countSegments(text).segments === 1) return text
    }
  }
  return fill(texts.code, message)
}

/** The same in every language. */
function paymentLine({ amount, payee }: { readonly amount: string; readonly payee: string }): string {
  return `${payee}: ${amount}`
}

/** Fills the places of a template. What the server knows a start cannot overrule. */
function fillTemplate(template: string, message: CodeMessage): string {
  return fillPlaces(template, {
    ...message.substitutions,
    code: message.code,
    friendly_name: message.serviceName,
    ttl: String(Math.floor(message.ttlMinutes ?? 0)),
  })
}

/** Joins sentences with a space, except after the full stop of Chinese and Japanese, which brings its own. */
export function joinSentences(...sentences: readonly string[]): string {
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
