/** Digits that are written together, and no part of a longer number or of one with a plus. */
const WRITTEN = /(?<![\d+])\d{4,10}(?!\d)/
/** Digits that are read out one by one: `1, 2, 3, 4` or `1. 2. 3. 4`. */
const SPOKEN = /(?<![\d+])\d(?:[\s.,…-]+\d){3,9}(?!\d)/

/** The code in a text, as far as one can tell; undefined where none is. */
export function codeIn(text: string): string | undefined {
  return WRITTEN.exec(text)?.[0] ?? SPOKEN.exec(text)?.[0].replace(/\D/g, '')
}
