import { CountersignError } from '../primitives/errors.ts'

/** The longest service name, in UTF-16 units, which is how a text message counts. */
export const serviceNameMax = 32

// Zero-width joiners shape Persian and Indic names and many emoji; every other invisible character is refused.
const INVISIBLE = /(?![\u200C\u200D])[\p{C}\p{Zl}\p{Zp}]/u
// A dot before two letters is what phones turn into a link. The other dots are read as one by browsers.
const LINK = /:\/\/|\bwww\b|[.\u3002\uFF0E\uFF61]\p{L}{2}/iu
const DIGITS = /\p{Nd}/gu

/**
 * Checks the name that goes into every message of a service: one line, at most 32 characters, nothing that
 * a phone would show as a link, and at most four digits, so that it cannot pose as a code. Returns the name
 * composed (NFC) and trimmed; throws `invalid_request` naming `field`.
 */
export function validateServiceName(name: string, field = 'name'): string {
  const problem = problemOf(name)
  if (problem !== undefined) throw new CountersignError('invalid_request', problem, { field })
  return compose(name)
}

/** What is wrong with a text that goes into a message, be it a name or a template's value. */
export function textProblem(text: string): string | undefined {
  if (INVISIBLE.test(text)) return 'must be one line without control characters'
  // Full-width letters and dots are compared as the plain ones they stand for.
  if (LINK.test(text.normalize('NFKC'))) return 'must not hold a link'
  return undefined
}

function problemOf(name: string): string | undefined {
  // Measured before anything walks the text, so that a huge one costs nothing.
  if (name.length > serviceNameMax * 4) return tooLong
  const composed = compose(name)
  if (composed === '') return 'The service name must not be empty.'
  if (composed.length > serviceNameMax) return tooLong
  const problem = textProblem(name)
  if (problem !== undefined) return `The service name ${problem}.`
  if ((composed.match(DIGITS)?.length ?? 0) > 4) return 'The service name must hold at most 4 digits.'
  return undefined
}

const tooLong = `The service name must be at most ${serviceNameMax} characters.`

/** Composed, so that an accented letter counts once; no other spelling of the same name passes the limit. */
function compose(name: string): string {
  return name.normalize('NFC').trim()
}
