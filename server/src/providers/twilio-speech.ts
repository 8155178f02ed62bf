import { lookupLocale } from '../messaging/locale.ts'
import type { Message } from '../messaging/provider.ts'
import { SPOKEN, type Spoken } from './twilio-sentences.ts'

const PAUSE = '<Pause length="1"/>'

/**
 * The TwiML of a call (twilio.com/docs/voice/twiml): a code digit by digit, a second apart, and the whole twice; a
 * message without a code is read twice. Each digit is its own `<Say>`: voices differ in the markup they know, and
 * read "1, 2" as a decimal and "1. 2." as dates.
 */
export function speechOf({ body, code }: Message): string {
  if (code === undefined) return response(`<Say loop="2">${escapeXml(body)}</Say>`)
  const { language, sentence } = lookupLocale(SPOKEN, [code.locale ?? undefined, 'en']) as Spoken
  const say = (text: string): string => `<Say language="${language}">${escapeXml(text)}</Say>`
  const once = say(sentence) + PAUSE + Array.from(code.digits, (digit) => say(digit) + PAUSE).join('')
  return response(once + once)
}

/** Silence first: the person has yet to bring the phone to the ear. */
function response(verbs: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Response>${PAUSE}${verbs}</Response>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Text as XML 1.0 may hold it: what no XML may hold, such as U+0000 and halves of a pair, is left out. */
function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
