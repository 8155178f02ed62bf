/** Writes the digits of every script (Arabic, Devanagari, full width…) as 0 to 9 and leaves the rest. */
export function asciiDigits(text: string): string {
  return text.replace(/\p{Nd}/gu, (digit) => String(valueOf(digit.codePointAt(0) ?? 0)))
}

/** The digits of a script follow each other from its zero, so a digit is worth how many come before it. */
function valueOf(point: number): number {
  let value = 0
  while (/\p{Nd}/u.test(String.fromCodePoint(point - value - 1))) value += 1
  return value % 10
}
