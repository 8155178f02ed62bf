/** Writes values as an array literal, which needs nothing from the driver: it would guess the type by the first one. */
export function packArray(values: readonly (string | number | Buffer)[]): string {
  return `{${values.map(element).join()}}`
}

/** Reads an array of numbers; null is an empty one. */
export function unpackNumbers(literal: unknown): number[] {
  if (typeof literal !== 'string' || literal === '{}') return []
  return literal.slice(1, -1).split(',').map(Number)
}

function element(value: string | number | Buffer): string {
  if (typeof value === 'number') return String(value)
  const text = typeof value === 'string' ? value : `\\x${value.toString('hex')}`
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
