import { isIP } from 'node:net'
import { bad, type Reading, show, value } from './config-reading.ts'

/** The sections of the manual, in its order. */
export const sections = {
  server: 'Server',
  secrets: 'Secrets and keys',
  store: 'Store',
  verification: 'Verifications',
  limits: 'Limits',
  guard: 'Where messages may go',
  messaging: 'Messages',
  twilio: 'Twilio',
  vonage: 'Vonage',
  sns: 'Amazon SNS',
  smpp: 'SMPP',
  webhook: 'Webhook',
  signIn: 'Sign-in',
  account: 'Account pages',
  testing: 'Development and testing',
  upkeep: 'Logs and retention',
} as const

/** The name of a section of the manual. */
export type Section = keyof typeof sections

/**
 * One setting: how it is read, and all that the manual says of it. `T` is what a text is read as, `D` what the
 * setting is when it is not given.
 */
export type Setting<T = unknown, D = unknown> = {
  readonly kind: 'integer' | 'boolean' | 'choice' | 'text' | 'list'
  readonly section: Section
  /** One to three sentences for the manual. */
  readonly about: string
  /** The value when the setting is not given; undefined where there is none or it hangs on other settings. */
  readonly fallback: D
  /** The default as the manual says it; empty where there is none. */
  readonly fallbackText: string
  /** What is accepted, as the manual says it. */
  readonly accepts: string
  /** Reads a trimmed text. Never throws, and never repeats a secret in its problem. */
  readonly parse: (text: string) => Reading<T>
  /** Other names that mean the same setting. */
  readonly older: readonly string[]
  /** True when the value must never be shown; every name of it then also exists with `_FILE` at its end. */
  readonly secret: boolean
  /** A value for `.env.example`. */
  readonly example: string
  /** What `NODE_ENV=production` asks of it or refuses, as the manual says it. */
  readonly inProduction?: string
  /** The bounds of an integer, both allowed. */
  readonly min?: number
  readonly max?: number
  readonly unit?: string
}

type Spec = {
  readonly section: Section
  readonly about: string
  readonly fallbackText?: string
  readonly older?: readonly string[]
  readonly secret?: true
  readonly example?: string
  readonly inProduction?: string
}

function common(spec: Spec, fallbackText: string) {
  return {
    section: spec.section,
    about: spec.about,
    fallbackText: spec.fallbackText ?? fallbackText,
    older: spec.older ?? [],
    secret: spec.secret ?? false,
    example: spec.example ?? fallbackText,
    ...(spec.inProduction === undefined ? {} : { inProduction: spec.inProduction }),
  }
}

/** A whole number in plain digits, within bounds. */
export function integer<D extends number | undefined>(
  spec: Spec & { fallback: D; min: number; max: number; unit: string },
): Setting<number, D> {
  const { fallback, min, max, unit } = spec
  const range = `${min} to ${max}`
  return {
    ...common(spec, fallback === undefined ? '' : String(fallback)),
    kind: 'integer',
    fallback,
    accepts: `${range} ${unit}`.trimEnd(),
    min,
    max,
    unit,
    parse: (text) => {
      const must = `must be a whole number${unit === '' ? '' : ` of ${unit}`} from ${range}`
      // Number() alone would let "", "0x10", "1e3" and " " through, and a limit of NaN is no limit at all.
      if (!/^(0|[1-9]\d{0,9})$/.test(text)) return bad(`${must}; ${show(text)} is not one`)
      const number = Number(text)
      return number >= min && number <= max ? value(number) : bad(`${must}; it is ${text}`)
    },
  }
}

/** Yes or no. */
export function boolean<D extends boolean | undefined>(spec: Spec & { fallback: D }): Setting<boolean, D> {
  return {
    ...common(spec, spec.fallback === undefined ? '' : String(spec.fallback)),
    kind: 'boolean',
    fallback: spec.fallback,
    accepts: '`true` or `false`',
    parse: (text) => {
      if (/^(true|1|yes)$/i.test(text)) return value(true)
      if (/^(false|0|no)$/i.test(text)) return value(false)
      return bad(`must be true or false; ${show(text)} is neither`)
    },
  }
}

/** One of a few words. */
export function choice<const C extends string>(
  spec: Spec & { of: readonly C[]; fallback: C },
): Setting<C, C> {
  return {
    ...common(spec, spec.fallback),
    kind: 'choice',
    fallback: spec.fallback,
    accepts: spec.of.map((name) => `\`${name}\``).join(', '),
    parse: (text) => {
      const chosen = spec.of.find((name) => name === text)
      return chosen === undefined
        ? bad(`must be one of ${spec.of.join(', ')}; ${show(text)} is not`)
        : value(chosen)
    },
  }
}

/** A text that stays one. */
export function text<D extends string | undefined>(
  spec: Spec & { fallback: D; accepts: string; parse: (text: string) => Reading<string> },
): Setting<string, D> {
  return {
    ...common(spec, spec.fallback ?? ''),
    kind: 'text',
    fallback: spec.fallback,
    accepts: spec.accepts,
    parse: spec.parse,
  }
}

