import { type KeyboardEvent, useMemo, useRef, useState } from 'react'
import { findCountries, listCountries, type ListedCountry } from './country-names.ts'
import { useNumbers } from './use-numbers.ts'

/** The list below a country field. */
export type CountryList = {
  readonly isOpen: boolean
  /** What was typed to search; undefined while nothing was. */
  readonly query: string | undefined
  readonly found: readonly ListedCountry[]
  /** Which of the found is the one that Enter takes; -1 for none. */
  readonly active: number
  readonly open: () => void
  readonly close: () => void
  readonly search: (query: string) => void
  readonly choose: (index: number) => void
  readonly onKeyDown: (event: KeyboardEvent) => void
}

/** How far Page Up and Page Down go. */
const PAGE = 8

/** The list of countries: named when it is first opened, since naming 245 takes a while. */
export function useCountryList(options: {
  readonly value: string | undefined
  readonly onChange: (country: string) => void
  readonly countries: readonly string[] | undefined
  readonly locale: string
}): CountryList {
  const { value, onChange, countries, locale } = options
  const numbers = useNumbers()
  const [isOpen, setOpen] = useState(false)
  const [query, setQuery] = useState<string>()
  /** Where keys have moved to; undefined until one has. */
  const [moved, setMoved] = useState<number>()
  const wasOpen = useRef(false)
  if (isOpen) wasOpen.current = true
  const isNamed = wasOpen.current
  const listed = useMemo(() => {
    if (!isNamed || numbers === undefined) return []
    const all = numbers.phoneCountries()
    return listCountries(
      countries === undefined ? all : all.filter(({ country }) => countries.includes(country)),
      locale,
    )
  }, [isNamed, numbers, countries, locale])
  const found = useMemo(() => findCountries(listed, query ?? ''), [listed, query])
  // Told by what is shown, and not set after it: the next key may come before that.
  const active = moved ?? (query === undefined ? found.findIndex(({ country }) => country === value) : 0)

  const close = () => {
    setOpen(false)
    setQuery(undefined)
    setMoved(undefined)
  }
  const choose = (index: number) => {
    const country = found[index]?.country
    close()
    if (country !== undefined && country !== value) onChange(country)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    const step = STEPS[event.key]
    if (step !== undefined) {
      event.preventDefault()
      if (!isOpen) return setOpen(true)
      setMoved(Math.min(Math.max(active + step, 0), found.length - 1))
    } else if (isOpen && event.key === 'Enter') {
      event.preventDefault()
      choose(active)
    } else if (isOpen && event.key === 'Escape') {
      // It closes the list, and not the dialog around it.
      event.preventDefault()
      close()
    } else if (isOpen && event.key === 'Tab' && query !== undefined) {
      choose(active)
    }
  }
  return {
    isOpen,
    query,
    found,
    active,
    open: () => setOpen(true),
    close,
    search: (next) => {
      setOpen(true)
      setQuery(next)
      setMoved(undefined)
    },
    choose,
    onKeyDown,
  }
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: PAGE,
  PageUp: -PAGE,
}
