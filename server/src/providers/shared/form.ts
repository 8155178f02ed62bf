/** What `encodeURIComponent` leaves as it is and a form does not, and the space, which is `+` there. */
const LEFT = /[!'()~]|%20/g
/** Texts that are written as they stand. */
const PLAIN = /^[\w.*-]*$/

/** A text as `URLSearchParams` writes a value, at a tenth of the cost. */
export function formEncode(text: string): string {
  if (PLAIN.test(text)) return text
  return encodeURIComponent(text.toWellFormed()).replace(LEFT, encodeLeft)
}

function encodeLeft(found: string): string {
  return found === '%20' ? '+' : `%${found.charCodeAt(0).toString(16).toUpperCase()}`
}
