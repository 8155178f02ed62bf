/** A place of a template, written `{{name}}`. */
const PLACE = /\{\{\s*(\w+)\s*\}\}/g

/** The names of a template's places, each once. */
export function placesOf(template: string): ReadonlySet<string> {
  return new Set(Array.from(template.matchAll(PLACE), ([, name = '']) => name))
}

/** Fills the places of a template in one pass: what stands in one is not filled again. One that nobody fills stays empty. */
export function fillPlaces(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(PLACE, (_place, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? '') : '',
  )
}
