import { asciiDigits } from './digits.ts'

/** What counts of a typed number: a + at the beginning, for which 00 may stand, and the digits. */
export function significant(text: string): string {
  const ascii = asciiDigits(text).replace(/[\uFF0B]/g, '+')
  const digits = ascii.replace(/\D/g, '')
  const first = /[\d+]/.exec(ascii)?.[0]
  if (first === '+') return `+${digits}`
  return digits.startsWith('00') ? `+${digits.slice(2)}` : digits
}

/** Where in a formatted number the caret stands after so many of the characters that count. */
export function caretAfter(formatted: string, count: number): number {
  let seen = 0
  for (let index = 0; index < formatted.length; index += 1) {
    if (seen === count) return index
    if (/[\d+]/.test(formatted[index] ?? '')) seen += 1
  }
  return formatted.length
}
