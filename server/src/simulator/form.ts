import { parse } from 'node:querystring'

/** The parameters of a form or of a query: each name with its value, or its values where it came more than once. */
export type Form = NodeJS.Dict<string | string[]>

/** Reads what `application/x-www-form-urlencoded` says. */
export function readForm(text: string): Form {
  return parse(text)
}

/** The first value of a parameter; undefined where it is missing or empty. */
export function one(form: Form, name: string): string | undefined {
  const value = form[name]
  const first = Array.isArray(value) ? value[0] : value
  return first === undefined || first === '' ? undefined : first
}

/** Every value of a parameter that is not empty. */
export function all(form: Form, name: string): readonly string[] {
  const value = form[name]
  if (value === undefined) return []
  return (Array.isArray(value) ? value : [value]).filter((each) => each !== '')
}
