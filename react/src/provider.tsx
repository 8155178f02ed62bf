import type { Client } from '@countersign/client'
import { createContext, type ReactNode, useContext, useMemo } from 'react'
import { directionOf, languageOf } from './foundation/language.ts'
import { useHydrated } from './foundation/use-hydrated.ts'
import type { TextOverrides } from './texts/overrides.ts'
import { texts as source } from './texts/source.ts'

/** `auto` follows the system. */
export type Appearance = 'auto' | 'light' | 'dark'

/** What every component below a provider knows. */
export type CountersignContext = {
  readonly client: Client
  /** BCP 47, as it was given or as the browser says: for names, numbers and the language of messages. */
  readonly locale: string
  /** The language of the texts: one of the twelve. */
  readonly language: string
  readonly dir: 'ltr' | 'rtl'
  readonly overrides: TextOverrides | undefined
  readonly appearance: Appearance
}

/** How components below are connected, and what they look and read like. */
export type CountersignProviderProps = {
  readonly client: Client
  /** BCP 47, such as `pt-BR`. Unless told, the browser's language, and English on the server. */
  readonly locale?: string
  /** Texts of your own in the place of ours, by key. */
  readonly texts?: TextOverrides
  readonly appearance?: Appearance
  readonly children?: ReactNode
}

const Context = createContext<CountersignContext | undefined>(undefined)

/** Connects all components below to a server. Reads nothing of the browser while it renders on a server. */
export function CountersignProvider(props: CountersignProviderProps): ReactNode {
  const { client, texts: overrides, appearance = 'auto', children } = props
  const hydrated = useHydrated()
  const locales = props.locale === undefined ? (hydrated ? navigator.languages : []) : [props.locale]
  const locale = locales[0] ?? 'en'
  const language = languageOf(locales, source.languages)
  const value = useMemo(
    () => ({ client, locale, language, dir: directionOf(language), overrides, appearance }),
    [client, locale, language, overrides, appearance],
  )
  return <Context.Provider value={value}>{children}</Context.Provider>
}

/** What the provider above was given. Throws where there is none. */
export function useCountersign(): CountersignContext {
  const value = useContext(Context)
  if (value === undefined) throw new Error('Countersign components need a <CountersignProvider> above them')
  return value
}
