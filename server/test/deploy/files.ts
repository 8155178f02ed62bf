import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'

const ROOT = join(import.meta.dirname, '../../..')
export const DEPLOY = join(ROOT, 'deploy')

/** A file, by its path from the root of the repository. */
export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** A YAML file of one document; merge keys are merged. */
export function readYaml(path: string): unknown {
  return parse(read(path), { merge: true })
}

/** A YAML file of any number of documents. */
export function readYamls(path: string): readonly unknown[] {
  return parseAllDocuments(read(path)).map((document): unknown => document.toJS())
}

/** The variables of a file of `KEY=value` lines. */
export function readEnv(path: string): Readonly<Record<string, string>> {
  const lines = read(path).split('\n')
  const pairs = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split('='))
  return Object.fromEntries(pairs.map(([key = '', ...value]) => [key, value.join('=')]))
}

/** Every `${NAME…}` of a text, with the dollar signs that Compose is told to leave alone left out. */
export function variablesIn(text: string): ReadonlySet<string> {
  return new Set([...text.replaceAll('$$', '').matchAll(/\$\{(\w+)/g)].map(([, name]) => name ?? ''))
}

/** Puts variables into a text as Compose does: `${A}`, `${A:-default}`, `${A-default}`, `${A:?what is missing}`. */
export function interpolate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(
    /\$\{(\w+)(?:(-|:-|:\?)([^}]*))?\}/g,
    (_all, name: string, kind?: string, rest?: string) => {
      if (kind === '-') return values[name] ?? rest ?? ''
      const value = values[name] ?? ''
      if (value === '' && kind === ':?') throw new Error(`${name} is missing: ${rest}`)
      return value === '' && kind === ':-' ? (rest ?? '') : value
    },
  )
}

/** What is looked at of a service of Compose. */
export type ComposeService = {
  readonly image?: string
  readonly extends?: { readonly file: string; readonly service: string }
  readonly environment?: Readonly<Record<string, string>>
  readonly env_file?: readonly { readonly path: string; readonly required: boolean }[]
  readonly command?: readonly string[]
  readonly secrets?: readonly string[]
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly ipv4_address?: string }>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly restart?: string
  readonly user?: string
  readonly read_only?: boolean
  readonly stop_grace_period?: string
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly deploy?: { readonly resources: { readonly limits: Readonly<Record<string, string>> } }
}

/** A file of Compose. */
export type Compose = {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
  readonly networks: Readonly<
    Record<
      string,
      { readonly internal?: boolean; readonly ipam?: { readonly config: readonly { subnet: string }[] } }
    >
  >
}

/** A service of a file of Compose with what it extends put in. */
export function composeService(path: string, name: string): ComposeService {
  const service = (readYaml(path) as Compose).services[name]
  if (service === undefined) throw new Error(`${path} has no service ${name}`)
  if (service.extends === undefined) return service
  return composeService(`deploy/${service.extends.file}`, service.extends.service)
}
