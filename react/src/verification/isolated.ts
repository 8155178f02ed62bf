/** Keeps a number on one line, and in its order in a text that is written from right to left. */
export function isolated(phone: string): string {
  return `\u2066${phone.replaceAll(' ', '\u00A0')}\u2069`
}
