import { useEffect, useMemo, useSyncExternalStore } from 'react'

type PluralForm = 'zero' | 'one' | 'two' | 'few' | 'many' | 'other'
type BaseOf<Key> = Key extends `${infer Base}_other` ? Base : never

/**
 * What one asks a table for: its keys, and for a text that depends on a number (`x_one`, `x_other`) the key without its
 * form, with `count` among the values.
 */
export type KeyOf<English> = (keyof English & string) | BaseOf<keyof English>

/** A table in another language: every key of the English one; of plurals `_other`, and whatever forms the language has. */
export type TableOf<English> = Record<Exclude<keyof English & string, `${string}_one`>, string> &
  Partial<Record<`${BaseOf<keyof English>}_${PluralForm}`, string>>

/** Texts of an app's own in the place of ours; any key may be given. */
export type OverridesOf<English> = Partial<
  Record<(keyof English & string) | `${BaseOf<keyof English>}_${PluralForm}`, string>
>

/** What is filled in for `{name}`. */
export type Values = Readonly<Record<string, string | number>>

/** Gives the text of a key. */
export type Translate<English> = (key: KeyOf<English>, values?: Values) => string

/** A table in English, and the others where they lie. */
export type TextSource<English> = {
  readonly english: English
  readonly languages: readonly string[]
  /** The table of a language if it is there already. */
  readonly peek: (language: string) => Readonly<Record<string, string>> | undefined
  /** Loads it; where that fails English stays, and the next who asks tries again. */
  readonly load: (language: string) => Promise<void>
  readonly subscribe: (listener: () => void) => () => void
}

/** Joins the English table, which is always there, with those that are loaded when they are first wanted. */
export function defineTexts<English extends Readonly<Record<string, string>>>(
  english: English,
  loaders: Readonly<Record<string, () => Promise<TableOf<English>>>>,
): TextSource<English> {
  const loaded = new Map<string, Readonly<Record<string, string>>>([['en', english]])
  const loading = new Map<string, Promise<void>>()
  const listeners = new Set<() => void>()
  const load = async (language: string) => {
    try {
      const table = await loaders[language]?.()
      if (table === undefined) return
      loaded.set(language, table)
      for (const listener of listeners) listener()
    } catch {
      loading.delete(language)
    }
  }
  return {
    english,
    languages: ['en', ...Object.keys(loaders)],
    peek: (language) => loaded.get(language),
    load: (language) => {
      if (loaded.has(language)) return Promise.resolve()
      const started = loading.get(language) ?? load(language)
      loading.set(language, started)
      return started
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** The texts of a language, in English until they are loaded. */
export function useTextSource<English extends Readonly<Record<string, string>>>(
  source: TextSource<English>,
  language: string,
  overrides: OverridesOf<English> | undefined,
): Translate<English> {
  const table = useSyncExternalStore(
    source.subscribe,
    () => source.peek(language) ?? source.english,
    () => source.peek(language) ?? source.english,
  )
  useEffect(() => void source.load(language), [source, language])
  return useMemo(
    () => translator(source.english, { ...table, ...overrides }, language),
    [source, table, overrides, language],
  )
}

/** Looks texts up in a table, and in the English one what it lacks. */
export function translator<English extends Readonly<Record<string, string>>>(
  english: English,
  table: Readonly<Record<string, string | undefined>>,
  language: string,
): Translate<English> {
  const texts = { ...english, ...table }
  return (key, values) => fill(pick(texts, key, values?.['count'], language), values)
}

function pick(
  texts: Readonly<Record<string, string | undefined>>,
  key: string,
  count: string | number | undefined,
  language: string,
): string {
  const plural = typeof count === 'number' ? texts[`${key}_${formOf(count, language)}`] : undefined
  return plural ?? texts[key] ?? texts[`${key}_other`] ?? key
}

function formOf(count: number, language: string): Intl.LDMLPluralRule {
  return new Intl.PluralRules(language).select(count)
}

function fill(text: string, values: Values | undefined): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values?.[name] ?? whole))
}