/** A text that is read as more than a text. It has no default of its own. */
export function parsed<T>(
  spec: Spec & { accepts: string; parse: (text: string) => Reading<T> },
): Setting<T, undefined> {
  return { ...common(spec, ''), kind: 'text', fallback: undefined, accepts: spec.accepts, parse: spec.parse }
}

/** A whole number, or the word `auto`. */
export function integerOrAuto(
  spec: Spec & { fallback: number; min: number; max: number },
): Setting<number | 'auto', number> {
  const { fallback, min, max } = spec
  return {
    ...common(spec, String(fallback)),
    kind: 'choice',
    fallback,
    accepts: `${min} to ${max}, or \`auto\``,
    parse: (text) => {
      if (text === 'auto') return value('auto' as const)
      const number = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : Number.NaN
      if (number >= min && number <= max) return value(number)
      return bad(`must be a whole number from ${min} to ${max}, or auto; ${show(text)} is neither`)
    },
  }
}

/** Yes, no, or the word `auto`, which is what it is when nobody says. */
export function booleanOrAuto(spec: Spec): Setting<boolean | 'auto', 'auto'> {
  const byWord = boolean({ ...spec, fallback: undefined })
  return {
    ...common(spec, 'auto'),
    kind: 'choice',
    fallback: 'auto',
    accepts: '`auto`, `true` or `false`',
    parse: (text) => {
      if (text === 'auto') return value('auto' as const)
      const reading = byWord.parse(text)
      return reading.ok ? reading : bad(`must be auto, true or false; ${show(text)} is none`)
    },
  }
}

/** The path of a file or a folder, relative to the working directory. */
export function path<D extends string | undefined>(spec: Spec & { fallback: D }): Setting<string, D> {
  return text({ ...spec, accepts: 'a path', parse: matching(/^[^\p{Cc}]{1,4096}$/u, 'a path') })
}

/** Reads a text that must match a pattern. The value is not repeated: a secret is easily put in the wrong line. */
export const matching =
  (pattern: RegExp, must: string) =>
  (text: string): Reading<string> =>
    pattern.test(text) ? value(text) : bad(`must be ${must}`)

type Items<T> = {
  item: (text: string) => Reading<T>
  /** What makes two items the same. */
  identity: (item: T) => string
}

function parseList<T>(text: string, { item, identity }: Items<T>): Reading<readonly T[]> {
  const items = new Map<string, T>()
  for (const [index, part] of text.split(',').entries()) {
    const at = `item ${index + 1}`
    if (part.trim() === '') return bad(`${at} of the list is empty: is there a comma too many?`)
    const read = item(part.trim())
    if (!read.ok) return bad(`${at} ${read.problem}`)
    const key = identity(read.value)
    if (items.has(key)) return bad(`${at} is in the list already`)
    items.set(key, read.value)
  }
  return value([...items.values()])
}

/** Items with commas between, none of them twice. */
export function list<T, D extends readonly T[] | undefined>(
  spec: Spec & { fallback: D; accepts: string } & Items<T>,
): Setting<readonly T[], D> {
  return {
    ...common(spec, ''),
    kind: 'list',
    fallback: spec.fallback,
    accepts: spec.accepts,
    parse: (text) => parseList(text, spec),
  }
}

/** Items, or `*` for all there are. */
export function listOrAll<T, D extends readonly T[] | undefined>(
  spec: Spec & { fallback: D; accepts: string } & Items<T>,
): Setting<readonly T[] | '*', D> {
  return {
    ...common(spec, ''),
    kind: 'list',
    fallback: spec.fallback,
    accepts: spec.accepts,
    parse: (text) => (text === '*' ? value('*' as const) : parseList(text, spec)),
  }
}

/** True for a host that cannot be reached from another machine. */
export function isLoopbackHost(host: string): boolean {
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    host === '[::1]' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  )
}

/** Reads an http(s) URL without credentials, query and fragment; gives it without a slash at its end. */
export function parseUrl(text: string, allowPath: boolean): Reading<string> {
  const must = `must be an http:// or https:// URL ${allowPath ? '' : 'without a path'}`.trimEnd()
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:\/\/[^/]/i.test(text)) return bad(`${must}; ${show(text)} is not one`)
  if (url.username !== '' || url.password !== '') return bad(`${must} and without a user name or password`)
  if (text.includes('?') || text.includes('#')) return bad(`${must}, without a query or fragment`)
  if (!allowPath && url.pathname !== '/') return bad(`${must}; it has the path ${show(url.pathname)}`)
  return value(`${url.origin}${url.pathname.replace(/\/+$/, '')}`)
}

/** The identity of an item that is a text. */
export const same = (item: string): string => item
/** Twilio's ids: two letters, then 32 hexadecimal digits. */
export const sid = (prefix: string): RegExp => new RegExp(`^${prefix}[0-9a-fA-F]{32}$`)
/** A secret of at least so many characters. */
export const secretText = (least: number): RegExp => new RegExp(`^[\\x21-\\x7e]{${least},512}$`)
