import { asciiDigits } from './digits.ts'

/** Leaves what a code is made of: digits of any script as 0 to 9, and letters where it may have them. */
export function codeCharacters(text: string, alphanumeric = false): string {
  return asciiDigits(text).replace(alphanumeric ? /[^0-9A-Za-z]/g : /[^0-9]/g, '')
}

/**
 * Finds a code of some length in what was pasted: `482913`, `482-913`, or a whole message that holds it. Undefined where
 * there is none, or no telling which.
 */
export function codeIn(text: string, length: number, alphanumeric = false): string | undefined {
  const ascii = asciiDigits(text)
  const whole = codeCharacters(ascii, alphanumeric)
  if (whole.length === length) return whole
  // Of a message only digits can be told from words.
  const runs = ascii.match(/\d+(?:[\s\u2010-\u2015.-]\d+)*/g) ?? []
  const found = new Set(
    runs.flatMap((run) => {
      const together = codeCharacters(run)
      return together.length === length
        ? [together]
        : run.split(/\D/).filter((part) => part.length === length)
    }),
  )
  return found.size === 1 ? [...found][0] : undefined
}
