/** What a text of the environment was read as: a value, or what is wrong with it, worded to follow the key. */
export type Reading<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string }

/** A text that was understood. */
export const value = <T>(given: T): Reading<T> => ({ ok: true, value: given })

/** A text that was not. */
export const bad = (problem: string): { ok: false; problem: string } => ({ ok: false, problem })

/** The value as a problem may repeat it: not when it is long, and not when it may hold a password. */
export function show(text: string): string {
  return text.length > 40 || text.includes('@') ? 'the value given' : JSON.stringify(text)
}
