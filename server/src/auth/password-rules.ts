import { isCommonPassword } from './common-passwords.ts'

/** Why a password is refused. */
export type PasswordFault = 'too_short' | 'too_long' | 'common' | 'about_you' | 'repetitive'

/** What a password is held against. */
export type PasswordRules = {
  /** What the person and the service are called: number, e-mail, name, name of the service. */
  readonly about: readonly string[]
  /** Fewer characters are too few; 8 unless told, 15 is better where a password is all there is. */
  readonly lengthMin?: number
}

const MIN_LENGTH = 8
const MAX_LENGTH = 256
/** NFKC makes one character of at most so many UTF-16 units, with room: longer texts are not even normalised. */
const UNITS_A_CHARACTER = 8
/** The end of a number that stands for it: without country and area there are about so many digits. */
const PHONE_END = 7
/** A part of a name that is shorter than this is in many passwords by chance. */
const NAME_PART = 4

/** The one spelling of a password, which is what is counted, hashed and compared: NFKC, as NIST SP 800-63B asks. */
export function normalizePassword(password: string): string {
  return password.normalize('NFKC')
}

/**
 * What is wrong with a new password, by NIST SP 800-63B: length in characters, and what an attacker tries first. Any
 * character is fine, and none is asked for. Undefined: nothing is wrong.
 */
export function passwordFault(
  password: string,
  { about, lengthMin = MIN_LENGTH }: PasswordRules,
): PasswordFault | undefined {
  if (password.length > MAX_LENGTH * UNITS_A_CHARACTER) return 'too_long'
  const characters = Array.from(normalizePassword(password))
  if (characters.length < lengthMin) return 'too_short'
  if (characters.length > MAX_LENGTH) return 'too_long'
  const folded = fold(password)
  if (isCommonPassword(folded)) return 'common'
  if (about.some((each) => isAbout(folded, fold(each)))) return 'about_you'
  return isRun(folded) || isRepeated(folded) ? 'repetitive' : undefined
}

/** The text as it is compared, whatever its case. Normalised again, since lower case may come apart (İ). */
function fold(text: string): string {
  return normalizePassword(text).toLowerCase().normalize('NFKC')
}

function isAbout(folded: string, about: string): boolean {
  if (/^\+?\d[\d ().-]*$/.test(about)) return isPhone(folded, about.replace(/\D/g, ''))
  const password = squeeze(folded)
  return termsOf(about).some((term) => password.startsWith(term) && /^\d*$/.test(password.slice(term.length)))
}

/** Whether it is the number, however it is written, or begins with it: with 00 or 0, or without its country. */
function isPhone(folded: string, phone: string): boolean {
  if (!/^[\d\s+().-]+$/.test(folded)) return false
  const digits = folded.replace(/\D/g, '').replace(/^0+/, '')
  const shortest = Math.min(PHONE_END, phone.length)
  for (let from = 0; from <= phone.length - shortest; from++)
    if (digits.startsWith(phone.slice(from))) return true
  return false
}

/** What a name or an e-mail may be typed as: the whole of it, an e-mail's name, the longer parts of both. */
function termsOf(about: string): string[] {
  const [local = ''] = about.split('@')
  const parts = local.split(SEPARATORS).filter((part) => part.length >= NAME_PART)
  return [squeeze(about), squeeze(local), ...parts].filter((term) => term !== '')
}

const SEPARATORS = /[\s@+._,'’-]+/u

function squeeze(text: string): string {
  return text.split(SEPARATORS).join('')
}

/** Whether each character is the one after, or before, the one in front of it: `12345678`, `hgfedcba`, `7890123`. */
function isRun(text: string): boolean {
  const points = Array.from(text, (character) => character.codePointAt(0) ?? 0)
  return [1, -1].some((step) =>
    points.every((point, i) => i === 0 || point === next(points[i - 1] ?? 0, step)),
  )
}

function next(point: number, step: number): number {
  const digit = point - 48
  // After 9 comes 0, as on a keyboard.
  return digit >= 0 && digit <= 9 ? 48 + ((digit + step + 10) % 10) : point + step
}

/** Whether it is one character, or one sequence too short to be a password, over and over. */
function isRepeated(text: string): boolean {
  const characters = Array.from(text)
  for (let length = 1; length < MIN_LENGTH && length * 2 <= characters.length; length++)
    if (characters.every((character, i) => i < length || character === characters[i - length])) return true
  return false
}
